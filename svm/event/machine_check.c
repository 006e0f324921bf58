/*
 * Machine checks. Those that the processor takes in a guest exit, so that L1's GIF holds them back;
 * those in L0, which GIF=0 holds back until L0's window, are L1's as well (APM vol. 2, sections
 * 9.3 and 15.17). Relies on svm/event/event.h.
 */
#include "hv/stack.h"
#include "hv/x86.h"
#include "svm/event/event.h"

void look_for_machine_checks(struct vcpu *vcpu)
{
	const volatile struct stack_base *taken = stack_base();

	if (vcpu->event.machine_checks == taken->machine_checks)
		return;
	vcpu->event.machine_checks = taken->machine_checks;
	vcpu->event.due.machine_check = true;
}

void handle_machine_check(struct vcpu *vcpu)
{
	vcpu->event.due.machine_check = true;
	redeliver_event(vcpu); /* it came first */
}
