/*
 * What only 2-level nested tables have: 4 MiB pages with PSE36, a PS bit that means nothing without
 * CR4.PSE, one table for all 4 GiB of ngpa (row R7). Relies on guest/lib; APM 5.2.2 and 5.3.
 */
#include "guest/points/points.h"

#define FINAL (NPF_FINAL | NPF_USER)
#define VALUE 0x2be10000u

/* Of a 4 MiB page's entry: bits 20:13 are address bits 39:32 (PSE36), bit 21 is reserved. */
#define PSE36_SHIFT   13
#define PSE36_BITS    8
#define PSE_RESERVED  (1u << 21)
#define HALF          (L2_LARGE_BYTES / 2)
#define ABOVE_4G_NGPA 0x50000000u

/* One page in each GiB of ngpa, the last one of all among them. */
static const uint32_t quadrants[] = {0x2fc00000u, 0x6abcd000u, 0x80000000u, 0xfffff000u};
#define QUADRANTS (sizeof(quadrants) / sizeof(quadrants[0]))

/* Bare QEMU does not walk 2-level nested tables: it takes the ngpa for the hpa. Nothing that is
 * said there of nested paging means anything. */
static bool walked(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	uint64_t low = l2_gpa(l2->low), seen = l2_gpa(l2_spare_frame(0));

	*l2_spare_frame(0) = VALUE;
	*l2_spare_frame(1) = VALUE + 1;
	/* The code is where it is for both, at an ngpa that equals its hpa. */
	pt_map_range(&l2->npt, low, low, L2_LOW_END, 1, PT_RWU);
	pt_map(&l2->npt, seen, l2_gpa(l2_spare_frame(1)), 1, PT_RWU);
	l2_aim(l2, L2_READ);
	l2->vmcb->save.rip += low;
	l2->regs.rbx = seen;
	l2_run(l2);
	return l2->vmcb->control.exit_code != VMEXIT_VMMCALL || l2_eax(l2) != VALUE;
}

static void four_gib(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);

	for (unsigned int i = 0; i < QUADRANTS; i++) {
		pt_map(&l2->npt, quadrants[i], l2_gpa(l2_small_frame(l2, i)), 1, PT_RWU);
		l2_small_frame(l2, i)[5] = VALUE + i;
	}

	point("pages in each GiB of ngpa are reached");
	for (unsigned int i = 0; i < QUADRANTS; i++) {
		l2_read(l2, quadrants[i] + 20);
		l2_check_value(l2, VALUE + i);
	}

	point("writes in each GiB of ngpa go to their own frames");
	for (unsigned int i = 0; i < QUADRANTS; i++) {
		l2_write(l2, quadrants[i] + 24, VALUE + 0x100 + i);
		l2_check_done(l2);
	}
	for (unsigned int i = 0; i < QUADRANTS; i++)
		check("L1 sees", l2_small_frame(l2, i)[6], VALUE + 0x100 + i);

	point("a missing page in each GiB of ngpa faults with its address");
	for (unsigned int i = 0; i < QUADRANTS; i++) {
		uint64_t at = (quadrants[i] ^ 0x00200000u) + 8; /* another table's, or none's */

		l2_read(l2, at);
		l2_check_npf(l2, FINAL, at);
	}

	point("pages that move in one GiB leave the others alone");
	for (unsigned int i = 0; i < QUADRANTS; i++) {
		l2_spare_frame(0)[5] = VALUE + 0x200 + i;
		pt_map(&l2->npt, quadrants[i], l2_gpa(l2_spare_frame(0)), 1, PT_RWU);
		l2->flush = true;
		for (unsigned int n = 0; n < QUADRANTS; n++) {
			l2_read(l2, quadrants[n] + 20);
			l2_check_value(l2, n == i ? VALUE + 0x200 + i : VALUE + n);
		}
		pt_map(&l2->npt, quadrants[i], l2_gpa(l2_small_frame(l2, i)), 1, PT_RWU);
	}

	point("an entry of the root that L1 clears takes the pages of one GiB along");
	pt_set(&l2->npt, quadrants[1], 2, 0);
	l2->flush = true;
	l2_read(l2, quadrants[1]);
	l2_check_npf(l2, FINAL, quadrants[1]);
	l2_read(l2, quadrants[2] + 20);
	l2_check_value(l2, VALUE + 2);

	point("one table under the entries of two GiB shows its pages twice");
	pt_set(&l2->npt, quadrants[1], 2, pt_get(&l2->npt, quadrants[2], 2));
	l2_read(l2, (quadrants[1] & ~(L2_LARGE_BYTES - 1)) + 20);
	l2_check_value(l2, VALUE + 2);
	l2_write(l2, (quadrants[1] & ~(L2_LARGE_BYTES - 1)) + 20, VALUE + 9);
	l2_check_done(l2);
	l2_read(l2, quadrants[2] + 20);
	l2_check_value(l2, VALUE + 9);
}

