/*
 * A processor between INIT and SIPI. Relies on svm/start/start_state.h for what both do to
 * registers, and on hv/lapic.h for what INIT does to the APIC.
 */
#include "svm/start/startup.h"
#include "hv/lapic.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/reset.h"
#include "hv/x86.h"
#include "svm/apic/apic.h"
#include "svm/event/event.h"
#include "svm/event/priority.h"
#include "svm/emulate/intercepts.h"
#include "svm/start/machine.h"
#include "svm/emulate/ports.h"
#include "svm/emulate/perf.h"
#include "svm/cpus/processors.h"
#include "svm/quirks/quirks.h"
#include "svm/start/start_state.h"

enum { LEAF_FEATURES = 1 };

/* An L2 that ran is gone without a #VMEXIT, as on a processor whose INIT is not redirected. */
static void take_init(struct vcpu *vcpu)
{
	vcpu->guest_mode = false;
	vcpu->vmcb = vcpu->vmcb01;
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	vcpu->event.gif = true;
	vcpu->efer = 0;
	if (vcpu->perf.split)
		perf_switch(vcpu);
	vcpu->quirks.l2_lme_held = vcpu->nested.string_step.on = false;
	/* S12 */
	vcpu->event.due.nmi = vcpu->event.due.init = vcpu->event.nmi_blocked = vcpu->event.step.on =
		false;
	vcpu->event.tpr_in_vmcb = false;
	for (unsigned int i = 0; i < GPRS; i++)
		vcpu->gpr[i] = 0;
	LOAD_KEPT(vcpu);
	vcpu->gpr[GPR_RDX] = cpuid(LEAF_FEATURES, 0).eax;
	machine_init_control(vcpu);
	machine_init_segments(vcpu, NULL);
	clear_debug_addresses();
	write_cr2(0);
	quirk_forget_tpr(vcpu);
	lapic_init();
	apic_was_reset(vcpu);
	update_interrupt_gate(vcpu);
	mmu_flush_all_asids(&vcpu->mmu_cpu);
	vcpu->cpu.flush = true;
}

/* From INIT to the wait. The boot processor does not wait: it starts the firmware. */
static void begin_waiting(struct vcpu *vcpu)
{
	if (vcpu == vcpu_at(0))
		reset_machine("INIT of the boot processor");
	__atomic_or_fetch(&vcpu->cpu.startup, STARTUP_WAITING, __ATOMIC_SEQ_CST);          /* S10 */
	__atomic_and_fetch(&vcpu->cpu.startup, ~(uint32_t)STARTUP_INIT, __ATOMIC_SEQ_CST); /* S11 */
	take_init(vcpu);
}

/*
 * An INIT has come to a processor, which waits for SIPI or not. What it has to wait for, or
 * becomes, is settle()'s: a SIPI behind such an INIT is for nothing.
 */
static void attend_init(struct vcpu *vcpu, bool waits)
{
	vcpu->event.due.init = true; /* S8 */
	if (waits || what_is_next(vcpu) == NEXT_INIT)
		begin_waiting(vcpu);
	else
		__atomic_and_fetch(&vcpu->cpu.startup, STARTUP_WAITING | STARTUP_STOP | STARTUP_NMI,
		                   __ATOMIC_SEQ_CST); /* S9 */
}

/*
 * Takes the SIPI, unless something else has come: then what that asks for is next.
 */
static void take_sipi(struct vcpu *vcpu, uint32_t startup)
{
	uint32_t nmi = startup & STARTUP_NMI;

	if (!__atomic_compare_exchange_n(&vcpu->cpu.startup, &startup, nmi, false, __ATOMIC_SEQ_CST,
	                                 __ATOMIC_SEQ_CST)) /* S13 */
		return;
	start_state_sipi(&vcpu->vmcb01->save, (uint8_t)(startup >> STARTUP_VECTOR_SHIFT));
	vcpu->vmcb01->control.clean = 0;
}

