/*
 * The MSRs that L0 virtualizes: a table of registers with what reading and writing them does. All
 * others are L1's own. Relies on hv/exception.h for accesses that may fault.
 */
#include "hv/exception.h"
#include "hv/x86.h"
#include "svm/apic.h"
#include "svm/emulate.h"
#include "svm/event.h"
#include "svm/exit.h"
#include "svm/features.h"
#include "svm/hypercall.h"
#include "svm/memory_types.h"
#include "svm/own_paging.h"
#include "svm/processors.h"

#define VM_CR_BITS  0x1full /* DPD, R_INIT, DIS_A20M, LOCK, SVMDIS */
#define PAGE_OFFSET 0xfffull

/* What WRMSR does: false raises #GP. */
struct msr_handler {
	uint32_t msr;
	uint64_t (*read)(struct vcpu *vcpu);
	bool (*write)(struct vcpu *vcpu, uint64_t value);
};

uint64_t guest_efer(const struct vcpu *vcpu)
{
	uint64_t efer = vcpu->vmcb->save.efer & ~(uint64_t)EFER_SVME;

	if (vcpu->guest_mode)
		return vcpu->l2_lme_held ? efer | EFER_LME : efer;
	return efer | (vcpu->efer & EFER_LME);
}

static uint64_t read_efer(struct vcpu *vcpu)
{
	if (vcpu->guest_mode)
		return guest_efer(vcpu) | EFER_SVME; /* SVME is 1: VMRUN would not have entered */
	return guest_efer(vcpu) | (vcpu->efer & EFER_SVME);
}

bool hold_back_lme(struct vmcb *vmcb)
{
	if (!features.tcg || !features.npt || !(vmcb->save.efer & EFER_LME) ||
	    (vmcb->save.cr0 & CR0_PG) || (vmcb->save.cr4 & CR4_PAE))
		return false;
	vmcb->save.efer &= ~(uint64_t)EFER_LME;
	vmcb->control.intercepts[INTERCEPT_CR] |= 1u << VMEXIT_CR4_WRITE;
	vmcb->control.clean &= ~(CLEAN_I | CLEAN_CRX);
	return true;
}

static bool write_efer(struct vcpu *vcpu, uint64_t value)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	uint64_t old = guest_efer(vcpu);
	bool held;

	if (value & ~features.efer_valid)
		return false;
	if (((value ^ old) & EFER_LME) && (save->cr0 & CR0_PG))
		return false;
	if ((value & EFER_SVME) && (vcpu->vm_cr & VM_CR_SVMDIS))
		return false;
	/* LMA is the processor's; SVME stays set while the guest runs. */
	save->efer = (value & ~(uint64_t)EFER_LMA) | (save->efer & EFER_LMA) | EFER_SVME;
	vcpu->vmcb->control.clean &= ~CLEAN_CRX;
	if ((value ^ old) & EFER_NXE)
		own_paging_flush(vcpu);
	held = hold_back_lme(vcpu->vmcb);
	if (vcpu->guest_mode) {
		vcpu->l2_lme_held = held;
		return true;
	}
	vcpu->efer = value;
	watch_gp(vcpu);
	return true;
}

void give_lme(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;

	if (!(vmcb->save.cr4 & CR4_PAE))
		return;
	vmcb->save.efer |= EFER_LME;
	vcpu->l2_lme_held &= !vcpu->guest_mode;
	vmcb->control.intercepts[INTERCEPT_CR] &= ~(1u << VMEXIT_CR4_WRITE);
	vmcb->control.clean &= ~(CLEAN_I | CLEAN_CRX);
}

static uint64_t read_vm_cr(struct vcpu *vcpu)
{
	return vcpu->vm_cr;
}

static bool write_vm_cr(struct vcpu *vcpu, uint64_t value)
{
	uint64_t locked = VM_CR_LOCK | VM_CR_SVMDIS;

	if (value & ~VM_CR_BITS)
		return false;
	if ((value & VM_CR_SVMDIS) && (vcpu->efer & EFER_SVME))
		return false;
	/* LOCK holds LOCK and SVMDIS until reset; APM vol. 2, section 15.30.1. */
	if (vcpu->vm_cr & VM_CR_LOCK)
		value = (value & ~locked) | (vcpu->vm_cr & locked);
	vcpu->vm_cr = value;
	return true;
}

static uint64_t read_hsave(struct vcpu *vcpu)
{
	return vcpu->hsave_pa;
}

static bool write_hsave(struct vcpu *vcpu, uint64_t value)
{
	if ((value & PAGE_OFFSET) || value >> features.phys_bits)
		return false;
	vcpu->hsave_pa = value;
	return true;
}

static uint64_t read_pat(struct vcpu *vcpu)
{
	return vcpu->vmcb->save.g_pat;
}

