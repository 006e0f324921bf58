/*
 * Faults on L0's tables: filled by mmu/, performed by svm/apic/apic.h, the guest's, or the end.
 */
#include "svm/apic/fault.h"
#include "hv/log.h"
#include "hv/phys.h"
#include "hv/x86.h"
#include "svm/apic/apic.h"
#include "svm/cpus/processors.h"
#include "svm/event/event.h"
#include "svm/features.h"

/*
 * The processor found a reserved bit in a table of L0's, which says what it is to say: the
 * processor takes fewer address bits than it told. The guest would run into that for ever.
 */
static bool is_hopeless(struct vcpu *vcpu, bool spurious)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;

	if (!spurious || !(control->exit_info1 & FAULT_RSV))
		return false;
	log_set_serial(true);
	log_info("a fault at %llx by reserved bits of L0's tables: the processor has fewer than "
	         "%u address bits",
	         (unsigned long long)control->exit_info2, (unsigned int)features.phys_bits);
	shut_down(vcpu);
	return true;
}

/* A PAE host's tables do not go so far; L1 was told of nothing there. */
static bool is_beyond(struct vcpu *vcpu, uint64_t gpa)
{
	if (PHYS_BITS_MOST == 64 || gpa < SIZE_4G)
		return false;
	log_set_serial(true);
	log_info("an access to %llx, which is none of a 32-bit Nestling's guests'",
	         (unsigned long long)gpa);
	shut_down(vcpu);
	return true;
}

void direct_fault(struct vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;
	bool filled;

	if (((control->exit_info1 & NPF_WRITE) || features.vector0) &&
	    apic_npf(vcpu, control->exit_info2))
		return;
	if (is_beyond(vcpu, control->exit_info2))
		return;
	lock_take(&mmu_lock);
	filled = mmu_direct_fault(&mmu, &vcpu->mmu_cpu, control->exit_info2);
	lock_release(&mmu_lock);
	if (!is_hopeless(vcpu, !filled))
		redeliver_event(vcpu);
}

bool tables_deny(struct vcpu *vcpu, const struct guest_tables *tables, struct page_fault *fault)
{
	enum fault_result result;

	lock_take(&mmu_lock);
	result = mmu_fault(&mmu, &vcpu->mmu_cpu, tables, fault);
	lock_release(&mmu_lock);
	if (result == FAULT_REFLECT)
		return true;
	if (result == FAULT_READ_ONLY)
		apic_npf(vcpu, fault->gpa);
	else if (!is_hopeless(vcpu, result == FAULT_SPURIOUS))
		redeliver_event(vcpu);
	return false;
}
