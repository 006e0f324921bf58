/*
 * The order of what is due at the same time: AMD64 APM vol. 2, table 8-9 (simultaneous interrupts).
 * Pure. Relies on svm/vcpu.h.
 *
 *   1  machine check                          due.machine_check
 *   2  INIT; SMI                              due.init; SMIs are the firmware's, or exits of L2's
 *   3  #DB of the last instruction            event_inj already: an outcome of L0's
 *   4  NMI                                    due.nmi
 *   5  INTR                                   the processor's, by svm/event/interrupt.c's gate
 *   6  exceptions of the next instruction     the processor's, or outcomes of L0's
 *
 * What an exit leaves to be injected belongs to an instruction that has begun, or to L1's VMRUN
 * (15.20): nothing that the guest or L1 is to see goes before it. GIF=0 holds back all three (table
 * 15-10).
 */
#include "svm/event/priority.h"
#include "hv/x86.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/vcpu.h"

static bool may_take_nmi(const struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->vmcb;

	/* Right before an IRET that L0 does not see the end of: at the next exit it is done. */
	return !vcpu->event.nmi_blocked &&
	       !(vmcb->control.exit_code == VMEXIT_IRET && iret_leaves_unseen(&vmcb->save));
}

static enum next first_due(const struct vcpu *vcpu)
{
	if (!vcpu->event.gif || vcpu->event.step.on) /* from that an exit is near */
		return NEXT_NOTHING;
	if (vcpu->event.due.machine_check)
		return NEXT_MACHINE_CHECK;
	if (vcpu->event.due.init) {
		/* APM vol. 2, sections 15.13.4, 15.17, 15.28. */
		if (l1_intercepts(vcpu, VMEXIT_INIT))
			return NEXT_INIT_EXITS;
		return vcpu->vm_cr & VM_CR_R_INIT ? NEXT_INIT_RAISES : NEXT_INIT;
	}
	if (vcpu->event.due.nmi && l1_intercepts(vcpu, VMEXIT_NMI))
		return NEXT_NMI_EXITS; /* whether one is blocked or not */
	return vcpu->event.due.nmi && may_take_nmi(vcpu) ? NEXT_NMI : NEXT_NOTHING;
}

enum next what_is_next(const struct vcpu *vcpu)
{
	enum next next = first_due(vcpu);

	/* An INIT that is taken ends all: an event whose delivery raises it again never does. */
	if (next == NEXT_NOTHING || next == NEXT_INIT)
		return next;
	return vcpu->vmcb->control.event_inj & EVENT_VALID ? NEXT_BEHIND : next;
}

static bool is_contributory(unsigned int vector)
{
	return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP);
}

unsigned int combined_vector(uint64_t event, unsigned int vector)
{
	unsigned int first = event & EVENT_VECTOR_MASK;

	if (!(event & EVENT_VALID) ||
	    (event & EVENT_TYPE_MASK) >> EVENT_TYPE_SHIFT != EVENT_EXCEPTION)
		return vector;
	if (vector != VEC_PF && !is_contributory(vector))
		return vector;
	if (first == VEC_DF)
		return SHUTS_DOWN;
	if (first == VEC_PF || (is_contributory(first) && is_contributory(vector)))
		return VEC_DF;
	return vector;
}
