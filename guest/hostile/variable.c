/*
 * Variables that firmware stores through SMM: L1 calls its runtime services, which hand a buffer to
 * SMM by an SMI. boot=N on the command line says that this is the N-th boot on the same store, and
 * that the boot before ran this group, too. Relies on firmware of 64 bits, which nobody has moved
 * to virtual addresses. UEFI specification, sections 2.3.4, 4.5 and 8.2.
 */
#include "guest/hostile/hostile.h"
#include "guest/lib/free_memory.h"

#ifdef __x86_64__

#define RUNTIME_SIGNATURE 0x56524553544e5552ull /* "RUNTSERV" */
#define EFI_NOT_FOUND     (1ull << 63 | 14)
#define CRC32_POLYNOMIAL  0xedb88320u

enum {
	HEADER_MAX = 4096,
	STEP = 8, /* what tables are aligned to */
	NON_VOLATILE = 1 << 0,
	AT_BOOT = 1 << 1,
	AT_RUNTIME = 1 << 2,
	ATTRIBUTES = NON_VOLATILE | AT_BOOT | AT_RUNTIME,
	BYTES = 600,
	ROUNDS = 4,
	BUSY = 1000, /* of L2, in loops */
	OF_ROUNDS = 0x4000,
	OF_PROCESSORS = 0x8000,
};

struct guid {
	uint32_t data1;
	uint16_t data2, data3;
	uint8_t data4[8];
};

struct runtime_services {
	uint64_t signature;
	uint32_t revision, header_size, crc32, reserved;
	uint64_t time_and_addresses[6];
	uint64_t __attribute__((ms_abi)) (*get)(const uint16_t *name, const struct guid *vendor,
	                                        uint32_t *attributes, uint64_t *bytes, void *data);
	uint64_t next_name;
	uint64_t __attribute__((ms_abi)) (*set)(const uint16_t *name, const struct guid *vendor,
	                                        uint32_t attributes, uint64_t bytes, void *data);
};
_Static_assert(offsetof(struct runtime_services, get) == 72, "UEFI specification, section 4.5");
_Static_assert(offsetof(struct runtime_services, set) == 88, "UEFI specification, section 4.5");

static const struct runtime_services *services;
static const struct guid vendor = {
	0x6e657374, 0x6c69, 0x4e47, {0x8a, 0x53, 0x4d, 0x4d, 0x10, 0xb2, 0x5a, 0x01}};
static const uint16_t kept[] = u"NestlingKept", passing[] = u"NestlingPassing";

/* Of one variable, by who asks for it: each processor has its own. */
static struct request {
	const uint16_t *name;
	uint64_t status, bytes;
	uint32_t attributes, seed;
	uint8_t data[BYTES];
} requests[CPUS_MAX];

/* The sum over a table, whose own field for it counts as 0. */
static uint32_t table_crc32(const struct runtime_services *table)
{
	const uint8_t *bytes = (const uint8_t *)table;
	uint32_t crc = ~0u, at = offsetof(struct runtime_services, crc32);

	for (uint32_t i = 0; i < table->header_size; i++) {
		crc ^= i - at < sizeof(table->crc32) ? 0 : bytes[i];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32_POLYNOMIAL : 0);
	}
	return ~crc;
}

static bool is_services(const struct runtime_services *table, uint64_t room)
{
	return room >= sizeof(*table) && table->signature == RUNTIME_SIGNATURE &&
	       table->header_size >= sizeof(*table) && table->header_size <= HEADER_MAX &&
	       table->header_size <= room && table_crc32(table) == table->crc32;
}

/* L1 maps all memory, since the firmware's is anywhere in it. */
static void map_up_to(uint64_t top)
{
	for (uint64_t at = 0; at < top; at += SIZE_2M) {
		if (!pt_entry(&l1_tables, at, 2) || !pt_get(&l1_tables, at, 2))
			pt_map(&l1_tables, at, at, 2, PT_RW);
	}
}

/* Services are in memory that the firmware keeps, which lies between memory that it does not. */
static void find_services(void)
{
	uint64_t top = free_memory_find(PAGE_SIZE).top;
	const struct memory_range *range;

	map_up_to(top);
	for (unsigned int n = 0; (range = memory_range(n)) && !services; n++) {
		if (range->usable || range->end > top)
			continue;
		for (uint64_t at = range->start; at < range->end && !services; at += STEP) {
			const struct runtime_services *table = (const void *)at;

			if (is_services(table, range->end - at))
				services = table;
		}
	}
}

/* The firmware may use SSE (section 2.3.4), and the image does not. */
static void allow_sse(void)
{
	write_cr0(read_cr0() & ~(unsigned long)(CR0_EM | CR0_TS));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
}

