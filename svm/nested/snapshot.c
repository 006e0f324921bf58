/*
 * What VMRUN and #VMEXIT move between VMCB12 and L0's own copies, as words. Each word of VMCB12 is
 * read once: another processor of L1's may write it meanwhile. Relies on svm/features.h.
 */
#include "svm/features.h"
#include "svm/nested/nested.h"

/* Intercepts that exist only with features that L1 is not shown: they count as clear. */
#define UNSHOWN_MISC2 (MISC2_EFER_TRAP | (0xffffu << MISC2_CR_TRAP_SHIFT))
#define SHOWN_MISC3   (MISC3_INVPCID | MISC3_MCOMMIT)
#define SHOWN_PAIR    ((uint64_t)SHOWN_MISC3 << 32 | (uint32_t)~UNSHOWN_MISC2)

_Static_assert(INTERCEPT_MISC2 == 4 && INTERCEPT_MISC3 == 5, "the last pair of words");

/* Takes a word; returns what says so if it is another one than before. */
static inline uint32_t take(uint64_t *to, uint64_t word, uint32_t changes)
{
	if (__builtin_expect(*to == word, true))
		return 0;
	*to = word;
	return changes;
}

uint32_t nested_take_control(struct nested_control *to, const volatile struct vmcb_control *from)
{
	uint64_t int_ctl = from->int_ctl & features.int_ctl;
	uint32_t changed = 0, pause = from->pause_filter & features.pause_filter, asid = from->asid;

	changed |= take(&to->intercept_pairs[0], from->intercept_pairs[0], CHANGED_CONTROL);
	changed |= take(&to->intercept_pairs[1], from->intercept_pairs[1], CHANGED_CONTROL);
	changed |= take(&to->intercept_pairs[2], from->intercept_pairs[2] & SHOWN_PAIR,
	                CHANGED_CONTROL);
	changed |= take(&to->iopm_base_pa, from->iopm_base_pa, CHANGED_CONTROL);
	changed |= take(&to->msrpm_base_pa, from->msrpm_base_pa, CHANGED_CONTROL);
	changed |= take(&to->tsc_offset, from->tsc_offset, CHANGED_CONTROL);
	changed |= take(&to->nested_ctl, from->nested_ctl & NESTED_CTL_NP_ENABLE, CHANGED_CONTROL);
	changed |= take(&to->virt_ext, from->virt_ext, CHANGED_CONTROL);
	if (to->pause_filter != pause) {
		to->pause_filter = pause;
		changed |= CHANGED_CONTROL;
	}
	changed |= take(&to->nested_cr3, from->nested_cr3, CHANGED_AGAIN);
	if (to->asid != asid) {
		to->asid = asid;
		changed |= CHANGED_AGAIN | CLEAN_ASID;
	}
	/* What each VMRUN may have new: looked at each time. */
	to->tlb_control = from->tlb_control;
	if ((to->int_ctl ^ int_ctl) & INT_CTL_V_GIF_ENABLE)
		changed |= CHANGED_CONTROL; /* it says whose STGI and CLGI are */
	to->int_ctl = int_ctl;
	to->int_state = from->int_state;
	to->event_inj = from->event_inj;
	return changed;
}

/* The words of the state that move both ways, and what a new one says. */
#define STATE_WORDS(X)                                                                             \
	X(es.head, CLEAN_SEG)                                                                      \
	X(es.base, CLEAN_SEG)                                                                      \
	X(cs.head, CLEAN_SEG | CHANGED_CS)                                                         \
	X(cs.base, CLEAN_SEG)                                                                      \
	X(ss.head, CLEAN_SEG)                                                                      \
	X(ss.base, CLEAN_SEG)                                                                      \
	X(ds.head, CLEAN_SEG)                                                                      \
	X(ds.base, CLEAN_SEG)                                                                      \
	X(gdtr.head, CLEAN_DT)                                                                     \
	X(gdtr.base, CLEAN_DT)                                                                     \
	X(idtr.head, CLEAN_DT)                                                                     \
	X(idtr.base, CLEAN_DT)                                                                     \
	X(efer, CLEAN_CRX)                                                                         \
	X(cr4, CLEAN_CRX)                                                                          \
	X(cr3, CLEAN_CRX)                                                                          \
	X(cr0, CLEAN_CRX)                                                                          \
	X(dr7, CLEAN_DRX)                                                                          \
	X(dr6, CLEAN_DRX)                                                                          \
	X(cr2, CLEAN_CR2)

uint32_t nested_take_state(struct vmcb_save *to, const volatile struct vmcb_save *from, bool g_pat)
{
	uint32_t changed = 0;
	uint8_t cpl = from->cpl;

#define TAKE(word, changes) changed |= take(&to->word, from->word, changes);
	STATE_WORDS(TAKE)
#undef TAKE
	if (g_pat)
		changed |= take(&to->g_pat, from->g_pat, CLEAN_NP);
	to->rflags = from->rflags;
	to->rip = from->rip;
	to->rsp = from->rsp;
	to->rax = from->rax;
	if (to->cpl != cpl) {
		to->cpl = cpl;
		changed |= CLEAN_SEG;
	}
	return changed;
}

void nested_give_state(volatile struct vmcb_save *to, const struct vmcb_save *from, bool g_pat)
{
#define GIVE(word, changes) to->word = from->word;
	STATE_WORDS(GIVE)
#undef GIVE
	if (g_pat)
		to->g_pat = from->g_pat;
	to->rflags = from->rflags;
	to->rip = from->rip;
	to->rsp = from->rsp;
	to->rax = from->rax;
	to->cpl = from->cpl;
}
