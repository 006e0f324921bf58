/*
 * The way of an exit: the run loop, the question whose an exit of L2 is, and one table of
 * handlers for what is L0's. Relies on svm/nested/nested.h and the handlers named in the table.
 */
#include "svm/exit.h"
#include "svm/apic/fault.h"
#include "hv/log.h"
#include "hv/x86.h"
#include "svm/emulate/control_registers.h"
#include "svm/emulate/emulate.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/look/hypercall.h"
#include "svm/nested/nested.h"
#include "svm/shadowed/paging.h"
#include "svm/emulate/ports.h"
#include "svm/cpus/processors.h"
#include "svm/start/startup.h"
#include "svm/strict.h"
#include "svm/shadowed/task_switch.h"

enum { EXIT_CODES = INTERCEPT_WORDS * 32 };

_Static_assert((int)EXIT_CODES == (int)EXIT_SLOT_NPF, "each intercept's exit has a slot");

/* Its place in the tables here, and its counter. */
static inline uint64_t slot_of(uint64_t code)
{
	if (__builtin_expect(code < EXIT_CODES, true))
		return code;
	return code == VMEXIT_NPF ? EXIT_SLOT_NPF : EXIT_SLOT_OTHER;
}

/* GIF=0 discards breakpoints, but not single steps and INT1; APM vol. 2, table 15-10. */
static bool discard_breakpoint(struct vcpu *vcpu)
{
	struct vmcb_save *save = &vcpu->vmcb->save;

	if (vcpu->event.gif || (save->dr6 & (DR6_BD | DR6_BS | DR6_BT)) ||
	    !(save->dr6 & DR6_B0_TO_B3))
		return false;
	save->dr6 &= ~(uint64_t)DR6_B0_TO_B3;
	save->rflags |= RFLAGS_RF; /* else one on an instruction comes again */
	vcpu->vmcb->control.clean &= ~CLEAN_DRX;
	return true;
}

static void handle_exception(struct vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;

	if (control->exit_code == VMEXIT_EXCP_BASE + VEC_DB && discard_breakpoint(vcpu))
		return;
	raise_exception(vcpu, (unsigned int)control->exit_code - VMEXIT_EXCP_BASE,
	                low32(control->exit_info1));
}

/*
 * INT1: the #DB that L0 intercepts would tell of it with RIP at the instruction, which nothing sets
 * apart from a fault. DR6 does not change.
 */
static void handle_icebp(struct vcpu *vcpu)
{
	unsigned int length = exit_length(vcpu);

	if (!length)
		return;
	finish_instruction(vcpu, length); /* a single step is the same #DB */
	raise_exception(vcpu, VEC_DB, 0);
}

/* L1's caches may hold what L0 wrote: INVD becomes WBINVD. */
static void handle_invd(struct vcpu *vcpu)
{
	unsigned int length = exit_length(vcpu);

	if (!length)
		return;
	wbinvd();
	finish_instruction(vcpu, length);
}

static void handle_io(struct vcpu *vcpu)
{
	if (!ports_perform(vcpu) && vcpu->guest_mode)
		nested_step_string(vcpu);
}

static _Noreturn void nobody_asked(const struct vcpu *vcpu)
{
	panic("exit %llx of %s, which nothing asked for",
	      (unsigned long long)vcpu->vmcb->control.exit_code, vcpu->guest_mode ? "L2" : "L1");
}

static void handle_npf(struct vcpu *vcpu)
{
	if (vcpu->guest_mode)
		handle_l2_npf(vcpu);
	else
		direct_fault(vcpu);
}

/* No intercept's: VMRUN was refused. */
static void handle_other(struct vcpu *vcpu)
{
	/* QEMU writes 32 bits only. */
	if (low32(vcpu->vmcb->control.exit_code) != low32(VMEXIT_INVALID))
		nobody_asked(vcpu);
	if (refused_cr_write(vcpu))
		return;
	if (!vcpu->guest_mode)
		panic("the processor refused VMCB01");
	nested_refused(vcpu);
}

