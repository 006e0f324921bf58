/*
 * A hardware task switch in the order of the processor: AMD64 APM vol. 2, sections 12.3.3 and
 * 15.14.1. All that can fail in the old task comes before the first write; from then on faults are
 * the new task's. FS, GS, LDTR and TR live in the processor: they are in the VMCB meanwhile, in
 * fields that VMRUN does not use. Relies on svm/shadowed/span.h and svm/shadowed/tss.h.
 */
#include "svm/shadowed/task_switch.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/shadowed/span.h"
#include "svm/quirks/quirks.h"

/* EXITINFO2; APM 15.14.1. */
#define INFO2_ERROR_VALID (1ull << 44)
#define INFO2_RF          (1ull << 48)

#define RFLAGS_VALID 0x3f7fd5u /* the others are reserved */

#define DR7_LOCAL 0x155u /* L0 to L3, LE */

enum { SELECTOR_TI = 4, SELECTOR_INDEX = 0xfff8, DESCRIPTOR_SIZE = 8 };

struct change {
	struct task task;
	bool old_wide, wide;
	bool pushes; /* an error code, on the new task's stack */
	uint32_t error_code;
	struct vmcb_segment tr;                                   /* the new one */
	struct span old_tss, new_tss, old_descriptor, descriptor; /* the latter: bytes of types */
};

static void vmsave(const struct vcpu *vcpu)
{
	__asm__ volatile("vmsave %0" : : "a"((uintptr_t)vcpu->vmcb_hpa) : "memory");
}

static void vmload(const struct vcpu *vcpu)
{
	__asm__ volatile("vmload %0" : : "a"((uintptr_t)vcpu->vmcb_hpa) : "memory");
}

/* The processor has found all this good, but memory may have changed since. */
static bool check_new_tss(struct change *change)
{
	const struct task *task = &change->task;
	const struct vmcb_save *save = &task->vcpu->vmcb->save;
	uint16_t selector = (uint16_t)task->vcpu->vmcb->control.exit_info1;
	unsigned int bad = change->task.cause == BY_IRET ? VEC_TS : VEC_GP, type;
	uint32_t offset = selector & SELECTOR_INDEX;
	uint32_t access = change->task.cause == BY_IRET ? 0 : ACCESS_WRITE;
	uint64_t descriptor;
	struct span span;

	if ((selector & SELECTOR_TI) || offset + DESCRIPTOR_SIZE - 1 > save->gdtr.limit)
		return task_fault(task, bad, selector);
	if (!span_map(task->vcpu, low32(save->gdtr.base + offset), sizeof(descriptor),
	              ACCESS_IMPLICIT, &span))
		return false;
	span_read(&span, 0, &descriptor, sizeof(descriptor));
	descriptor_load(descriptor, selector, &change->tr);
	change->wide = change->tr.attributes & TYPE_TSS_WIDE;
	type = change->wide ? TYPE_TSS32 : TYPE_TSS16;
	if (change->task.cause == BY_IRET)
		type |= TYPE_TSS_BUSY;
	if ((change->tr.attributes & (SEG_ATTR_S | SEG_ATTR_TYPE)) != type)
		return task_fault(task, bad, selector);
	if (!(change->tr.attributes & SEG_ATTR_P))
		return task_fault(task, VEC_NP, selector);
	if (change->tr.limit < tss_size(change->wide) - 1)
		return task_fault(task, VEC_TS, selector);
	change->tr.attributes |= TYPE_TSS_BUSY;
	return span_map(task->vcpu, low32(save->gdtr.base + offset + DESCRIPTOR_TYPE_BYTE), 1,
	                ACCESS_IMPLICIT | access, &change->descriptor);
}

/* Finds all that is to be read and written under the old task's tables. */
static bool map_both(struct change *change)
{
	const struct task *task = &change->task;
	const struct vmcb_save *save = &task->vcpu->vmcb->save;
	uint32_t old = low32(save->tr.base), first;
	struct span link;

	change->old_wide = save->tr.attributes & TYPE_TSS_WIDE;
	first = tss_first_saved(change->old_wide);
	if (save->tr.limit < tss_saved_end(change->old_wide) - 1)
		return task_fault(task, VEC_TS, save->tr.selector);
	if (!span_map(task->vcpu, low32(change->tr.base), tss_size(change->wide), ACCESS_IMPLICIT,
	              &change->new_tss))
		return false;
	if (change->task.cause == BY_CALL &&
	    !span_map(task->vcpu, low32(change->tr.base), sizeof(uint16_t),
	              ACCESS_IMPLICIT | ACCESS_WRITE, &link))
		return false;
	if (change->task.cause != BY_CALL &&
	    !span_map(task->vcpu,
	              low32(save->gdtr.base + (save->tr.selector & SELECTOR_INDEX) +
	                    DESCRIPTOR_TYPE_BYTE),
	              1, ACCESS_IMPLICIT | ACCESS_WRITE, &change->old_descriptor))
		return false;
	return span_map(task->vcpu, old + first, tss_saved_end(change->old_wide) - first,
	                ACCESS_IMPLICIT | ACCESS_WRITE, &change->old_tss);
}

