/*
 * svm/shadowed/tss.c: task state segments of both widths byte by byte, descriptors, limits of
 * stacks, and the lengths of instructions that switch tasks, as nasm assembles them. Relies on
 * cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svm/vcpu.h"

static uint64_t fake_rdmsr(uint32_t msr)
{
	(void)msr;
	return 0;
}

#define rdmsr fake_rdmsr
#include "svm/decode/operand.c"
#include "svm/shadowed/tss.c"

enum { CODE16 = 0, CODE32 = SEG_ATTR_DB, LONGEST = 15 };

static struct vmcb vmcb;
static struct vcpu vcpu = {.vmcb = &vmcb};

static const struct length {
	const char *name;
	uint16_t code;
	uint8_t length, bytes[LONGEST];
} lengths[] = {
	{"jmp 50h:12345678h", CODE32, 7, {0xea, 0x78, 0x56, 0x34, 0x12, 0x50, 0x00}},
	{"o16 jmp 50h:1234h", CODE32, 6, {0x66, 0xea, 0x34, 0x12, 0x50, 0x00}},
	{"jmp 50h:1234h", CODE16, 5, {0xea, 0x34, 0x12, 0x50, 0x00}},
	{"o32 jmp 50h:1234h", CODE16, 8, {0x66, 0xea, 0x34, 0x12, 0, 0, 0x50, 0x00}},
	{"call 50h:12345678h", CODE32, 7, {0x9a, 0x78, 0x56, 0x34, 0x12, 0x50, 0x00}},
	{"call 50h:1234h", CODE16, 5, {0x9a, 0x34, 0x12, 0x50, 0x00}},
	{"jmp far [eax]", CODE32, 2, {0xff, 0x28}},
	{"jmp far [esp+4]", CODE32, 4, {0xff, 0x6c, 0x24, 0x04}},
	{"call far [ebx+12345678h]", CODE32, 6, {0xff, 0x9b, 0x78, 0x56, 0x34, 0x12}},
	{"call far [fs:12345678h]", CODE32, 7, {0x64, 0xff, 0x1d, 0x78, 0x56, 0x34, 0x12}},
	{"call far [bx+si]", CODE16, 2, {0xff, 0x18}},
	{"jmp far [1234h]", CODE16, 4, {0xff, 0x2e, 0x34, 0x12}},
	{"a16 jmp far [1234h]", CODE32, 5, {0x67, 0xff, 0x2e, 0x34, 0x12}},
	{"iretd", CODE32, 1, {0xcf}},
	{"iretd", CODE16, 2, {0x66, 0xcf}},
	{"int 90h", CODE32, 2, {0xcd, 0x90}},
	{"rep es o16 int 90h", CODE32, 5, {0xf3, 0x26, 0x66, 0xcd, 0x90}},
	{"int3", CODE32, 1, {0xcc}},
	{"into", CODE32, 1, {0xce}},
	{"jmp near [eax]", CODE32, 0, {0xff, 0x20}},
	{"call near [eax]", CODE32, 0, {0xff, 0x10}},
	{"call far eax", CODE32, 0, {0xff, 0xd8}},
	{"jmp far eax", CODE32, 0, {0xff, 0xe8}},
	{"ret far", CODE32, 0, {0xcb}},
	{"nop", CODE32, 0, {0x90}},
};

static void length_of_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		const struct length *l = &lengths[i];

		vmcb.save.cs.attributes = l->code;
		if (task_instruction_length(&vcpu, l->bytes, sizeof(l->bytes)) != l->length)
			fail_msg("%s: %u", l->name,
			         task_instruction_length(&vcpu, l->bytes, sizeof(l->bytes)));
		/* Cut off, it is nothing; and not a byte behind it is asked for. */
		for (unsigned int have = 0; have < l->length; have++) {
			uint8_t bytes[LONGEST];

			memcpy(bytes, l->bytes, have);
			if (task_instruction_length(&vcpu, bytes, have))
				fail_msg("%s: %u bytes of it are enough", l->name, have);
		}
		if (l->length)
			assert_int_equal(task_instruction_length(&vcpu, l->bytes, l->length),
			                 l->length);
	}
}

static void prefixes_only(void **state)
{
	uint8_t bytes[LONGEST];

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(task_instruction_length(&vcpu, bytes, sizeof(bytes)), 0);
}

static const struct task_state sample = {
	.cr3 = 0xc3c3c3c3,
	.eip = 0xe1b0e1b1,
	.eflags = 0xf1a6f1a7,
	.gpr = {0xa0a1a2a3, 0xb0b1b2b3, 0xc0c1c2c3, 0xd0d1d2d3, 0xe0e1e2e3, 0xf0f1f2f3, 0x10111213,
                0x20212223},
	.selector = {0x1110, 0x2220, 0x3330, 0x4440, 0x5550, 0x6660},
	.ldt = 0x7770,
	.trap = true,
};

