/*
 * What a panic and a shutdown say of the guest: the exit, the key fields of both VMCBs, the
 * counters. Relies on svm/cpus/processors.h.
 */
#include "hv/image.h"
#include "hv/log.h"
#include "hv/x86.h"
#include "svm/look/hypercall.h"
#include "svm/cpus/processors.h"

/*
 * No guest has L0's tables and runs L0's code. QEMU may take a #VMEXIT while L0 runs, which saves
 * that: docs/world-switch.md.
 */
static bool is_l0s_own(const struct vmcb_save *save)
{
	return save->cr3 == read_cr3() && save->rip - (uintptr_t)image_base < image_size();
}

static void report_vmcb(const char *name, const struct vmcb *vmcb)
{
	const struct vmcb_control *c = &vmcb->control;
	const struct vmcb_save *s = &vmcb->save;

#define X(value) ((unsigned long long)(value))
	log_line("%s: exit %llx info1 %llx info2 %llx intinfo %llx inj %llx", name, X(c->exit_code),
	         X(c->exit_info1), X(c->exit_info2), X(c->exit_int_info), X(c->event_inj));
	log_line("  intercepts %08x %08x %08x %08x %08x %08x asid %u int_ctl %llx",
	         c->intercepts[0], c->intercepts[1], c->intercepts[2], c->intercepts[3],
	         c->intercepts[4], c->intercepts[5], c->asid, X(c->int_ctl));
	log_line("  cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx ncr3 %llx", X(s->cr0), X(s->cr2),
	         X(s->cr3), X(s->cr4), X(s->efer), X(c->nested_cr3));
	log_line("  cs %x:%llx (base %llx attr %x) ss %x rsp %llx rflags %llx rax %llx cpl %u",
	         s->cs.selector, X(s->rip), X(s->cs.base), s->cs.attributes, s->ss.selector,
	         X(s->rsp), X(s->rflags), X(s->rax), s->cpl);
	if (is_l0s_own(s))
		log_line("  which is L0's own state: the processor took an exit while L0 ran");
#undef X
}

void report_guest(void)
{
	const struct vcpu *vcpu = this_vcpu();

	if (!vcpu)
		return;
	log_line("processor %u: %s runs, GIF %d", vcpu->cpu.apic_id, vcpu->guest_mode ? "L2" : "L1",
	         vcpu->event.gif);
	report_vmcb("VMCB01", vcpu->vmcb01);
	report_vmcb("VMCB02", vcpu->vmcb02);
	counters_report();
}