/* The two halves of a 4 MiB page, which other formats have as two pages. */
static void halves(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	const uint32_t at[2] = {0x1000, HALF + 0x3000};
	uint64_t entry = pt_get(&l2->npt, L2_LARGE, 2);

	point("both halves of a 4 MiB page are reached");
	for (unsigned int i = 0; i < 2; i++) {
		*l2_large_frame(at[i]) = VALUE + i;
		l2_read(l2, L2_LARGE + at[i]);
		l2_check_value(l2, VALUE + i);
	}

	point("a write to either half of a 4 MiB page sets D in its entry");
	for (unsigned int i = 0; i < 2; i++) {
		pt_set(&l2->npt, L2_LARGE, 2, entry & ~(PT_ACCESSED | PT_DIRTY));
		l2->flush = true;
		l2_read(l2, L2_LARGE + at[1 - i]);
		l2_check_done(l2);
		check("D after a read", pt_get(&l2->npt, L2_LARGE, 2) & (PT_ACCESSED | PT_DIRTY),
		      PT_ACCESSED);
		l2_write(l2, L2_LARGE + at[i], VALUE + 4 + i);
		l2_check_done(l2);
		check("D after a write", pt_get(&l2->npt, L2_LARGE, 2) & (PT_ACCESSED | PT_DIRTY),
		      PT_ACCESSED | PT_DIRTY);
		check("L1 sees", *l2_large_frame(at[i]), VALUE + 4 + i);
	}

	point("both halves of a 4 MiB page that L1 made read-only fault on a write");
	pt_set(&l2->npt, L2_LARGE, 2, entry & ~PT_WRITE);
	l2->flush = true;
	for (unsigned int i = 0; i < 2; i++) {
		l2_write(l2, L2_LARGE + at[i], 1);
		l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, L2_LARGE + at[i]);
	}
	pt_set(&l2->npt, L2_LARGE, 2, entry);

	point("both halves of a 4 MiB page that L1 took away fault");
	pt_set(&l2->npt, L2_LARGE, 2, 0);
	l2->flush = true;
	for (unsigned int i = 0; i < 2; i++) {
		l2_read(l2, L2_LARGE + at[i]);
		l2_check_npf(l2, FINAL, L2_LARGE + at[i]);
	}

	*l2_large_frame(at[0]) = *l2_large_frame(at[1]) = 0;
}

static void check_reserved(struct l2 *l2, uint64_t ngpa)
{
	l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_RESERVED, ngpa);
}

static void large_entry(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	uint64_t entry = pt_get(&l2->npt, L2_LARGE, 2);
	unsigned int valid = machine.physical_bits < 40 ? machine.physical_bits - 32 : PSE36_BITS;

	point("bit 21 of a 4 MiB page's entry is reserved");
	pt_set(&l2->npt, L2_LARGE, 2, entry | PSE_RESERVED);
	l2->flush = true;
	l2_read(l2, L2_LARGE + 0x1234);
	check_reserved(l2, L2_LARGE + 0x1234);
	l2_write(l2, L2_LARGE + HALF, 1);
	l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_RESERVED | NPF_WRITE, L2_LARGE + HALF);

	point("address bits of a 4 MiB page beyond the processor's are reserved");
	for (unsigned int bit = valid; bit < PSE36_BITS; bit++) {
		pt_set(&l2->npt, L2_LARGE, 2, entry | 1u << (PSE36_SHIFT + bit));
		l2->flush = true;
		l2_read(l2, L2_LARGE + 0x10);
		check_reserved(l2, L2_LARGE + 0x10);
	}
	if (valid == PSE36_BITS)
		point_skip("the processor has all 40 bits");

	point("bit 12 of a 4 MiB page's entry is not of its address");
	pt_set(&l2->npt, L2_LARGE, 2, entry | 1u << 12); /* PAT */
	*l2_large_frame(0x1010) = VALUE;
	*l2_large_frame(0x0010) = VALUE + 1;
	l2->flush = true;
	l2_read(l2, L2_LARGE + 0x10);
	l2_check_value(l2, VALUE + 1);
	*l2_large_frame(0x1010) = *l2_large_frame(0x0010) = 0;
}

/*
 * A 4 MiB page at 4 GiB + that of L2_LARGE's frame, through PSE36: where the machine has memory, it
 * is other memory than the frame; else it is no memory, and not the frame either.
 */
