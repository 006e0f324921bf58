/*
 * Making the processor a host, and L1's virtual processor on it. Relies on hv/memory.h for pages
 * and on svm/l1_memory.h for what L1 owns.
 */
#include "svm/machine.h"
#include "hv/exception.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "mmu/protect.h"
#include "svm/emulate.h"
#include "svm/event.h"
#include "svm/exit.h"
#include "svm/features.h"
#include "svm/l1_memory.h"
#include "svm/nested.h"

struct mmu mmu;

static struct vcpu *the_vcpu;

struct vcpu *this_vcpu(void)
{
	return the_vcpu;
}

static void flush_all(void *context)
{
	(void)context;
	the_vcpu->flush = true;
}

static void frame_changed(void *context, uint64_t gpa)
{
	(void)context;
	msrpm_changed(the_vcpu, gpa);
}

static void walk_wrote(void *context, uint64_t gpa)
{
	(void)context;
	mmu_note_walk(&mmu, gpa);
}

static const struct mmu_ops ops = {
	.map = l1_map,
	.frame_changed = frame_changed,
	.flush_all = flush_all,
};

/* How mmu/ knows which tables L1 wrote. */
static uint64_t tracking_size(uint64_t memory_end, uint32_t pages)
{
	return features.npt ? track_metadata_size(memory_end)
	                    : protect_metadata_size(memory_end, pages);
}

uint64_t machine_tracking_size(uint64_t memory_end)
{
	return tracking_size(memory_end, 0);
}

uint32_t machine_init_mmu(uint64_t pool, uint64_t size, uint64_t memory_end, unsigned int levels)
{
	uint32_t pages = (uint32_t)((size - tracking_size(memory_end, 0)) / PAGE_SIZE);
	uint64_t metadata;

	while (pages * (uint64_t)PAGE_SIZE + mmu_metadata_size(pages) +
	               tracking_size(memory_end, pages) >
	       size)
		pages--;
	metadata = pool + pages * (uint64_t)PAGE_SIZE;
	mmu.memory = (struct guest_memory){.page = l1_page, .written = walk_wrote};
	mmu.ops = &ops;
	mmu.host_levels = (uint8_t)levels;
	mmu.phys_bits = features.phys_bits;
	mmu.host_1g = features.page_1g;
	mmu.identity = true;
	mmu.own_paging = !features.npt;
	mmu_init(&mmu, phys(pool), pool, phys(metadata), pages);
	metadata += mmu_metadata_size(pages);
	memset(phys(metadata), 0, tracking_size(memory_end, pages));
	(features.npt ? track_init : protect_init)(&mmu, memory_end, phys(metadata));
	return pages;
}

/* Segments as the boot protocols promise: flat, 4 GiB, accessed. */
static struct vmcb_segment flat(uint16_t selector, uint16_t type)
{
	return (struct vmcb_segment){
		.selector = selector,
		.attributes = type | SEG_ATTR_S | SEG_ATTR_P | SEG_ATTR_DB | SEG_ATTR_G,
		.limit = 0xffffffff,
	};
}

static void init_save(struct vmcb_save *save, const struct l1_start *start)
{
	enum { CODE = 0xb, DATA = 0x3, LDT = 0x2, TSS_BUSY_32 = 0xb };

	save->cs = flat(start->cs, CODE);
	save->ds = save->es = save->ss = save->fs = save->gs = flat(start->ds, DATA);
	save->gdtr = (struct vmcb_segment){.base = start->gdt_base, .limit = start->gdt_limit};
	save->idtr = (struct vmcb_segment){.base = 0, .limit = 0xffff};
	save->ldtr = (struct vmcb_segment){.attributes = LDT | SEG_ATTR_P, .limit = 0xffff};
	save->tr = (struct vmcb_segment){.attributes = TSS_BUSY_32 | SEG_ATTR_P, .limit = 0xffff};
	save->efer = EFER_SVME;
	save->cr0 = CR0_PE | CR0_ET;
	save->dr6 = DR6_FIXED;
	save->dr7 = DR7_FIXED;
	save->rflags = RFLAGS_FIXED;
	save->rip = start->eip;
	save->rsp = start->esp;
	save->rax = start->eax;
	save->g_pat = rdmsr(MSR_PAT);
	if (features.tcg) /* see hide_busy_tss() */
		save->tr.attributes = 0x9 | SEG_ATTR_P;
}

static void init_control(struct vmcb_control *control, const struct vcpu *vcpu)
{
	intercept_for_l0(control);
	control->msrpm_base_pa = vcpu->msrpm01_hpa;
	control->iopm_base_pa = vcpu->msrpm01_hpa; /* not used: no I/O is intercepted */
	control->asid = ASID_L1;
	control->tlb_control = TLB_CONTROL_FLUSH_ALL;
	if (!features.npt)
		return;
	control->nested_ctl = NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = vcpu->npt01;
}

static void load_segments_of_l1(uint64_t vmcb01_hpa)
{
	__asm__ volatile("vmload %%rax" : : "a"(vmcb01_hpa) : "memory");
}

struct vcpu *machine_init_vcpu(const struct l1_start *start)
{
	uint64_t vcpu_pages = (sizeof(struct vcpu) + PAGE_SIZE - 1) / PAGE_SIZE;
	struct vcpu *vcpu = heap_pages(vcpu_pages);
	void *hsave = heap_pages(1);

	the_vcpu = vcpu;
	vcpu->vmcb01 = heap_pages(1);
	vcpu->vmcb02 = heap_pages(1);
	vcpu->vmcb01_hpa = hpa_of(vcpu->vmcb01);
	vcpu->vmcb02_hpa = hpa_of(vcpu->vmcb02);
	vcpu->msrpm01 = heap_pages(MSRPM_SIZE / PAGE_SIZE + 1); /* an IOPM is a page longer */
	for (int i = 0; i < MERGED_MAPS; i++) {
		vcpu->merged[i].map = heap_pages(MSRPM_SIZE / PAGE_SIZE);
		vcpu->merged[i].hpa = hpa_of(vcpu->merged[i].map);
	}
	vcpu->msrpm01_hpa = hpa_of(vcpu->msrpm01);
	msr_init_map(vcpu);
	if (features.npt)
		vcpu->npt01 = mmu_direct_root(&mmu, &vcpu->mmu_cpu);

	init_save(&vcpu->vmcb01->save, start);
	init_control(&vcpu->vmcb01->control, vcpu);
	vcpu->gpr[GPR_RBX] = start->ebx;
	vcpu->gpr[GPR_RCX] = start->ecx;
	vcpu->gpr[GPR_RDX] = start->edx;
	vcpu->gpr[GPR_RSI] = start->esi;
	vcpu->gpr[GPR_RDI] = start->edi;
	vcpu->gpr[GPR_RBP] = start->ebp;
	vcpu->vmcb = vcpu->vmcb01;
	vcpu->vmcb_hpa = vcpu->vmcb01_hpa;
	vcpu->gif = true;
	update_interrupt_gate(vcpu);
	panic_set_report(report_guest);

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, hpa_of(hsave));
	wrmsr(MSR_PAT, HOST_PAT);
	__asm__ volatile("clgi");
	load_segments_of_l1(vcpu->vmcb01_hpa);
	return vcpu;
}