static void (*const handlers[EXIT_SLOTS])(struct vcpu *vcpu) = {
	[VMEXIT_CR0_READ] = handle_cr_read,
	[VMEXIT_CR3_READ] = handle_cr_read,
	[VMEXIT_CR4_READ] = handle_cr_read,
	[VMEXIT_CR0_WRITE] = handle_cr_write,
	[VMEXIT_CR3_WRITE] = handle_cr_write,
	[VMEXIT_CR4_WRITE] = handle_cr_write,
	[VMEXIT_EXCP_BASE + VEC_DB] = handle_exception,
	[VMEXIT_EXCP_BASE + VEC_GP] = handle_gp,
	[VMEXIT_EXCP_BASE + VEC_PF] = handle_page_fault,
	[VMEXIT_EXCP_BASE + VEC_AC] = handle_exception,
	[VMEXIT_EXCP_BASE + VEC_MC] = handle_machine_check,
	[VMEXIT_NMI] = handle_signal,
	[VMEXIT_SMI] = handle_signal,
	[VMEXIT_INIT] = handle_signal,
	[VMEXIT_CPUID] = emulate_cpuid,
	[VMEXIT_IRET] = handle_iret,
	[VMEXIT_INVD] = handle_invd,
	[VMEXIT_WBINVD] = handle_invd, /* QEMU's code for INVD; WBINVD itself is not intercepted */
	[VMEXIT_INVLPG] = handle_invlpg,
	[VMEXIT_INVLPGA] = handle_invlpga,
	[VMEXIT_IOIO] = handle_io,
	[VMEXIT_MSR] = emulate_msr,
	[VMEXIT_TASK_SWITCH] = handle_task_switch,
	[VMEXIT_SHUTDOWN] = shut_down,
	[VMEXIT_VMRUN] = handle_vmrun,
	[VMEXIT_VMMCALL] = handle_vmmcall,
	[VMEXIT_VMLOAD] = handle_vmload,
	[VMEXIT_VMSAVE] = handle_vmsave,
	[VMEXIT_STGI] = handle_stgi,
	[VMEXIT_CLGI] = handle_clgi,
	[VMEXIT_SKINIT] = handle_skinit,
	[VMEXIT_ICEBP] = handle_icebp,
	[VMEXIT_XSETBV] = handle_xsetbv,
	[VMEXIT_INVPCID] = handle_invpcid,
	[EXIT_SLOT_NPF] = handle_npf,
	[EXIT_SLOT_OTHER] = handle_other,
};

/* On L1's behalf, whether L1 or L2 ran. */
static inline void perform(struct vcpu *vcpu, uint64_t slot)
{
	void (*handler)(struct vcpu *) = handlers[slot];

	if (__builtin_expect(!handler, false))
		nobody_asked(vcpu);
	handler(vcpu);
}

/* Whose an exit of L2 is: its intercept says so, where there is nothing else here. */
static const enum owner {
	BY_INTERCEPT,
	BY_MORE,
	L0S
} owners[EXIT_SLOTS] = {
	[VMEXIT_EXCP_BASE + VEC_PF] = BY_MORE,
	[VMEXIT_MSR] = BY_MORE,
	[VMEXIT_IOIO] = BY_MORE,
	[VMEXIT_WBINVD] = BY_MORE,
	/* First L0 has to know whether it is L1's at all. */
	[VMEXIT_NMI] = L0S,
	[VMEXIT_INIT] = L0S,
	[EXIT_SLOT_NPF] = L0S,
	[EXIT_SLOT_OTHER] = L0S,
};

static __attribute__((noinline)) bool is_l1s_by_more(struct vcpu *vcpu, uint64_t code)
{
	if (code == VMEXIT_MSR)
		return msr_is_intercepted(vcpu, low32(vcpu->gpr[GPR_RCX]),
		                          vcpu->vmcb->control.exit_info1 & 1);
	if (code == VMEXIT_IOIO)
		return io_is_intercepted(vcpu, vcpu->vmcb->control.exit_info1);
	if (code == VMEXIT_EXCP_BASE + VEC_PF && !features.npt)
		return false; /* first L0 has to know whether L1's tables deny the access */
	if (code == VMEXIT_WBINVD && !l1_intercepts(vcpu, code))
		code = VMEXIT_INVD;
	return l1_intercepts(vcpu, code);
}

static inline void handle_l2_exit(struct vcpu *vcpu, uint64_t slot)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;
	enum owner owner = owners[slot];

	if (owner == BY_INTERCEPT ? l1_intercepts(vcpu, slot)
	                          : owner == BY_MORE && is_l1s_by_more(vcpu, slot))
		nested_exit(vcpu, control->exit_code, control->exit_info1, control->exit_info2);
	else
		perform(vcpu, slot);
}

/* L0's own step has ended. Is all done for this exit? */
static __attribute__((noinline)) bool stepped(struct vcpu *vcpu)
{
	return vcpu->nested.string_step.on ? nested_string_stepped(vcpu) : iret_stepped(vcpu);
}

