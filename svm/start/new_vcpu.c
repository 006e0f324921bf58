/*
 * The memory of a vcpu: what machine_vcpu_pages() says is what machine_new_vcpu() takes. Relies on
 * hv/memory.h for pages.
 */
#include "hv/memory.h"
#include "hv/stack.h"
#include "hv/x86.h"
#include "svm/emulate/emulate.h"
#include "svm/start/machine.h"
#include "svm/emulate/ports.h"
#include "svm/nested/nested.h"

static struct vmcb *new_vmcb(uint64_t *hpa)
{
	struct vmcb *vmcb = heap_pages(1);

	*hpa = hpa_of(vmcb);
	return vmcb;
}

enum {
	VCPU_PAGES = (sizeof(struct vcpu) + PAGE_SIZE - 1) / PAGE_SIZE,
	MSRPM_PAGES = MSRPM_SIZE / PAGE_SIZE,
	IOPM_PAGES = IOPM_SIZE / PAGE_SIZE,
	/* 01, 02s, halt, without_busy, the host's save area; seen */
	VMCBS = 4 + VMCB02S + (1 + VMCB02S) * STRICT,
};

/* Of each processor, but for its stack. */
enum { OWN_PAGES = VCPU_PAGES + VMCBS + MERGED_MSRPMS * MSRPM_PAGES + IOPMS * IOPM_PAGES };
_Static_assert(STRICT || OWN_PAGES * PAGE_SIZE + STACK_SIZE < 200 << 10,
               "README.md, docs/processors.md");

uint64_t machine_vcpu_pages(void)
{
	return OWN_PAGES;
}

/* L0's own map of MSRs, the same on all processors. */
static uint64_t *shared_msrpm(struct vcpu *vcpu)
{
	static uint64_t *map;

	if (!map) {
		map = heap_pages(MSRPM_PAGES);
		vcpu->msrpm01 = map;
		msr_init_map(vcpu);
	}
	return map;
}

static void init_maps(struct merged_maps *maps, const uint64_t *l0, unsigned int pages,
                      unsigned int count)
{
	merged_maps_init(maps, l0, pages, count);
	for (unsigned int i = 0; i < count; i++) {
		maps->map[i].map = heap_pages(pages);
		maps->map[i].hpa = hpa_of(maps->map[i].map);
	}
}

struct vcpu *machine_new_vcpu(uint32_t apic_id)
{
	struct vcpu *vcpu = heap_pages(VCPU_PAGES);
	uint64_t hpa;

	vcpu->cpu.apic_id = apic_id;
	vcpu->vmcb01 = new_vmcb(&vcpu->vmcb01_hpa);
	for (unsigned int i = 0; i < VMCB02S; i++) {
		vcpu->nested.vmcb02s[i].vmcb = new_vmcb(&vcpu->nested.vmcb02s[i].hpa);
		vcpu->nested.vmcb02s[i].gpa = ~0ull;
	}
	vcpu->nested.slot = &vcpu->nested.vmcb02s[0];
	vcpu->vmcb02 = vcpu->nested.slot->vmcb;
	vcpu->cpu.halt = new_vmcb(&vcpu->cpu.halt_hpa);
	vcpu->quirks.without_busy = new_vmcb(&hpa);
	new_vmcb(&vcpu->cpu.hsave_hpa);
#if STRICT
	for (unsigned int i = 0; i <= VMCB02S; i++)
		vcpu->seen[i] = new_vmcb(&hpa);
#endif
	vcpu->msrpm01 = shared_msrpm(vcpu);
	init_maps(&vcpu->nested.msrpms, vcpu->msrpm01, MSRPM_PAGES, MERGED_MSRPMS);
	init_maps(&vcpu->nested.iopms, iopm01, IOPM_PAGES, IOPMS);
	vcpu->nested.iopms.count = MERGED_IOPMS;
	vcpu->vmcb = vcpu->vmcb01;
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	vcpu->event.gif = true;
	return vcpu;
}