static void set(struct cpu *cpu)
{
	struct request *request = &requests[cpu->id];

	allow_sse();
	for (unsigned int i = 0; i < BYTES; i++)
		request->data[i] = (uint8_t)(request->seed * 7 + (request->seed >> 8) + i);
	request->status =
		services->set(request->name, &vendor, ATTRIBUTES, request->bytes, request->data);
}

static void get(struct cpu *cpu)
{
	struct request *request = &requests[cpu->id];

	allow_sse();
	request->bytes = sizeof(request->data);
	request->attributes = 0;
	memset(request->data, 0, sizeof(request->data));
	request->status = services->get(request->name, &vendor, &request->attributes,
	                                &request->bytes, request->data);
}

/* Does it there, by whoever it is. */
static struct request *ask(unsigned int number, void (*function)(struct cpu *),
                           const uint16_t *name)
{
	requests[number].name = name;
	if (!number)
		function(cpu_self());
	else
		check("comes back", hostile_does(number, function), true);
	return &requests[number];
}

/* bytes 0: deletes it. */
static void check_set(unsigned int number, const uint16_t *name, uint64_t bytes, uint32_t seed)
{
	requests[number].seed = seed;
	requests[number].bytes = bytes;
	check("SetVariable", ask(number, set, name)->status, 0);
}

static void check_get(unsigned int number, const uint16_t *name, uint32_t seed)
{
	const struct request *request = ask(number, get, name);
	uint32_t good = 0;

	if (!check("GetVariable", request->status, 0))
		return;
	check("attributes", request->attributes, ATTRIBUTES);
	check("bytes", request->bytes, BYTES);
	for (unsigned int i = 0; i < BYTES; i++)
		good += request->data[i] == (uint8_t)(seed * 7 + (seed >> 8) + i);
	check("bytes as they were written", good, BYTES);
}

static void check_none(const uint16_t *name)
{
	check("GetVariable", ask(0, get, name)->status, EFI_NOT_FOUND);
}

static void by_processors(void)
{
	uint32_t before = hostile_smis();

	point("each processor writes a variable, and each reads it");
	hostile_restart_all();
	for (unsigned int writer = 0; writer < hostile_count(); writer++) {
		check_set(writer, passing, BYTES, OF_PROCESSORS + writer);
		for (unsigned int reader = 0; reader < hostile_count(); reader++)
			check_get(reader, passing, OF_PROCESSORS + writer);
	}

	point("an SMI came for each");
	if (before)
		check_range("SMIs", hostile_smis() - before, hostile_count(), UINT32_MAX);
	else
		point_skip("nobody counts them");
}

static void flushes(struct cpu *cpu)
{
	while (!hostile_stop) {
		hostile_flush();
		cpu->alive++;
	}
}

/*
 * SMM waits for processors that are in an L2, and for those that L0 waits for. Bare, QEMU takes an
 * SMI inside L2, on L1's nested tables, where SMM's memory is not.
 */
static void beside_others(void)
{
	bool l2s = !emulator_is(QEMU_BARE);

	point("variables are written while others run L2s and flush");
	hostile_leave_smm();
	hostile_restart_all();
	for (unsigned int i = 1; i < hostile_count(); i++) {
		hostile_l2(i);
		cpu_call(cpu_by_id(i), i % 2 && l2s ? hostile_l2s : flushes);
	}
	for (unsigned int i = 0; i < ROUNDS; i++) {
		check_set(0, passing, BYTES, OF_ROUNDS + i);
		check("L2 computes", hostile_run_l2(hostile_l2(0), BUSY), true);
		check_get(0, passing, OF_ROUNDS + i);
	}
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("is alive", cpus_counts(&cpu_by_id(i)->alive), true);
	hostile_stop = true;
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("has finished", cpu_wait(cpu_by_id(i)), true);
}

void hostile_variables(void)
{
	uint32_t boot = cmdline_number("boot", 0);

	if (!tap_group("hostile", "smi-variables"))
		return;
	point("the firmware's services are found");
	if (!boot) {
		point_skip("no boot= on the command line");
		point_end();
		return;
	}
	find_services();
	if (!services)
		run_failed("# there are none\n");

	point("a variable is what the boot before wrote");
	if (boot == 1)
		check_none(kept);
	else
		check_get(0, kept, boot - 1);

	point("a variable that the boot before deleted is gone");
	check_none(passing);

	by_processors();
	beside_others();

	point("a variable that is deleted is gone");
	check_set(0, passing, 0, 0);
	check_none(passing);

	point("what the next boot finds is written");
	check_set(0, kept, BYTES, boot);
	check_get(0, kept, boot);
	hostile_leave_smm();
	hostile_all_answer(1);
}

#else

void hostile_variables(void)
{
	if (!tap_group("hostile", "smi-variables"))
		return;
	point("the firmware's services are found");
	point_skip("they are called in 64-bit code");
	point_end();
}

#endif
