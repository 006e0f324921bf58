/*
 * boot/check_svm.c on processors that no emulator has: SVM disabled by the firmware, with and
 * without a key; and each kind of paging that can be configured. Relies on cmocka; CPUID and VM_CR
 * are faked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

#define EXTENDED_MAX 0x80000000u
#define EXTENDED     0x80000001u
#define SVM          0x8000000au
#define ECX_SVM      (1u << 2)
#define EDX_NX       (1u << 20)

static struct {
	uint32_t extended_max, extended_ecx, extended_edx, svm_edx;
	uint64_t vm_cr;
	bool vm_cr_exists;
} cpu;

static struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs regs = {0};

	(void)subleaf;
	assert_true(leaf == EXTENDED_MAX || leaf <= cpu.extended_max);
	if (leaf == EXTENDED_MAX)
		regs.eax = cpu.extended_max;
	else if (leaf == EXTENDED) {
		regs.ecx = cpu.extended_ecx;
		regs.edx = cpu.extended_edx;
	} else if (leaf == SVM)
		regs.edx = cpu.svm_edx;
	return regs;
}

/* On a processor without SVM the real RDMSR would fault. */
static uint64_t fake_rdmsr(uint32_t msr)
{
	assert_int_equal(msr, MSR_VM_CR);
	assert_true(cpu.vm_cr_exists);
	return cpu.vm_cr;
}

#define cpuid fake_cpuid
#define rdmsr fake_rdmsr
#include "boot/check_svm.c"

static int good_cpu(void **state)
{
	(void)state;
	cpu.extended_max = SVM;
	cpu.extended_ecx = ECX_SVM;
	cpu.extended_edx = EDX_NX;
	cpu.svm_edx = SVM_FEATURE_NP | SVM_FEATURE_NRIP;
	cpu.vm_cr = 0;
	cpu.vm_cr_exists = true;
	return 0;
}

static void assert_says_of(enum config_npt npt, const char *words)
{
	const char *text = svm_missing(npt);

	assert_non_null(text);
	assert_non_null(strstr(text, words));
	assert_null(strchr(text, '\n'));
}

/* What is missing whatever kind of paging is configured. */
static void assert_says(const char *words)
{
	assert_says_of(NPT_AUTO, words);
	assert_says_of(NPT_ON, words);
	assert_says_of(NPT_OFF, words);
}

static void assert_can_run(enum config_npt npt, bool nested)
{
	assert_null(svm_missing(npt));
	assert_int_equal(svm_use_npt(npt), nested);
}

static void nothing_missing(void **state)
{
	(void)state;
	assert_can_run(NPT_AUTO, true);
	assert_can_run(NPT_ON, true);
	assert_can_run(NPT_OFF, false);
	cpu.vm_cr = VM_CR_LOCK | VM_CR_R_INIT; /* locked with SVM enabled: that is fine */
	assert_can_run(NPT_AUTO, true);
}

static void no_svm(void **state)
{
	(void)state;
	cpu.vm_cr_exists = false;
	cpu.extended_ecx = ~ECX_SVM;
	assert_says("has no SVM");
	cpu.extended_ecx = ECX_SVM;
	cpu.extended_max = SVM - 1;
	assert_says("has no SVM");
	cpu.extended_max = 0; /* a processor without extended leaves */
	assert_says("has no SVM");
}

static void disabled_by_firmware(void **state)
{
	(void)state;
	cpu.vm_cr = VM_CR_SVMDIS | VM_CR_LOCK;
	assert_says("firmware disabled SVM: enable SVM");
	cpu.svm_edx |= SVM_FEATURE_LOCK;
	assert_says("locked it with a key: enable SVM");
	cpu.svm_edx = 0; /* which goes before what SVM lacks */
	assert_says("firmware disabled SVM");
}

static void no_nested_paging(void **state)
{
	(void)state;
	cpu.svm_edx = ~SVM_FEATURE_NP;
	assert_says_of(NPT_ON, "npt=on, but this processor has no nested paging");
	assert_can_run(NPT_AUTO, false);
	assert_can_run(NPT_OFF, false);
}

static void no_nx(void **state)
{
	(void)state;
	cpu.extended_edx = ~EDX_NX;
	assert_says("no NX");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_missing, good_cpu),
		cmocka_unit_test_setup(no_svm, good_cpu),
		cmocka_unit_test_setup(disabled_by_firmware, good_cpu),
		cmocka_unit_test_setup(no_nested_paging, good_cpu),
		cmocka_unit_test_setup(no_nx, good_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
