/*
 * RDMSR and WRMSR: the registers that L0 virtualizes, in a table with what reading and writing them
 * does; all others by the list of svm/emulate/msr_list.h. Relies on hv/exception.h for accesses
 * that may fault.
 */
#include "hv/exception.h"
#include "hv/log.h"
#include "hv/x86.h"
#include "svm/apic/apic.h"
#include "svm/emulate/emulate.h"
#include "svm/event/event.h"
#include "svm/emulate/intercepts.h"
#include "svm/features.h"
#include "svm/look/hypercall.h"
#include "svm/memory/memory_types.h"
#include "svm/quirks/quirks.h"
#include "svm/emulate/msr_list.h"
#include "svm/shadowed/paging.h"
#include "svm/emulate/perf.h"
#include "svm/cpus/processors.h"

#define VM_CR_BITS  0x1full /* DPD, R_INIT, DIS_A20M, LOCK, SVMDIS */
#define PAGE_OFFSET 0xfffull

/* What WRMSR does: false raises #GP. RDMSR without a handler is the processor's. */
struct msr_handler {
	uint32_t msr;
	uint64_t (*read)(struct vcpu *vcpu);
	bool (*write)(struct vcpu *vcpu, uint64_t value);
};

/* The EFER that the guest believes it has, without SVME. */
static uint64_t guest_efer(const struct vcpu *vcpu)
{
	uint64_t efer = vcpu->vmcb->save.efer & ~(uint64_t)EFER_SVME;

	if (vcpu->guest_mode)
		return vcpu->quirks.l2_lme_held ? efer | EFER_LME : efer;
	return efer | (vcpu->efer & EFER_LME);
}

