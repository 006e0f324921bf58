/*
 * CPUID of a guest: what L1 is shown of the processor's answers (svm/cpuid.h), with what is
 * the guest's own in them, and the leaves of Nestling's.
 */
#include "svm/cpuid.h"
#include "hv/x86.h"
#include "svm/emulate/emulate.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/look/interface.h"
#include "svm/quirks/quirks.h"
#include "svm/cpus/processors.h"

enum {
	FEATURES_ECX_OSXSAVE = 1 << 27,
	STRUCTURED_ECX_OSPKE = 1 << 4,
};
#define FEATURES_ECX_HYPERVISOR (1u << 31)

static uint32_t replace(uint32_t value, uint32_t bits, bool on)
{
	return on ? value | bits : value & ~bits;
}

uint32_t nestling_depth(void)
{
	static uint32_t known;
	struct cpuid_regs r;

	if (known)
		return known;
	known = 1;
	r = cpuid(LEAF_HYPERVISOR, 0);
	if (r.ebx == NESTLING_EBX && r.ecx == NESTLING_ECX && r.edx == NESTLING_EDX)
		known += cpuid(LEAF_HYPERVISOR_INFO, 0).eax;
	return known;
}

static struct cpuid_regs hypervisor_leaf(uint32_t leaf)
{
	if (leaf == LEAF_HYPERVISOR)
		return (struct cpuid_regs){features.tsc_khz ? LEAF_HYPERVISOR_TIMING
		                                            : LEAF_HYPERVISOR_COUNTERS,
		                           NESTLING_EBX, NESTLING_ECX, NESTLING_EDX};
	if (leaf == LEAF_HYPERVISOR_INFO)
		return (struct cpuid_regs){nestling_depth(), quirk_interface(), 0, 0};
	if (leaf == LEAF_HYPERVISOR_COUNTERS)
		return (struct cpuid_regs){MSR_NESTLING_COUNTERS, COUNTERS_NAMED, vcpu_count(),
		                           HYPERCALL_DUMP};
	if (leaf == LEAF_HYPERVISOR_TIMING)
		return (struct cpuid_regs){features.tsc_khz, 0, 0, 0};
	return (struct cpuid_regs){0, 0, 0, 0};
}

static struct cpuid_regs virtual_cpuid(const struct vmcb_save *save, uint32_t leaf,
                                       uint32_t subleaf)
{
	struct cpuid_regs r;

	if (leaf >= LEAF_HYPERVISOR && leaf <= LEAF_HYPERVISOR_END)
		return hypervisor_leaf(leaf);
	r = cpuid_shown(leaf, subleaf);
	if (leaf == LEAF_FEATURES) { /* bits that mirror CR4 mirror the guest's */
		r.ecx |= FEATURES_ECX_HYPERVISOR;
		r.ecx = replace(r.ecx, FEATURES_ECX_OSXSAVE, save->cr4 & CR4_OSXSAVE);
	} else if (leaf == LEAF_STRUCTURED && !subleaf) {
		r.ecx = replace(r.ecx, STRUCTURED_ECX_OSPKE, save->cr4 & CR4_PKE);
	}
	return r;
}

void emulate_cpuid(struct vcpu *vcpu)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	struct cpuid_regs r;
	unsigned int length = exit_length(vcpu);

	if (!length)
		return;
	r = virtual_cpuid(save, low32(save->rax), low32(vcpu->gpr[GPR_RCX]));
	save->rax = r.eax;
	vcpu->gpr[GPR_RBX] = r.ebx;
	vcpu->gpr[GPR_RCX] = r.ecx;
	vcpu->gpr[GPR_RDX] = r.edx;
	finish_instruction(vcpu, length);
}
