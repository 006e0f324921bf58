/* VMMCALL. Relies on svm/interface.h for the numbers. */
#include "svm/hypercall.h"
#include "hv/x86.h"
#include "svm/event.h"
#include "svm/interface.h"

static uint32_t perform(uint32_t number)
{
	if (number != HYPERCALL_DUMP)
		return HYPERCALL_UNKNOWN;
	return counters_dump() ? HYPERCALL_DONE : HYPERCALL_BUSY;
}

void handle_vmmcall(struct vcpu *vcpu)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	unsigned int length;

	if (save->cpl) {
		raise_exception(vcpu, VEC_UD, 0);
		return;
	}
	if (!exit_length(vcpu, &length))
		return;
	save->rax = perform(low32(save->rax));
	finish_instruction(vcpu, length);
}
