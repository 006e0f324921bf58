/*
 * The segment registers of a new task. Whatever is wrong with one of them is the new task's fault
 * (APM vol. 2, section 8.2.11): those behind it are null then. Relies on svm/shadowed/span.h.
 */
#include "svm/shadowed/task_switch.h"
#include "svm/event/event.h"
#include "svm/shadowed/span.h"

enum {
	SELECTOR_RPL = 3,
	SELECTOR_TI = 4,
	DESCRIPTOR_SIZE = 8,
	DPL_SHIFT = 5,
	CPL_USER = 3,
	VM86_ATTRIBUTES = SEG_ATTR_P | SEG_ATTR_DPL | SEG_ATTR_S | TYPE_WRITABLE | TYPE_ACCESSED,
	VM86_LIMIT = 0xffff,
	VM86_SHIFT = 4,
};

static struct vmcb_segment *segment_of(struct vmcb_save *save, unsigned int segment)
{
	struct vmcb_segment *const segments[TASK_SEGMENTS] = {
		[SEGMENT_ES] = &save->es, [SEGMENT_CS] = &save->cs, [SEGMENT_SS] = &save->ss,
		[SEGMENT_DS] = &save->ds, [SEGMENT_FS] = &save->fs, [SEGMENT_GS] = &save->gs,
	};

	return segments[segment];
}

static bool is_null(uint16_t selector)
{
	return !(selector & ~SELECTOR_RPL);
}

static unsigned int dpl(const struct vmcb_segment *segment)
{
	return (segment->attributes & SEG_ATTR_DPL) >> DPL_SHIFT;
}

bool task_has_raised(const struct task *task)
{
	return task->vcpu->event.due.outcome;
}

bool task_fault(const struct task *task, unsigned int vector, uint16_t selector)
{
	raise_fault(task->vcpu, vector, (selector & ~SELECTOR_RPL) | task->external);
	return false;
}

/* The tables have been changing all the time: as if the descriptor were none. */
static bool not_read(const struct task *task, uint16_t selector)
{
	return task_has_raised(task) ? false : task_fault(task, VEC_TS, selector);
}

/* linear: where the descriptor stands. #TS if it is behind the end of its table. */
static bool read_descriptor(const struct task *task, uint16_t selector,
                            struct vmcb_segment *segment, uint32_t *linear)
{
	const struct vmcb_save *save = &task->vcpu->vmcb->save;
	const struct vmcb_segment *table = &save->gdtr;
	uint32_t offset = selector & ~(DESCRIPTOR_SIZE - 1u);
	uint64_t descriptor;
	struct span span;

	if (selector & SELECTOR_TI) {
		table = &save->ldtr;
		if (!(table->attributes & SEG_ATTR_P))
			return task_fault(task, VEC_TS, selector);
	}
	if (offset + DESCRIPTOR_SIZE - 1 > table->limit)
		return task_fault(task, VEC_TS, selector);
	*linear = low32(table->base + offset);
	if (!span_map(task->vcpu, *linear, sizeof(descriptor), ACCESS_IMPLICIT, &span))
		return not_read(task, selector);
	span_read(&span, 0, &descriptor, sizeof(descriptor));
	descriptor_load(descriptor, selector, segment);
	return true;
}

/* The segment register takes the descriptor, which gets its accessed bit. */
static bool take(const struct task *task, unsigned int number, struct vmcb_segment *segment,
                 uint32_t linear)
{
	if (!(segment->attributes & TYPE_ACCESSED)) {
		struct span span;
		uint8_t type;

		if (!span_map(task->vcpu, linear + DESCRIPTOR_TYPE_BYTE, 1,
		              ACCESS_IMPLICIT | ACCESS_WRITE, &span))
			return not_read(task, segment->selector);
		segment->attributes |= TYPE_ACCESSED;
		type = (uint8_t)segment->attributes;
		span_write(&span, 0, &type, sizeof(type));
	}
	*segment_of(&task->vcpu->vmcb->save, number) = *segment;
	return true;
}

static bool load_ldt(const struct task *task, uint16_t selector)
{
	struct vmcb_segment segment;
	uint32_t linear;

	if (selector & SELECTOR_TI)
		return task_fault(task, VEC_TS, selector);
	if (is_null(selector))
		return true;
	if (!read_descriptor(task, selector, &segment, &linear))
		return false;
	if ((segment.attributes & (SEG_ATTR_S | SEG_ATTR_TYPE | SEG_ATTR_P)) !=
	    (TYPE_LDT | SEG_ATTR_P))
		return task_fault(task, VEC_TS, selector);
	task->vcpu->vmcb->save.ldtr = segment;
	return true;
}

