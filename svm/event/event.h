/*
 * What handlers leave for the guest in use (svm/event/priority.h), and the end of an instruction
 * that L0 performed. Relies on svm/vcpu.h.
 */
#ifndef SVM_EVENT_EVENT_H
#define SVM_EVENT_EVENT_H

#include "svm/decode/decode.h"
#include "svm/features.h"
#include "svm/strict.h"
#include "svm/vcpu.h"

/*
 * An exception in the guest whose instruction L0 was performing; where L1 intercepts it for L2, L1
 * gets the #VMEXIT instead. error_code is used by the vectors that have one. All of these only
 * leave word, and nothing changes before the handler is done: see settle().
 */
void raise_exception(struct vcpu *vcpu, unsigned int vector, uint32_t error_code);

/*
 * The same for a fault that may have come while interrupted_event() was being delivered: together
 * they may make a double fault or a shutdown (APM vol. 2, section 8.2.9).
 */
void raise_fault(struct vcpu *vcpu, unsigned int vector, uint32_t error_code);
void raise_page_fault(struct vcpu *vcpu, uint32_t error_code, uint64_t address);

/* L2 exits to L1 with this code, which L1 intercepts. */
void exit_to_l1(struct vcpu *vcpu, uint64_t code);

/* The guest in use shuts down: L1 may have asked for that of L2; else the machine resets. */
void shut_down(struct vcpu *vcpu);

bool has_error_code(unsigned int vector);

/* The first half of an instruction's end: RIP moves on by this length, the shadow ends. */
static inline void step_over(struct vcpu *vcpu, unsigned int length)
{
	struct vmcb *vmcb = vcpu->vmcb;
	uint64_t rip = vmcb->save.rip + length;

	vmcb->save.rip = in_64bit_code(&vmcb->save) ? rip : low32(rip);
	if (__builtin_expect(vmcb->save.rflags & RFLAGS_RF, false))
		vmcb->save.rflags &= ~(uint64_t)RFLAGS_RF;
	vmcb->control.int_state &= ~INT_STATE_SHADOW;
}

/*
 * The second: a single step traps (APM vol. 2, section 13.1.4). VMRUN's does so behind its
 * #VMEXIT.
 */
void raise_step(struct vcpu *vcpu);
static inline void trap_step(struct vcpu *vcpu)
{
	if (__builtin_expect(vcpu->vmcb->save.rflags & RFLAGS_TF, false))
		raise_step(vcpu);
}

static inline void finish_instruction(struct vcpu *vcpu, unsigned int length)
{
	step_over(vcpu, length);
	trap_step(vcpu);
}

/*
 * To be called where a handler gives up since an instruction was not decoded. One that L0 will
 * never read, for it runs from a device's memory or tables that lead to it stand there, raises #UD,
 * and that is said once: tried again it would exit for ever.
 */
void not_decoded(struct vcpu *vcpu);

/*
 * The length of the instruction that exited, from nRIP where the processor has it. 0: the guest
 * tries again, or gets what not_decoded() raises.
 */
static inline __attribute__((always_inline)) unsigned int exit_length(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->vmcb;
	const struct instruction *instruction;

	if (has(SVM_FEATURE_NRIP)) {
		unsigned int length = (unsigned int)(vmcb->control.next_rip - vmcb->save.rip);

		strict_check_length(vcpu, length);
		return length;
	}
	instruction = decode(vcpu, vmcb->control.exit_code);
	if (__builtin_expect(instruction != NULL, true))
		return instruction->length;
	not_decoded(vcpu);
	return 0;
}

/*
 * EXITINTINFO of the VMCB in use. QEMU's own emulation calls an interrupt an exception there, and
 * leaves V_IRQ set if it was that: put right in the VMCB, by APM vol. 2, section 15.7.2.
 */
uint64_t interrupted_event(struct vcpu *vcpu);

/*
 * Does the event come from an INTn, INT3 or INTO at the guest's RIP? (Not if it was injected: RIP
 * is then where it returns to.)
 */
bool is_from_instruction(const struct vcpu *vcpu, uint64_t event);

/* The guest of this VMCB is entered with the event, EVENTINJ's form. */
static inline void inject_event(struct vcpu *vcpu, struct vmcb_control *control, uint64_t event)
{
	control->event_inj = event;
	vcpu->event.due.inject = true;
}

/*
 * An event was being delivered when the guest exited for a reason of L0's own: deliver it again
 * (APM vol. 2, section 15.7.2).
 */
void redeliver_event(struct vcpu *vcpu);

/* Whether interrupts reach L1 now: to be called when GIF or the VMCB in use changes. */
void update_interrupt_gate(struct vcpu *vcpu);

void set_gif(struct vcpu *vcpu, bool gif);

/* The same for VMRUN, which has set GIF and is in guest mode: from VMCB01 to VMCB02. */
void gate_to_l2(struct vcpu *vcpu);

/* ... and for #VMEXIT to L1, which clears GIF and is not in guest mode any more. */
void gate_to_l1(struct vcpu *vcpu);

/*
 * Takes the NMI or the INIT that is pending, and an SMI, which is the firmware's. True: there is an
 * NMI for L1, not a kick of L0's only. The INIT (of an I/O APIC or a device: L0 performs all
 * others) is noted for settle().
 */
bool take_signals(struct vcpu *vcpu);

/* The same for what a guest of this VMCB has exited for: #VMEXIT(NMI), (SMI), (INIT). */
bool take_exit_signal(struct vcpu *vcpu, const struct vmcb_control *control);

/* These exits of L1's or L2's: takes what came and passes it on to L1. */
void handle_signal(struct vcpu *vcpu);

/*
 * L0's kick has come: could the processor have merged an NMI of L1's with it? Those that L1 sends
 * by ICR are not physical ones at all; this is about the APIC's own sources (nmi_sources.c).
 */
bool nmi_may_be_l1s(struct vcpu *vcpu);

/* machine_check.c: has this processor taken a machine check in L0? Then it is pending for L1. */
void look_for_machine_checks(struct vcpu *vcpu);

/* #VMEXIT(#MC) that L1 does not intercept. */
void handle_machine_check(struct vcpu *vcpu);

/*
 * An IRET that goes back to another task: TF would be saved in the old one, and not be the new
 * one's. Where L0 performs the switch it sees the end of the IRET itself.
 */
bool iret_leaves_unseen(const struct vmcb_save *save);

/* Intercepts IRET in the VMCB in use: an NMI's handler runs. */
void watch_iret(struct vcpu *vcpu);

/* #VMEXIT(IRET): an NMI's handler is about to end. */
void handle_iret(struct vcpu *vcpu);

/* L0's step over that IRET ends. Returns whether all is done for this exit. */
bool iret_stepped(struct vcpu *vcpu);

/* step.c: lets the guest's next instruction pass, alone. */
void step_begin(struct vcpu *vcpu);

/*
 * The next exit, whatever it is, ends that: the VMCB is as it was. loads_rflags: if the instruction
 * is done TF is what it has loaded.
 */
enum step_end {
	STEP_DONE,      /* and the #DB is L0's only */
	STEP_TRAPS,     /* done, but the #DB is the guest's, too */
	STEP_CUT_SHORT, /* the instruction is not done */
};
enum step_end step_end(struct vcpu *vcpu, bool loads_rflags);

/*
 * Behind STEP_CUT_SHORT: was the exit for the step's sake only? Then the guest gets what it is
 * about, and all is done.
 */
bool step_was_all(struct vcpu *vcpu);

#endif