/* Exceptions that are faults have RF set in what they save; not #DB, traps and aborts. */
static bool sets_rf(uint64_t event)
{
	unsigned int vector = event & EVENT_VECTOR_MASK;

	return (event & EVENT_TYPE_MASK) >> EVENT_TYPE_SHIFT == EVENT_EXCEPTION &&
	       vector != VEC_DB && vector != VEC_BP && vector != VEC_OF && vector != VEC_DF &&
	       vector != VEC_MC;
}

/* For what L0 itself injected the processor knows nothing of RF. */
static uint32_t old_eflags(const struct change *change)
{
	const struct vmcb *vmcb = change->task.vcpu->vmcb;
	uint32_t eflags = low32(vmcb->save.rflags) & ~RFLAGS_RF;

	if ((vmcb->control.exit_info2 & INFO2_RF) || sets_rf(change->task.event))
		eflags |= RFLAGS_RF;
	if (change->task.cause == BY_IRET)
		eflags &= ~RFLAGS_NT;
	return eflags;
}

static void save_old(const struct change *change)
{
	const struct vcpu *vcpu = change->task.vcpu;
	const struct vmcb_save *save = &change->task.vcpu->vmcb->save;
	uint32_t first = tss_first_saved(change->old_wide);
	uint32_t bytes = tss_saved_end(change->old_wide) - first;
	struct task_state state = {
		.eip = change->task.eip,
		.eflags = old_eflags(change),
		.selector = {save->es.selector, save->cs.selector, save->ss.selector,
	                     save->ds.selector, save->fs.selector, save->gs.selector},
	};
	union tss tss;

	for (unsigned int i = 0; i < TASK_GPRS; i++)
		state.gpr[i] = low32(vcpu->gpr[i]);
	state.gpr[GPR_RAX] = low32(save->rax);
	state.gpr[GPR_RSP] = low32(save->rsp);
	span_read(&change->old_tss, 0, (uint8_t *)&tss + first, bytes);
	tss_store(&tss, change->old_wide, &state);
	span_write(&change->old_tss, 0, (const uint8_t *)&tss + first, bytes);
}

static void set_busy(const struct span *descriptor, bool busy)
{
	uint8_t type;

	span_read(descriptor, 0, &type, sizeof(type));
	type = (uint8_t)(busy ? type | TYPE_TSS_BUSY : type & ~TYPE_TSS_BUSY);
	span_write(descriptor, 0, &type, sizeof(type));
}

/* All writes, and the new task's state. Nothing fails. */
static void write_and_read(const struct change *change, struct task_state *state)
{
	uint16_t old = change->task.vcpu->vmcb->save.tr.selector;
	union tss tss;

	if (change->task.cause != BY_CALL)
		set_busy(&change->old_descriptor, false);
	save_old(change);
	if (change->task.cause == BY_CALL)
		span_write(&change->new_tss, 0, &old, sizeof(old));
	span_read(&change->new_tss, 0, &tss, tss_size(change->wide));
	tss_load(&tss, change->wide, state);
	if (change->task.cause == BY_CALL)
		state->eflags |= RFLAGS_NT;
	if (change->task.cause != BY_IRET)
		set_busy(&change->descriptor, true);
}

/* From here on the new task runs: what is not loaded yet, is marked so. */
static void commit(const struct change *change, const struct task_state *state)
{
	struct vcpu *vcpu = change->task.vcpu;
	struct vmcb *vmcb = change->task.vcpu->vmcb;
	struct vmcb_save *save = &vmcb->save;

	save->tr = change->tr;
	save->cr0 |= CR0_TS;
	save->dr7 &= ~(uint64_t)DR7_LOCAL;
	save->rip = state->eip;
	save->rflags = (state->eflags & RFLAGS_VALID) | RFLAGS_FIXED;
	for (unsigned int i = 0; i < TASK_GPRS; i++)
		vcpu->gpr[i] = state->gpr[i];
	save->rax = state->gpr[GPR_RAX];
	save->rsp = state->gpr[GPR_RSP];
	task_clear_segments(save, state);
	vmcb->control.int_state &= ~INT_STATE_SHADOW;
	vmcb->control.clean &= ~(CLEAN_CRX | CLEAN_DRX | CLEAN_SEG);
	if (change->task.cause == BY_IRET)
		vcpu->event.nmi_blocked = false;
}

