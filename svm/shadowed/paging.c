/*
 * The shadow of the guest's own paging in the VMCB, and faults on it. Relies on mmu/mmu.h for
 * shadow pages and on svm/event/event.h for what becomes the guest's.
 */
#include "svm/shadowed/paging.h"
#include "hv/x86.h"
#include "svm/decode/decode.h"
#include "svm/event/event.h"
#include "svm/apic/fault.h"
#include "svm/features.h"
#include "svm/quirks/quirks.h"
#include "svm/cpus/processors.h"
#include "svm/shadowed/task_switch.h"

enum { PDPTES = 4, PDPT_SIZE = PDPTES * sizeof(uint64_t), SHADOW_PDPT_LEVELS = 3 };

#define OWN_CR_INTERCEPTS                                                                          \
	(1u << VMEXIT_CR3_READ | 1u << VMEXIT_CR0_WRITE | 1u << VMEXIT_CR3_WRITE |                 \
	 1u << VMEXIT_CR4_WRITE)

#define RFLAGS_AC (1u << 18)

static struct shadowed_paging *shadowed_of(struct vcpu *vcpu)
{
	return &vcpu->shadowed.paging[vcpu->guest_mode];
}

static bool has_pdptes(const struct vmcb_save *save)
{
	return (save->cr0 & CR0_PG) && paging_format(save) == PT_PAE;
}

/* What decides how the tables are read, as one word that is never 0. */
static uint64_t mode_key(const struct vmcb_save *save)
{
	return paging_key(save) | (save->cr0 & (CR0_PG | CR0_WP)) << 32 |
	       (save->cr4 & (CR4_SMEP | CR4_SMAP)) << 32;
}

_Static_assert(!((CR0_PG | CR0_WP) & (CR4_SMEP | CR4_SMAP)), "both are in the upper half of a key");

/* QEMU's own emulation sets A in PDPTEs of L1's, which it runs on behind a task switch. */
static uint32_t processor_flags(void)
{
	return (features.page_1g ? MODE_1G : 0) | quirk_mode_flags();
}

static void read_mode(struct shadowed_paging *own, const struct vmcb_save *save)
{
	static const struct {
		uint64_t bit;
		uint32_t flag;
	} by_cr4[] = {{CR4_PSE, MODE_PSE}, {CR4_SMEP, MODE_SMEP}, {CR4_SMAP, MODE_SMAP}};
	uint32_t flags = processor_flags();

	if (save->efer & EFER_NXE)
		flags |= MODE_NX;
	if (save->cr0 & CR0_WP)
		flags |= MODE_WP;
	for (unsigned int i = 0; i < sizeof(by_cr4) / sizeof(*by_cr4); i++) {
		if (save->cr4 & by_cr4[i].bit)
			flags |= by_cr4[i].flag;
	}
	paging_mode_init(&own->tables.mode, paging_format(save), flags, features.phys_bits);
	if (has_pdptes(save))
		own->tables.mode.pdptes = own->pdptes;
	own->tables.direct = !(save->cr0 & CR0_PG);
}

/* The tables as the guest's registers name them now. */
static const struct guest_tables *tables_of(struct vcpu *vcpu)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	struct shadowed_paging *own = shadowed_of(vcpu);
	uint64_t key = mode_key(save);

	if (own->key != key) {
		own->key = key;
		read_mode(own, save);
	}
	if (own->pat != save->g_pat) {
		own->pat = save->g_pat;
		own->tables.pat = pack_pat(save->g_pat);
	}
	own->tables.root = own->tables.direct ? 0 : paging_root(&own->tables.mode, save->cr3);
	return &own->tables;
}

/* L1's own ASID is none of those that it gives to its guests. */
static uint32_t asid_of(const struct vcpu *vcpu)
{
	return vcpu->guest_mode ? vcpu->nested.ctl.asid : 0;
}

