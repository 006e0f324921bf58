/*
 * The limits of L1's nested format: addresses beyond it, reserved bits, 1 GiB pages, rights of
 * upper levels. Relies on guest/lib; APM 15.25 and 5.3 to 5.4 for the reserved bits.
 */
#include "guest/points/points.h"

#define FINAL (NPF_FINAL | NPF_USER)

#define NGPA_ALONE 0x80000000u /* its upper entries serve nothing else, in PAE tables, too */
#define VALUE      0x0f0f5a5au

static const char no_p[] = "a reserved bit faults without P";
static const char wraps[] = "an ngpa above 4 GiB wraps around";
static const char unchecked[] = "bits of a PDPTE are not checked";

static void check_reserved(struct l2 *l2, uint64_t ngpa)
{
	uint64_t expected = FINAL | NPF_PRESENT | NPF_RESERVED;

	l2_check_exit(l2, VMEXIT_NPF);
	check_known("EXITINFO1", l2->vmcb->control.exit_info1, expected, expected & ~NPF_PRESENT,
	            QEMU_BARE, no_p);
	check("EXITINFO2", l2->vmcb->control.exit_info2, ngpa);
}

/* A new L2 without paging that has the spare frame, with VALUE in it, at NGPA_ALONE. */
static struct l2 *with_page_alone(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);

	pt_map(&l2->npt, NGPA_ALONE, l2_gpa(l2_spare_frame(0)), 1, PT_RWU);
	*l2_spare_frame(0) = VALUE;
	return l2;
}

static void reserved(void)
{
	struct l2 *l2 = with_page_alone();
	uint64_t entry;

	point("a reserved address bit in a last-level entry faults");
	if (l2_format->entry_bytes == 4 || machine.physical_bits > 51) {
		point_skip("the entry has no reserved address bits");
	} else {
		pt_set(&l2->npt, NGPA_ALONE, 1, pt_get(&l2->npt, NGPA_ALONE, 1) | 1ull << 51);
		l2_read(l2, NGPA_ALONE);
		check_reserved(l2, NGPA_ALONE);
	}

	point("a low address bit in a large page's entry faults");
	if (l2_format->level[2].large) {
		entry = pt_get(&l2->npt, L2_LARGE, 2);
		pt_set(&l2->npt, L2_LARGE, 2, entry | pt_page_size(l2_format, 2) / 2);
		l2->flush = true;
		l2_read(l2, L2_LARGE);
		check_reserved(l2, L2_LARGE);
	} else {
		point_skip("the nested format has no large pages");
	}

	l2 = with_page_alone();
	point("a reserved bit in an upper-level entry faults");
	if (l2_format->levels < 3 || machine.physical_bits > 51) {
		point_skip("the entry has no reserved bits");
	} else if (l2_format->level[3].table_flags == PT_PRESENT) {
		/* A PDPTE: W is reserved. */
		entry = pt_get(&l2->npt, NGPA_ALONE, 3);
		pt_set(&l2->npt, NGPA_ALONE, 3, entry | PT_WRITE);
		l2_read(l2, NGPA_ALONE);
		if (l2->vmcb->control.exit_code == VMEXIT_VMMCALL && emulator_is(QEMU_BARE))
			point_known(QEMU_BARE, unchecked);
		else
			check_reserved(l2, NGPA_ALONE);
	} else {
		/* Level 3, where this ngpa is alone. PS would be legal there. */
		entry = pt_get(&l2->npt, NGPA_ALONE, 3);
		pt_set(&l2->npt, NGPA_ALONE, 3, entry | 1ull << 51);
		l2_read(l2, NGPA_ALONE);
		check_reserved(l2, NGPA_ALONE);
	}
}

static void upper_rights(void)
{
	struct l2 *l2 = with_page_alone();
	uint64_t entry = pt_get(&l2->npt, NGPA_ALONE, 2);
	uint32_t *code = l2_spare_frame(0);
	/* The highest level at which NGPA_ALONE is alone. */
	unsigned int upper = l2_format->levels < 3 ? 2 : 3;

	memcpy(code, l2->low + L2_EXEC, 16);

	point("no-execute in an entry above counts for the page");
	if (l2_format->nx) {
		pt_set(&l2->npt, NGPA_ALONE, 2, entry | PT_NX);
		l2->vmcb->save.rip = NGPA_ALONE;
		l2_run(l2);
		l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_FETCH, NGPA_ALONE);
		pt_set(&l2->npt, NGPA_ALONE, 2, entry);
		l2_run(l2);
		l2_check_value(l2, L2_FETCHED_VALUE);
	} else {
		point_skip("the nested format has no NX");
	}

	point("a supervisor's entry above makes the page the supervisor's");
	pt_set(&l2->npt, NGPA_ALONE, 2, entry & ~PT_USER);
	l2->flush = true;
	l2_read(l2, NGPA_ALONE);
	l2_check_npf(l2, FINAL | NPF_PRESENT, NGPA_ALONE);
	pt_set(&l2->npt, NGPA_ALONE, 2, entry);

	/* PDPTEs of nested PAE tables are read at each walk, not cached as MOV CR3 would. */
	point("an upper-level entry that L1 clears takes its pages along");
	l2_read(l2, NGPA_ALONE);
	l2_check_value(l2, *code);
	entry = pt_get(&l2->npt, NGPA_ALONE, upper);
	pt_set(&l2->npt, NGPA_ALONE, upper, 0);
	l2->flush = true;
	l2_read(l2, NGPA_ALONE);
	l2_check_npf(l2, FINAL, NGPA_ALONE);
	pt_set(&l2->npt, NGPA_ALONE, upper, entry);
	l2_run(l2);
	l2_check_value(l2, *code);
}

