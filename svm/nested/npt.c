/*
 * The nested paging of L2: which root VMCB02 gets, and #VMEXIT(NPF) of L2. Relies on mmu/mmu.h.
 */
#include "hv/x86.h"
#include "svm/apic/apic.h"
#include "svm/event/event.h"
#include "svm/apic/fault.h"
#include "svm/features.h"
#include "svm/nested/nested.h"
#include "svm/quirks/quirks.h"
#include "svm/cpus/processors.h"

static void read_mode(struct vcpu *vcpu, const struct vmcb_save *l1)
{
	uint32_t flags = MODE_NESTED;

	if (l1->efer & EFER_NXE)
		flags |= MODE_NX;
	if (l1->cr4 & CR4_PSE)
		flags |= MODE_PSE;
	if (features.page_1g)
		flags |= MODE_1G;
	flags |= quirk_mode_flags();
	paging_mode_init(&vcpu->nested.tables.mode, paging_format(l1), flags, features.phys_bits);
}

/* nCR3, and gPAT where L2 shares it with L1. */
static void set_root(struct vmcb *vmcb02, uint64_t root, uint64_t g_pat)
{
	if (__builtin_expect(vmcb02->control.nested_cr3 == root && vmcb02->save.g_pat == g_pat,
	                     true))
		return;
	vmcb02->control.clean &= ~CLEAN_NP;
	vmcb02->control.nested_cr3 = root;
	vmcb02->save.g_pat = g_pat;
}

/* Reads L1's paging registers and nCR3 anew. */
static __attribute__((noinline)) uint64_t load_anew(struct vcpu *vcpu, const struct vmcb_save *l1)
{
	struct nested *nested = &vcpu->nested;
	uint64_t key = paging_key(l1);

	if (key != nested->key) {
		nested->key = key;
		read_mode(vcpu, l1);
	}
	if (l1->g_pat != nested->pat) {
		nested->pat = l1->g_pat;
		nested->tables.pat = pack_pat(l1->g_pat);
	}
	nested->cr4 = l1->cr4;
	nested->efer = l1->efer;
	nested->cr3 = nested->ctl.nested_cr3;
	nested->tables.root = paging_root(&nested->tables.mode, nested->cr3);
	return load_root(vcpu, &nested->tables, nested->ctl.asid);
}

/* Is all that it reads what it was? */
static inline bool reads_as_before(const struct nested *nested, const struct vmcb_save *l1)
{
	return nested->cr3 == nested->ctl.nested_cr3 && nested->cr4 == l1->cr4 &&
	       nested->efer == l1->efer && nested->pat == l1->g_pat;
}

void nested_load_root(struct vcpu *vcpu)
{
	const struct vmcb_save *l1 = &vcpu->vmcb01->save;
	struct vmcb *vmcb02 = vcpu->vmcb02;
	uint64_t root = 0;

	if (!features.npt) { /* L1 is not offered it either */
		set_root(vmcb02, 0, l1->g_pat);
		return;
	}
	vmcb02->control.nested_ctl = NESTED_CTL_NP_ENABLE;
	if (!nested_npt_enabled(vcpu)) {
		/* L1 shadows by itself: what it calls physical is what NPT01 maps. */
		vcpu->npt01_shared = true;
		set_root(vmcb02, vcpu->npt01, l1->g_pat);
		return;
	}
	if (__builtin_expect(reads_as_before(&vcpu->nested, l1), true))
		root = mmu_same_root(&mmu, &vcpu->mmu_cpu, vcpu->nested.tables.root,
		                     vcpu->nested.ctl.asid);
	if (__builtin_expect(!root, false))
		root = load_anew(vcpu, l1);
	set_root(vmcb02, root, vmcb02->save.g_pat);
}

_Static_assert(FAULT_P == NPF_PRESENT && FAULT_W == NPF_WRITE && FAULT_U == NPF_USER &&
                       FAULT_RSV == NPF_RESERVED && FAULT_ID == NPF_FETCH,
               "EXITINFO1 of a nested page fault begins as the error code of #PF");

void handle_l2_npf(struct vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;
	uint64_t info = control->exit_info1;
	struct page_fault fault = {.address = control->exit_info2};

	if (!nested_npt_enabled(vcpu)) {
		direct_fault(vcpu);
		return;
	}
	if (info & NPF_WRITE)
		fault.access |= ACCESS_WRITE;
	if (info & NPF_FETCH)
		fault.access |= ACCESS_FETCH;
	if (tables_deny(vcpu, &vcpu->nested.tables, &fault))
		/* I/D tells of the access itself, whether L1's format has NX or not. */
		nested_exit(vcpu, VMEXIT_NPF,
		            fault.code | (info & (NPF_FINAL | NPF_TABLE | NPF_FETCH)),
		            fault.address);
}
