/*
 * The region for tests of L1's own paging. Relies on l1_tables: the region's tables come from their
 * pool and go back to it.
 */
#include "guest/points/paging.h"
#include "hv/print.h"

#ifdef __x86_64__
/* Entries of their own in the root, with 4 and with 5 levels. */
#define BASE_4LEVEL 0xffff910000000000ull
#define BASE_5LEVEL 0xff21000000000000ull
#else
#define BASE_32 0x40000000u
#endif

enum { CODE_MOV_EAX = 0xb8, CODE_RET = 0xc3, NAMES = 64, NAME_BYTES = 96 };

static uint8_t frames[REGION_PAGES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t user_code[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t user_stack[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static uint64_t pool, cr0, cr4, efer;
static char names[NAMES][NAME_BYTES];
static unsigned int next_name;

uint64_t region(uint64_t offset)
{
#ifdef __x86_64__
	return offset + (l1_tables.format->levels == 5 ? BASE_5LEVEL : BASE_4LEVEL);
#else
	return offset + BASE_32;
#endif
}

uint32_t *frame(unsigned int n)
{
	return (uint32_t *)(void *)frames[n];
}

uint64_t get(uint64_t address, unsigned int level)
{
	return pt_get(&l1_tables, address, level);
}

void set(uint64_t address, unsigned int level, uint64_t value)
{
	pt_set(&l1_tables, address, level, value);
}

void map(uint64_t address, const void *to, unsigned int level, uint64_t flags)
{
	pt_map(&l1_tables, address, (uintptr_t)to, level, flags);
}

bool has_rights(unsigned int level)
{
	return level == 1 || l1_tables.format->level[level].table_flags != PT_PRESENT;
}

bool has_large(void)
{
	return l1_tables.format->level[2].large;
}

void put_code(void *to, uint32_t value)
{
	uint8_t *code = to;

	*code = CODE_MOV_EAX;
	memcpy(code + 1, &value, sizeof(value));
	code[5] = CODE_RET;
}

void flush_global(void)
{
	unsigned long value = read_cr4();

	write_cr4(value ^ CR4_PGE);
	write_cr4(value);
	flush();
}

bool paging_group(const char *name)
{
	if (!tap_group("paging", name))
		return false;
	next_name = 0;
	pool = l1_tables.next;
	cr0 = read_cr0();
	cr4 = read_cr4();
	efer = rdmsr(MSR_EFER);
	memset(frames, 0, sizeof(frames));
	for (unsigned int i = 0; i < REGION_PAGES; i++)
		map(small_page(i), frames[i], 1, PT_RWU);
	user_copy_code(user_code);
	map(region(REGION_USER), user_code, 1, PT_RWU);
	map(region(REGION_USER) + PAGE_SIZE, user_stack, 1, PT_RWU);
	if (has_large())
		pt_map_range(&l1_tables, region(REGION_LARGE), l2_gpa(l2_large_frame(0)),
		             L2_LARGE_BYTES, 2, PT_RWU);
	flush();
	user_init();
	return true;
}

void paging_end(void)
{
	point_end();
	wrmsr(MSR_EFER, efer);
	write_cr4(cr4);
	write_cr0(cr0);
	set(region(0), l1_tables.format->levels, 0);
	if (l1_tables.format->levels == 2) {
		set(region(REGION_USER), 2, 0);
		set(region(REGION_LARGE), 2, 0);
	}
	l1_tables.next = pool;
	flush_global();
}

struct one_access {
	enum what what;
	uintptr_t address;
	uint32_t value;
};

static void do_access(void *argument)
{
	struct one_access *a = argument;

	if (a->what == READ)
		__asm__ volatile("movl (%1), %0" : "=r"(a->value) : "r"(a->address) : "memory");
	else if (a->what == WRITE)
		__asm__ volatile("movl %0, (%1)" : : "r"(a->value), "r"(a->address) : "memory");
	else
		__asm__ volatile("call *%1" : "=a"(a->value) : "r"(a->address) : "memory");
}

static int user_access(struct one_access *a)
{
	static const enum user_code codes[] = {USER_READ, USER_WRITE, USER_FETCH};
	const struct user user = {
		.bx = a->address,
		.cx = a->value,
		.ip = (uintptr_t)region(REGION_USER) + user_code_at(codes[a->what]),
		.sp = (uintptr_t)region(REGION_USER) + 2 * PAGE_SIZE,
		.flags = RFLAGS_FIXED,
	};
	int vector = user_run(&user);

	if (a->what != WRITE)
		a->value = (uint32_t)trap_last.ax;
	return vector;
}

int try_access(enum who who, enum what what, uint64_t address, uint32_t *value)
{
	struct one_access a = {what, (uintptr_t)address, *value};
	int vector = who == USER ? user_access(&a) : try_call(do_access, &a);

	*value = a.value;
	return vector;
}

bool may(enum who who, enum what what, uint64_t address, uint32_t value)
{
	uint32_t got = what == WRITE ? value : ~value;
	int vector = try_access(who, what, address, &got);

	if (vector >= 0) {
		point_fail("# vector %d, error code 0x%llx, address 0x%llx, where nothing faults\n",
		           vector, (unsigned long long)trap_last.error,
		           (unsigned long long)trap_last.cr2);
		return false;
	}
	return what == WRITE || check(what == READ ? "read" : "fetched", got, value);
}

/* The bit is there only if anything could forbid fetches alone. */
static uint32_t fetch_bit(void)
{
	unsigned long value = read_cr4();

	return (value & CR4_SMEP) || ((value & CR4_PAE) && (rdmsr(MSR_EFER) & EFER_NXE)) ? PF_FETCH
	                                                                                 : 0;
}

bool faults(enum who who, enum what what, uint64_t address, uint32_t error)
{
	uint32_t value = 0xbad;
	int vector;
	bool ok;

	error |= who == USER ? PF_USER : 0;
	error |= what == WRITE ? PF_WRITE : what == FETCH ? fetch_bit() : 0;
	vector = try_access(who, what, address, &value);
	ok = check("vector", (uint64_t)(int64_t)vector, VEC_PF);
	if (!ok)
		return false;
	ok &= check_known("error code", trap_last.error, error,
	                  error & PF_RESERVED ? error & ~PF_PRESENT : error, QEMU,
	                  "a reserved bit faults without P");
	ok &= check("CR2", trap_last.cr2, address);
	return ok;
}

static void do_cr0(void *value)
{
	write_cr0(*(unsigned long *)value);
}

static void do_cr3(void *value)
{
	write_cr3(*(unsigned long *)value);
}

static void do_cr4(void *value)
{
	write_cr4(*(unsigned long *)value);
}

int try_cr0(unsigned long value)
{
	return try_call(do_cr0, &value);
}

int try_cr3(unsigned long value)
{
	return try_call(do_cr3, &value);
}

int try_cr4(unsigned long value)
{
	return try_call(do_cr4, &value);
}

bool qemu_moves_cr(void)
{
	return machine.qemu && (machine.bare || machine.npt);
}

const char *at_level(const char *text, unsigned int level)
{
	char *name = names[next_name++ % NAMES];

	snprint(name, NAME_BYTES, "%s, level %u", text, level);
	return name;
}