/* Only with paging on, and only a 32-bit TSS has one. Bad PDPTEs are #GP, as of MOV CR3. */
static bool load_cr3(const struct change *change, uint32_t cr3)
{
	struct vcpu *vcpu = change->task.vcpu;
	struct vmcb_save *save = &change->task.vcpu->vmcb->save;
	uint64_t old = save->cr3;

	if (!change->wide || !(save->cr0 & CR0_PG))
		return true;
	save->cr3 = cr3;
	if (!load_pdptes(vcpu, vcpu->guest_mode, save)) {
		save->cr3 = old;
		return task_fault(&change->task, VEC_GP, 0);
	}
	shadowed_flush(vcpu);
	return true;
}

/* An exception's error code goes on the new task's stack, as wide as its TSS. */
static bool push_error_code(const struct change *change)
{
	struct vmcb_save *save = &change->task.vcpu->vmcb->save;
	uint32_t code = change->error_code;
	uint32_t size = change->wide ? sizeof(uint32_t) : sizeof(uint16_t);
	uint32_t mask = (save->ss.attributes & SEG_ATTR_DB) ? 0xffffffff : 0xffff;
	uint32_t offset = (low32(save->rsp) - size) & mask;
	struct span span;

	if (!stack_holds(&save->ss, offset, size))
		return task_fault(&change->task, VEC_SS, 0);
	if (!span_map(change->task.vcpu, low32(save->ss.base + offset), size, ACCESS_WRITE, &span))
		return task_has_raised(&change->task) ? false
		                                      : task_fault(&change->task, VEC_SS, 0);
	span_write(&span, 0, &code, size);
	save->rsp = (low32(save->rsp) & ~mask) | offset;
	return true;
}

/* In the new task. False: raised. */
static bool begin(const struct change *change, const struct task_state *state)
{
	if (!load_cr3(change, state->cr3) || !task_load_segments(&change->task, state))
		return false;
	return !change->pushes || push_error_code(change);
}

void handle_task_switch(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;
	struct change change = {
		.task = {.vcpu = vcpu},
		.pushes = vmcb->control.exit_info2 & INFO2_ERROR_VALID,
		.error_code = low32(vmcb->control.exit_info2),
	};
	struct task_state state;

	vmsave(vcpu);
	if (!task_find_source(&change.task) || !check_new_tss(&change) || !map_both(&change)) {
		if (!task_has_raised(&change.task))
			redeliver_event(vcpu);
		return;
	}
	write_and_read(&change, &state);
	commit(&change, &state);
	if (begin(&change, &state) && state.trap) {
		vmcb->control.exit_int_info = 0; /* it has been delivered */
		vmcb->save.dr6 |= DR6_BT;
		raise_exception(vcpu, VEC_DB, 0);
	}
	vmload(vcpu);
}

/*
 * Is the guest between two tasks? The segments that are not loaded yet are null then, and what else
 * outside of virtual 8086 mode could run on a code segment that is not present?
 */
bool is_between_tasks(const struct vcpu *vcpu)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;

	return quirk_task_switches_unseen() && (save->cr0 & CR0_PE) && !in_long_mode(save) &&
	       !(save->rflags & RFLAGS_VM) && !(save->cs.attributes & SEG_ATTR_P);
}

/*
 * What QEMU had loaded by then comes from the new TSS once more: of an instruction's switch it has
 * taken RIP and flags back. Busy bits it keeps in memory only.
 */
void finish_task_switch(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;
	struct vmcb_save *save = &vmcb->save;
	uint64_t event = interrupted_event(vcpu);
	struct change change = {
		.task = {.vcpu = vcpu,
	                 .event = event,
	                 .external = event && !is_from_instruction(vcpu, event)},
		.pushes = event & EVENT_ERROR_VALID,
		.error_code = (uint32_t)(event >> EVENT_ERROR_SHIFT),
	};
	struct task_state state;
	union tss tss;

	vmsave(vcpu);
	change.tr = save->tr;
	change.wide = save->tr.attributes & TYPE_TSS_WIDE;
	if (!span_map(vcpu, low32(save->tr.base), tss_size(change.wide), ACCESS_IMPLICIT,
	              &change.new_tss))
		return;
	span_read(&change.new_tss, 0, &tss, tss_size(change.wide));
	tss_load(&tss, change.wide, &state);
	state.cr3 = low32(save->cr3);
	state.eflags |= low32(save->rflags) & RFLAGS_NT;
	commit(&change, &state);
	begin(&change, &state);
	vmload(vcpu);
}
