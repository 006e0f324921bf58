/*
 * The test for SVM in the order that the APM gives (15.4): CPUID first, VM_CR next, which exists
 * only with SVM, then nested paging. Relies on hv/x86.h.
 */
#include "boot/check_svm.h"

#include <stddef.h>

#include "hv/x86.h"

#define CPUID_EXTENDED_MAX 0x80000000u
#define CPUID_EXTENDED     0x80000001u
#define CPUID_SVM          0x8000000au
#define CPUID_EXTENDED_SVM (1u << 2) /* ECX of CPUID_EXTENDED */

const char *svm_missing(void)
{
	uint32_t features;

	if (cpuid(CPUID_EXTENDED_MAX, 0).eax < CPUID_SVM ||
	    !(cpuid(CPUID_EXTENDED, 0).ecx & CPUID_EXTENDED_SVM))
		return "this processor has no SVM: use an AMD processor, or in a virtual machine "
		       "turn nested virtualization on (QEMU: -cpu host or max)";
	features = cpuid(CPUID_SVM, 0).edx;
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
		if (features & SVM_FEATURE_LOCK)
			return "the firmware disabled SVM and locked it with a key: enable SVM "
			       "(AMD-V, virtualization) in the firmware's setup";
		return "the firmware disabled SVM: enable SVM (AMD-V, virtualization) in the "
		       "firmware's setup";
	}
	if (!(features & SVM_FEATURE_NP))
		return "this processor has no nested paging (NPT): use an AMD processor of 2008 or "
		       "later (QEMU: -cpu host or max)";
	return NULL;
}
