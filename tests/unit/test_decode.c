/*
 * What is remembered of decoded instructions: a hit needs no walk, and nothing that an instruction
 * was decoded from can change without being noticed. Memory is an array that L1's tables, L2's own
 * and its nested ones stand in; relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"
#include "svm/decode/decode.h"
#include "svm/features.h"
#include "svm/memory/l1_memory.h"

enum { PAGES = 40, LONG_LEVELS = 4 };

struct features features;
struct mmu mmu;
static struct vcpu vcpu;
static struct vmcb vmcb;
static uint64_t memory[PAGES][PAGE_SIZE / sizeof(uint64_t)] __attribute__((aligned(PAGE_SIZE)));
static unsigned int looks; /* at pages: what a walk needs, and a hit does not */

void *l1_page(void *context, uint64_t gpa)
{
	(void)context;
	looks++;
	return gpa / PAGE_SIZE < PAGES ? memory[gpa / PAGE_SIZE] : NULL;
}

/* A ROM's, which are no memory of L1's, behind what is. */
static uint64_t rom[PAGE_SIZE / sizeof(uint64_t)];

const void *l1_code_page(uint64_t gpa)
{
	return gpa / PAGE_SIZE == PAGES ? rom : l1_page(NULL, gpa);
}

/* Pages by what they are for. L2's own tables and code are at the ngpas of these pages plus NGPA.
 */
enum { L1_ROOT = 1, L1_CODE = 8, OTHER_CODE = 9, L2_ROOT = 12, L2_CODE = 20, NESTED_ROOT = 24 };
#define NGPA 0x100000ull
#define RIP  0x8080604000ull /* another index at each level */

static unsigned int index_of(unsigned int level, uint64_t address)
{
	return address >> (12 + 9 * (level - 1)) & 511;
}

static uint64_t *entry_of(unsigned int root, unsigned int level, uint64_t address)
{
	return &memory[root + LONG_LEVELS - level][index_of(level, address)];
}

/* Tables on consecutive pages, the root first, lead the address to the page. */
static void map(unsigned int root, uint64_t tables_at, uint64_t address, uint64_t page)
{
	for (unsigned int level = LONG_LEVELS; level > 1; level--)
		*entry_of(root, level, address) =
			tables_at + (root + LONG_LEVELS - level + 1) * PAGE_SIZE + (PTE_P | PTE_W);
	*entry_of(root, 1, address) = page | PTE_P | PTE_W;
}

static uint8_t *code(unsigned int page)
{
	return (uint8_t *)memory[page] + (RIP & (PAGE_SIZE - 1));
}

static void put_cpuid(unsigned int page)
{
	memcpy(code(page), "\x0f\xa2\x90\x90", 4);
}

static void machine(void)
{
	memset(memory, 0, sizeof(memory));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vmcb, 0, sizeof(vmcb));
	features = (struct features){.npt = true, .phys_bits = 40, .page_1g = true};
	mmu.memory = (struct guest_memory){.page = l1_page};
	vcpu.vmcb = &vmcb;
	vmcb.save.efer = EFER_LME | EFER_LMA | EFER_SVME;
	vmcb.save.cr0 = CR0_PG | CR0_PE;
	vmcb.save.cr4 = CR4_PAE;
	vmcb.save.cs.attributes = SEG_ATTR_L | SEG_ATTR_P | SEG_ATTR_S;
	vmcb.save.rip = RIP;
	vmcb.save.cr3 = L1_ROOT * PAGE_SIZE;
	map(L1_ROOT, 0, RIP, L1_CODE * PAGE_SIZE);
	put_cpuid(L1_CODE);
	memcpy(code(OTHER_CODE), "\x66\x0f\xa2\x90", 4); /* with a prefix: longer */
}

/* L2 in long mode, with nested tables of 4 levels. */
static void l2_machine(void)
{
	machine();
	vcpu.guest_mode = true;
	vcpu.nested.ctl.nested_ctl = NESTED_CTL_NP_ENABLE;
	vcpu.nested.key = 1;
	vcpu.nested.tables.root = NESTED_ROOT * PAGE_SIZE;
	paging_mode_init(&vcpu.nested.tables.mode, PT_4LEVEL, MODE_NESTED | MODE_NX, 40);
	vmcb.save.cr3 = NGPA + L2_ROOT * PAGE_SIZE;
	map(L2_ROOT, NGPA, RIP, NGPA + L2_CODE * PAGE_SIZE);
	for (unsigned int page = 0; page < PAGES; page++)
		map(NESTED_ROOT, 0, NGPA + page * PAGE_SIZE, page * PAGE_SIZE);
	put_cpuid(L2_CODE);
}

static unsigned int length(void)
{
	const struct instruction *instruction = decode(&vcpu, VMEXIT_CPUID);

	return instruction ? instruction->length : 0;
}

/* The instruction is remembered; what changed is noticed. */
static void remember(void)
{
	assert_int_equal(length(), 2);
	looks = 0;
	assert_int_equal(length(), 2);
	assert_int_equal(looks, 0);
}

