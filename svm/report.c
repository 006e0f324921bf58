/*
 * What a panic says of the guest: the exit, the key fields of both VMCBs and the counters.
 * Relies on svm/machine.h for the processor.
 */
#include "hv/log.h"
#include "svm/exit.h"
#include "svm/machine.h"
#include "svm/processors.h"

static void report_vmcb(const char *name, const struct vmcb *vmcb)
{
	const struct vmcb_control *c = &vmcb->control;
	const struct vmcb_save *s = &vmcb->save;

#define X(value) ((unsigned long long)(value))
	panic_line("%s: exit %llx info1 %llx info2 %llx intinfo %llx inj %llx", name,
	           X(c->exit_code), X(c->exit_info1), X(c->exit_info2), X(c->exit_int_info),
	           X(c->event_inj));
	panic_line("  intercepts %08x %08x %08x %08x %08x %08x asid %u int_ctl %llx",
	           c->intercepts[0], c->intercepts[1], c->intercepts[2], c->intercepts[3],
	           c->intercepts[4], c->intercepts[5], c->asid, X(c->int_ctl));
	panic_line("  cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx ncr3 %llx", X(s->cr0),
	           X(s->cr2), X(s->cr3), X(s->cr4), X(s->efer), X(c->nested_cr3));
	panic_line("  cs %x:%llx (base %llx attr %x) ss %x rsp %llx rflags %llx rax %llx cpl %u",
	           s->cs.selector, X(s->rip), X(s->cs.base), s->cs.attributes, s->ss.selector,
	           X(s->rsp), X(s->rflags), X(s->rax), s->cpl);
}

void report_guest(void)
{
	const struct vcpu *vcpu = this_vcpu();
	const struct vcpu_counters *n;
	const struct mmu_counters *m = &mmu.counters;

	if (!vcpu)
		return;
	n = &vcpu->counters;
	processors_stop();
	panic_line("processor %u: %s runs, GIF %d", vcpu->apic_id, vcpu->guest_mode ? "L2" : "L1",
	           vcpu->gif);
	report_vmcb("VMCB01", vcpu->vmcb01);
	report_vmcb("VMCB02", vcpu->vmcb02);
	panic_line("exits: L1 %llu, L2 %llu; VMRUN %llu, reflected %llu, invalid %llu, NMI %llu, "
	           "kicks %llu",
	           X(n->exits_l1), X(n->exits_l2), X(n->vmruns), X(n->reflected), X(n->invalid),
	           X(n->nmis), X(n->kicks));
	panic_line("NPF: L1 %llu, L2 %llu; fills %llu, reflected %llu, spurious %llu, retries %llu",
	           X(n->npf_l1), X(n->npf_l2), X(m->fills), X(m->faults_reflected), X(m->spurious),
	           X(m->retries));
	panic_line(
		"flushes %llu, syncs %llu, tables read %llu; pool: %u of %u free, reclaimed %llu",
		X(n->flushes), X(m->syncs), X(m->tables_read), mmu.free_count, mmu.page_count,
		X(m->reclaims));
#undef X
}
