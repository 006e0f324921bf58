/*
 * Task state segments, segment descriptors, and the length of the instructions that switch tasks.
 * Reads nothing but what it is given, and registers for the operand's length. Relies on
 * svm/decode/operand.h.
 */
#include "svm/shadowed/tss.h"

#define UPPER_HALF 0xffff0000u

enum {
	OPCODE_CALL_POINTER = 0x9a,
	OPCODE_INT3 = 0xcc,
	OPCODE_INT = 0xcd,
	OPCODE_INTO = 0xce,
	OPCODE_IRET = 0xcf,
	OPCODE_JMP_POINTER = 0xea,
	OPCODE_GROUP5 = 0xff,
	GROUP5_CALL_FAR = 3,
	GROUP5_JMP_FAR = 5,
};

void tss_store(union tss *tss, bool wide, const struct task_state *state)
{
	if (!wide) {
		tss->narrow.ip = (uint16_t)state->eip;
		tss->narrow.flags = (uint16_t)state->eflags;
		for (unsigned int i = 0; i < TASK_GPRS; i++)
			tss->narrow.gpr[i] = (uint16_t)state->gpr[i];
		for (unsigned int i = 0; i <= SEGMENT_DS; i++)
			tss->narrow.selector[i] = state->selector[i];
		return;
	}
	tss->wide.eip = state->eip;
	tss->wide.eflags = state->eflags;
	for (unsigned int i = 0; i < TASK_GPRS; i++)
		tss->wide.gpr[i] = state->gpr[i];
	for (unsigned int i = 0; i < TASK_SEGMENTS; i++)
		tss->wide.segment[i].selector = state->selector[i];
}

void tss_load(const union tss *tss, bool wide, struct task_state *state)
{
	*state = (struct task_state){.cr3 = 0};
	if (!wide) {
		state->eip = tss->narrow.ip;
		state->eflags = tss->narrow.flags;
		for (unsigned int i = 0; i < TASK_GPRS; i++)
			state->gpr[i] = UPPER_HALF | tss->narrow.gpr[i];
		for (unsigned int i = 0; i <= SEGMENT_DS; i++)
			state->selector[i] = tss->narrow.selector[i];
		state->ldt = tss->narrow.ldt;
		return;
	}
	state->cr3 = tss->wide.cr3;
	state->eip = tss->wide.eip;
	state->eflags = tss->wide.eflags;
	for (unsigned int i = 0; i < TASK_GPRS; i++)
		state->gpr[i] = tss->wide.gpr[i];
	for (unsigned int i = 0; i < TASK_SEGMENTS; i++)
		state->selector[i] = tss->wide.segment[i].selector;
	state->ldt = tss->wide.ldt;
	state->trap = tss->wide.trap & 1;
}

void descriptor_load(uint64_t descriptor, uint16_t selector, struct vmcb_segment *segment)
{
	uint32_t low = low32(descriptor), high = low32(descriptor >> 32);

	segment->selector = selector;
	segment->attributes = (uint16_t)((high >> 8 & 0xff) | (high >> 12 & 0xf00));
	segment->limit = (low & 0xffff) | (high & 0xf0000);
	if (segment->attributes & SEG_ATTR_G)
		segment->limit = segment->limit << PAGE_SHIFT | (PAGE_SIZE - 1);
	segment->base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000);
}

void segment_clear(uint16_t selector, struct vmcb_segment *segment)
{
	*segment = (struct vmcb_segment){.selector = selector};
}

bool stack_holds(const struct vmcb_segment *ss, uint32_t offset, uint32_t size)
{
	uint32_t largest = (ss->attributes & SEG_ATTR_DB) ? 0xffffffff : 0xffff;
	uint32_t last = offset + size - 1;

	if (last < offset)
		return false;
	if (ss->attributes & TYPE_EXPAND_DOWN)
		return offset > ss->limit && last <= largest;
	return last <= ss->limit;
}

unsigned int task_instruction_length(const struct vcpu *vcpu, const uint8_t *bytes,
                                     unsigned int have)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	struct prefixes prefixes;
	struct operand operand;
	unsigned int at, length;
	bool wide;

	prefixes_decode(save, bytes, have, &prefixes);
	at = prefixes.length;
	if (at >= have)
		return 0;
	wide = !(save->cs.attributes & SEG_ATTR_DB) == prefixes.operand_size;
	length = at + 1;
	switch (bytes[at]) {
	case OPCODE_JMP_POINTER:
	case OPCODE_CALL_POINTER:
		length += sizeof(uint16_t) + (wide ? sizeof(uint32_t) : sizeof(uint16_t));
		break;
	case OPCODE_INT:
		length++;
		break;
	case OPCODE_INT3:
	case OPCODE_INTO:
	case OPCODE_IRET:
		break;
	case OPCODE_GROUP5:
		if (!operand_decode(vcpu, &prefixes, bytes, have, at + 1, &operand) ||
		    !operand.memory ||
		    (operand.reg != GROUP5_CALL_FAR && operand.reg != GROUP5_JMP_FAR))
			return 0;
		length += operand.length;
		break;
	default:
		return 0;
	}
	return length <= have ? length : 0;
}
