/*
 * What L0 must do for an emulator that differs from the manual, as named hooks: nobody else asks
 * features.tcg, which says that QEMU's own emulation (TCG) is below; elsewhere each hook is one
 * test of that byte. docs/world-switch.md has the list. Relies on svm/vcpu.h.
 */
#ifndef SVM_QUIRKS_QUIRKS_H
#define SVM_QUIRKS_QUIRKS_H

#include "svm/features.h"
#include "svm/look/interface.h"
#include "svm/vcpu.h"

enum { QUIRK_TSS_BUSY = 2 }; /* of the type of a TSS */

/* Sets A in PDPTEs, where it is reserved: a flag for paging_mode_init(). */
static inline uint32_t quirk_mode_flags(void)
{
	return features.tcg ? MODE_PDPTE_A : 0;
}

/* Cannot intercept task switches: it performs them, as far as it comes. */
static inline bool quirk_task_switches_unseen(void)
{
	return features.tcg;
}

/* Has one page for APICs, whatever APIC_BASE says, no x2APIC mode, and enables none again. */
static inline bool quirk_apic_stays(void)
{
	return features.tcg;
}

/* Exits as if VMRUN had failed when a guest moves what is reserved to CR3 or CR4. */
static inline bool quirk_invalid_is_cr_write(const struct vmcb *vmcb)
{
	/* Whose VMRUN is refused finds what it was to inject as interrupted. */
	return features.tcg && !(vmcb->control.exit_int_info & EVENT_VALID);
}

/* Hangs at the #VMEXIT of such a guest. */
static inline bool quirk_hangs(const struct vmcb_save *save)
{
	return features.tcg && (save->efer & EFER_LME) && !(save->cr0 & CR0_PG) &&
	       !(save->cr4 & CR4_PAE);
}

/*
 * So LME is held back from such a VMCB, and L0 watches CR4 until it can be given. Returns whether
 * it had to; never elsewhere.
 */
bool quirk_hold_back_lme(struct vcpu *vcpu, struct vmcb *vmcb);

/* CR4 was written while LME is held back. */
void quirk_give_lme(struct vcpu *vcpu);

/*
 * Aborts when VMLOAD gave TR a busy type and the guest then changes to CPL 0 as 32-bit code; KVM as
 * L1 does just that. VMLOAD: what is to be loaded in place of this VMCB, whose hpa it is.
 */
static inline bool quirk_hates_busy_tss(const struct vmcb *vmcb)
{
	return features.tcg && (vmcb->save.tr.attributes & QUIRK_TSS_BUSY);
}

uint64_t quirk_hide_busy_tss(struct vcpu *vcpu, const struct vmcb *vmcb);

/* VMSAVE of the same TR shows it again. */
void quirk_show_busy_tss(const struct vcpu *vcpu, struct vmcb *vmcb);

/* The type of a TR that has never been loaded. */
static inline uint16_t quirk_initial_tr(uint16_t attributes)
{
	return features.tcg ? (uint16_t)(attributes & ~QUIRK_TSS_BUSY) : attributes;
}

/*
 * KVM: gives a guest vector 0 for an interrupt that is held back (svm/quirks/vector0.c). To be
 * called once, on the boot processor, behind apic_init(): does this one? It needs no cure then.
 */
void quirk_probe_vector0(struct vcpu *vcpu);

/*
 * So where VMRUN is to hold interrupts back the real TPR does, too: to be called before each entry,
 * where features.vector0 (due.hold) is set. The guest's reads and writes of the TPR, by whatever
 * way, go to its own value meanwhile; 8 bits of it.
 */
void quirk_hold_interrupts(struct vcpu *vcpu);
uint8_t quirk_read_tpr(const struct vcpu *vcpu);
void quirk_write_tpr(struct vcpu *vcpu, uint8_t value);

/* APIC_BASE was written, which may reset the real one. */
void quirk_apic_moved(struct vcpu *vcpu);

/* INIT is about to reset it. */
static inline void quirk_forget_tpr(struct vcpu *vcpu)
{
	vcpu->quirks.tpr_held = false;
}

/* What an outer Nestling tells an inner one: LEAF_HYPERVISOR_INFO's EBX. */
static inline uint32_t quirk_interface(void)
{
	return (features.tcg ? QUIRKS_TCG : 0) | (features.kvm ? QUIRKS_KVM : 0);
}

#endif