static bool load_stack(const struct task *task, uint16_t selector, unsigned int cpl)
{
	struct vmcb_segment segment;
	uint32_t linear;

	if (is_null(selector))
		return task_fault(task, VEC_TS, selector);
	if (!read_descriptor(task, selector, &segment, &linear))
		return false;
	if ((segment.attributes & (SEG_ATTR_S | TYPE_CODE | TYPE_WRITABLE)) !=
	    (SEG_ATTR_S | TYPE_WRITABLE))
		return task_fault(task, VEC_TS, selector);
	if (!(segment.attributes & SEG_ATTR_P))
		return task_fault(task, VEC_SS, selector);
	if (dpl(&segment) != cpl || dpl(&segment) != (selector & SELECTOR_RPL))
		return task_fault(task, VEC_TS, selector);
	return take(task, SEGMENT_SS, &segment, linear);
}

static bool load_data(const struct task *task, unsigned int number, uint16_t selector,
                      unsigned int cpl)
{
	struct vmcb_segment segment;
	uint32_t linear, attributes;

	if (is_null(selector))
		return true;
	if (!read_descriptor(task, selector, &segment, &linear))
		return false;
	attributes = segment.attributes;
	if (!(attributes & SEG_ATTR_S) ||
	    (attributes & (TYPE_CODE | TYPE_WRITABLE)) == TYPE_CODE) /* code that is not readable */
		return task_fault(task, VEC_TS, selector);
	if ((attributes & (TYPE_CODE | TYPE_EXPAND_DOWN)) != (TYPE_CODE | TYPE_EXPAND_DOWN) &&
	    (dpl(&segment) < cpl || dpl(&segment) < (selector & SELECTOR_RPL)))
		return task_fault(task, VEC_TS, selector);
	if (!(attributes & SEG_ATTR_P))
		return task_fault(task, VEC_NP, selector);
	return take(task, number, &segment, linear);
}

static bool load_code(const struct task *task, uint16_t selector, unsigned int cpl)
{
	struct vmcb_segment segment;
	uint32_t linear;

	if (is_null(selector))
		return task_fault(task, VEC_TS, selector);
	if (!read_descriptor(task, selector, &segment, &linear))
		return false;
	if ((segment.attributes & (SEG_ATTR_S | TYPE_CODE)) != (SEG_ATTR_S | TYPE_CODE))
		return task_fault(task, VEC_TS, selector);
	if (segment.attributes & TYPE_EXPAND_DOWN ? dpl(&segment) > cpl : dpl(&segment) != cpl)
		return task_fault(task, VEC_TS, selector);
	if (!(segment.attributes & SEG_ATTR_P))
		return task_fault(task, VEC_NP, selector);
	return take(task, SEGMENT_CS, &segment, linear);
}

/* Until SS is good there is no stack but the one that the new TSS has for a change of CPL. */
void task_clear_segments(struct vmcb_save *save, const struct task_state *state)
{
	for (unsigned int i = 0; i < TASK_SEGMENTS; i++)
		segment_clear(state->selector[i], segment_of(save, i));
	segment_clear(state->ldt, &save->ldtr);
	save->cpl = CPL_USER;
	save->ss.attributes = SEG_ATTR_DPL;
}

static void load_vm86(struct vmcb_save *save, const struct task_state *state)
{
	for (unsigned int i = 0; i < TASK_SEGMENTS; i++) {
		*segment_of(save, i) = (struct vmcb_segment){
			.selector = state->selector[i],
			.attributes = VM86_ATTRIBUTES,
			.limit = VM86_LIMIT,
			.base = (uint32_t)state->selector[i] << VM86_SHIFT,
		};
	}
}

bool task_load_segments(const struct task *task, const struct task_state *state)
{
	static const uint8_t data[] = {SEGMENT_DS, SEGMENT_ES, SEGMENT_FS, SEGMENT_GS};
	struct vmcb_save *save = &task->vcpu->vmcb->save;
	unsigned int cpl = state->selector[SEGMENT_CS] & SELECTOR_RPL;

	if (!load_ldt(task, state->ldt))
		return false;
	if (state->eflags & RFLAGS_VM) {
		load_vm86(save, state);
		return true;
	}
	if (!load_stack(task, state->selector[SEGMENT_SS], cpl))
		return false;
	save->cpl = (uint8_t)cpl;
	for (unsigned int i = 0; i < sizeof(data); i++) {
		if (!load_data(task, data[i], state->selector[data[i]], cpl))
			return false;
	}
	return load_code(task, state->selector[SEGMENT_CS], cpl);
}
