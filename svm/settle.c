/*
 * The one place that acts on what an exit left behind: the handler's outcome first, then what else
 * is due, in the order of svm/event/priority.c. Relies on svm/nested/nested.h for what is L1's, and
 * on svm/cpus/processors.h for INIT.
 */
#include "hv/log.h"
#include "hv/reset.h"
#include "hv/x86.h"
#include "svm/cpus/processors.h"
#include "svm/event/event.h"
#include "svm/event/priority.h"
#include "svm/exit.h"
#include "svm/look/hypercall.h"
#include "svm/nested/nested.h"
#include "svm/quirks/quirks.h"

/*
 * What a bare machine does when its processor shuts down: it resets. After that nobody can ask any
 * more what brought it there.
 */
static void reset_by(const struct vcpu *vcpu)
{
	log_set_serial(true);
	processors_stop();
	report_guest();
	reset_machine(vcpu->guest_mode ? "shutdown of L2" : "shutdown of L1");
}

static void inject_exception(struct vcpu *vcpu, const struct outcome *outcome)
{
	struct vmcb *vmcb = vcpu->vmcb;
	unsigned int vector = (unsigned int)outcome->code - VMEXIT_EXCP_BASE;
	uint64_t event = vector | (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT | EVENT_VALID;

	if (has_error_code(vector) && (vmcb->save.cr0 & CR0_PE))
		event |= EVENT_ERROR_VALID | outcome->info1 << EVENT_ERROR_SHIFT;
	if (vector == VEC_PF) {
		vmcb->save.cr2 = outcome->info2;
		write_cr2(outcome->info2); /* Bochs' VMRUN does not load it */
		vmcb->control.clean &= ~CLEAN_CR2;
	}
	inject_event(vcpu, &vmcb->control, event);
}

/* True: nothing of both is left but another exception, or a shutdown. */
static bool combines(struct vcpu *vcpu, const struct outcome *outcome)
{
	unsigned int vector = (unsigned int)outcome->code - VMEXIT_EXCP_BASE;
	unsigned int both = combined_vector(interrupted_event(vcpu), vector);

	if (both == vector)
		return false;
	if (both == SHUTS_DOWN)
		shut_down(vcpu);
	else
		raise_exception(vcpu, both, 0);
	return true;
}

static void act(struct vcpu *vcpu)
{
	const struct outcome outcome = vcpu->event.outcome;
	uint8_t kind = vcpu->event.due.outcome;

	vcpu->event.due.outcome = OUTCOME_RESUME;
	if (kind == OUTCOME_EXIT || l1_intercepts(vcpu, outcome.code))
		nested_exit(vcpu, outcome.code, outcome.info1, outcome.info2);
	else if (kind == OUTCOME_SHUTDOWN)
		reset_by(vcpu);
	else if (kind != OUTCOME_FAULT || !combines(vcpu, &outcome))
		inject_exception(vcpu, &outcome);
}

static void take_machine_check(struct vcpu *vcpu)
{
	vcpu->event.due.machine_check = false;
	if (vcpu->vmcb->save.cr4 & CR4_MCE)
		raise_exception(vcpu, VEC_MC, 0);
	else
		shut_down(vcpu);
}

static void inject_nmi(struct vcpu *vcpu)
{
	vcpu->event.due.nmi = false;
	vcpu->event.nmi_blocked = true;
	inject_event(vcpu, &vcpu->vmcb->control,
	             VEC_NMI | (uint64_t)EVENT_NMI << EVENT_TYPE_SHIFT | EVENT_VALID);
	watch_iret(vcpu);
}

/* Takes what is next. False: the rest waits. */
static bool take_next(struct vcpu *vcpu)
{
	enum { SX_INIT = 1 }; /* #SX's error code; APM vol. 2, section 8.2.22 */

	enum next next = what_is_next(vcpu);

	/* It comes between two instructions: nothing is being delivered. */
	if (next != NEXT_NOTHING)
		vcpu->vmcb->control.exit_int_info = 0;
	switch (next) {
	case NEXT_MACHINE_CHECK:
		take_machine_check(vcpu);
		return true;
	case NEXT_INIT_EXITS: /* an intercepted one stays pending, as an NMI does: GIF is 0 now */
		nested_exit(vcpu, VMEXIT_INIT, 0, 0);
		return true;
	case NEXT_INIT_RAISES:
		vcpu->event.due.init = false;
		raise_exception(vcpu, VEC_SX, SX_INIT);
		return true;
	case NEXT_NMI_EXITS:
		nested_exit(vcpu, VMEXIT_NMI, 0, 0);
		return true;
	case NEXT_NMI:
		inject_nmi(vcpu);
		return true;
	case NEXT_INIT: /* svm/start/startup.c takes it, and the rest with it */
		vcpu->event.due.init = false;
		vcpu_init(vcpu);
		return false;
	case NEXT_BEHIND:
		vcpu_exit_again(vcpu);
		return false;
	default:
		return false;
	}
}

/* What the guest is entered with, as long as it may come back amid its delivery. */
static void note_injected(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->vmcb;

	vcpu->event.injected = vmcb->control.event_inj;
	vcpu->event.entry_rip = vmcb->save.rip;
	vcpu->event.due.inject = false;
	vcpu->event.due.injected = vcpu->event.injected != 0;
}

void settle(struct vcpu *vcpu)
{
	do {
		while (vcpu->event.due.outcome)
			act(vcpu);
	} while (take_next(vcpu));
	if (vcpu->event.due.inject || vcpu->event.due.injected)
		note_injected(vcpu);
	if (vcpu->event.due.hold)
		quirk_hold_interrupts(vcpu);
}
