/*
 * boot/chain.c and boot/l1_start.c: what a processor was amid the firmware, or what a protocol
 * promises, is what it begins L1 with. Relies on cmocka.
 */
#include "boot/chain.h"
#include "boot/l1_start.h"
#include "hv/memory.h"
#include "hv/x86.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 4 };

static struct boot_processor processors[COUNT];
static struct boot_info info = {
	.source = BOOT_EFI,
	.chain = {.memory_base = 0x1000000, .memory_size = 0x800000, .count = COUNT},
};
static uint8_t heap[2 * PAGE_SIZE];
static uint64_t heap_wanted;

void *phys(uint64_t hpa)
{
	return (void *)(uintptr_t)hpa;
}

void *heap_pages(uint64_t pages)
{
	heap_wanted = pages;
	assert_true(pages * PAGE_SIZE <= sizeof(heap));
	return heap;
}

static int fill(void **state)
{
	(void)state;
	info.chain.processors = (uintptr_t)processors;
	for (unsigned int i = 0; i < COUNT; i++) {
		memset(&processors[i], 0x11 * (int)(i + 1), sizeof(processors[i]));
		processors[i].cs = (struct boot_selector){
			.selector = 0x38, .access = 0xaf9b00, .limit = 0xffffffff};
		processors[i].ds = (struct boot_selector){
			.selector = 0x30, .access = 0xcf9300, .limit = 0xffffffff};
		processors[i].ss = (struct boot_selector){0};
		processors[i].apic_id = 10 - i;
	}
	return 0;
}

static void check(const struct l1_start *start, const struct boot_processor *from)
{
	assert_memory_equal(start->gpr, from->gpr, sizeof(from->gpr));
	assert_int_equal(start->rip, from->rip);
	assert_int_equal(start->rflags, from->rflags);
	assert_int_equal(start->cr0, from->cr0);
	assert_int_equal(start->cr2, from->cr2);
	assert_int_equal(start->cr3, from->cr3);
	assert_int_equal(start->cr4, from->cr4);
	assert_int_equal(start->efer, from->efer);
	assert_int_equal(start->dr6, from->dr6);
	assert_int_equal(start->dr7, from->dr7);
	assert_int_equal(start->pat, from->pat);
	assert_int_equal(start->gdtr.base, from->gdtr.base);
	assert_int_equal(start->gdtr.limit, from->gdtr.limit);
	assert_int_equal(start->idtr.base, from->idtr.base);
	assert_int_equal(start->idtr.limit, from->idtr.limit);
	assert_true(start->others_stay);
	assert_int_equal(start->fs_base, from->fs_base);
	assert_int_equal(start->gs_base, from->gs_base);
	assert_int_equal(start->cs.selector, 0x38);
	assert_int_equal(start->cs.attributes,
	                 SEG_ATTR_G | SEG_ATTR_L | SEG_ATTR_P | SEG_ATTR_S | 0xb);
	assert_int_equal(start->cs.limit, 0xffffffff);
	assert_int_equal(start->cs.base, 0);
	assert_int_equal(start->ds.attributes,
	                 SEG_ATTR_G | SEG_ATTR_DB | SEG_ATTR_P | SEG_ATTR_S | 3);
	assert_int_equal(start->ss.attributes, 0);
}

static void each_goes_on_where_it_was(void **state)
{
	const struct l1_start *starts;
	struct l1_start first;
	uint32_t ids[COUNT - 1];

	(void)state;
	assert_true(chain_is_wanted(&info));
	assert_int_equal(chain_ids(&info.chain, ids), COUNT - 1);
	assert_int_equal(ids[0], 7);
	assert_int_equal(ids[2], 9);
	first = chain_begin(&info.chain, ids, COUNT - 1, &starts);
	assert_int_equal(heap_wanted, chain_pages(COUNT - 1));
	check(&first, &processors[0]);
	check(&starts[0], &processors[3]);
	check(&starts[1], &processors[2]);
	check(&starts[2], &processors[1]);
}

static void one_alone_needs_no_memory(void **state)
{
	struct boot_chain chain = info.chain;
	const struct l1_start *starts;
	struct l1_start first;

	(void)state;
	chain.count = 1;
	heap_wanted = 0;
	assert_int_equal(chain_ids(&chain, NULL), 0);
	first = chain_begin(&chain, NULL, 0, &starts);
	check(&first, &processors[0]);
	assert_int_equal(heap_wanted, 0);
}

static void two_of_one_id_are_seen(void **state)
{
	uint32_t ids[COUNT - 1];

	(void)state;
	processors[2].apic_id = processors[3].apic_id;
	assert_int_equal(chain_ids(&info.chain, ids), COUNT - 2);
}

/* The argument is there before the door opens. */
static void the_door_is_opened(void **state)
{
	struct layout layout = {.below = {.base = 0x1200000, .size = 0x600000}};

	(void)state;
	chain_open((uintptr_t)&info, 0x1234, 0x5678);
	assert_int_equal(info.chain.door.entry, 0x1234);
	assert_int_equal(info.chain.door.argument, 0x5678);
	chain_tell((uintptr_t)&info, &layout);
	assert_int_equal(info.chain.taken_base, 0x1200000);
	assert_int_equal(info.chain.taken_size, 0x600000);
}

static void what_is_loaded_begins_flat(void **state)
{
	struct l1_entry entry = {.eip = 0x100000,
	                         .esp = 1,
	                         .eax = 2,
	                         .ebx = 3,
	                         .ecx = 4,
	                         .edx = 5,
	                         .esi = 6,
	                         .edi = 7,
	                         .ebp = 8,
	                         .cs = 0x10,
	                         .ds = 0x18,
	                         .gdt_base = 0x9000,
	                         .gdt_limit = 0x1f};
	struct l1_start start = l1_start_loaded(&entry, 0x1234);
	static const uint64_t gpr[GPRS] = {2, 4, 5, 3, 1, 8, 6, 7};

	(void)state;
	assert_memory_equal(start.gpr, gpr, sizeof(gpr));
	assert_int_equal(start.rip, 0x100000);
	assert_int_equal(start.rflags, RFLAGS_FIXED);
	assert_int_equal(start.cr0, CR0_PE | CR0_ET);
	assert_int_equal(start.cr3 | start.cr4 | start.efer, 0);
	assert_int_equal(start.pat, 0x1234);
	assert_false(start.others_stay);
	assert_int_equal(start.cs.selector, 0x10);
	assert_int_equal(start.cs.attributes, 0xc9b);
	assert_int_equal(start.gs.selector, 0x18);
	assert_int_equal(start.gs.attributes, 0xc93);
	assert_int_equal(start.gdtr.base, 0x9000);
	assert_int_equal(start.gdtr.limit, 0x1f);
	assert_int_equal(start.tr.attributes, 0x8b);
	entry.real_mode = true;
	start = l1_start_loaded(&entry, 0);
	assert_int_equal(start.cr0, CR0_ET);
	assert_int_equal(start.cs.base, 0x100);
	assert_int_equal(start.cs.limit, 0xffff);
	assert_int_equal(start.cs.attributes, 0x9b);
}

#define TEST(name) cmocka_unit_test_setup(name, fill)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_goes_on_where_it_was),  TEST(one_alone_needs_no_memory),
		TEST(two_of_one_id_are_seen),     TEST(the_door_is_opened),
		TEST(what_is_loaded_begins_flat),
	};

	return cmocka_run_group_tests_name("chain", tests, NULL, NULL);
}