static void assert_looked(unsigned int expected)
{
	looks = 0;
	assert_int_equal(length(), expected);
	assert_true(looks);
}

/* At this distance behind RIP, in the same page. */
static void assert_known(unsigned int distance, bool known)
{
	vmcb.save.rip = RIP + distance;
	looks = 0;
	assert_int_equal(length(), 2);
	assert_int_equal(!looks, known);
}

/* How far behind RIP the first one is whose place is this one. */
static unsigned int distance_of(uint32_t place)
{
	unsigned int distance = 2;

	while (decode_place(RIP + distance) != place)
		distance++;
	assert_true((RIP & (PAGE_SIZE - 1)) + distance < PAGE_SIZE - 4);
	return distance;
}

/* Two in one place, and one whose home is the place beside it. */
static void two_that_meet(void **state)
{
	unsigned int other = distance_of(decode_place(RIP));
	unsigned int beside = distance_of(decode_place(RIP) ^ 1);

	(void)state;
	machine();
	memcpy(code(L1_CODE) + other, "\x0f\xa2", 2);
	memcpy(code(L1_CODE) + beside, "\x0f\xa2", 2);
	assert_known(0, false);
	assert_known(other, false);
	for (unsigned int i = 0; i < 4; i++) {
		assert_known(0, true);
		assert_known(other, true);
	}
	/* Where one is at home it stays: the one from beside it is lost. */
	assert_known(beside, false);
	assert_known(other, true);
	assert_known(0, false);
	assert_known(beside, true);
	assert_known(other, false);
	assert_known(beside, true);
}

/* What exits one after the other, from a loop or a handler, all has a place of its own. */
static void neighbours_do_not_meet(void **state)
{
	uint64_t places = 0;

	(void)state;
	for (unsigned int i = 0; i < 8; i++)
		places |= 1ull << decode_place(RIP + i * 3);
	assert_int_equal(__builtin_popcountll(places), 8);
}

/* Each entry on the way leads elsewhere: to a copy of the next table, where the rest differs. */
static void entries_of_l1_count(void **state)
{
	(void)state;
	for (unsigned int level = LONG_LEVELS; level; level--) {
		machine();
		map(L1_ROOT + 14, 0, RIP, OTHER_CODE * PAGE_SIZE);
		remember();
		*entry_of(L1_ROOT, level, RIP) = *entry_of(L1_ROOT + 14, level, RIP);
		assert_looked(3);
	}
}

static void bytes_count(void **state)
{
	(void)state;
	machine();
	remember();
	code(L1_CODE)[0] = 0x66;
	memcpy(code(L1_CODE) + 1, "\x0f\xa2", 2);
	assert_looked(3);
	code(L1_CODE)[1] = 0x90; /* no CPUID at all: another processor has changed it */
	assert_looked(0);
}

static void registers_count(void **state)
{
	static const struct {
		size_t at;
		uint64_t flip;
		bool of_64bit; /* else paging is on, and CS has no base */
	} registers[] = {
		{offsetof(struct vmcb, save.rip), 1, true},
		{offsetof(struct vmcb, save.cr3), PAGE_SIZE, true},
		{offsetof(struct vmcb, save.cr4), CR4_LA57, true},
		{offsetof(struct vmcb, save.efer), EFER_LMA, true},
		{offsetof(struct vmcb, save.cr0), CR0_PG, false},
		{offsetof(struct vmcb, save.cs.base), PAGE_SIZE, false},
		{offsetof(struct vmcb, save.cs.attributes), SEG_ATTR_L, true},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(registers) / sizeof(*registers); i++) {
		uint64_t value;

		machine();
		if (!registers[i].of_64bit) {
			map(L1_ROOT, 0, (uint32_t)RIP, L1_CODE * PAGE_SIZE);
			vmcb.save.cs.attributes &= (uint16_t)~SEG_ATTR_L;
		}
		remember();
		memcpy(&value, (char *)&vmcb + registers[i].at, sizeof(value));
		value ^= registers[i].flip;
		memcpy((char *)&vmcb + registers[i].at, &value, sizeof(value));
		looks = 0;
		length();
		assert_true(looks);
	}
}

static void another_exit_is_another_instruction(void **state)
{
	(void)state;
	machine();
	remember();
	assert_null(decode(&vcpu, VMEXIT_MSR));
}

/* All 24 words: L2's entries, and the nested ones that lead to each of its tables and its code. */
static void entries_of_l2_count(void **state)
{
	struct table_word from[DECODE_WORDS] = {0};

	(void)state;
	l2_machine();
	remember();
	for (unsigned int i = 0; i < DECODE_CACHES; i++) {
		if (vcpu.decode.cache[1][i].code)
			memcpy(from, vcpu.decode.cache[1][i].from, sizeof(from));
	}
	for (unsigned int i = 0; i < DECODE_WORDS; i++) {
		uint64_t *at = (uint64_t *)(uintptr_t)from[i].at, was = *at;

		assert_in_range((uintptr_t)at, (uintptr_t)memory,
		                (uintptr_t)memory + sizeof(memory) - 1);
		l2_machine();
		remember();
		*at = 0; /* the way ends there: nothing can be fetched */
		assert_looked(0);
		*at = was;
	}
}

