/*
 * SVM's instructions as L1 may execute them: who may (AMD64 APM vol. 3, their pages), on which
 * address, and what they do to L1's virtual machine. Relies on svm/nested/nested.h for VMRUN.
 */
#include "hv/exception.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/x86.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/memory/l1_memory.h"
#include "svm/nested/nested.h"
#include "svm/quirks/quirks.h"
#include "svm/cpus/processors.h"

enum { SVM_INSTRUCTION_LENGTH = 3 };

/* #UD without SVM enabled or outside of protected mode, #GP outside of CPL 0. */
static __attribute__((noinline)) void raise_denied(struct vcpu *vcpu, bool exists)
{
	raise_exception(vcpu, exists ? VEC_GP : VEC_UD, 0);
}

static inline bool permitted(struct vcpu *vcpu)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	bool exists = (vcpu->guest_mode || (vcpu->efer & EFER_SVME)) && (save->cr0 & CR0_PE) &&
	              !(save->rflags & RFLAGS_VM);

	if (exists && !save->cpl)
		return true;
	raise_denied(vcpu, exists);
	return false;
}

/* Length, and RAX cut to the address size of the instruction that exits with this code. */
static inline __attribute__((always_inline)) bool operand(struct vcpu *vcpu, uint64_t exit_code,
                                                          unsigned int *length, uint64_t *rax)
{
	const struct vmcb *vmcb = vcpu->vmcb;
	const struct instruction *instruction;

	*rax = vmcb->save.rax;
	/* Without prefixes in 64-bit code it is all of RAX. */
	if (has(SVM_FEATURE_NRIP) && in_64bit_code(&vmcb->save) &&
	    vmcb->control.next_rip - vmcb->save.rip == SVM_INSTRUCTION_LENGTH) {
		*length = SVM_INSTRUCTION_LENGTH;
		return true;
	}
	instruction = decode(vcpu, exit_code);
	if (!instruction) {
		not_decoded(vcpu);
		return false;
	}
	*length = instruction->length;
	if (instruction->address_size != 8)
		*rax &= (1ull << 8 * instruction->address_size) - 1;
	return true;
}

/* ... and checked as the address of a VMCB. */
static inline __attribute__((always_inline)) bool
vmcb_operand(struct vcpu *vcpu, uint64_t exit_code, unsigned int *length, uint64_t *gpa)
{
	if (!permitted(vcpu) || !operand(vcpu, exit_code, length, gpa))
		return false;
	if (!(*gpa & features.not_pages))
		return true;
	raise_denied(vcpu, true);
	return false;
}

void handle_vmrun(struct vcpu *vcpu)
{
	unsigned int length;
	uint64_t gpa;

	if (!vmcb_operand(vcpu, VMEXIT_VMRUN, &length, &gpa))
		return;
	if (!vcpu->hsave_pa) { /* the host's state has no place; APM vol. 2, section 15.30.4 */
		raise_exception(vcpu, VEC_GP, 0);
		return;
	}
	step_over(vcpu, length); /* a single step traps after the #VMEXIT (APM 15.5) */
	nested_vmrun(vcpu, gpa);
}

/* Where L1 has no memory, the page that stands for L0's serves. */
static uint64_t vmcb_hpa(uint64_t gpa)
{
	return l1_page(NULL, gpa) ? gpa : l1_sink_hpa();
}

/*
 * From the first one in 64-bit code on L1's VMLOAD and VMSAVE do not exit, where the processor has
 * that: NPT01 leads their address (APM vol. 2, section 15.33.1). Whatever L1 writes to EFER ends it
 * in watch_gp(), so SVME is 1.
 */
static inline void virtualize(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb01->control;

	if (!features.virtual_vmload || vcpu->guest_mode || !in_64bit_code(&vcpu->vmcb01->save))
		return;
	control->virt_ext = VIRT_EXT_VMLOAD_VMSAVE;
	control->intercepts[INTERCEPT_MISC2] &= ~(MISC2_VMLOAD | MISC2_VMSAVE);
	control->clean &= ~(CLEAN_I | CLEAN_LBR);
}

void handle_vmload(struct vcpu *vcpu)
{
	uint32_t failed;
	unsigned int length;
	uint64_t gpa, hpa;

	if (!vmcb_operand(vcpu, VMEXIT_VMLOAD, &length, &gpa))
		return;
	hpa = vmcb_hpa(gpa);
	if (quirk_hates_busy_tss(phys(hpa)))
		hpa = quirk_hide_busy_tss(vcpu, phys(hpa));
	__asm__ volatile(WITH_FIXUP("vmload %[hpa]")
	                 : [failed] "=&r"(failed)
	                 : [hpa] "a"((uintptr_t)hpa)
	                 : "memory");
	if (failed) {
		raise_exception(vcpu, VEC_GP, 0);
		return;
	}
	virtualize(vcpu);
	finish_instruction(vcpu, length);
}

void handle_vmsave(struct vcpu *vcpu)
{
	uint32_t failed;
	unsigned int length;
	uint64_t gpa, hpa;

	if (!vmcb_operand(vcpu, VMEXIT_VMSAVE, &length, &gpa))
		return;
	hpa = vmcb_hpa(gpa);
	__asm__ volatile(WITH_FIXUP("vmsave %[hpa]")
	                 : [failed] "=&r"(failed)
	                 : [hpa] "a"((uintptr_t)hpa)
	                 : "memory");
	if (failed) {
		raise_exception(vcpu, VEC_GP, 0);
		return;
	}
	quirk_show_busy_tss(vcpu, phys(hpa));
	l1_written(hpa);
	virtualize(vcpu);
	finish_instruction(vcpu, length);
}

static void handle_gif(struct vcpu *vcpu, bool gif)
{
	unsigned int length;

	length = permitted(vcpu) ? exit_length(vcpu) : 0;
	if (!length)
		return;
	finish_instruction(vcpu, length);
	set_gif(vcpu, gif);
}

void handle_stgi(struct vcpu *vcpu)
{
	handle_gif(vcpu, true);
}

void handle_clgi(struct vcpu *vcpu)
{
	handle_gif(vcpu, false);
}

/* SKINIT is not offered: a secure loader could not be told from L0. */
void handle_skinit(struct vcpu *vcpu)
{
	raise_exception(vcpu, VEC_UD, 0);
}

void handle_invlpga(struct vcpu *vcpu)
{
	uint32_t asid = low32(vcpu->gpr[GPR_RCX]);
	unsigned int length;
	uint64_t gva;

	if (!permitted(vcpu) || !operand(vcpu, VMEXIT_INVLPGA, &length, &gva))
		return;
	if (asid < features.asids - ASID_SHIFT) {
		__asm__ volatile("invlpga %0, %%ecx"
		                 :
		                 : "a"((uintptr_t)gva), "c"(asid + ASID_SHIFT)
		                 : "memory");
		/* Whether the processor also forgets the nested half is its own business. */
		mmu_flush_asid(&vcpu->mmu_cpu, asid);
	}
	finish_instruction(vcpu, length);
}

void handle_gp(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->vmcb;
	bool in_delivery = interrupted_event(vcpu) & EVENT_VALID;

	if (!in_delivery && vmcb->save.cpl && decode(vcpu, vmcb->control.exit_code))
		raise_exception(vcpu, VEC_UD, 0);
	else
		raise_fault(vcpu, VEC_GP, low32(vmcb->control.exit_info1));
}
