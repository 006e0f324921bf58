/*
 * From one mode of paging to another, and back: CR0.PG off and on, 2 levels, PAE, long mode, real
 * mode, virtual 8086 mode. Relies on paging.h and modes.h; APM 5.1, 14.6 to 14.8.
 */
#include "guest/lib/modes.h"
#include "guest/points/paging.h"

enum {
	VALUE = 0x30de,
	POOL_PAGES = 24,
	LOW_BYTES = 16 << 20,
	OTHER_AT = 0x50000000,
	ROUNDS = 4,
	V86_DATA = 0xd00,
	V86_STACK = 0xf00,
};

static uint8_t pool[POOL_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t low_copy[PAGE_SIZE];

static void store(const void *address, uint64_t value, uint32_t bytes)
{
	struct modes_args args = {
		.address = (uint32_t)(uintptr_t)address,
		.value = (uint32_t)value,
		.value_high = (uint32_t)(value >> 32),
		.bytes = bytes,
	};

	modes_run(modes_store, &args);
}

static void paging_off(void)
{
	uint64_t at = small_page(0), a = get(at, 1), b = get(small_page(1), 1);
	uint32_t bytes = l1_tables.format->entry_bytes;
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);

	frame(0)[0] = VALUE;
	frame(1)[0] = VALUE + 1;

	point("paging is turned off and on, and all is as before");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		may(SUPERVISOR, READ, at, VALUE);
		store(&frame(0)[1], VALUE + i, 4);
		may(SUPERVISOR, READ, at + 4, VALUE + i);
	}
	check("CR0", read_cr0(), cr0);
	check("CR3", read_cr3(), cr3);
	check("CR4", read_cr4(), cr4);
	check("EFER", rdmsr(MSR_EFER), efer);

	point("tables that are edited with paging off show when it is on");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		store(pt_entry(&l1_tables, at, 1), b, bytes);
		may(SUPERVISOR, READ, at, VALUE + 1);
		store(pt_entry(&l1_tables, at, 1), a, bytes);
		may(SUPERVISOR, READ, at, VALUE);
	}
	store(pt_entry(&l1_tables, at, 1), 0, bytes);
	faults(SUPERVISOR, READ, at, 0);
	store(pt_entry(&l1_tables, at, 1), a & ~PT_WRITE, bytes);
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	may(SUPERVISOR, READ, at, VALUE);
	set(at, 1, a);
	flush();
}

/* Other tables: the image where it is, and one page of the region's at OTHER_AT. */
static void other(const char *name, const struct pt_format *format, uint32_t cr4, uint32_t lme)
{
	struct modes_args args = {.address = OTHER_AT + 16, .cr4 = cr4};
	uint64_t at = small_page(2);
	struct pt pt;

	point(name);
	if (format == l1_tables.format) {
		point_skip("it is L1's own mode");
		return;
	}
	if ((format == &pt_pse && !machine.pse) || (lme && !machine.lm) ||
	    (format == &pt_5level && !machine.la57)) {
		point_skip("the processor has no such mode");
		return;
	}
	pt_init(&pt, format, (uintptr_t)pool, (uintptr_t)pool + sizeof(pool), 0);
	pt_map_range(&pt, 0, 0, LOW_BYTES, 2, PT_RW);
	pt_map(&pt, OTHER_AT, l2_gpa(frame(3)), 1, PT_RW);
	args.cr3 = (uint32_t)pt.root;
	args.efer = ((uint32_t)rdmsr(MSR_EFER) & ~(EFER_LME | EFER_LMA)) | lme;
	frame(2)[0] = VALUE;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		frame(3)[4] = VALUE + i;
		args.value = VALUE + 100 + i;
		args.result = 0;
		modes_run(modes_paging, &args);
		check("read there", args.result, VALUE + i);
		check("written there", frame(3)[5], VALUE + 100 + i);
		check("CR0 there", args.cr0, read_cr0());
		check("A and D there", pt_get(&pt, OTHER_AT, 1) & AD, AD);
		may(SUPERVISOR, READ, at, VALUE);
		/* The next round finds another frame there, and no A and D. */
		pt_map(&pt, OTHER_AT, l2_gpa(frame(3)), 1, PT_RW);
	}
	check("EFER", rdmsr(MSR_EFER) & (EFER_LME | EFER_LMA),
	      l1_tables.format->levels >= 4 ? EFER_LME | EFER_LMA : 0);
}

