/*
 * What made a task switch: an instruction, or an event that found a task gate, and where the old
 * task is to go on. Relies on svm/decode/decode.h and svm/event/event.h.
 */
#include "svm/decode/decode.h"
#include "svm/event/event.h"
#include "svm/shadowed/task_switch.h"

/* EXITINFO2; APM vol. 2, section 15.14.1. */
#define INFO2_IRET (1ull << 36)
#define INFO2_JMP  (1ull << 38)

enum { GATE_SIZE = 8 };

/*
 * Is the event's gate one to this task? Bochs' INTn leaves EXITINTINFO with an earlier event, and
 * calls that valid.
 */
static bool leads_here(const struct task *task)
{
	struct vcpu *vcpu = task->vcpu;
	const struct vmcb *vmcb = task->vcpu->vmcb;
	uint32_t offset = (task->event & EVENT_VECTOR_MASK) * GATE_SIZE;
	struct vmcb_segment gate;
	uint64_t descriptor;

	if (offset + GATE_SIZE - 1 > vmcb->save.idtr.limit ||
	    fetch(vcpu, low32(vmcb->save.idtr.base + offset), (uint8_t *)&descriptor,
	          sizeof(descriptor)) < sizeof(descriptor))
		return false;
	descriptor_load(descriptor, 0, &gate);
	return (gate.attributes & (SEG_ATTR_S | SEG_ATTR_TYPE)) == TYPE_TASK_GATE &&
	       (uint16_t)gate.base == (uint16_t)vmcb->control.exit_info1;
}

bool task_find_source(struct task *task)
{
	struct vcpu *vcpu = task->vcpu;
	struct vmcb *vmcb = task->vcpu->vmcb;
	uint64_t info = vmcb->control.exit_info2;
	uint8_t bytes[INSTRUCTION_MAX];
	unsigned int have, length;
	bool external, wrong;

	task->cause = info & INFO2_IRET ? BY_IRET : info & INFO2_JMP ? BY_JMP : BY_CALL;
	task->event = task->cause == BY_CALL ? interrupted_event(vcpu) : 0;
	task->eip = low32(vmcb->save.rip);
	external = task->event && !is_from_instruction(vcpu, task->event);
	wrong = external && !leads_here(task);
	task->external = external && !wrong;
	if (task->external)
		return true;
	have = fetch(vcpu, low32(vmcb->save.rip + vmcb->save.cs.base), bytes, sizeof(bytes));
	length = task_instruction_length(vcpu, bytes, have);
	task->eip += length;
	if (wrong && length)
		task->event = vmcb->control.exit_int_info = 0;
	else if (wrong) /* another processor has changed the gate since */
		task->external = true;
	if (!length && !wrong)
		not_decoded(vcpu);
	return length || wrong;
}
