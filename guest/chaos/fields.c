/*
 * The fields of a VMCB (APM vol. 2, appendix B), one row each, with the values at the edges of what
 * is legal. A field without a list has addresses. Relies on svm/vmcb.h for the layout.
 */
#include "guest/chaos/chaos.h"

#define ALL32 0xffffffffull
#define ALL64 (~0ull)
#define EVENT(type, vector)                                                                        \
	(EVENT_VALID | (uint64_t)(type) << EVENT_TYPE_SHIFT | (uint64_t)(vector))
#define PAT_RESET 0x0007040600070406ull

static const uint64_t any[] = {0, 1, 0x7fffffff, 0x80000000, ALL32, 1ull << 32, ALL64};
static const uint64_t words[] = {0, ALL32, 1, 0x80000000, 0x55555555};
static const uint64_t shorts[] = {0, 1, 0xfff, 0xffff};
static const uint64_t asids[] = {0,  1,      2,      3,      13,      14,   15,
                                 16, 0x7ffe, 0x7fff, 0x8000, 0x10000, ALL32};
static const uint64_t tlb[] = {0, 1, 2, 3, 4, 7, 8, 0xff};
static const uint64_t int_ctl[] = {
	0,
	INT_CTL_V_INTR_MASKING,
	INT_CTL_V_INTR_MASKING | INT_CTL_V_IRQ | 0x31ull << INT_CTL_V_INTR_VECTOR_S,
	INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR | 0xffull << INT_CTL_V_INTR_VECTOR_S,
	INT_CTL_V_INTR_MASKING | INT_CTL_V_IRQ | INT_CTL_V_INTR_PRIO | INT_CTL_V_TPR_MASK,
	INT_CTL_V_INTR_MASKING | INT_CTL_V_GIF | INT_CTL_V_GIF_ENABLE,
	INT_CTL_V_INTR_MASKING | INT_CTL_V_NMI | INT_CTL_V_NMI_ENABLE | INT_CTL_V_NMI_MASK,
	INT_CTL_V_INTR_MASKING | INT_CTL_AVIC_ENABLE | INT_CTL_X2AVIC_ENABLE,
	ALL64,
};
static const uint64_t events[] = {
	0,
	EVENT(EVENT_INTR, 0x31),
	EVENT(EVENT_INTR, 0xff),
	EVENT(1, 0x20),
	EVENT(EVENT_NMI, 2),
	EVENT(EVENT_EXCEPTION, VEC_DE),
	EVENT(EVENT_EXCEPTION, VEC_NMI),
	EVENT(EVENT_EXCEPTION, VEC_BP),
	EVENT(EVENT_EXCEPTION, VEC_OF),
	EVENT(EVENT_EXCEPTION, VEC_BR),
	EVENT(EVENT_EXCEPTION, VEC_DF) | EVENT_ERROR_VALID,
	EVENT(EVENT_EXCEPTION, VEC_PF) | EVENT_ERROR_VALID | 2ull << EVENT_ERROR_SHIFT,
	EVENT(EVENT_EXCEPTION, VEC_SX),
	EVENT(EVENT_EXCEPTION, 31),
	EVENT(EVENT_EXCEPTION, 32),
	EVENT(EVENT_EXCEPTION, 0xff),
	EVENT(EVENT_SOFT_INTR, 0x31),
	EVENT(5, 0x20),
	EVENT(6, 0x20),
	EVENT(7, 0x20),
	ALL64 & ~EVENT_VALID,
};
static const uint64_t selectors[] = {0, 3, 4, 8, 0x10, 0x18, 0x20, 0xfffb, 0xffff};
static const uint64_t attributes[] = {
	0,     0x93,  0x9b, 0xc93, 0xc9b, 0xa9b, 0xe9b,  0xcfb,
	0xcf3, 0xafb, 0x8b, 0x89,  0x82,  0xfff, 0xffff,
};
static const uint64_t limits[] = {0, 7, 0xfff, 0xffff, 0xfffff, 0x7fffffff, ALL32};
static const uint64_t bases[] = {
	0,
	1,
	0xffff0,
	0x7fffffff,
	ALL32,
	1ull << 32,
	0x00007fffffffffffull,
	0x0000800000000000ull,
	0xffff800000000000ull,
	0x8000000000000000ull,
	ALL64,
};
static const uint64_t cpls[] = {0, 1, 3, 4, 0xff};
static const uint64_t efers[] = {
	EFER_SVME,
	0,
	EFER_SVME | EFER_LME,
	EFER_SVME | EFER_LME | EFER_LMA,
	EFER_SVME | EFER_LMA,
	EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE,
	EFER_SVME | EFER_NXE | EFER_SCE,
	EFER_SVME | EFER_LMSLE,
	EFER_SVME | EFER_FFXSR | EFER_TCE,
	EFER_SVME | EFER_MCOMMIT | EFER_INTWB,
	EFER_SVME | EFER_UAIE | EFER_AIBRSE,
	EFER_SVME | 2,
	EFER_SVME | 1u << 9,
	EFER_SVME | 1ull << 63,
	ALL64,
};
static const uint64_t cr0s[] = {
	0,
	CR0_PE,
	CR0_PG,
	CR0_PE | CR0_PG,
	CR0_PE | CR0_PG | CR0_WP | CR0_ET | CR0_NE,
	CR0_NW,
	CR0_CD,
	CR0_CD | CR0_NW | CR0_PE,
	CR0_PE | CR0_TS | CR0_EM | CR0_MP | CR0_AM,
	ALL32,
	ALL32 & ~(uint64_t)CR0_CD,
	ALL32 & ~(uint64_t)CR0_PE,
	1ull << 32,
	1ull << 63 | CR0_PE,
	ALL64,
};
static const uint64_t cr4s[] = {
	0,
	CR4_PSE,
	CR4_PAE,
	CR4_PAE | CR4_PSE | CR4_PGE,
	CR4_PAE | CR4_LA57,
	CR4_LA57,
	CR4_PAE | CR4_PCIDE,
	CR4_PAE | CR4_SMEP | CR4_SMAP | CR4_UMIP,
	CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_MCE | CR4_PCE,
	CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE,
	CR4_PKE,
	CR4_CET,
	1u << 13,
	1u << 14,
	1u << 24,
	1u << 31,
	1ull << 32,
	ALL64,
};
static const uint64_t dr6s[] = {0, DR6_FIXED, ALL32, 1ull << 32, ALL64};
static const uint64_t dr7s[] = {0, DR7_FIXED, 0x2000 | DR7_FIXED, ALL32, 1ull << 32, ALL64};
static const uint64_t flags[] = {
	0,
	RFLAGS_FIXED,
	RFLAGS_FIXED | RFLAGS_IF,
	RFLAGS_FIXED | RFLAGS_TF,
	RFLAGS_FIXED | RFLAGS_VM,
	RFLAGS_FIXED | RFLAGS_NT | 0x3000,
	RFLAGS_FIXED | 1u << 16,
	RFLAGS_FIXED | RFLAGS_VM | RFLAGS_IF | 0x180000,
	ALL32,
	ALL64,
};
static const uint64_t rips[] = {
	L2_CODE,
	L2_EXEC,
	0,
	L2_STACK,
	L2_HOLE,
	0xffff,
	ALL32,
	1ull << 32 | L2_CODE,
	0x0000800000000000ull,
	ALL64,
};
static const uint64_t stacks[] = {
	L2_STACK_TOP, 0, 2, L2_TABLES + 8, L2_HOLE + 8, ALL32, 0x0000800000000000ull, ALL64,
};
static const uint64_t pats[] = {
	PAT_RESET,
	0,
	0x0606060606060606ull,
	0x0202020202020202ull,
	0x0303030303030303ull,
	0x0808080808080808ull,
	0x8000000000000000ull,
	0x0706050401000100ull,
	ALL64,
};