static void root_alignment(void)
{
	struct l2 *l2 = with_page_alone();
	uint32_t *root = l2_spare_frame(1) + 0x20 / 4;

	point("a PAE root need not be page-aligned");
	if (l2_format->levels == 3) {
		memcpy(root, pt_entry(&l2->npt, 0, 3), 32);
		l2->vmcb->control.nested_cr3 = l2_gpa(root);
		l2_read(l2, NGPA_ALONE);
		l2_check_value(l2, VALUE);
	} else {
		point_skip("the nested format is not PAE");
	}
}

/* Bits of an ngpa that the nested format maps: a processor may have more. APM 5.3. */
static unsigned int mapped_bits(void)
{
	return l2_format->levels <= 3 ? 32 : l2_format->levels == 4 ? 48 : 57;
}

/* L2 reaches addresses above 4 GiB by PAE tables of its own. */
static void high_addresses(void)
{
	struct l2 *l2 = l2_new(0, &l2_pae);
	bool beyond_possible = machine.physical_bits > mapped_bits();
	unsigned int bits = beyond_possible ? mapped_bits() : machine.physical_bits;
	uint64_t limit = 1ull << (bits - 1), ngva = l2_pae.alias + L2_END;
	uint64_t beyond = (1ull << mapped_bits()) + L2_SMALL + 0x30;
	bool maps_4g_only = l2_format->levels <= 3;
	enum emulator emulator = machine.bochs ? BOCHS_BARE : QEMU_BARE; /* both do */

	*(l2_small_frame(l2, 0) + 0x30 / 4) = VALUE;

	point("an ngpa beyond what the format maps faults");
	pt_map(&l2->own, ngva, beyond & ~0xfffull, 1, PT_RW);
	l2->regs.rbx = ngva + 0x30;
	if (beyond_possible) {
		l2_start(l2, L2_READ);
		if (l2->vmcb->control.exit_code == VMEXIT_VMMCALL && l2_eax(l2) == VALUE &&
		    emulator_is(emulator))
			point_known(emulator, wraps);
		else
			l2_check_npf(l2, FINAL, beyond);
	} else {
		point_skip("the format maps all that a processor has");
	}

	point("a high ngpa that L1 has not mapped faults");
	if (maps_4g_only) {
		point_skip("the format maps 4 GiB only");
	} else {
		pt_map(&l2->own, ngva, limit, 1, PT_RW);
		l2->flush = true;
		l2_start(l2, L2_READ);
		l2_check_npf(l2, FINAL, limit + 0x30);
	}

	point("a high ngpa that L1 has mapped is reached");
	if (maps_4g_only) {
		point_skip("the format maps 4 GiB only");
	} else {
		pt_map(&l2->npt, limit, l2_gpa(l2_small_frame(l2, 0)), 1, PT_RWU);
		l2_run(l2);
		l2_check_value(l2, VALUE);
	}
}

static void pages_1g(void)
{
	const char *lacks = l2_format->levels < 4 ? "the nested format has no 1 GiB pages"
	                    : !machine.page_1g    ? "the processor has no 1 GiB pages"
	                                          : NULL;
	struct l2 *l2 = l2_new(0, &l2_prot);
	uint64_t base = NGPA_ALONE, inside = base + l2_gpa(l2_spare_frame(1)),
		 entry = PT_RWU | PT_LARGE;

	*l2_spare_frame(1) = VALUE;
	if (!lacks)
		pt_map(&l2->npt, base, 0, 3, PT_RWU);

	point("reads and writes through a 1 GiB nested page");
	if (lacks) {
		point_skip(lacks);
	} else {
		l2_read(l2, inside);
		l2_check_value(l2, VALUE);
		check("A and D", pt_get(&l2->npt, base, 3) & (PT_ACCESSED | PT_DIRTY), PT_ACCESSED);
		l2_write(l2, inside, ~VALUE);
		l2_check_done(l2);
		check("L1 sees", *l2_spare_frame(1), (uint32_t)~VALUE);
		check("A and D", pt_get(&l2->npt, base, 3) & (PT_ACCESSED | PT_DIRTY),
		      PT_ACCESSED | PT_DIRTY);
	}

	point("a write to a read-only 1 GiB page faults");
	if (lacks) {
		point_skip(lacks);
	} else {
		pt_set(&l2->npt, base, 3, entry & ~PT_WRITE);
		l2->flush = true;
		l2_write(l2, inside, 1);
		l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, inside);
	}

	point("a low address bit in a 1 GiB page's entry faults");
	if (lacks) {
		point_skip(lacks);
	} else {
		pt_set(&l2->npt, base, 3, entry | SIZE_1G / 2);
		l2->flush = true;
		l2_read(l2, inside);
		check_reserved(l2, inside);
	}
}

void points_format(void)
{
	if (!tap_group("nested", "format"))
		return;
	if (l2_lacks_nesting) {
		point("the nested format has its limits and reserved bits");
		point_skip(l2_lacks_nesting);
		return;
	}
	reserved();
	upper_rights();
	root_alignment();
	high_addresses();
	pages_1g();
}