static void above_4g(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	uint64_t frame = l2_gpa(l2_large_frame(0));
	uint64_t entry = pt_get(&l2->npt, L2_LARGE, 2) | 1u << PSE36_SHIFT;
	bool memory = memory_usable(SIZE_4G + frame, SIZE_4G + frame + L2_LARGE_BYTES);

	*l2_large_frame(0x2000) = VALUE;
	pt_map(&l2->npt, ABOVE_4G_NGPA, frame, 2, PT_RWU | 1u << PSE36_SHIFT);

	point("a PSE36 page above 4 GiB is not the page below");
	pt_set(&l2->npt, L2_LARGE, 2, entry);
	l2->flush = true;
	l2_write(l2, L2_LARGE + 0x2000, VALUE + 1);
	l2_check_done(l2);
	check("L1 sees", *l2_large_frame(0x2000), VALUE);

	point("a PSE36 page above 4 GiB has that memory, if there is any");
	l2_read(l2, ABOVE_4G_NGPA + 0x2000);
	l2_check_done(l2);
	if (memory)
		check("eax", l2_eax(l2), VALUE + 1);
	else if (machine_on_pae_host())
		point_skip("what a PAE host shows there is nobody's, but may be written");
	else if (l2_eax(l2) == VALUE + 1)
		point_fail("# there is no memory, and it kept what was written\n");
	*l2_large_frame(0x2000) = 0;
}

/* With CR4.PSE=0 the entry names a table, whatever its bit 7 and the bits reserved with PSE say. */
static void ps_ignored(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	uint64_t at = L2_SMALL + 3 * PAGE_SIZE + 0x14;

	point("PS in an entry of the root is ignored");
	l2_small_frame(l2, 3)[5] = VALUE;
	pt_set(&l2->npt, at, 2, pt_get(&l2->npt, at, 2) | PT_LARGE);
	l2_read(l2, at);
	l2_check_value(l2, VALUE);
	l2_write(l2, at + 4, VALUE + 1);
	l2_check_done(l2);
	check("L1 sees", l2_small_frame(l2, 3)[6], VALUE + 1);

	point("a missing page under PS faults as missing");
	l2_read(l2, L2_SMALL + L2_SMALL_PAGES * PAGE_SIZE);
	l2_check_npf(l2, FINAL, L2_SMALL + L2_SMALL_PAGES * PAGE_SIZE);

	point("PS is left as it is when A is set beside it");
	check("entry", pt_get(&l2->npt, at, 2) & (PT_LARGE | PT_ACCESSED), PT_LARGE | PT_ACCESSED);
}

static void edges(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	uint64_t at = L2_SMALL + 0x14;

	point("nCR3's low bits are ignored");
	l2_small_frame(l2, 0)[5] = VALUE;
	l2->vmcb->control.nested_cr3 |= 0xfff;
	l2_read(l2, at);
	l2_check_value(l2, VALUE);

	point("the available bits of entries are ignored, and stay");
	l2 = l2_new(0, &l2_prot);
	l2_small_frame(l2, 0)[5] = VALUE;
	pt_set(&l2->npt, at, 2, pt_get(&l2->npt, at, 2) | 7u << 9);
	pt_set(&l2->npt, at, 1, pt_get(&l2->npt, at, 1) | 7u << 9 | 1u << 8);
	l2_read(l2, at);
	l2_check_value(l2, VALUE);
	check("upper entry", pt_get(&l2->npt, at, 2) & 7u << 9, 7u << 9);
	check("lower entry", pt_get(&l2->npt, at, 1) & 0xf00u, 0xf00u);

	point("a root that names itself as a table is one");
	l2 = l2_new(0, &l2_prot);
	pt_set(&l2->npt, 0xffc00000u, 2, l2->npt.root | PT_RWU);
	l2_read(l2, 0xffc00000u + 0x14); /* entry 0 of the root names the page: a table */
	l2_check_done(l2);
	check("eax", l2_eax(l2) & PT_PRESENT, pt_get(&l2->npt, 5u << 12, 1) & PT_PRESENT);
	l2_read(l2, 0xfffff000u); /* the root itself, by its own entry */
	l2_check_value(l2, (uint32_t)pt_get(&l2->npt, 0, 2));
}

void points_2level_prepare(void)
{
	if (!l2_lacks_nesting && emulator_is(QEMU_BARE) && !walked())
		l2_lacks_nesting =
			"qemu: 2-level nested tables are not walked, ngpa is used as hpa";
}

void points_2level(void)
{
	points_all();
	if (!tap_group("nested", "2level"))
		return;
	if (l2_lacks_nesting) {
		point("2-level nested tables map what they should");
		point_skip(l2_lacks_nesting);
		return;
	}
	four_gib();
	edges();
	if (l2_format->level[2].large) {
		halves();
		large_entry();
		above_4g();
	} else {
		ps_ignored();
	}
}
