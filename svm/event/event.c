/*
 * Events for the guest: exceptions that L0 raises, deliveries that were interrupted, the end of
 * instructions. Relies on svm/decode/decode.h for their length.
 */
#include "svm/event/event.h"
#include "hv/log.h"
#include "hv/x86.h"
#include "svm/features.h"

bool has_error_code(unsigned int vector)
{
	return vector == VEC_DF || (vector >= VEC_TS && vector <= VEC_PF) || vector == VEC_AC ||
	       vector == VEC_SX;
}

/* An exit comes to one thing only: what is left twice is the same. */
static void leave(struct vcpu *vcpu, enum outcome_kind kind, struct outcome outcome)
{
	if (STRICT && vcpu->event.due.outcome && vcpu->event.outcome.code != outcome.code)
		panic("an exit ends as %llx and as %llx",
		      (unsigned long long)vcpu->event.outcome.code,
		      (unsigned long long)outcome.code);
	vcpu->event.due.outcome = (uint8_t)kind;
	vcpu->event.outcome = outcome;
}

static struct outcome exception(unsigned int vector, uint32_t error_code)
{
	return (struct outcome){VMEXIT_EXCP_BASE + vector, has_error_code(vector) ? error_code : 0,
	                        0};
}

void raise_exception(struct vcpu *vcpu, unsigned int vector, uint32_t error_code)
{
	leave(vcpu, OUTCOME_EXCEPTION, exception(vector, error_code));
}

void raise_fault(struct vcpu *vcpu, unsigned int vector, uint32_t error_code)
{
	leave(vcpu, OUTCOME_FAULT, exception(vector, error_code));
}

void raise_page_fault(struct vcpu *vcpu, uint32_t error_code, uint64_t address)
{
	leave(vcpu, OUTCOME_FAULT,
	      (struct outcome){VMEXIT_EXCP_BASE + VEC_PF, error_code, address});
}

void exit_to_l1(struct vcpu *vcpu, uint64_t code)
{
	leave(vcpu, OUTCOME_EXIT, (struct outcome){code, 0, 0});
}

void shut_down(struct vcpu *vcpu)
{
	leave(vcpu, OUTCOME_SHUTDOWN, (struct outcome){VMEXIT_SHUTDOWN, 0, 0});
}

void raise_step(struct vcpu *vcpu)
{
	vcpu->vmcb->save.dr6 |= DR6_BS;
	vcpu->vmcb->control.clean &= ~CLEAN_DRX;
	raise_exception(vcpu, VEC_DB, 0);
}

void not_decoded(struct vcpu *vcpu)
{
	if (!vcpu->decode.unreadable)
		return;
	log_once(log_aloud,
	         "an instruction at rip %llx that exits as %llx runs from no memory that Nestling "
	         "may read: #UD",
	         (unsigned long long)vcpu->vmcb->save.rip,
	         (unsigned long long)vcpu->vmcb->control.exit_code);
	raise_exception(vcpu, VEC_UD, 0);
}

uint64_t interrupted_event(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;
	uint64_t event = control->exit_int_info;
	uint64_t exception = (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT;

	if (!(event & EVENT_VALID))
		return 0;
	if ((event & EVENT_TYPE_MASK) == exception && (event & EVENT_VECTOR_MASK) > 31) {
		event &= EVENT_VECTOR_MASK | EVENT_VALID;
		if ((control->int_ctl & INT_CTL_V_INTR_VECTOR) >> INT_CTL_V_INTR_VECTOR_S ==
		    (event & EVENT_VECTOR_MASK)) {
			control->int_ctl &= ~INT_CTL_V_IRQ;
			control->clean &= ~CLEAN_TPR;
		}
		control->exit_int_info = event;
	}
	return event;
}

/* Is this the event that the last VMRUN injected, and not one of the guest's own instructions? */
static bool was_injected(const struct vcpu *vcpu, uint64_t event)
{
	uint64_t which = EVENT_VALID | EVENT_TYPE_MASK | EVENT_VECTOR_MASK;

	return !((vcpu->event.injected ^ event) & which) &&
	       vcpu->vmcb->save.rip == vcpu->event.entry_rip;
}

bool is_from_instruction(const struct vcpu *vcpu, uint64_t event)
{
	unsigned int type = (unsigned int)((event & EVENT_TYPE_MASK) >> EVENT_TYPE_SHIFT);
	unsigned int vector = event & EVENT_VECTOR_MASK;
	bool by_instruction = type == EVENT_SOFT_INTR ||
	                      (type == EVENT_EXCEPTION && (vector == VEC_BP || vector == VEC_OF));

	return by_instruction && !was_injected(vcpu, event);
}

void redeliver_event(struct vcpu *vcpu)
{
	uint64_t event = interrupted_event(vcpu);

	/*
	 * INTn, INT3 and INTO left RIP at themselves: the guest executes them again, and would push
	 * the wrong return address otherwise. Not so if the event was injected: RIP is L1's choice.
	 */
	if ((event & EVENT_VALID) && !is_from_instruction(vcpu, event))
		inject_event(vcpu, &vcpu->vmcb->control, event);
}