static uint64_t read_efer(struct vcpu *vcpu)
{
	if (vcpu->guest_mode)
		return guest_efer(vcpu) | EFER_SVME; /* SVME is 1: VMRUN would not have entered */
	return guest_efer(vcpu) | (vcpu->efer & EFER_SVME);
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
		shadowed_flush(vcpu);
	held = quirk_hold_back_lme(vcpu, vcpu->vmcb);
	if (vcpu->guest_mode) {
		vcpu->quirks.l2_lme_held = held;
		return true;
	}
	vcpu->efer = value;
	if (vcpu->perf.split)
		perf_switch(vcpu);
	watch_gp(vcpu);
	return true;
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
	if (value & features.not_pages)
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
	if (vcpu->guest_mode && !nested_npt_enabled(vcpu)) {
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

/* SVM_KEY, SMM_CTL, IGNNE: nothing that L1 could see depends on them. */
static bool ignore_write(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	(void)value;
	return true;
}

/* States that XSAVES may save: those that CPUID shows. */
static bool write_xss(struct vcpu *vcpu, uint64_t value)
{
	(void)vcpu;
	return !(value & ~features.xss_valid) && wrmsr_safe(MSR_XSS, value);
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
	{MSR_SVM_KEY, read_zero, ignore_write},
	{MSR_SMM_CTL, read_zero, ignore_write},
	{MSR_IGNNE, read_zero, ignore_write},
	{MSR_XSS, NULL, write_xss},
};

static const struct msr_handler *find(uint32_t msr)
{
	for (unsigned int i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
		if (handlers[i].msr == msr)
			return &handlers[i];
	}
	return NULL;
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

void msr_intercept_both(struct vcpu *vcpu, uint32_t msr)
{
	set_bits(vcpu, msr, 3);
}

void msr_init_map(struct vcpu *vcpu)
{
	/* Where svm/memory/memory_types.h has some. */
	static const struct {
		uint32_t first, last;
	} memory_msrs[] = {{MSR_MTRR_CAP, MSR_MTRR_DEF_TYPE}, {MSR_SYSCFG, MSR_SMM_MASK}};

	msr_list_fill(vcpu->msrpm01);
	for (unsigned int i = 0; i < sizeof(handlers) / sizeof(*handlers); i++)
		set_bits(vcpu, handlers[i].msr, handlers[i].read ? 3 : 2);
	perf_each_select(msr_intercept_both, vcpu);
	for (unsigned int i = 0; i < sizeof(memory_msrs) / sizeof(*memory_msrs); i++) {
		for (uint32_t msr = memory_msrs[i].first; msr <= memory_msrs[i].last; msr++)
			set_bits(vcpu, msr, memory_msr_exits(msr));
	}
}

/* Once for each register, and not for more of them than a person reads. */
static void tell_dropped(uint32_t msr, uint64_t value)
{
	enum { TOLD_MOST = 32 };
	static uint32_t told[TOLD_MOST], told_count;
	uint32_t count = __atomic_load_n(&told_count, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < count; i++) {
		if (told[i] == msr)
			return;
	}
	/* Each place is one processor's; who comes second tells the next time. */
	if (count == TOLD_MOST ||
	    !__atomic_compare_exchange_n(&told_count, &count, count + 1, false, __ATOMIC_RELAXED,
	                                 __ATOMIC_RELAXED))
		return;
	told[count] = msr;
	log_info("MSR %x: a write of L1's (%llx) is dropped; msr=open would pass it", msr,
	         (unsigned long long)value);
}

/* Bits that are not L1's stay as the machine has them. */
static bool write_bits(struct vcpu *vcpu, uint32_t msr, uint64_t value, uint64_t bits)
{
	struct vmcb *vmcb = vcpu->vmcb;
	uint64_t real;

	/* Where VMRUN moves it for L2, the register is in the VMCB; APM vol. 2, section 15.23. */
	if (msr == MSR_DEBUGCTL && (vmcb->control.virt_ext & VIRT_EXT_LBR)) {
		vmcb->save.dbgctl = value & (bits | DEBUGCTL_LBR);
		vmcb->control.clean &= ~CLEAN_LBR;
		return true;
	}
	return rdmsr_safe(msr, &real) && wrmsr_safe(msr, (real & ~bits) | (value & bits));
}

static bool write_listed(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct msr_rule *rule = msr_rule(msr);
	uint64_t real;

	if (msr_is_hidden(rule))
		return false;
	switch (rule->write) {
	case WRITE_PASS:
		return wrmsr_safe(msr, value);
	case WRITE_BITS:
		return write_bits(vcpu, msr, value, rule->bits);
	case WRITE_KEEP:
		return rdmsr_safe(msr, &real) && real == value;
	case WRITE_NOTHING:
		return true;
	default:
		if (!rdmsr_safe(msr, &real))
			return false;
		if (real != value)
			tell_dropped(msr, value);
		return true;
	}
}

static bool write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	const struct msr_handler *handler = find(msr);

	if (handler)
		return handler->write(vcpu, value);
	if (is_x2apic(msr))
		return x2apic_write(vcpu, msr, value);
	if (is_counter(msr))
		return false;
	if (perf_select_of(msr) >= 0)
		return perf_write(vcpu, msr, value);
	if (memory_msr_exits(msr) & MSR_WRITES)
		return memory_msr_write(vcpu, msr, value);
	return write_listed(vcpu, msr, value);
}

static bool read_listed(uint32_t msr, uint64_t *value)
{
	const struct msr_rule *rule = msr_rule(msr);

	if (rule->read == READ_NONE || msr_is_hidden(rule) || !rdmsr_safe(msr, value))
		return false;
	if (rule->read == READ_ZERO)
		*value = 0;
	return true;
}

static bool read_msr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const struct msr_handler *handler = find(msr);

	if (handler && handler->read)
		*value = handler->read(vcpu);
	else if (is_counter(msr))
		return counter_read(vcpu, msr, value);
	else if (x2apic_read_tpr(vcpu, msr, value))
		return true;
	else if (perf_select_of(msr) >= 0)
		return perf_read(vcpu, msr, value);
	else if (memory_msr_exits(msr) & MSR_READS)
		return memory_msr_read(vcpu, msr, value);
	else
		return read_listed(msr, value);
	return true;
}

void emulate_msr(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;
	bool write = vmcb->control.exit_info1 & 1;
	uint32_t msr = low32(vcpu->gpr[GPR_RCX]);
	unsigned int length = exit_length(vcpu);
	uint64_t value;
	bool good;

	if (!length)
		return;
	if (write) {
		value = vcpu->gpr[GPR_RDX] << 32 | low32(vmcb->save.rax);
		good = write_msr(vcpu, msr, value);
	} else {
		good = read_msr(vcpu, msr, &value);
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
