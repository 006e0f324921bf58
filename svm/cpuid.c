/*
 * CPUID as L1 is to see it: the processor's own answers, without what L0 does not virtualize and
 * with a leaf of Nestling's. Relies on svm/features.h.
 */
#include "hv/x86.h"
#include "svm/emulate.h"
#include "svm/event.h"
#include "svm/features.h"
#include "svm/interface.h"
#include "svm/processors.h"

enum {
	LEAF_FEATURES = 0x00000001,
	LEAF_STRUCTURED = 0x00000007,
	LEAF_EXTENDED = 0x80000001,
	LEAF_ADDRESS_SIZES = 0x80000008,
	LEAF_SVM = 0x8000000a,
	LEAF_ENCRYPTION = 0x8000001f,
	LEAF_EXTENDED_2 = 0x80000021,

	FEATURES_ECX_OSXSAVE = 1 << 27,
	FEATURES_ECX_PCID = 1 << 17,
	STRUCTURED_EBX_INVPCID = 1 << 10,
	STRUCTURED_ECX_PKU = 1 << 3,
	STRUCTURED_ECX_OSPKE = 1 << 4,
	STRUCTURED_ECX_SHADOW_STACKS = 1 << 7,
	STRUCTURED_EDX_IBT = 1 << 20,
	EXTENDED_2_EAX_UAI = 1 << 7,
	STRUCTURED_ECX_LA57 = 1 << 16,
	EXTENDED_ECX_SKINIT = 1 << 12,
	SIZES_EBX_INVLPGB = 1 << 3,
	ADDRESS_SIZE = 0xff,
	GUEST_SIZE_SHIFT = 16,
};
#define FEATURES_ECX_HYPERVISOR (1u << 31)

static uint32_t replace(uint32_t value, uint32_t bits, bool on)
{
	return on ? value | bits : value & ~bits;
}

/* How many Nestlings there are below the guest: an outer one says so in the same leaf. */
static uint32_t depth(void)
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
		return (struct cpuid_regs){LEAF_HYPERVISOR_COUNTERS, NESTLING_EBX, NESTLING_ECX,
		                           NESTLING_EDX};
	if (leaf == LEAF_HYPERVISOR_INFO)
		return (struct cpuid_regs){depth(), features.tcg ? QUIRKS_TCG : 0, 0, 0};
	if (leaf == LEAF_HYPERVISOR_COUNTERS)
		return (struct cpuid_regs){MSR_NESTLING_COUNTERS, COUNTERS_NAMED, vcpu_count(),
		                           HYPERCALL_DUMP};
	return (struct cpuid_regs){0, 0, 0, 0};
}

/* The features behind what hide_for_own_paging() of svm/features.c takes away. */
static void hide_for_own_paging(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
	if (leaf == LEAF_FEATURES) {
		r->ecx &= ~(uint32_t)FEATURES_ECX_PCID;
	} else if (leaf == LEAF_STRUCTURED && !subleaf) {
		r->ebx &= ~(uint32_t)STRUCTURED_EBX_INVPCID;
		r->ecx &= ~(uint32_t)(STRUCTURED_ECX_PKU | STRUCTURED_ECX_SHADOW_STACKS);
		r->edx &= ~(uint32_t)STRUCTURED_EDX_IBT;
	} else if (leaf == LEAF_EXTENDED_2) {
		r->eax &= ~(uint32_t)EXTENDED_2_EAX_UAI;
	}
}

/* Bits 7:0: of physical addresses; 23:16: of a guest's, if they are not the same. */
static uint32_t address_sizes(uint32_t sizes)
{
	uint32_t own = features.phys_bits, guests = sizes >> GUEST_SIZE_SHIFT & ADDRESS_SIZE;

	if (guests > own)
		guests = own;
	sizes &= ~(uint32_t)(ADDRESS_SIZE | ADDRESS_SIZE << GUEST_SIZE_SHIFT);
	return sizes | own | guests << GUEST_SIZE_SHIFT;
}

static struct cpuid_regs virtual_cpuid(const struct vmcb_save *save, uint32_t leaf,
                                       uint32_t subleaf)
{
	struct cpuid_regs r;

	if (leaf >= LEAF_HYPERVISOR && leaf <= LEAF_HYPERVISOR_END)
		return hypervisor_leaf(leaf);
	r = cpuid(leaf, subleaf);
	switch (leaf) {
	case LEAF_FEATURES: /* bits that mirror CR4 mirror the guest's */
		r.ecx |= FEATURES_ECX_HYPERVISOR;
		r.ecx = replace(r.ecx, FEATURES_ECX_OSXSAVE, save->cr4 & CR4_OSXSAVE);
		break;
	case LEAF_STRUCTURED:
		if (subleaf)
			break;
		r.ecx = replace(r.ecx, STRUCTURED_ECX_OSPKE, save->cr4 & CR4_PKE);
		if (!features.la57) /* a 4-level NPT01 cannot serve it */
			r.ecx &= ~(uint32_t)STRUCTURED_ECX_LA57;
		break;
	case LEAF_EXTENDED:
		r.ecx &= ~(uint32_t)EXTENDED_ECX_SKINIT;
		break;
	case LEAF_ADDRESS_SIZES:
		r.eax = address_sizes(r.eax);
		r.ebx &= ~(uint32_t)SIZES_EBX_INVLPGB;
		break;
	case LEAF_SVM:
		r = (struct cpuid_regs){1, features.asids - ASID_SHIFT, 0, features.shown};
		break;
	case LEAF_ENCRYPTION:
		r = (struct cpuid_regs){0, 0, 0, 0};
		break;
	default:
		break;
	}
	if (!features.npt)
		hide_for_own_paging(leaf, subleaf, &r);
	return r;
}

void emulate_cpuid(struct vcpu *vcpu)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	struct cpuid_regs r;
	unsigned int length;

	if (!exit_length(vcpu, &length))
		return;
	r = virtual_cpuid(save, low32(save->rax), low32(vcpu->gpr[GPR_RCX]));
	save->rax = r.eax;
	vcpu->gpr[GPR_RBX] = r.ebx;
	vcpu->gpr[GPR_RCX] = r.ecx;
	vcpu->gpr[GPR_RDX] = r.edx;
	finish_instruction(vcpu, length);
}
