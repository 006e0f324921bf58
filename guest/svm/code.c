/*
 * What the groups of the suite share: L2s that run a few bytes of code, and short waits. Relies on
 * guest/lib.
 */
#include "guest/svm/suite.h"
#include "hv/print.h"

enum {
	NAME_BYTES = 120,
	DPL_3 = 3,
	TSS_ESP0 = 4,
	TSS_SS0 = 8,
	TSS_IOPB = 0x66,
	TSS_BYTES = 0x68,
	TSS_AVAILABLE = 0x89
};

struct l2 *fresh(const char *name)
{
	point(name);
	return l2_new(0, l2_widest());
}

void point_named(const char *format, ...)
{
	static char names[2][NAME_BYTES];
	static unsigned int next;
	char *name = names[next++ % 2]; /* the point before is printed when this one opens */
	va_list args;

	va_start(args, format);
	vsnprint(name, NAME_BYTES, format, args);
	va_end(args);
	point(name);
}

void load_code(struct l2 *l2, const struct code *code)
{
	static const uint8_t vmmcall[VMMCALL_BYTES] = {0x0f, 0x01, 0xd9};
	uint8_t *to = l2->low + L2_BOOT;

	memcpy(to, code->bytes, code->length);
	memcpy(to + code->length, vmmcall, sizeof(vmmcall));
	l2->vmcb->save.rip = L2_BOOT;
}

void run_code(struct l2 *l2, const struct code *code)
{
	load_code(l2, code);
	l2_run(l2);
}

bool check_before(struct l2 *l2, uint64_t exit, unsigned int length)
{
	bool ok = l2_check_exit(l2, exit);

	ok &= check("rip", l2->vmcb->save.rip, L2_BOOT);
	if (ok && (machine.svm_features & SVM_FEATURE_NRIP))
		ok &= check("nRIP", l2->vmcb->control.next_rip, L2_BOOT + length);
	return ok;
}

bool check_through(struct l2 *l2, unsigned int length)
{
	return l2_check_done(l2) && check("rip", l2->vmcb->save.rip, L2_BOOT + length);
}

bool cpuid_has(uint32_t leaf, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	struct cpuid_regs r = cpuid(leaf, 0);

	return (r.ebx & ebx) == ebx && (r.ecx & ecx) == ecx && (r.edx & edx) == edx;
}

struct l2 *new_user(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	struct vmcb_save *save = &l2->vmcb->save;

	save->cpl = DPL_3;
	save->cs.selector |= DPL_3;
	save->cs.attributes |= SEG_ATTR_DPL;
	save->ss.selector |= DPL_3;
	save->ss.attributes |= SEG_ATTR_DPL;
	save->tr.attributes = TSS_AVAILABLE; /* QEMU ends itself on the way to CPL 0 otherwise */
	*(uint32_t *)(l2->low + TSS_ESP0) = L2_STACK_TOP;
	*(uint32_t *)(l2->low + TSS_SS0) = L2_DATA_SEL;
	*(uint16_t *)(l2->low + TSS_IOPB) = TSS_BYTES; /* no port is for CPL 3 */
	return l2;
}

void wait_a_while(void)
{
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
}

void open_window(void)
{
	sti();
	wait_a_while();
	cli();
}
