/*
 * A processor between INIT and SIPI. Relies on svm/start_state.h for what both do to registers, and
 * on hv/lapic.h for what INIT does to the APIC.
 */
#include "svm/startup.h"
#include "hv/lapic.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/x86.h"
#include "svm/apic.h"
#include "svm/event.h"
#include "svm/exit.h"
#include "svm/machine.h"
#include "svm/ports.h"
#include "svm/ports.h"
#include "svm/processors.h"
#include "svm/start_state.h"

enum { LEAF_FEATURES = 1 };

static void clear_debug_addresses(void)
{
	__asm__ volatile("mov %0, %%dr0\n"
	                 "mov %0, %%dr1\n"
	                 "mov %0, %%dr2\n"
	                 "mov %0, %%dr3"
	                 :
	                 : "r"(0ul));
}

/* An L2 that ran is gone without a #VMEXIT, as on a processor whose INIT is not redirected. */
static void take_init(struct vcpu *vcpu)
{
	vcpu->guest_mode = false;
	vcpu->vmcb = vcpu->vmcb01;
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	vcpu->gif = true;
	vcpu->efer = 0;
	vcpu->l2_lme_held = false;
	vcpu->nmi_pending = vcpu->nmi_blocked = vcpu->stepping_iret = false;
	vcpu->tpr_in_vmcb = false;
	for (unsigned int i = 0; i < GPRS; i++)
		vcpu->gpr[i] = 0;
	vcpu->gpr[GPR_RDX] = cpuid(LEAF_FEATURES, 0).eax;
	machine_init_control(vcpu);
	machine_init_segments(vcpu, start_state_init);
	clear_debug_addresses();
	write_cr2(0);
	lapic_init();
	apic_was_reset(vcpu);
	update_interrupt_gate(vcpu);
	mmu_flush_all_asids(&vcpu->mmu_cpu);
	vcpu->flush = true;
}

/* Leads from INIT to the wait, whatever SIPI has come meanwhile. */
static void begin_waiting(struct vcpu *vcpu)
{
	__atomic_or_fetch(&vcpu->startup, STARTUP_WAITING, __ATOMIC_SEQ_CST);
}

/*
 * Takes the SIPI, unless something else has come: then what that asks for is next.
 */
static void take_sipi(struct vcpu *vcpu, uint32_t startup)
{
	if (!__atomic_compare_exchange_n(&vcpu->startup, &startup, 0, false, __ATOMIC_SEQ_CST,
	                                 __ATOMIC_SEQ_CST))
		return;
	start_state_sipi(&vcpu->vmcb01->save, (uint8_t)(startup >> STARTUP_VECTOR_SHIFT));
	vcpu->vmcb01->control.clean = 0;
}

/* The halting guest, which runs nothing but this, under L0's own tables. */
__asm__("	.pushsection .text\n"
        "halt_loop:\n"
        "	hlt\n"
        "	jmp halt_loop\n"
        "	.popsection\n");
extern const char halt_loop[];

void startup_init_halt(struct vcpu *vcpu)
{
	enum { CODE = 0xb };
	struct vmcb_control *control = &vcpu->halt->control;
	struct vmcb_save *save = &vcpu->halt->save;

	intercept_for_l0(control);
	control->intercepts[INTERCEPT_EXCEPTION] = ~0u;
	control->msrpm_base_pa = hpa_of(vcpu->msrpm01);
	control->iopm_base_pa = hpa_of(iopm01);
	control->asid = ASID_L1;
	control->tlb_control = TLB_CONTROL_FLUSH_ALL;
	control->int_ctl = INT_CTL_V_INTR_MASKING; /* with the host's IF at 0: they stay pending */
	save->cs.attributes = CODE | SEG_ATTR_S | SEG_ATTR_P | SEG_ATTR_L;
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
	vcpu->vmcb_hpa = vcpu->halt_hpa;
	vcpu->host_flags = RFLAGS_FIXED;
	svm_enter(vcpu);
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	update_interrupt_gate(vcpu);
	if (vcpu->halt->control.exit_code != VMEXIT_NMI)
		panic("exit %llx of a processor that waits for SIPI",
		      (unsigned long long)vcpu->halt->control.exit_code);
	take_nmi(vcpu); /* L1's own goes nowhere while the processor waits */
}

static _Noreturn void stop_here(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void startup_attend(struct vcpu *vcpu)
{
	for (;;) {
		uint32_t startup = __atomic_load_n(&vcpu->startup, __ATOMIC_SEQ_CST);

		if (startup & STARTUP_STOP)
			stop_here();
		if (startup & STARTUP_INIT) {
			if (vcpu == vcpu_at(0))
				reset_machine("INIT of the boot processor");
			begin_waiting(vcpu);
			__atomic_and_fetch(&vcpu->startup, ~(uint32_t)STARTUP_INIT,
			                   __ATOMIC_SEQ_CST);
			take_init(vcpu);
		} else if (startup & STARTUP_SIPI) {
			take_sipi(vcpu, startup);
		} else if (startup & STARTUP_WAITING) {
			halt_until_kicked(vcpu);
		} else {
			return;
		}
	}
}
