/*
 * A processor becomes a host: the first one, and those that join it. Relies on boot/processors.c,
 * which starts the others and decides with svm/cpus/processors.h who has not come.
 */
#include "hv/exception.h"
#include "hv/paging.h"
#include "hv/stack.h"
#include "hv/x86.h"
#include "svm/apic/apic.h"
#include "svm/cpus/processors.h"
#include "svm/emulate/perf.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/memory/memory_types.h"
#include "svm/quirks/quirks.h"
#include "svm/start/machine.h"
#include "svm/start/start_state.h"
#include "svm/start/startup.h"

static bool all_are_here; /* vcpu_count() stays as it is */

/* What the firmware has left on would tell L1 of L0: the last branch, counters. */
static void stop_recording(struct vcpu *vcpu)
{
	uint64_t control;

	if (rdmsr_safe(MSR_DEBUGCTL, &control) && (control & DEBUGCTL_LBR))
		wrmsr_safe(MSR_DEBUGCTL, control & ~(uint64_t)DEBUGCTL_LBR);
	perf_init(vcpu);
}

_Static_assert(HOST_PAT == PAT_OF_L0, "boot/start.c and mmu/ mean the same one");

void machine_become_host(struct vcpu *vcpu)
{
	vcpu->vmcb01->save.g_pat = rdmsr(MSR_PAT);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME | (features.auto_ibrs ? EFER_AIBRSE : 0));
	wrmsr(MSR_VM_HSAVE_PA, vcpu->cpu.hsave_hpa);
	wrmsr(MSR_PAT, HOST_PAT);
	/* See take_signals() and svm/emulate/a20.h. */
	wrmsr_safe(MSR_VM_CR, rdmsr(MSR_VM_CR) | VM_CR_R_INIT | VM_CR_DIS_A20M);
	stop_recording(vcpu);
	stack_base()->nmis = 0; /* what came before was nobody's */
	if (features.spec_reduce)
		wrmsr_safe(MSR_BP_CFG, rdmsr(MSR_BP_CFG) | BP_CFG_SPEC_REDUCE);
	startup_init_halt(vcpu);
	lock_take(&mmu_lock);
	if (features.npt)
		vcpu->npt01 = mmu_direct_root(&mmu, &vcpu->mmu_cpu);
	lock_release(&mmu_lock);
	machine_init_control(vcpu);
}

/* It goes on where it was taken, or waits for L1's SIPI. */
static void begin(struct vcpu *vcpu)
{
	if (vcpu->cpu.start) {
		machine_begin_at(vcpu, vcpu->cpu.start);
		return;
	}
	machine_init_segments(vcpu, NULL);
	vcpu->gpr[GPR_RDX] = cpuid(1, 0).eax;
	vcpu->cpu.startup = STARTUP_WAITING;
}

_Noreturn void machine_join(void)
{
	struct vcpu *vcpu = this_vcpu();

	exception_load();
	/* One that is left out halts here until the INIT that it is sent. */
	if ((rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) || !join_decide(vcpu, JOIN_BEGUN))
		halt_for_good();
	memory_types_init(vcpu, false);
	machine_become_host(vcpu);
	begin(vcpu);
	update_interrupt_gate(vcpu);
	vcpu->cpu.flush = true;
	__atomic_store_n(&vcpu->cpu.join, JOIN_DONE, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&all_are_here, __ATOMIC_ACQUIRE))
		processors_wait();
	paging_forget_identity(); /* which this processor has come by */
	lock_take(&mmu_lock);
	apic_init(vcpu);
	lock_release(&mmu_lock);
	__atomic_store_n(&vcpu->cpu.ready, true, __ATOMIC_RELEASE);
	vcpu_run(vcpu);
}

void machine_ready(void)
{
	lock_take(&mmu_lock);
	apic_init(this_vcpu());
	lock_release(&mmu_lock);
	quirk_probe_vector0(this_vcpu());
	if (features.vector0)
		apic_watch_tpr(this_vcpu());
	__atomic_store_n(&all_are_here, true, __ATOMIC_RELEASE);
	for (unsigned int i = 1; i < vcpu_count(); i++) {
		while (!__atomic_load_n(&vcpu_at(i)->cpu.ready, __ATOMIC_ACQUIRE))
			processors_wait();
	}
}
