/* VMMCALL. Relies on svm/look/interface.h for the numbers. */
#include "svm/look/hypercall.h"
#include "hv/x86.h"
#include "svm/event/event.h"
#include "svm/look/interface.h"

void handle_vmmcall(struct vcpu *vcpu)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	unsigned int length;

	if (save->cpl || low32(save->rax) != HYPERCALL_DUMP) {
		raise_exception(vcpu, VEC_UD, 0);
		return;
	}
	length = exit_length(vcpu);
	if (!length)
		return;
	save->rax = counters_dump() ? HYPERCALL_DONE : HYPERCALL_BUSY;
	finish_instruction(vcpu, length);
}
