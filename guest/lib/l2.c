/*
 * L2s: running them, and looking at how they came back. Relies on l2_new.c for making them.
 */
#include "guest/lib/l2.h"
#include "guest/lib/tap.h"
#include "hv/string.h"

static struct l2 *last;

static void describe_last(void)
{
	const struct vmcb *vmcb;

	if (!last)
		return;
	vmcb = last->vmcb;
	say("# last run, L2 %s: exit 0x%llx, info 0x%llx 0x%llx, int_info 0x%llx\n",
	    last->kind->name, (unsigned long long)vmcb->control.exit_code,
	    (unsigned long long)vmcb->control.exit_info1,
	    (unsigned long long)vmcb->control.exit_info2,
	    (unsigned long long)vmcb->control.exit_int_info);
	say("# rip 0x%llx, rsp 0x%llx, rax 0x%llx, rbx 0x%llx, cr2 0x%llx, flags 0x%llx\n",
	    (unsigned long long)vmcb->save.rip, (unsigned long long)vmcb->save.rsp,
	    (unsigned long long)vmcb->save.rax, (unsigned long long)last->regs.rbx,
	    (unsigned long long)vmcb->save.cr2, (unsigned long long)vmcb->save.rflags);
}

void l2_run(struct l2 *l2)
{
	last = l2;
	tap_describe_with(describe_last);
	l2->vmcb->control.tlb_control = l2->flush ? TLB_CONTROL_FLUSH_ALL : TLB_CONTROL_NONE;
	l2->flush = false;
	svm_run(&l2->regs, l2->vmcb);
}

void l2_aim(struct l2 *l2, enum l2_snippet snippet)
{
	const uint16_t *table = (const void *)(l2->low + L2_CODE);

	l2->vmcb->save.rip = L2_CODE + table[snippet];
}

void l2_start(struct l2 *l2, enum l2_snippet snippet)
{
	l2_aim(l2, snippet);
	l2_run(l2);
}

void l2_pass_vmmcall(struct l2 *l2)
{
	l2->vmcb->save.rip += VMMCALL_BYTES;
}

void l2_read(struct l2 *l2, uint64_t ngpa)
{
	l2->regs.rbx = l2->alias + ngpa;
	l2_start(l2, L2_READ);
}

void l2_write(struct l2 *l2, uint64_t ngpa, uint32_t value)
{
	l2->regs.rbx = l2->alias + ngpa;
	l2->vmcb->save.rax = value;
	l2_start(l2, L2_WRITE);
}

void l2_fetch(struct l2 *l2)
{
	l2->vmcb->save.rax = 0;
	l2->vmcb->save.rip = L2_EXEC;
	l2_run(l2);
}

uint64_t l2_stack(const struct l2 *l2, unsigned int n)
{
	unsigned int bytes = l2->kind->bits / 8;
	uint64_t value = 0;

	memcpy(&value, l2->low + l2->vmcb->save.rsp + n * bytes, bytes);
	return value;
}

bool l2_check_exit(struct l2 *l2, uint64_t code)
{
	return check("exit code", l2->vmcb->control.exit_code, code);
}

/* The vector whose handler L2 is in, or -1. */
static int handler(const struct l2 *l2)
{
	uint64_t offset = l2->vmcb->save.rip - (L2_CODE + L2_STUBS);

	return offset < L2_VECTORS * 4 ? (int)(offset / 4) : -1;
}

bool l2_check_done(struct l2 *l2)
{
	bool ok = l2_check_exit(l2, VMEXIT_VMMCALL);

	if (ok && handler(l2) >= 0) {
		point_fail("# L2 took vector %d\n", handler(l2));
		return false;
	}
	return ok;
}

bool l2_check_value(struct l2 *l2, uint32_t value)
{
	return l2_check_done(l2) && check("eax", l2_eax(l2), value);
}

bool l2_check_vector(struct l2 *l2, unsigned int vector)
{
	return l2_check_exit(l2, VMEXIT_VMMCALL) &&
	       check("vector taken", (uint64_t)(int64_t)handler(l2), vector);
}

bool l2_check_npf(struct l2 *l2, uint64_t info1, uint64_t ngpa)
{
	bool ok = l2_check_exit(l2, l2_fault_exit(l2));

	if (!l2->nested) {
		/* L2 fetches from where it is, not through the alias. */
		ngpa += info1 & NPF_FETCH ? 0 : l2->alias;
		info1 &= NPF_PRESENT | NPF_WRITE | NPF_RESERVED |
		         (l2->npt.format->nx ? NPF_FETCH : 0);
	}
	ok &= check("EXITINFO1", l2->vmcb->control.exit_info1, info1);
	ok &= check("EXITINFO2", l2->vmcb->control.exit_info2, ngpa);
	return ok;
}