bool load_pdptes(struct vcpu *vcpu, unsigned int owner, const struct vmcb_save *save)
{
	struct shadowed_paging *own = &vcpu->shadowed.paging[owner];
	uint64_t pdptes[PDPTES];
	struct paging_mode mode;
	const uint64_t *table;

	if (!has_pdptes(save))
		return true;
	paging_mode_init(&mode, PT_PAE, processor_flags(), features.phys_bits);
	table = guest_table(&mmu.memory, paging_root(&mode, save->cr3));
	for (unsigned int i = 0; i < PDPTES; i++) {
		pdptes[i] = entry_or_ones(table ? table + i : NULL, sizeof(*table));
		if ((pdptes[i] & PTE_P) && entry_reserved(&mode, SHADOW_PDPT_LEVELS, pdptes[i]))
			return false;
	}
	for (unsigned int i = 0; i < PDPTES; i++)
		own->pdptes[i] = pdptes[i];
	return true;
}

bool shadowed_begin_l2(struct vcpu *vcpu)
{
	struct vmcb_save *save = &vcpu->vmcb02->save;

	save->efer &= ~(uint64_t)EFER_LMA;
	if ((save->cr0 & CR0_PG) && (save->efer & EFER_LME))
		save->efer |= EFER_LMA; /* VMRUN does so, whatever VMCB12 has there */
	return load_pdptes(vcpu, PAGING_OF_L2, save);
}

void shadowed_flush(struct vcpu *vcpu)
{
	if (features.npt)
		return; /* the processor has done it */
	mmu_flush_asid(&vcpu->mmu_cpu, asid_of(vcpu));
	if (vcpu->guest_mode || !has(SVM_FEATURE_FLUSH_ASID))
		vcpu->cpu.flush = true;
	else
		vcpu->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ASID;
}

void shadowed_intercept(struct vmcb_control *control)
{
	control->intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_PF;
	control->intercepts[INTERCEPT_MISC1] |= MISC1_INVLPG | MISC1_TASK_SWITCH;
	control->intercepts[INTERCEPT_MISC3] |= MISC3_INVPCID;
}

/*
 * With paging off the processor pages all the same, through a direct map: in real mode, too
 * (paged real mode, APM vol. 2, section 15.19). All its pages are the user's, so neither SMEP nor
 * SMAP may count then. EFER.LMA follows the guest, and its LME with it: a guest that has LME set
 * and paging off runs on PAE tables.
 */
static void set_real(struct vmcb_save *save, const struct paging_registers *guest)
{
	bool long_mode = guest->efer & EFER_LMA;

	save->cr0 = guest->cr0 | CR0_PG | CR0_WP;
	save->cr4 = guest->cr4 | CR4_PAE;
	if (!(guest->cr0 & CR0_PG))
		save->cr4 &= ~(uint64_t)(CR4_SMEP | CR4_SMAP);
	if (!long_mode)
		save->cr4 &= ~(uint64_t)CR4_LA57;
	save->efer = (guest->efer & ~(uint64_t)(EFER_LME | EFER_LMA)) | EFER_NXE;
	if (long_mode)
		save->efer |= EFER_LME | EFER_LMA;
}

void shadowed_enter(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;
	struct vmcb_save *save = &vmcb->save;
	struct paging_registers *guest = &vcpu->shadowed.believed;
	uint32_t l1s = vcpu->guest_mode ? vcpu->nested.ctl.intercepts[INTERCEPT_CR] : 0;
	const struct guest_tables *tables = tables_of(vcpu);

	*guest = (struct paging_registers){save->cr0, save->cr3, save->cr4, save->efer};
	set_real(save, guest);
	save->cr3 = load_root(vcpu, tables, asid_of(vcpu));
	vcpu->shadowed.real_cr3 = save->cr3;
	/* A read exits only where it would not find what the guest has written. */
	vmcb->control.intercepts[INTERCEPT_CR] =
		l1s | OWN_CR_INTERCEPTS | (save->cr0 != guest->cr0 ? 1u << VMEXIT_CR0_READ : 0) |
		(save->cr4 != guest->cr4 ? 1u << VMEXIT_CR4_READ : 0);
	vmcb->control.clean &= ~(CLEAN_I | CLEAN_CRX);
}

/*
 * QEMU's own emulation cannot intercept task switches: a new CR3 shows here at the next exit, with
 * paging on only. (Until then L1 has run on its own tables: nothing to rely on but a test.)
 */
