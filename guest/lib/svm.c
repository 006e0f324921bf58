/*
 * Turning SVM on, and the round around VMRUN. Relies on machine.h, and on try_call() for an MSR
 * that not every machine has.
 */
#include "guest/lib/svm.h"
#include "guest/lib/exception.h"
#include "guest/lib/tap.h"

static struct svm_host boot_host;

static void read_vm_cr(void *value)
{
	*(uint64_t *)value = rdmsr(MSR_VM_CR);
}

void svm_init(void)
{
	uint64_t vm_cr = 0;

	/* An emulator without VM_CR raises #GP; then nothing forbids SVM. */
	if (try_call(read_vm_cr, &vm_cr) < 0 && (vm_cr & VM_CR_SVMDIS))
		run_skipped("the firmware has disabled SVM: VM_CR.SVMDIS is 1");
	svm_begin(&boot_host);
}

void svm_begin(struct svm_host *host)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, (uintptr_t)host->save);
	vmsave(&host->state);
}

static void round_on(const struct svm_host *host, struct l2_regs *regs, struct vmcb *vmcb)
{
	vmload(vmcb);
	vmrun_once(regs, vmcb);
	vmsave(vmcb);
	vmload(&host->state);
}

void svm_run_gif0(struct l2_regs *regs, struct vmcb *vmcb)
{
	round_on(&boot_host, regs, vmcb);
}

void svm_run(struct l2_regs *regs, struct vmcb *vmcb)
{
	svm_run_on(&boot_host, regs, vmcb);
}

void svm_run_on(const struct svm_host *host, struct l2_regs *regs, struct vmcb *vmcb)
{
	clgi();
	round_on(host, regs, vmcb);
	stgi();
}
