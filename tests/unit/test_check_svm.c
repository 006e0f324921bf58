/*
 * boot/check_svm.c on processors that no emulator has: SVM disabled by the firmware, with and
 * without a key. Relies on cmocka; CPUID and VM_CR are faked.
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

static struct {
	uint32_t extended_max, extended_ecx, svm_edx;
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
	else if (leaf == EXTENDED)
		regs.ecx = cpu.extended_ecx;
	else if (leaf == SVM)
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
	cpu.svm_edx = SVM_FEATURE_NP | SVM_FEATURE_NRIP;
	cpu.vm_cr = 0;
	cpu.vm_cr_exists = true;
	return 0;
}

static void assert_says(const char *words)
{
	const char *text = svm_missing();

	assert_non_null(text);
	assert_non_null(strstr(text, words));
	assert_null(strchr(text, '\n'));
}

static void nothing_missing(void **state)
{
	(void)state;
	assert_null(svm_missing());
	cpu.vm_cr = VM_CR_LOCK | VM_CR_R_INIT; /* locked with SVM enabled: that is fine */
	assert_null(svm_missing());
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
	assert_says("no nested paging");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_missing, good_cpu),
		cmocka_unit_test_setup(no_svm, good_cpu),
		cmocka_unit_test_setup(disabled_by_firmware, good_cpu),
		cmocka_unit_test_setup(no_nested_paging, good_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
