/*
 * Every instruction that svm/decode knows, with prefixes and operands of all kinds, in 16-, 32- and
 * 64-bit code: it finds the length that the assembler knows. guest/hardware/instructions.asm has
 * them; the image `hardware` holds a processor's nRIP against the same lengths. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guest/hardware/instructions.h"
#include "hv/x86.h"
#include "svm/decode/decode.h"
#include "svm/features.h"
#include "svm/memory/l1_memory.h"

enum { CODE_AT = 0x1000 };

struct features features;
struct mmu mmu;
static struct vcpu vcpu;
static struct vmcb vmcb;
static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

void *l1_page(void *context, uint64_t gpa)
{
	(void)context;
	return gpa / PAGE_SIZE == CODE_AT / PAGE_SIZE ? page : NULL;
}

const void *l1_code_page(uint64_t gpa)
{
	return l1_page(NULL, gpa);
}

/* A guest without paging: an address of its code is one of its memory. */
static void machine(unsigned int bits, uint64_t rip)
{
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vmcb, 0, sizeof(vmcb));
	features = (struct features){.npt = true, .phys_bits = 40};
	mmu.memory = (struct guest_memory){.page = l1_page};
	vcpu.vmcb = &vmcb;
	vmcb.save.cr0 = CR0_PE;
	vmcb.save.efer = bits == 64 ? EFER_LME | EFER_LMA : 0;
	vmcb.save.cs.attributes = SEG_ATTR_P | SEG_ATTR_S |
	                          (bits == 64   ? SEG_ATTR_L
	                           : bits == 32 ? SEG_ATTR_DB
	                                        : 0);
	vmcb.save.rip = rip;
}

/* As the handlers of these exits ask, one after the other. */
static unsigned int length_of(uint64_t exit_code)
{
	const struct instruction *instruction;
	struct group7 group7;
	unsigned int length;

	if (exit_code == VMEXIT_INVLPG)
		return decode_group7(&vcpu, GROUP7_INVLPG, &group7) ? group7.length : 0;
	instruction = decode(&vcpu, exit_code);
	if (instruction)
		return instruction->length;
	if (exit_code == VMEXIT_CR0_READ)
		return decode_group7(&vcpu, GROUP7_SMSW, &group7) ? group7.length : 0;
	if (exit_code != VMEXIT_CR0_WRITE)
		return 0;
	if (decode_clts(&vcpu, &length))
		return length;
	return decode_group7(&vcpu, GROUP7_LMSW, &group7) ? group7.length : 0;
}

/* In the middle of a page, and as its last bytes, behind which there is nothing to fetch. */
static void check_row(const struct instruction_row *row, unsigned int bits, unsigned int at)
{
	unsigned int length;

	memset(page, 0xcc, sizeof(page));
	memcpy(page + at, row->code, row->length);
	machine(bits, CODE_AT + at);
	length = length_of(row->exit_code);
	if (length != row->length)
		fail_msg("%s in %u-bit code at %x: %u bytes, not %u", row->name, bits, at, length,
		         row->length);
}

static unsigned int check_rows(const struct instruction_row *row, unsigned int bits)
{
	unsigned int count = 0;

	for (; row->length; row++) {
		if (!row->decoded)
			continue;
		check_row(row, bits, 0x100);
		check_row(row, bits, PAGE_SIZE - row->length);
		count++;
	}
	return count;
}

static void lengths(void **state)
{
	(void)state;
	assert_in_range(check_rows(instructions_16, 16), 90, 200);
	assert_in_range(check_rows(instructions_32, 32), 90, 200);
	assert_in_range(check_rows(instructions_64, 64), 150, 300);
}

/* decode() looks for what can exit with a code; so a row of each such code must be here. */
static void every_code_has_a_row(void **state)
{
	static const uint16_t codes[] = {
		VMEXIT_CPUID,    VMEXIT_MSR,       VMEXIT_VMRUN,     VMEXIT_VMMCALL,
		VMEXIT_VMLOAD,   VMEXIT_VMSAVE,    VMEXIT_STGI,      VMEXIT_CLGI,
		VMEXIT_SKINIT,   VMEXIT_INVLPGA,   VMEXIT_ICEBP,     VMEXIT_XSETBV,
		VMEXIT_INVD,     VMEXIT_WBINVD,    VMEXIT_CR0_READ,  VMEXIT_CR3_READ,
		VMEXIT_CR4_READ, VMEXIT_CR0_WRITE, VMEXIT_CR3_WRITE, VMEXIT_CR4_WRITE,
		VMEXIT_INVLPG,
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		const struct instruction_row *row = instructions_32;

		while (row->length && row->exit_code != codes[i])
			row++;
		assert_int_equal(row->decoded, 1);
	}
}

/* Rows of another code are not taken for it: the table of decode() tells them apart. */
static void no_row_is_another(void **state)
{
	(void)state;
	for (const struct instruction_row *row = instructions_64; row->length; row++) {
		memset(page, 0xcc, sizeof(page));
		memcpy(page, row->code, row->length);
		machine(64, CODE_AT);
		if (row->exit_code != VMEXIT_CPUID)
			assert_null(decode(&vcpu, VMEXIT_CPUID));
		if (row->exit_code != VMEXIT_VMLOAD)
			assert_null(decode(&vcpu, VMEXIT_VMLOAD));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(every_code_has_a_row),
		cmocka_unit_test(no_row_is_another),
	};

	return cmocka_run_group_tests_name("lengths", tests, NULL, NULL);
}
