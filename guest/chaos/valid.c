/*
 * Whether VMRUN enters with a VMCB: AMD64 APM vol. 2, section 15.5.1 "Canonicalization and
 * Consistency Checks", 15.20 for events, 15.25.3 and 15.25.4 for nested paging, and 3.1 for which
 * bits of registers exist. From the manual and CPUID alone: nothing of L0's is used here. What the
 * manual leaves open is named, and not judged.
 */
#include "guest/chaos/chaos.h"

enum { EXT_FEATURES = 0x80000001, SIZES = 0x80000008, EXT_FEATURES_2 = 0x80000021 };

static uint64_t cr4_exist, efer_exist, physical_end;

struct bit {
	uint32_t leaf, subleaf;
	char reg; /* a, b, c, d; 0: every processor has it */
	unsigned int bit;
	uint64_t is;
};

/* APM 3.1.3, and vol. 3, appendix E for CPUID. */
static const struct bit cr4_bits[] = {
	{1, 0, 'd', 1, 1u << 0 | 1u << 1}, /* VME, PVI */
	{1, 0, 'd', 4, 1u << 2},           /* TSD */
	{1, 0, 'd', 2, 1u << 3},           /* DE */
	{1, 0, 'd', 3, 1u << 4},           /* PSE */
	{1, 0, 'd', 6, 1u << 5},           /* PAE */
	{1, 0, 'd', 7, 1u << 6},           /* MCE */
	{1, 0, 'd', 13, 1u << 7},          /* PGE */
	{0, 0, 0, 0, 1u << 8},             /* PCE */
	{1, 0, 'd', 24, 1u << 9},          /* OSFXSR */
	{1, 0, 'd', 25, 1u << 10},         /* OSXMMEXCPT */
	{7, 0, 'c', 2, 1u << 11},          /* UMIP */
	{7, 0, 'c', 16, 1u << 12},         /* LA57 */
	{7, 0, 'b', 0, 1u << 16},          /* FSGSBASE */
	{1, 0, 'c', 17, 1u << 17},         /* PCIDE */
	{1, 0, 'c', 26, 1u << 18},         /* OSXSAVE */
	{7, 0, 'b', 7, 1u << 20},          /* SMEP */
	{7, 0, 'b', 20, 1u << 21},         /* SMAP */
	{7, 0, 'c', 3, 1u << 22},          /* PKE */
	{7, 0, 'c', 7, 1u << 23},          /* CET */
	{7, 0, 'c', 31, 1u << 24},         /* PKS */
};

/* APM 3.1.7. LMA is not checked: it follows from LME and PG. */
static const struct bit efer_bits[] = {
	{EXT_FEATURES, 0, 'd', 11, 1u << 0},            /* SCE */
	{EXT_FEATURES, 0, 'd', 29, 1u << 8 | 1u << 10}, /* LME, LMA */
	{EXT_FEATURES, 0, 'd', 20, 1u << 11},           /* NXE */
	{EXT_FEATURES, 0, 'c', 2, 1u << 12},            /* SVME */
	{EXT_FEATURES, 0, 'd', 25, 1u << 14},           /* FFXSR */
	{EXT_FEATURES, 0, 'c', 17, 1u << 15},           /* TCE */
	{SIZES, 0, 'b', 8, 1u << 17},                   /* MCOMMIT */
	{SIZES, 0, 'b', 13, 1u << 18},                  /* INTWB */
	{EXT_FEATURES_2, 0, 'a', 7, 1u << 20},          /* UAIE */
	{EXT_FEATURES_2, 0, 'a', 8, 1u << 21},          /* AIBRSE */
};

static uint64_t existing(const struct bit *bits, size_t count)
{
	uint64_t all = 0;

	for (size_t i = 0; i < count; i++) {
		const struct bit *b = &bits[i];
		struct cpuid_regs r = {0, 0, 0, 0};
		uint32_t value;

		if (b->reg && cpuid(b->leaf & 0x80000000u, 0).eax >= b->leaf)
			r = cpuid(b->leaf, b->subleaf);
		value = b->reg == 'a'   ? r.eax
		        : b->reg == 'b' ? r.ebx
		        : b->reg == 'c' ? r.ecx
		                        : r.edx;
		if (!b->reg || (value >> b->bit & 1))
			all |= b->is;
	}
	return all;
}

void valid_init(void)
{
	cr4_exist = existing(cr4_bits, sizeof(cr4_bits) / sizeof(*cr4_bits));
	efer_exist = existing(efer_bits, sizeof(efer_bits) / sizeof(*efer_bits));
	physical_end = 1ull << machine.physical_bits;
}

static struct judgement invalid(const char *rule)
{
	return (struct judgement){INVALID, rule};
}

static struct judgement undecided(const char *what)
{
	return (struct judgement){UNDECIDED, what};
}

#define GOOD ((struct judgement){VALID, NULL})

static struct judgement judge_event(const struct vmcb *vmcb)
{
	uint64_t event = vmcb->control.event_inj;
	uint64_t vector = event & 0xff, type = event >> 8 & 7;
	bool code64 = (vmcb->save.cr0 & CR0_PG) && (vmcb->save.efer & EFER_LME) &&
	              (vmcb->save.cs.attributes & SEG_ATTR_L);

