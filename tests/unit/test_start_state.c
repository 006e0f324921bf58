/*
 * The state after INIT and SIPI: AMD64 APM vol. 2, table 14-1; and any other that L1 begins with.
 */
#include "svm/start/start_state.h"
#include "hv/x86.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Everything that a processor in long mode may have left. */
static void fill(struct vmcb_save *save)
{
	memset(save, 0xa5, sizeof(*save));
	save->cr0 = CR0_PG | CR0_WP | CR0_PE | CR0_ET | CR0_TS;
}

static void check_segment(const struct vmcb_segment *segment, uint16_t attributes)
{
	assert_int_equal(segment->selector, 0);
	assert_int_equal(segment->attributes, attributes);
	assert_int_equal(segment->limit, 0xffff);
	assert_int_equal(segment->base, 0);
}

static void init_sets_what_the_table_says(void **state)
{
	struct vmcb_save save;

	(void)state;
	fill(&save);
	start_state_init(&save);
	assert_int_equal(save.cr0, CR0_ET);
	assert_int_equal(save.cr2, 0);
	assert_int_equal(save.cr3, 0);
	assert_int_equal(save.cr4, 0);
	assert_int_equal(save.efer, EFER_SVME);
	assert_int_equal(save.rflags, 2);
	assert_int_equal(save.rip, 0xfff0);
	assert_int_equal(save.rsp, 0);
	assert_int_equal(save.rax, 0);
	assert_int_equal(save.dr6, 0xffff0ff0);
	assert_int_equal(save.dr7, 0x400);
	assert_int_equal(save.cpl, 0);
	assert_int_equal(save.cs.selector, 0xf000);
	assert_int_equal(save.cs.base, 0xffff0000);
	assert_int_equal(save.cs.limit, 0xffff);
	assert_int_equal(save.cs.attributes, 0x9b);
	check_segment(&save.ds, 0x93);
	check_segment(&save.es, 0x93);
	check_segment(&save.ss, 0x93);
	check_segment(&save.fs, 0x93);
	check_segment(&save.gs, 0x93);
	check_segment(&save.ldtr, 0x82);
	check_segment(&save.tr, 0x8b);
	assert_int_equal(save.gdtr.base, 0);
	assert_int_equal(save.gdtr.limit, 0xffff);
	assert_int_equal(save.idtr.base, 0);
	assert_int_equal(save.idtr.limit, 0xffff);
}

static void init_leaves_the_rest(void **state)
{
	struct vmcb_save save, before;

	(void)state;
	fill(&save);
	save.cr0 |= CR0_CD | CR0_NW;
	before = save;
	start_state_init(&save);
	assert_int_equal(save.cr0, CR0_CD | CR0_NW | CR0_ET);
	assert_int_equal(save.g_pat, before.g_pat);
	assert_int_equal(save.star, before.star);
	assert_int_equal(save.lstar, before.lstar);
	assert_int_equal(save.sysenter_eip, before.sysenter_eip);
	assert_int_equal(save.kernel_gs_base, before.kernel_gs_base);
}

static void sipi_starts_at_its_page(void **state)
{
	struct vmcb_save save, before;

	(void)state;
	fill(&save);
	start_state_init(&save);
	before = save;
	start_state_sipi(&save, 0x9e);
	assert_int_equal(save.cs.selector, 0x9e00);
	assert_int_equal(save.cs.base, 0x9e000);
	assert_int_equal(save.rip, 0);
	before.cs.selector = save.cs.selector;
	before.cs.base = save.cs.base;
	before.rip = save.rip;
	assert_memory_equal(&save, &before, sizeof(save));
	start_state_sipi(&save, 0xff);
	assert_int_equal(save.cs.selector, 0xff00);
	assert_int_equal(save.cs.base, 0xff000);
}