__attribute__((always_inline)) inline void handle_exit(struct vcpu *vcpu)
{
	uint64_t slot = slot_of(vcpu->vmcb->control.exit_code);

	if (vcpu->guest_mode) {
		vcpu->counters.exits[EXITS_OF_L2][slot]++;
		if (!__builtin_expect(vcpu->event.step.on, false) || !stepped(vcpu))
			handle_l2_exit(vcpu, slot);
	} else {
		vcpu->counters.exits[EXITS_OF_L1][slot]++;
		if (!__builtin_expect(vcpu->event.step.on, false) || !stepped(vcpu))
			perform(vcpu, slot);
	}
}

/*
 * What L0 itself has changed in tables. Dirty bits of NPT01 that were cleared concern ASIDs that
 * run on NPT01 only: L1's, and those of L2s whose hypervisor uses no nested paging.
 */
static void flush(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb->control;
	bool all = __atomic_exchange_n(&vcpu->cpu.flush, false, __ATOMIC_SEQ_CST); /* P11 */

	/* L1's own flush of all ASIDs serves. */
	if (!all && control->tlb_control != TLB_CONTROL_FLUSH_ALL) {
		if (!features.npt || control->nested_cr3 != vcpu->npt01)
			return;
		control->tlb_control = !vcpu->npt01_shared && has(SVM_FEATURE_FLUSH_ASID)
		                               ? TLB_CONTROL_FLUSH_ASID
		                               : TLB_CONTROL_FLUSH_ALL;
	} else {
		control->tlb_control = TLB_CONTROL_FLUSH_ALL; /* P12 */
	}
	mmu_direct_flushed(&vcpu->mmu_cpu); /* T23 */
	if (all && vcpu->guest_mode)
		nested_maps_renew(vcpu);
}

/*
 * From here on others take this processor to be in a guest, and kick it if they want something.
 * What they wanted before that comes first.
 */
static inline bool may_enter(struct vcpu *vcpu, bool plain)
{
	const volatile uint64_t *wanted = &vcpu->cpu.wanted;

	if (!plain && !vcpu->cpu.alone) /* else nobody looks, and what is locked takes its time */
		__atomic_add_fetch(&vcpu->cpu.run, 1, __ATOMIC_SEQ_CST); /* P13 */
	return !__builtin_expect(*wanted != 0, false);                   /* P14 */
}

static inline void has_left(struct vcpu *vcpu, bool plain)
{
	if (plain)
		return;
	if (!vcpu->cpu.alone)
		__asm__ volatile("inc%z0 %0"
		                 : "+m"(vcpu->cpu.run)
		                 :
		                 : "memory"); /* P15: one store */
	if (!features.npt)
		shadowed_exit(vcpu);
}

/* Something is wanted of this processor. */
static __attribute__((noinline)) void attend(struct vcpu *vcpu, bool plain)
{
	has_left(vcpu, plain);
	if (vcpu->cpu.flush)
		flush(vcpu);
	if (vcpu->cpu.startup)
		startup_attend(vcpu);
}

/* plain: what else a processor may need around its guest is not asked for at each entry. */
static inline __attribute__((always_inline)) struct vcpu *run_guest(struct vcpu *vcpu, bool plain)
{
	struct vmcb_control *control;

	if (!plain && !features.npt)
		shadowed_enter(vcpu); /* may want a flush */
	if (vcpu->mmu_cpu.flush_direct || (!plain && !features.npt && vcpu->cpu.flush))
		flush(vcpu);
	if (!may_enter(vcpu, plain)) {
		attend(vcpu, plain);
		return vcpu;
	}
	strict_check(vcpu);
	if (!plain && features.untrain && vcpu->guest_mode)
		ENTER_GUEST(svm_enter_untrain, vcpu);
	else
		ENTER_GUEST(svm_enter, vcpu);
	has_left(vcpu, plain);
	strict_ran(vcpu);
	control = &vcpu->vmcb->control;
	if (features.clean)
		control->clean = CLEAN_ALL;
	control->tlb_control = TLB_CONTROL_NONE;
	control->event_inj = 0;
	handle_exit(vcpu);
	return vcpu;
}

static _Noreturn void run_plainly(struct vcpu *vcpu)
{
	for (;;) {
		if (__builtin_expect(vcpu->event.due.any != 0, false))
			settle(vcpu);
		vcpu = run_guest(vcpu, true);
	}
}

void vcpu_run(struct vcpu *vcpu)
{
	LOAD_KEPT(vcpu); /* booting has left others there */
	vcpu->event.due.hold = features.vector0;
	if (take_signals(vcpu)) /* from here on GIF is 0 in L0 */
		vcpu_nmi(vcpu);
	if (vcpu->cpu.alone && features.npt && !features.untrain)
		run_plainly(vcpu);
	for (;;) {
		if (__builtin_expect(vcpu->event.due.any != 0, false))
			settle(vcpu);
		vcpu = run_guest(vcpu, false);
	}
}