static void take_task_switch(struct vcpu *vcpu, uint64_t real_cr3)
{
	if (real_cr3 == vcpu->shadowed.real_cr3 || !(vcpu->shadowed.believed.cr0 & CR0_PG))
		return;
	vcpu->shadowed.believed.cr3 = real_cr3;
	vcpu->vmcb->save.cr3 = real_cr3;
	load_pdptes(vcpu, vcpu->guest_mode, &vcpu->vmcb->save);
	shadowed_flush(vcpu);
}

void shadowed_exit(struct vcpu *vcpu)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	const struct paging_registers *guest = &vcpu->shadowed.believed;
	uint64_t real_cr0 = save->cr0, real_cr3 = save->cr3;

	save->cr0 = guest->cr0 | (real_cr0 & CR0_TS); /* a task switch sets it */
	save->cr3 = guest->cr3;
	save->cr4 = guest->cr4;
	save->efer = guest->efer;
	if (quirk_task_switches_unseen())
		take_task_switch(vcpu, real_cr3);
}

/* INVPCID is not offered: CPUID hides it. */
void handle_invpcid(struct vcpu *vcpu)
{
	raise_exception(vcpu, VEC_UD, 0);
}

/* AC is for what CPL 0 asks for itself; what the processor does for CPL 3 is always checked. */
static bool ac_counts(const struct vmcb_save *save)
{
	return save->cpl != 3 && (save->rflags & RFLAGS_AC);
}

void handle_page_fault(struct vcpu *vcpu)
{
	const struct vmcb *vmcb = vcpu->vmcb;
	uint64_t info = vmcb->control.exit_info1;
	struct page_fault fault = {.address = vmcb->control.exit_info2};

	if (is_between_tasks(vcpu)) {
		finish_task_switch(vcpu);
		return;
	}
	/* QEMU's own emulation does not cut the sum of a table's base and an index to 32 bits. */
	if (!in_long_mode(&vmcb->save))
		fault.address = low32(fault.address);
	fault.access = access_of_fault(info, ac_counts(&vmcb->save));
	if (tables_deny(vcpu, tables_of(vcpu), &fault))
		raise_page_fault(vcpu, fault.code, fault.address);
}

bool translate_linear(struct vcpu *vcpu, uint64_t linear, uint32_t access, uint64_t *gpa)
{
	const struct guest_tables *tables = tables_of(vcpu);
	const struct vmcb_save *save = &vcpu->vmcb->save;
	enum walk_status result;
	struct walk walk;

	*gpa = linear;
	if (tables->direct)
		return true;
	if (access & ACCESS_IMPLICIT)
		access = (access & ~ACCESS_IMPLICIT) | ACCESS_SMAP_CHECK;
	else
		access |= save->cpl == 3 ? ACCESS_USER : ac_counts(save) ? 0 : ACCESS_SMAP_CHECK;
	lock_take(&mmu_lock); /* the walk sets A and D */
	result = guest_walk(&mmu.memory, &tables->mode, tables->root, linear, access, &walk);
	lock_release(&mmu_lock);
	switch (result) {
	case WALK_OK:
		*gpa = walk.gpa;
		return true;
	case WALK_FAULT:
		raise_page_fault(vcpu, walk.code, linear);
		return false;
	default:
		return false; /* the guest tries again */
	}
}

/* An address that is not canonical flushes nothing; APM vol. 3, INVLPG. */
void handle_invlpg(struct vcpu *vcpu)
{
	struct group7 invlpg;

	if (!decode_group7(vcpu, GROUP7_INVLPG, &invlpg) || !invlpg.operand.memory) {
		not_decoded(vcpu);
		return;
	}
	lock_take(&mmu_lock);
	mmu_invlpg(&mmu, &vcpu->mmu_cpu, tables_of(vcpu), invlpg.operand.linear);
	lock_release(&mmu_lock);
	__asm__ volatile("invlpga %0, %%ecx"
	                 :
	                 : "a"((uintptr_t)invlpg.operand.linear), "c"(asid_of(vcpu) + ASID_SHIFT)
	                 : "memory");
	finish_instruction(vcpu, invlpg.length);
}
