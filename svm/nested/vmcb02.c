/*
 * The VMCB02s of a processor: each stands for one VMCB12, so that what the last run left in it says
 * what has to be built again. They never move to another processor, which would have its own idea
 * of what it has cached of them. Relies on svm/memory/l1_memory.h.
 */
#include "hv/phys.h"
#include "svm/memory/l1_memory.h"
#include "svm/nested/nested.h"

/* The one for this VMCB12, or that which was used least lately: it begins anew. */
static struct vmcb02 *choose(struct vcpu *vcpu, uint64_t gpa)
{
	struct vmcb02 *oldest = &vcpu->nested.vmcb02s[0];

	for (unsigned int i = 0; i < VMCB02S; i++) {
		struct vmcb02 *slot = &vcpu->nested.vmcb02s[i];

		if (slot->vmcb12 && slot->gpa == gpa)
			return slot;
		if (slot->used < oldest->used)
			oldest = slot;
	}
	oldest->again = false;
	oldest->gpa = gpa;
	oldest->vmcb12 = l1_page(NULL, gpa);
	if (!oldest->vmcb12)
		oldest->vmcb12 = phys(l1_sink_hpa());
	return oldest;
}

void nested_use_vmcb02(struct vcpu *vcpu, uint64_t gpa)
{
	struct vmcb02 *slot;

	vcpu->nested.slot->ctl = vcpu->nested.ctl;
	slot = choose(vcpu, gpa);
	slot->used = ++vcpu->nested.vmcb02_changes;
	vcpu->nested.ctl = slot->ctl;
	vcpu->nested.slot = slot;
	vcpu->vmcb02 = slot->vmcb;
	vcpu->vmcb02_hpa = slot->hpa;
	vcpu->nested.vmcb12 = slot->vmcb12;
}