#define LIST(list) sizeof(list) / sizeof(*(list)), list
#define FIELD(member, list)                                                                        \
	{                                                                                          \
#member, offsetof(struct vmcb, member), sizeof(((struct vmcb *)0)->member),        \
			LIST(list)                                                                 \
	}
#define ADDRESS(member)                                                                            \
	{                                                                                          \
#member, offsetof(struct vmcb, member), sizeof(((struct vmcb *)0)->member), 0,     \
			NULL                                                                       \
	}
/* Words of a vector, bytes of what has no name. */
#define PART(name, at, part, list)                                                                 \
	{                                                                                          \
		name, at, part, LIST(list)                                                         \
	}
#define SEGMENT(s)                                                                                 \
	FIELD(save.s.selector, selectors), FIELD(save.s.attributes, attributes),                   \
		FIELD(save.s.limit, limits), FIELD(save.s.base, bases)

const struct field fields[] = {
	PART("control.intercepts[CR]", 0x000, 4, words),
	PART("control.intercepts[DR]", 0x004, 4, words),
	PART("control.intercepts[EXCEPTION]", 0x008, 4, words),
	PART("control.intercepts[MISC1]", 0x00c, 4, words),
	PART("control.intercepts[MISC2]", 0x010, 4, words),
	PART("control.intercepts[MISC3]", 0x014, 4, words),
	PART("control.reserved_018", 0x018, 8, any),
	FIELD(control.pause_filter_threshold, shorts),
	FIELD(control.pause_filter_count, shorts),
	ADDRESS(control.iopm_base_pa),
	ADDRESS(control.msrpm_base_pa),
	FIELD(control.tsc_offset, any),
	FIELD(control.asid, asids),
	FIELD(control.tlb_control, tlb),
	PART("control.reserved_05d", 0x05d, 1, tlb),
	FIELD(control.int_ctl, int_ctl),
	FIELD(control.int_state, any),
	FIELD(control.exit_code, any),
	FIELD(control.exit_info1, any),
	FIELD(control.exit_info2, any),
	FIELD(control.exit_int_info, events),
	FIELD(control.nested_ctl, any),
	ADDRESS(control.avic_apic_bar),
	ADDRESS(control.ghcb),
	FIELD(control.event_inj, events),
	ADDRESS(control.nested_cr3),
	FIELD(control.virt_ext, any),
	FIELD(control.clean, words),
	PART("control.reserved_0c4", 0x0c4, 4, words),
	FIELD(control.next_rip, rips),
	FIELD(control.fetched_bytes, tlb),
	ADDRESS(control.avic_backing_page),
	PART("control.reserved_0e8", 0x0e8, 8, any),
	ADDRESS(control.avic_logical_table),
	ADDRESS(control.avic_physical_table),
	PART("control.reserved_108", 0x108, 8, any), /* VMSA's address with SEV-ES */
	SEGMENT(es),
	SEGMENT(cs),
	SEGMENT(ss),
	SEGMENT(ds),
	SEGMENT(fs),
	SEGMENT(gs),
	SEGMENT(gdtr),
	SEGMENT(ldtr),
	SEGMENT(idtr),
	SEGMENT(tr),
	FIELD(save.cpl, cpls),
	FIELD(save.efer, efers),
	FIELD(save.cr4, cr4s),
	ADDRESS(save.cr3),
	FIELD(save.cr0, cr0s),
	FIELD(save.dr7, dr7s),
	FIELD(save.dr6, dr6s),
	FIELD(save.rflags, flags),
	FIELD(save.rip, rips),
	FIELD(save.rsp, stacks),
	FIELD(save.s_cet, any),
	FIELD(save.ssp, bases),
	FIELD(save.isst_addr, bases),
	ADDRESS(save.rax),
	FIELD(save.star, any),
	FIELD(save.lstar, bases),
	FIELD(save.cstar, bases),
	FIELD(save.sfmask, any),
	FIELD(save.kernel_gs_base, bases),
	FIELD(save.sysenter_cs, any),
	FIELD(save.sysenter_esp, bases),
	FIELD(save.sysenter_eip, bases),
	FIELD(save.cr2, bases),
	FIELD(save.g_pat, pats),
	FIELD(save.dbgctl, any),
	FIELD(save.br_from, bases),
	FIELD(save.br_to, bases),
	FIELD(save.last_excp_from, bases),
	FIELD(save.last_excp_to, bases),
	FIELD(save.spec_ctrl, any),
};

const unsigned int field_count = sizeof(fields) / sizeof(*fields);

uint64_t field_get(const struct vmcb *vmcb, const struct field *field)
{
	uint64_t value = 0;

	memcpy(&value, (const uint8_t *)vmcb + field->offset, field->bytes);
	return value;
}

void field_set(struct vmcb *vmcb, const struct field *field, uint64_t value)
{
	uint8_t *at = (uint8_t *)vmcb + field->offset;

	/* As one, or two: another processor may have it run meanwhile. */
	if (field->bytes == 8)
		*(volatile uint64_t *)(void *)at = value;
	else
		memcpy(at, &value, field->bytes);
}

uint64_t field_pick(struct dice *dice, const struct field *field)
{
	if (!field->count)
		return memory_address(dice) | (dice_one_in(dice, 4) ? dice_roll(dice) & 0xfff : 0);
	if (dice_one_in(dice, 16))
		return dice_roll64(dice);
	return field->values[dice_below(dice, field->count)];
}

uint64_t field_flip(struct dice *dice, const struct field *field, uint64_t value)
{
	unsigned int bits = field->bytes * 8u;

	do
		value ^= 1ull << dice_below(dice, bits);
	while (dice_one_in(dice, 4));
	return value;
}
