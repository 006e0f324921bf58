/*
 * The state after INIT and SIPI: AMD64 APM vol. 2, table 14-1.
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_sets_what_the_table_says),
		cmocka_unit_test(init_leaves_the_rest),
		cmocka_unit_test(sipi_starts_at_its_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
