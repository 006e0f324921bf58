/*
 * What the groups of `hardware` share, and what it says of the machine before them. Relies on
 * hardware.h.
 */
#include "guest/hardware/hardware.h"
#include "hv/print.h"

enum { SEEN_BYTES = 160, CPUID_NAME = 0x80000002u, NAME_LEAVES = 3 };

bool hardware_group(const char *name, uint32_t features, const char *lacks)
{
	if (!tap_group("hardware", name))
		return false;
	if ((machine.svm_features & features) == features)
		return true;
	point("there is such a feature");
	point_skip(lacks);
	point_end();
	return false;
}

void seen(const char *format, ...)
{
	char text[SEEN_BYTES];
	va_list args;

	va_start(args, format);
	vsnprint(text, sizeof(text), format, args);
	va_end(args);
	say("# seen: %s\n", text);
}

void run_with(struct l2 *l2, enum l2_snippet snippet, enum tlb_control control)
{
	l2_aim(l2, snippet);
	l2->vmcb->control.tlb_control = control;
	svm_run(&l2->regs, l2->vmcb);
}

void read_with(struct l2 *l2, uint64_t ngpa, enum tlb_control control)
{
	l2->regs.rbx = l2->alias + ngpa;
	run_with(l2, L2_READ, control);
	l2_check_done(l2);
}

void write_with(struct l2 *l2, uint64_t ngpa, enum tlb_control control)
{
	l2->regs.rbx = l2->alias + ngpa;
	run_with(l2, L2_WRITE, control);
	l2_check_done(l2);
}

uint64_t l2_rdmsr(struct l2 *l2, uint32_t msr)
{
	l2->regs.rcx = msr;
	l2_start(l2, L2_RDMSR);
	if (!l2_check_done(l2))
		return 0;
	return l2_edx_eax(l2);
}

void l2_wrmsr(struct l2 *l2, uint32_t msr, uint64_t value)
{
	l2->regs.rcx = msr;
	l2->regs.rdx = value >> 32;
	l2->vmcb->save.rax = (uint32_t)value;
	l2_start(l2, L2_WRMSR);
	l2_check_done(l2);
}

void hardware_machine(void)
{
	uint32_t text[NAME_LEAVES * 4 + 1] = {0};
	struct cpuid_regs version = cpuid(1, 0);

	for (unsigned int i = 0; i < NAME_LEAVES; i++) {
		struct cpuid_regs r = cpuid(CPUID_NAME + i, 0);

		memcpy(&text[i * 4], &r, sizeof(r));
	}
	seen("processor %s, CPUID 1 EAX %08x", (const char *)text, version.eax);
	seen("SVM features %08x, %u ASIDs, %u address bits", machine.svm_features, machine.asids,
	     machine.physical_bits);
}