static uint32_t dword(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void stores_32(void **state)
{
	union tss tss;
	const uint8_t *bytes = (const uint8_t *)&tss;

	(void)state;
	memset(&tss, 0x55, sizeof(tss));
	tss_store(&tss, true, &sample);
	for (unsigned int at = 0; at < 0x68; at += 4) {
		uint32_t expected = 0x55555555;

		if (at == 0x20)
			expected = sample.eip;
		else if (at == 0x24)
			expected = sample.eflags;
		else if (at >= 0x28 && at < 0x48)
			expected = sample.gpr[(at - 0x28) / 4];
		else if (at >= 0x48 && at < 0x60)
			expected = 0x55550000u | sample.selector[(at - 0x48) / 4];
		assert_int_equal(dword(bytes + at), expected);
	}
	assert_int_equal(tss_first_saved(true), 0x20);
	assert_int_equal(tss_saved_end(true), 0x60);
	assert_int_equal(tss_size(true), 0x68);
}

static void stores_16(void **state)
{
	union tss tss;
	const uint8_t *bytes = (const uint8_t *)&tss;

	(void)state;
	memset(&tss, 0x55, sizeof(tss));
	tss_store(&tss, false, &sample);
	for (unsigned int at = 0; at < 0x68; at += 2) {
		uint32_t expected = 0x5555;

		if (at == 0x0e)
			expected = sample.eip & 0xffff;
		else if (at == 0x10)
			expected = sample.eflags & 0xffff;
		else if (at >= 0x12 && at < 0x22)
			expected = sample.gpr[(at - 0x12) / 2] & 0xffff;
		else if (at >= 0x22 && at < 0x2a)
			expected = sample.selector[(at - 0x22) / 2];
		assert_int_equal(bytes[at] | bytes[at + 1] << 8, expected);
	}
	assert_int_equal(tss_first_saved(false), 0x0e);
	assert_int_equal(tss_saved_end(false), 0x2a);
	assert_int_equal(tss_size(false), 0x2c);
}

static void loads_32(void **state)
{
	struct task_state loaded;
	union tss tss;

	(void)state;
	memset(&tss, 0x55, sizeof(tss));
	tss_store(&tss, true, &sample);
	tss.wide.cr3 = sample.cr3;
	tss.wide.ldt = sample.ldt;
	tss.wide.trap = 0xfffe;
	tss_load(&tss, true, &loaded);
	assert_false(loaded.trap);
	tss.wide.trap = 1;
	tss_load(&tss, true, &loaded);
	assert_true(loaded.trap);
	assert_int_equal(loaded.cr3, sample.cr3);
	assert_int_equal(loaded.eip, sample.eip);
	assert_int_equal(loaded.eflags, sample.eflags);
	assert_memory_equal(loaded.gpr, sample.gpr, sizeof(sample.gpr));
	assert_memory_equal(loaded.selector, sample.selector, sizeof(sample.selector));
	assert_int_equal(loaded.ldt, sample.ldt);
}

static void loads_16(void **state)
{
	struct task_state loaded;
	union tss tss;

	(void)state;
	memset(&tss, 0xff, sizeof(tss));
	tss_store(&tss, false, &sample);
	tss.narrow.ldt = sample.ldt;
	tss_load(&tss, false, &loaded);
	assert_int_equal(loaded.eip, sample.eip & 0xffff);
	assert_int_equal(loaded.eflags, sample.eflags & 0xffff);
	for (unsigned int i = 0; i < TASK_GPRS; i++)
		assert_int_equal(loaded.gpr[i], 0xffff0000u | (sample.gpr[i] & 0xffff));
	for (unsigned int i = 0; i <= SEGMENT_DS; i++)
		assert_int_equal(loaded.selector[i], sample.selector[i]);
	assert_int_equal(loaded.selector[SEGMENT_FS], 0);
	assert_int_equal(loaded.selector[SEGMENT_GS], 0);
	assert_int_equal(loaded.ldt, sample.ldt);
	assert_false(loaded.trap);
}

static void descriptors(void **state)
{
	struct vmcb_segment segment;

	(void)state;
	descriptor_load(0x12cf9b345678abcdull, 0x53, &segment);
	assert_int_equal(segment.selector, 0x53);
	assert_int_equal(segment.base, 0x12345678);
	assert_int_equal(segment.limit, 0xfabcdfff);
	assert_int_equal(segment.attributes, 0xc9b);
	descriptor_load(0xff1f89ffffff0067ull, 0x48, &segment);
	assert_int_equal(segment.base, 0xffffffff);
	assert_int_equal(segment.limit, 0xf0067);
	assert_int_equal(segment.attributes, 0x189);
}

static void stacks(void **state)
{
	struct vmcb_segment up = {.limit = 0xfff};
	struct vmcb_segment down = {.limit = 0xfff, .attributes = TYPE_EXPAND_DOWN};

	(void)state;
	assert_true(stack_holds(&up, 0xffc, 4));
	assert_false(stack_holds(&up, 0xffd, 4));
	assert_true(stack_holds(&up, 0, 4));
	assert_false(stack_holds(&up, 0xfffffffe, 4));
	assert_false(stack_holds(&down, 0xfff, 4));
	assert_true(stack_holds(&down, 0x1000, 4));
	assert_true(stack_holds(&down, 0xfffc, 4));
	assert_false(stack_holds(&down, 0xfffe, 4));
	assert_false(stack_holds(&down, 0x10000, 2));
	down.attributes |= SEG_ATTR_DB;
	assert_true(stack_holds(&down, 0x10000, 2));
	assert_true(stack_holds(&down, 0xfffffffc, 4));
	assert_false(stack_holds(&down, 0xfffffffe, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(length_of_each), cmocka_unit_test(prefixes_only),
		cmocka_unit_test(stores_32),      cmocka_unit_test(stores_16),
		cmocka_unit_test(loads_32),       cmocka_unit_test(loads_16),
		cmocka_unit_test(descriptors),    cmocka_unit_test(stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
