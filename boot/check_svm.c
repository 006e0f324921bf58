/*
 * The test for SVM in the order that the APM gives (15.4): CPUID first, VM_CR next, which exists
 * only with SVM, then nested paging. L0's own tables and those that it makes need NX. Relies on
 * hv/x86.h.
 */
#include "boot/check_svm.h"

#include <stddef.h>
#include <stdint.h>

#include "hv/x86.h"

#define CPUID_EXTENDED_MAX 0x80000000u
#define CPUID_EXTENDED     0x80000001u
#define CPUID_SVM          0x8000000au
#define CPUID_EXTENDED_SVM (1u << 2)  /* ECX of CPUID_EXTENDED */
#define CPUID_EXTENDED_NX  (1u << 20) /* EDX of CPUID_EXTENDED */

static bool has_npt(void)
{
	return cpuid(CPUID_SVM, 0).edx & SVM_FEATURE_NP;
}

const char *svm_missing(enum config_npt npt)
{
	if (cpuid(CPUID_EXTENDED_MAX, 0).eax < CPUID_SVM ||
	    !(cpuid(CPUID_EXTENDED, 0).ecx & CPUID_EXTENDED_SVM))
		return "this processor has no SVM: use an AMD processor, or in a virtual machine "
		       "turn nested virtualization on (QEMU: -cpu host or max)";
	if (!(cpuid(CPUID_EXTENDED, 0).edx & CPUID_EXTENDED_NX))
		return "this processor has no NX: enable it (no-execute, execute disable) in the "
		       "firmware's setup (QEMU: -cpu host or max)";
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
		if (cpuid(CPUID_SVM, 0).edx & SVM_FEATURE_LOCK)
			return "the firmware disabled SVM and locked it with a key: enable SVM "
			       "(AMD-V, virtualization) in the firmware's setup";
		return "the firmware disabled SVM: enable SVM (AMD-V, virtualization) in the "
		       "firmware's setup";
	}
	if (npt == NPT_ON && !has_npt())
		return "npt=on, but this processor has no nested paging (NPT): use npt=off or auto "
		       "(QEMU: -cpu host or max has it)";
	return NULL;
}

bool svm_use_npt(enum config_npt npt)
{
	return npt != NPT_OFF && has_npt();
}