/* Of a processor in long mode with interrupts on. */
static const struct l1_start start = {
	.gpr = {[GPR_RAX] = 0x1111222233334444, [GPR_RSP] = 0x7f0000001000},
	.rip = 0x7fff00002000,
	.rflags = 0x202,
	.cr0 = CR0_PG | CR0_WP | CR0_PE | CR0_ET,
	.cr2 = 0x2222,
	.cr3 = 0x13001000,
	.cr4 = 0x668,
	.efer = EFER_LME | EFER_LMA | EFER_NXE,
	.dr6 = 0xffff0ff1,
	.dr7 = 0x401,
	.pat = 0x0007040600070406,
	.es = {.selector = 0x30, .attributes = 0xc93, .limit = 0xffffffff},
	.cs = {.selector = 0x38, .attributes = 0xa9b, .limit = 0xffffffff},
	.ss = {.selector = 0x31, .attributes = 0xc93, .limit = 0xffffffff},
	.ds = {.selector = 0x32, .attributes = 0xc93, .limit = 0xffffffff},
	.gdtr = {.base = 0x7f001000, .limit = 0x47},
	.idtr = {.base = 0x7f002000, .limit = 0xfff},
	.fs_base = 0x123456789000,
	.gs_base = 0x223456789000,
	.fs = {.selector = 1},
	.gs = {.selector = 2},
	.ldtr = {.selector = 3},
	.tr = {.selector = 4},
};

static void any_state_is_set(void **state)
{
	struct vmcb_save save;

	(void)state;
	fill(&save);
	start_state_set(&save, &start);
	assert_int_equal(save.rax, start.gpr[GPR_RAX]);
	assert_int_equal(save.rsp, start.gpr[GPR_RSP]);
	assert_int_equal(save.rip, start.rip);
	assert_int_equal(save.rflags, start.rflags);
	assert_int_equal(save.cr0, start.cr0);
	assert_int_equal(save.cr2, start.cr2);
	assert_int_equal(save.cr3, start.cr3);
	assert_int_equal(save.cr4, start.cr4);
	assert_int_equal(save.efer, start.efer | EFER_SVME);
	assert_int_equal(save.dr6, start.dr6);
	assert_int_equal(save.dr7, start.dr7);
	assert_int_equal(save.g_pat, start.pat);
	assert_int_equal(save.cpl, 0);
	assert_memory_equal(&save.es, &start.es, sizeof(start.es));
	assert_memory_equal(&save.cs, &start.cs, sizeof(start.cs));
	assert_memory_equal(&save.ss, &start.ss, sizeof(start.ss));
	assert_memory_equal(&save.ds, &start.ds, sizeof(start.ds));
	assert_memory_equal(&save.gdtr, &start.gdtr, sizeof(start.gdtr));
	assert_memory_equal(&save.idtr, &start.idtr, sizeof(start.idtr));
	assert_memory_equal(&save.fs, &start.fs, sizeof(start.fs));
	assert_memory_equal(&save.gs, &start.gs, sizeof(start.gs));
	assert_memory_equal(&save.ldtr, &start.ldtr, sizeof(start.ldtr));
	assert_memory_equal(&save.tr, &start.tr, sizeof(start.tr));
}

static void what_is_live_stays(void **state)
{
	struct l1_start live = start;
	struct vmcb_save save, before;

	(void)state;
	fill(&save);
	before = save;
	live.others_stay = true;
	start_state_set(&save, &live);
	assert_memory_equal(&save.tr, &before.tr, sizeof(save.tr));
	assert_memory_equal(&save.ldtr, &before.ldtr, sizeof(save.ldtr));
	assert_int_equal(save.fs.head, before.fs.head);
	assert_int_equal(save.gs.head, before.gs.head);
	assert_int_equal(save.fs.base, start.fs_base);
	assert_int_equal(save.gs.base, start.gs_base);
	assert_int_equal(save.star, before.star);
	assert_int_equal(save.lstar, before.lstar);
	assert_int_equal(save.sysenter_eip, before.sysenter_eip);
	assert_int_equal(save.kernel_gs_base, before.kernel_gs_base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_state_is_set),
		cmocka_unit_test(what_is_live_stays),
		cmocka_unit_test(init_sets_what_the_table_says),
		cmocka_unit_test(init_leaves_the_rest),
		cmocka_unit_test(sipi_starts_at_its_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