	if (!(event >> 31 & 1))
		return GOOD;
	if (type == 1 || type > 4)
		return invalid("EVENTINJ has a reserved type");
	if (type != 3)
		return GOOD;
	if (vector == 2 || vector > 31)
		return invalid("EVENTINJ has an exception's type and no exception's vector");
	if (code64 && (vector == 4 || vector == 5))
		return undecided("EVENTINJ of #OF or #BR in 64-bit code");
	if (vector == 31)
		return invalid("EVENTINJ has an exception's type and no exception's vector");
	if (vector == 9 || vector == 15 || vector == 20 || (vector >= 22 && vector <= 27))
		return undecided("EVENTINJ of an exception that is reserved");
	return GOOD;
}

static bool map_fits(uint64_t base, uint64_t bytes)
{
	base &= ~0xfffull; /* ignored; APM 15.10.1, 15.11 */
	return base < physical_end && physical_end - base >= bytes;
}

static struct judgement judge_control(const struct vmcb *vmcb)
{
	const struct vmcb_control *c = &vmcb->control;

	if (!(c->intercepts[4] & 1))
		return invalid("the VMRUN intercept is clear");
	if (!c->asid)
		return invalid("ASID is 0");
	if (c->asid >= machine.asids)
		return invalid("ASID is not below NASID");
	if (!map_fits(c->msrpm_base_pa, 8192) || !map_fits(c->iopm_base_pa, 12288))
		return invalid("a map extends beyond physical addresses");
	if (!(c->nested_ctl & 1))
		return GOOD;
	if (!machine.npt)
		return invalid("nested paging, which CPUID does not tell of");
	if (c->nested_cr3 >= physical_end)
		return invalid("nCR3 has bits beyond physical addresses");
	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t type = vmcb->save.g_pat >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return invalid("gPAT has a reserved type");
	}
	return GOOD;
}

static struct judgement judge_state(const struct vmcb *vmcb)
{
	const struct vmcb_save *s = &vmcb->save;
	bool lme = s->efer & 1u << 8, pg = s->cr0 >> 31 & 1, pae = s->cr4 & 1u << 5;
	uint64_t efer_bad = s->efer & ~efer_exist, lmsle = 1u << 13, raz = 0xfe;

	if (!(s->efer & 1u << 12))
		return invalid("EFER.SVME is 0");
	if (efer_bad & ~(lmsle | raz))
		return invalid("EFER has reserved bits");
	if ((s->cr0 & 1u << 29) && !(s->cr0 & 1u << 30))
		return invalid("CR0.NW without CD");
	if (s->cr0 >> 32)
		return invalid("CR0[63:32]");
	if (s->cr4 & ~cr4_exist)
		return invalid("CR4 has reserved bits");
	if (s->dr6 >> 32 || s->dr7 >> 32)
		return invalid("DR6[63:32] or DR7[63:32]");
	if (lme && pg && !pae)
		return invalid("LME and PG without PAE");
	if (lme && pg && !(s->cr0 & 1))
		return invalid("LME and PG without PE");
	if (lme && pg && pae && (s->cs.attributes & 1u << 9) && (s->cs.attributes & 1u << 10))
		return invalid("CS.L and CS.D in long mode");
	if (lme && pg && s->cr3 >= physical_end)
		return invalid("CR3 has bits beyond physical addresses");
	if ((s->cr4 & 1u << 23) && !(s->cr0 & 1u << 16))
		return invalid("CR4.CET without CR0.WP");
	if (efer_bad & lmsle)
		return undecided("EFER.LMSLE, which CPUID of old processors does not tell of");
	if (efer_bad & raz)
		return undecided("EFER[7:1], which read as 0");
	if (s->cr3 >= physical_end)
		return undecided("upper bits of CR3 outside of long mode");
	return GOOD;
}

/* Without nested paging VMRUN loads the PDPTEs of a PAE guest; with it they are read at use. */
static struct judgement judge_pdptes(const struct vmcb *vmcb)
{
	const struct vmcb_save *s = &vmcb->save;
	uint64_t at = s->cr3 & ~0x1full & 0xffffffffu;

	if ((vmcb->control.nested_ctl & 1) || !(s->cr0 >> 31 & 1) || !(s->cr4 & 1u << 5) ||
	    (s->efer & 1u << 8))
		return GOOD;
	if (!memory_is_ram(at))
		return undecided("PDPTEs where there is no memory, without nested paging");
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t entry = *(const volatile uint64_t *)(uintptr_t)(at + i * 8);

		if ((entry & 1) && ((entry & 0x1e6) || entry >= physical_end))
			return undecided("a PDPTE has reserved bits, without nested paging");
	}
	return GOOD;
}

/* Rules that say no come before what is open. */
struct judgement judge(const struct vmcb *vmcb)
{
	struct judgement (*const parts[])(const struct vmcb *) = {judge_control, judge_state,
	                                                          judge_event, judge_pdptes};
	struct judgement result = GOOD;

	for (unsigned int i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		struct judgement part = parts[i](vmcb);

		if (part.verdict == INVALID)
			return part;
		if (part.verdict == UNDECIDED)
			result = part;
	}
	return result;
}