static void real_mode(void)
{
	uint8_t *low = (void *)(uintptr_t)MODES_REAL_BASE;
	struct modes_args args;

	point("real mode and back");
	memcpy(low_copy, low, PAGE_SIZE);
	memset(&args, 0, sizeof(args));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		memset(low, 0, PAGE_SIZE);
		memcpy(low, modes_real_code, (size_t)(modes_real_code_end - modes_real_code));
		modes_run(modes_real, &args);
		check("SMSW's PE in real mode", low[MODES_REAL_RESULT] & CR0_PE, 0);
		check("EAX from the real mode's handler",
		      *(uint32_t *)(void *)(low + MODES_REAL_RESULT + 4), MODES_REAL_VALUE);
		may(SUPERVISOR, READ, small_page(2), VALUE);
	}
	memcpy(low, low_copy, PAGE_SIZE);
	check("PE", read_cr0() & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
}

#ifdef __x86_64__
static void virtual_8086(void)
{
	point("virtual 8086 mode reads and writes its pages");
	point_skip("long mode has no virtual 8086 mode");
}
#else
/* mov eax, [data]; inc eax; mov [data + 4], eax; int USER_RETURN_VECTOR: #GP, since IOPL is 0. */
static const uint8_t v86_code[] = {0x66,
                                   0xa1,
                                   V86_DATA & 0xff,
                                   (MODES_REAL_BASE | V86_DATA) >> 8,
                                   0x66,
                                   0x40,
                                   0x66,
                                   0xa3,
                                   (V86_DATA + 4) & 0xff,
                                   (MODES_REAL_BASE | V86_DATA) >> 8,
                                   0xcd,
                                   USER_RETURN_VECTOR};

static void virtual_8086(void)
{
	uint8_t *low = (void *)(uintptr_t)MODES_REAL_BASE;
	uint32_t *data = (void *)(low + V86_DATA);
	unsigned int level = has_large() ? 2 : 1;
	uint64_t entry = get(MODES_REAL_BASE, level);
	const struct user user = {
		.ip = MODES_REAL_BASE,
		.sp = MODES_REAL_BASE + V86_STACK,
		.flags = RFLAGS_FIXED | RFLAGS_VM,
	};

	memcpy(low_copy, low, PAGE_SIZE);
	memset(low, 0, PAGE_SIZE);
	memcpy(low, v86_code, sizeof(v86_code));
	data[0] = VALUE;
	set(MODES_REAL_BASE, level, entry | PT_USER);
	flush();

	point("virtual 8086 mode reads and writes its pages");
	check("vector", (uint64_t)(int64_t)user_run(&user), VEC_GP);
	check("ip", trap_last.ip, MODES_REAL_BASE + sizeof(v86_code) - 2);
	check("written", data[1], VALUE + 1);

	point("virtual 8086 mode faults as a user does");
	if (emulator_is(BOCHS)) {
		point_known(BOCHS, "#VMEXIT from virtual 8086 mode to 64 bits panics: not tried");
		set(MODES_REAL_BASE, level, entry);
		flush();
		memcpy(low, low_copy, PAGE_SIZE);
		return;
	}
	set(MODES_REAL_BASE, level, entry);
	flush();
	check("vector", (uint64_t)(int64_t)user_run(&user), VEC_PF);
	check("error code", trap_last.error & ~PF_FETCH, PF_PRESENT | PF_USER);
	check("CR2", trap_last.cr2, MODES_REAL_BASE);
	memcpy(low, low_copy, PAGE_SIZE);
}
#endif

void paging_modes(void)
{
	if (!paging_group("modes"))
		return;
	paging_off();
	other("paging of 2 levels without CR4.PSE, and back", &pt_2level, 0, 0);
	other("paging of 2 levels with CR4.PSE, and back", &pt_pse, CR4_PSE, 0);
	other("PAE paging, and back", &pt_pae, CR4_PAE, 0);
	other("long mode with 4 levels, in 32-bit code, and back", &pt_4level, CR4_PAE, EFER_LME);
	other("long mode with 5 levels, in 32-bit code, and back", &pt_5level, CR4_PAE | CR4_LA57,
	      EFER_LME);
	real_mode();
	virtual_8086();
	paging_end();
}
