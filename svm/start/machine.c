/*
 * The mmu that all processors share, VMCB01 as L1 begins with it, and the first processor. Relies
 * on hv/memory.h for pages and on svm/memory/l1_memory.h for what L1 owns.
 */
#include "svm/start/machine.h"
#include "hv/lapic.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "mmu/protect.h"
#include "svm/emulate/emulate.h"
#include "svm/event/event.h"
#include "svm/emulate/intercepts.h"
#include "svm/features.h"
#include "svm/look/hypercall.h"
#include "svm/memory/l1_memory.h"
#include "svm/memory/memory_types.h"
#include "svm/nested/nested.h"
#include "svm/quirks/quirks.h"
#include "svm/emulate/ports.h"
#include "svm/cpus/processors.h"
#include "svm/start/start_state.h"

struct mmu mmu;

static void flush_all(void *context)
{
	(void)context;
	processors_flush_all();
}

static void frame_changed(void *context, uint64_t gpa)
{
	(void)context;
	for (unsigned int i = 0; i < vcpu_count(); i++)
		nested_map_written(vcpu_at(i), gpa);
}

/* Who runs by a copy of the map goes on with all accesses intercepted, if it does so as L2. */
static void frame_opens(void *context, uint64_t gpa)
{
	bool used = false;

	(void)context;
	for (unsigned int i = 0; i < vcpu_count(); i++)
		used |= nested_map_opens(vcpu_at(i), gpa);
	if (used)
		processors_flush_all();
}

static void kick(void *context, struct mmu_cpu *cpu)
{
	struct vcpu *vcpu = (struct vcpu *)(void *)((char *)cpu - offsetof(struct vcpu, mmu_cpu));

	(void)context;
	__atomic_store_n(&vcpu->cpu.flush, true, __ATOMIC_SEQ_CST);
	vcpu_kick(vcpu); /* P17 */
}

static void walk_wrote(void *context, uint64_t gpa)
{
	(void)context;
	mmu_note_walk(&mmu, gpa);
}

static const struct mmu_ops ops = {
	.map = l1_map,
	.frame_changed = frame_changed,
	.frame_opens = frame_opens,
	.flush_all = flush_all,
	.kick = kick,
};

/* How mmu/ knows which tables L1 wrote. */
static uint64_t tracking_size(uint64_t memory_end, uint32_t pages)
{
	return features.npt ? track_metadata_size(memory_end)
	                    : protect_metadata_size(memory_end, pages);
}

uint64_t machine_metadata_size(uint64_t memory_end, uint32_t pages)
{
	return mmu_metadata_size(pages) + tracking_size(memory_end, pages);
}

uint32_t machine_pool_pages(uint64_t size, uint64_t memory_end)
{
	uint64_t frames = tracking_size(memory_end, 0); /* are no pool's */
	uint32_t pages = (uint32_t)(size / PAGE_SIZE);

	while (pages * (uint64_t)PAGE_SIZE + machine_metadata_size(memory_end, pages) >
	       size + frames)
		pages--;
	return pages;
}

uint32_t machine_least_pages(uint32_t cpus)
{
	enum { WATCHED = (MERGED_MSRPMS * MSRPM_SIZE + MERGED_IOPMS * IOPM_SIZE) / PAGE_SIZE };

	return mmu_least_pages(&mmu, cpus, WATCHED);
}

void machine_init_mmu(const struct mmu_memory *memory, uint64_t memory_end, unsigned int levels)
{
	uint64_t tracking = memory->metadata + mmu_metadata_size(memory->pages);

	mmu.memory = (struct guest_memory){.page = l1_page, .written = walk_wrote};
	mmu.ops = &ops;
	mmu.host_levels = (uint8_t)levels;
	mmu.phys_bits = features.phys_bits;
	mmu.host_1g = features.page_1g;
	mmu.identity = true;
	mmu.shadows_l1_paging = !features.npt;
	mmu_init(&mmu, phys(memory->tables), memory->tables, phys(memory->metadata), memory->pages);
	memset(phys(tracking), 0, tracking_size(memory_end, memory->pages));
	(features.npt ? track_init : protect_init)(&mmu, memory_end, phys(tracking));
}

void machine_init_control(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb01->control;

	memset(control, 0, sizeof(*control));
	intercept_for_l0(control);
	watch_gp(vcpu);
	control->intercepts[INTERCEPT_MISC2] |= MISC2_VMMCALL; /* not L2's */
	control->msrpm_base_pa = vcpu->nested.msrpms.l0_hpa;
	control->iopm_base_pa = vcpu->nested.iopms.l0_hpa;
	control->asid = ASID_L1;
	control->tlb_control = TLB_CONTROL_FLUSH_ALL;
	if (!features.npt)
		return;
	control->nested_ctl = NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = vcpu->npt01;
}

void machine_init_segments(struct vcpu *vcpu, const struct l1_start *start)
{
	struct vmcb_save *save = &vcpu->vmcb01->save;

	__asm__ volatile("vmsave %0" : : "a"((uintptr_t)vcpu->vmcb01_hpa) : "memory");
	if (start)
		start_state_set(save, start);
	else
		start_state_init(save);
	save->tr.attributes = quirk_initial_tr(save->tr.attributes);
	__asm__ volatile("vmload %0" : : "a"((uintptr_t)vcpu->vmcb01_hpa) : "memory");
}

void machine_begin_at(struct vcpu *vcpu, const struct l1_start *start)
{
	memcpy(vcpu->gpr, start->gpr, sizeof(vcpu->gpr));
	machine_init_segments(vcpu, start);
}

struct vcpu *machine_init_vcpu(const struct l1_start *start)
{
	struct vcpu *vcpu = machine_new_vcpu(lapic_initial_id());

	stack_base()->processor = vcpu;
	nested_maps_init();
	panic_set_report(processors_stop, report_guest);
	processors_add(vcpu);
	memory_types_init(vcpu, true);
	machine_become_host(vcpu);
	machine_begin_at(vcpu, start);
	update_interrupt_gate(vcpu);
	return vcpu;
}
