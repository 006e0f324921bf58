/*
 * Hardware task switches that L0 performs, since they load CR3 (npt=off). Relies on
 * svm/shadowed/tss.h.
 */
#ifndef SVM_SHADOWED_TASK_SWITCH_H
#define SVM_SHADOWED_TASK_SWITCH_H

#include "svm/shadowed/tss.h"

/* #VMEXIT(TASK_SWITCH). */
void handle_task_switch(struct vcpu *vcpu);

/*
 * QEMU's own emulation cannot intercept task switches. It performs them, as far as it comes by the
 * new CR3, which is the guest's own and no shadow: where those tables are not in the format that
 * the processor has now, it meets #PF as it wants to load the segments. That fault is none of the
 * guest's: L0 goes on with the switch.
 */
bool is_between_tasks(const struct vcpu *vcpu);
void finish_task_switch(struct vcpu *vcpu);

/* The rest is between task_switch.c and the other files of its name. */

/* Decides what becomes of busy bits, NT and the link; an event's task gate is a call. APM 12.3. */
enum task_cause { BY_JMP, BY_CALL, BY_IRET };

/* A switch under way. */
struct task {
	struct vcpu *vcpu;
	enum task_cause cause;
	uint64_t event; /* EXITINTINFO, or 0 */
	uint32_t eip;   /* where the old task goes on */
	bool external;  /* EXT of error codes: not for what the guest's own instruction asked for */
};

/*
 * Fills in cause, event, eip and external. nRIP tells the length at intercepts of instructions
 * only, which this is not (APM 15.7.1). False: the instruction is not there any more, and the guest
 * is to try again.
 */
bool task_find_source(struct task *task);

/* Raises a fault whose error code names the selector; 0: none. Always false. */
bool task_fault(const struct task *task, unsigned int vector, uint16_t selector);

/* Has something been raised? Else a false return means that the guest's tables did not hold still.
 */
bool task_has_raised(const struct task *task);

/* Marks the segments that are not loaded yet, with the selectors that they are to have. */
void task_clear_segments(struct vmcb_save *save, const struct task_state *state);

/*
 * Loads LDTR and the segment registers from their tables, with CPL, in the new task. False: raised.
 * APM vol. 2, sections 4.10.2 and 12.3; FS, GS and LDTR are those of the VMCB.
 */
bool task_load_segments(const struct task *task, const struct task_state *state);

#endif