static bool write_pat(struct vcpu *vcpu, uint64_t value)
{
	if (!pat_is_valid(value))
		return false;
	vcpu->vmcb->save.g_pat = value;
	vcpu->vmcb->control.clean &= ~CLEAN_NP;
	/* Without nested paging of its own, L2 shares L1's register. */
	if (vcpu->guest_mode && !(vcpu->ctl.nested_ctl & NESTED_CTL_NP_ENABLE)) {
		vcpu->vmcb01->save.g_pat = value;
		vcpu->vmcb01->control.clean &= ~CLEAN_NP;
	}
	return true;
}

static uint64_t read_zero(struct vcpu *vcpu)
{
	(void)vcpu;
	return 0;
}

/* SVM_KEY, SMM_CTL, IGNNE: nothing that L1 could see depends on them. Microcode is not loaded. */
static bool swallow(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	(void)value;
	return true;
}

static bool write_apic_base(struct vcpu *vcpu, uint64_t value)
{
	bool good;

	lock_take(&mmu_lock);
	good = apic_write_base(vcpu, value);
	lock_release(&mmu_lock);
	return good;
}

static const struct msr_handler handlers[] = {
	{MSR_APIC_BASE, apic_read_base, write_apic_base},
	{MSR_EFER, read_efer, write_efer},
	{MSR_PAT, read_pat, write_pat},
	{MSR_VM_CR, read_vm_cr, write_vm_cr},
	{MSR_VM_HSAVE_PA, read_hsave, write_hsave},
	{MSR_SVM_KEY, read_zero, swallow},
	{MSR_SMM_CTL, read_zero, swallow},
	{MSR_IGNNE, read_zero, swallow},
	{MSR_PATCH_LOADER, read_zero, swallow},
};

static const struct msr_handler *find(uint32_t msr)
{
	for (unsigned int i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
		if (handlers[i].msr == msr)
			return &handlers[i];
	}
	return NULL;
}

int msrpm_bit(uint32_t msr)
{
	/* Three ranges of 8 Ki registers, 2 bits each, in 2 KiB apiece; APM 15.11. */
	static const uint32_t first[] = {0, 0xc0000000, 0xc0010000};

	for (int i = 0; i < 3; i++) {
		if (msr - first[i] < 0x2000)
			return (i * 0x800 * 8) + (int)(msr - first[i]) * 2;
	}
	return -1;
}

static void set_bits(struct vcpu *vcpu, uint32_t msr, uint64_t bits)
{
	int bit = msrpm_bit(msr);

	if (bit >= 0) /* else every access exits anyway */
		vcpu->msrpm01[bit / 64] |= bits << (bit % 64);
}

void msr_intercept_write(struct vcpu *vcpu, uint32_t msr)
{
	set_bits(vcpu, msr, 2);
}

void msr_init_map(struct vcpu *vcpu)
{
	/* Where svm/memory_types.h has some. */
	static const struct {
		uint32_t first, last;
	} memory_msrs[] = {{MSR_MTRR_CAP, MSR_MTRR_DEF_TYPE}, {MSR_SYSCFG, MSR_SMM_MASK}};

	for (unsigned int i = 0; i < sizeof(handlers) / sizeof(*handlers); i++)
		set_bits(vcpu, handlers[i].msr, 3);
	for (unsigned int i = 0; i < sizeof(memory_msrs) / sizeof(*memory_msrs); i++) {
		for (uint32_t msr = memory_msrs[i].first; msr <= memory_msrs[i].last; msr++)
			set_bits(vcpu, msr, memory_msr_exits(msr));
	}
}

static bool write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct msr_handler *handler = find(msr);

	if (handler)
		return handler->write(vcpu, value);
	if (is_x2apic(msr))
		return x2apic_write(vcpu, msr, value);
	if (is_counter(vcpu, msr))
		return false;
	if (memory_msr_exits(msr) & MSR_WRITES)
		return memory_msr_write(vcpu, msr, value);
	return wrmsr_safe(msr, value);
}

void emulate_msr(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;
	bool write = vmcb->control.exit_info1 & 1;
	uint32_t msr = low32(vcpu->gpr[GPR_RCX]);
	const struct msr_handler *handler;
	unsigned int length;
	uint64_t value;
	bool good = true;

	if (!exit_length(vcpu, &length))
		return;
	if (write) {
		value = vcpu->gpr[GPR_RDX] << 32 | low32(vmcb->save.rax);
		good = write_msr(vcpu, msr, value);
	} else {
		handler = find(msr);
		if (handler)
			value = handler->read(vcpu);
		else if (is_counter(vcpu, msr))
			value = counter_read(vcpu, msr);
		else if (memory_msr_exits(msr) & MSR_READS)
			good = memory_msr_read(vcpu, msr, &value);
		else
			good = rdmsr_safe(msr, &value);
		if (good) {
			vmcb->save.rax = low32(value);
			vcpu->gpr[GPR_RDX] = value >> 32;
		}
	}
	if (good)
		finish_instruction(vcpu, length);
	else
		raise_exception(vcpu, VEC_GP, 0);
}