static void nested_tables_count(void **state)
{
	(void)state;
	l2_machine();
	remember();
	vcpu.nested.tables.root = 0;
	assert_looked(0);

	l2_machine();
	remember();
	vcpu.nested.key = 3;
	assert_looked(2);

	l2_machine();
	remember();
	vcpu.nested.ctl.nested_ctl = 0; /* its tables are beyond memory */
	assert_looked(0);
}

/* The same registers, and the same entries where L1 runs: but it is not L1 that runs. */
static void l2_is_not_l1(void **state)
{
	(void)state;
	machine();
	remember();
	vcpu.guest_mode = true;
	vcpu.nested.ctl.nested_ctl = NESTED_CTL_NP_ENABLE;
	paging_mode_init(&vcpu.nested.tables.mode, PT_4LEVEL, MODE_NESTED | MODE_NX, 40);
	vcpu.nested.tables.root = NESTED_ROOT * PAGE_SIZE;
	assert_looked(0);
}

/* Paging off, tables with entries of 4 bytes, and a page's end, behind which nothing is noted. */
static void other_ways(void **state)
{
	(void)state;
	machine();
	vmcb.save.efer = EFER_SVME;
	vmcb.save.cr0 = CR0_PE;
	vmcb.save.cs.attributes = SEG_ATTR_DB;
	vmcb.save.rip = L1_CODE * PAGE_SIZE;
	remember();

	machine();
	vmcb.save.efer = EFER_SVME;
	vmcb.save.cr4 = 0;
	vmcb.save.cs.attributes = SEG_ATTR_DB;
	vmcb.save.rip = 0x00803000;
	vmcb.save.cs.base = 0x1000;
	((uint32_t *)memory[L1_ROOT])[2] = (L1_ROOT + 1) * PAGE_SIZE | PTE_P;
	((uint32_t *)memory[L1_ROOT + 1])[4] = L1_CODE * PAGE_SIZE | PTE_P;
	remember();
	((uint32_t *)memory[L1_ROOT + 1])[4] = OTHER_CODE * PAGE_SIZE | PTE_P;
	assert_looked(3);

	machine();
	vmcb.save.rip = RIP + PAGE_SIZE - 4;
	memcpy(code(L1_CODE) + PAGE_SIZE - 4, "\x0f\xa2\x90\x90", 4);
	remember();

	machine();
	vmcb.save.rip = RIP + PAGE_SIZE - 2;
	memcpy(code(L1_CODE) + PAGE_SIZE - 2, "\x0f\xa2", 2);
	assert_looked(2);
	assert_looked(2);
}

/* Code that runs from a ROM is read; from a device it is not, and that is known. */
static void code_outside_of_memory(void **state)
{
	(void)state;
	machine();
	memcpy((uint8_t *)rom + (RIP & (PAGE_SIZE - 1)), "\x66\x0f\xa2\x90", 4);
	map(L1_ROOT, 0, RIP, PAGES * PAGE_SIZE);
	assert_int_equal(length(), 3);
	map(L1_ROOT, 0, RIP, (PAGES + 1) * PAGE_SIZE);
	assert_int_equal(length(), 0);
	assert_true(vcpu.decode.unreadable);
	*entry_of(L1_ROOT, 1, RIP) = 0; /* the guest will see a page fault */
	assert_int_equal(length(), 0);
	assert_false(vcpu.decode.unreadable);
	*entry_of(L1_ROOT, 4, RIP) = (PAGES + 1) * PAGE_SIZE | PTE_P; /* a table in a device */
	assert_int_equal(length(), 0);
	assert_true(vcpu.decode.unreadable);

	l2_machine();
	map(NESTED_ROOT, 0, NGPA + L2_CODE * PAGE_SIZE, PAGES * PAGE_SIZE);
	assert_int_equal(length(), 3);
	map(NESTED_ROOT, 0, NGPA + L2_CODE * PAGE_SIZE, (PAGES + 1) * PAGE_SIZE);
	assert_int_equal(length(), 0);
	assert_true(vcpu.decode.unreadable);
	*entry_of(NESTED_ROOT, 1, NGPA + L2_CODE * PAGE_SIZE) = 0;
	assert_int_equal(length(), 0);
	assert_false(vcpu.decode.unreadable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(code_outside_of_memory),
		cmocka_unit_test(two_that_meet),

		cmocka_unit_test(neighbours_do_not_meet),
		cmocka_unit_test(entries_of_l1_count),
		cmocka_unit_test(bytes_count),
		cmocka_unit_test(registers_count),
		cmocka_unit_test(another_exit_is_another_instruction),
		cmocka_unit_test(entries_of_l2_count),
		cmocka_unit_test(nested_tables_count),
		cmocka_unit_test(l2_is_not_l1),
		cmocka_unit_test(other_ways),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