/* If an INIT has come it has taken this NMI away, and one behind it is to stay pending. */
static void attend_nmi(struct vcpu *vcpu, uint32_t startup)
{
	uint32_t taken = startup & ~(uint32_t)STARTUP_NMI;

	if (!__atomic_compare_exchange_n(&vcpu->cpu.startup, &startup, taken, false,
	                                 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) /* S14 */
		return;
	vcpu->event.due.nmi = true;
}

#ifdef __x86_64__
#define CODE_OF_L0 SEG_ATTR_L
#else
#define CODE_OF_L0 SEG_ATTR_DB
#endif

/* The halting guest, which runs nothing but this, under L0's own tables. */
static __attribute__((naked)) void halt_loop(void)
{
	__asm__("1: hlt; jmp 1b");
}

void startup_init_halt(struct vcpu *vcpu)
{
	enum { CODE = 0xb };
	struct vmcb_control *control = &vcpu->cpu.halt->control;
	struct vmcb_save *save = &vcpu->cpu.halt->save;

	intercept_for_l0(control);
	control->intercepts[INTERCEPT_EXCEPTION] = ~0u;
	control->msrpm_base_pa = vcpu->nested.msrpms.l0_hpa;
	control->iopm_base_pa = vcpu->nested.iopms.l0_hpa;
	control->asid = ASID_L1;
	control->tlb_control = TLB_CONTROL_FLUSH_ALL;
	control->int_ctl = INT_CTL_V_INTR_MASKING; /* with the host's IF at 0: they stay pending */
	save->cs.attributes = CODE | SEG_ATTR_S | SEG_ATTR_P | CODE_OF_L0;
	save->efer = rdmsr(MSR_EFER) | EFER_SVME;
	save->cr0 = read_cr0();
	save->cr3 = read_cr3();
	save->cr4 = read_cr4();
	save->dr6 = DR6_FIXED;
	save->dr7 = DR7_FIXED;
	save->rflags = RFLAGS_FIXED;
	save->rip = (uint64_t)(uintptr_t)halt_loop;
	save->g_pat = HOST_PAT;
}

static void halt_until_kicked(struct vcpu *vcpu)
{
	uint64_t code;

	vcpu->vmcb_hpa = vcpu->cpu.halt_hpa;
	vcpu->host_flags = RFLAGS_FIXED;
	ENTER_GUEST(svm_enter, vcpu); /* S15 */
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	update_interrupt_gate(vcpu);
	code = vcpu->cpu.halt->control.exit_code;
	if (code != VMEXIT_NMI && code != VMEXIT_SMI && code != VMEXIT_INIT)
		panic("exit %llx of a processor that waits for SIPI", (unsigned long long)code);
	if (take_exit_signal(vcpu, &vcpu->cpu.halt->control))
		vcpu_nmi(vcpu);
	if (vcpu->event.due.init)
		vcpu_init(vcpu); /* of a device: here, too, it comes before a SIPI that follows */
}

static _Noreturn void stop_here(void)
{
	open_gif(); /* for SMIs */
	halt_for_good();
}

void startup_attend(struct vcpu *vcpu)
{
	for (;;) {
		uint32_t startup = __atomic_load_n(&vcpu->cpu.startup, __ATOMIC_SEQ_CST); /* S16 */

		if (startup & STARTUP_STOP)
			stop_here(); /* S17 */
		if (startup & STARTUP_INIT) {
			attend_init(vcpu, startup & STARTUP_WAITING); /* S18 */
		} else if (startup & STARTUP_SIPI) {
			take_sipi(vcpu, startup); /* S19 */
		} else if (startup & STARTUP_WAITING) {
			halt_until_kicked(vcpu); /* S20 */
		} else if (startup & STARTUP_NMI) {
			attend_nmi(vcpu, startup); /* S21 */
		} else {
			return;
		}
	}
}
