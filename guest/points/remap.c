/*
 * Mappings that L1 changes behind L2's back, with the flush that the APM asks for (15.16): another
 * frame, a page or a table taken away, rights taken away, 4 KiB pages merged into a large one and
 * split again. Relies on guest/lib.
 */
#include "guest/points/points.h"

#define FINAL (NPF_FINAL | NPF_USER)

static void small_pages(struct l2 *l2)
{
	uint64_t at = L2_SMALL + 4 * PAGE_SIZE + 0x40;
	uint64_t page = pt_get(&l2->npt, at, 1);

	l2_small_frame(l2, 4)[0x40 / 4] = 0xaaaa0001;
	l2_spare_frame(0)[0x40 / 4] = 0xaaaa0002;
	l2_read(l2, at); /* the translation is in the TLB from here */

	point("a page that L1 moved to another frame reads as that one");
	pt_map(&l2->npt, at & ~0xfffull, l2_gpa(l2_spare_frame(0)), 1, PT_RWU);
	l2->flush = true;
	l2_read(l2, at);
	l2_check_value(l2, 0xaaaa0002);

	point("a write goes to the new frame only");
	l2_write(l2, at, 0xaaaa0003);
	l2_check_done(l2);
	check("the old frame", l2_small_frame(l2, 4)[0x40 / 4], 0xaaaa0001);
	check("the new frame", l2_spare_frame(0)[0x40 / 4], 0xaaaa0003);

	point("a page that L1 took away faults again");
	pt_set(&l2->npt, at, 1, 0);
	l2->flush = true;
	l2_read(l2, at);
	l2_check_npf(l2, FINAL, at);

	point("a page that L1 made read-only faults on a write");
	pt_set(&l2->npt, at, 1, page);
	l2_write(l2, at, 0xaaaa0004);
	l2_check_done(l2);
	pt_set(&l2->npt, at, 1, page & ~PT_WRITE);
	l2->flush = true;
	l2_write(l2, at, 0xaaaa0005);
	l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, at);
	check("L1 sees", l2_small_frame(l2, 4)[0x40 / 4], 0xaaaa0004);
	pt_set(&l2->npt, at, 1, page);

	point("a page that L1 made no-execute faults on a fetch");
	page = pt_get(&l2->npt, L2_EXEC, 1);
	l2_fetch(l2);
	l2_check_value(l2, L2_FETCHED_VALUE);
	if (l2->npt.format->nx) {
		pt_set(&l2->npt, L2_EXEC, 1, page | PT_NX);
		l2->flush = true;
		l2_fetch(l2);
		l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_FETCH, L2_EXEC);
		pt_set(&l2->npt, L2_EXEC, 1, page);
	} else {
		point_skip("the nested format has no NX");
	}
}

static void tables(struct l2 *l2)
{
	uint64_t at = L2_SMALL + 7 * PAGE_SIZE + 0x20;
	uint64_t table = pt_get(&l2->npt, at, 2);
	struct pt old = l2->npt;

	l2_small_frame(l2, 7)[0x20 / 4] = 0xbbbb0001;
	l2_read(l2, at);

	point("a table that L1 took away takes its pages along");
	pt_set(&l2->npt, at, 2, 0);
	l2->flush = true;
	l2_read(l2, at);
	l2_check_npf(l2, FINAL, at);

	point("a table that L1 put back brings its pages back");
	pt_set(&l2->npt, at, 2, table);
	l2_run(l2);
	l2_check_value(l2, 0xbbbb0001);

	point("a table whose entry is read-only makes its pages read-only");
	pt_set(&l2->npt, at, 2, table & ~PT_WRITE);
	l2->flush = true;
	l2_write(l2, at, 0xbbbb0002);
	l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, at);
	pt_set(&l2->npt, at, 2, table);

	point("another nCR3 shows other frames");
	pt_init(&l2->npt, old.format, old.next, old.end, 0);
	pt_map_range(&l2->npt, 0, l2_gpa(l2->low), L2_LOW_END, 1, PT_RWU);
	pt_map(&l2->npt, at & ~0xfffull, l2_gpa(l2_spare_frame(1)), 1, PT_RWU);
	l2_spare_frame(1)[0x20 / 4] = 0xbbbb0003;
	l2_use_root(l2);
	l2_read(l2, at);
	l2_check_value(l2, 0xbbbb0003);

	point("the old nCR3 shows the old frames again");
	l2->npt.root = old.root;
	l2_use_root(l2);
	l2_read(l2, at);
	l2_check_value(l2, 0xbbbb0001);
}

static void sizes(struct l2 *l2)
{
	bool possible = l2->npt.format->level[2].large;
	uint64_t size = pt_page_size(l2->npt.format, 2), at = L2_LARGE + 0x71010;
	uint64_t large = pt_get(&l2->npt, at, 2);
	uint32_t *word = l2_large_frame(0x71010);

	*word = 0xcccc0001;
	l2_read(l2, at);

	point("a large page that L1 split into small ones shows the same memory");
	if (possible)
		pt_set(&l2->npt, at, 2, 0);
	else
		point_skip("the nested format has no large pages");
	pt_map_range(&l2->npt, L2_LARGE, l2_gpa(l2_large_frame(0)), size, 1, PT_RWU);
	l2->flush = true;
	l2_read(l2, at);
	l2_check_value(l2, 0xcccc0001);

	point("one small page of the split moves alone");
	pt_map(&l2->npt, at & ~0xfffull, l2_gpa(l2_spare_frame(0)), 1, PT_RWU);
	l2_spare_frame(0)[4] = 0xcccc0002;
	*l2_large_frame(0x72010) = 0xcccc0003;
	l2->flush = true;
	l2_read(l2, at);
	l2_check_value(l2, 0xcccc0002);
	l2_read(l2, at + PAGE_SIZE);
	l2_check_value(l2, 0xcccc0003);

	point("small pages that L1 merged into a large one show its memory");
	if (possible)
		pt_set(&l2->npt, at, 2, large);
	else
		pt_map(&l2->npt, at & ~0xfffull, l2_gpa(word) & ~0xfffull, 1, PT_RWU);
	l2->flush = true;
	l2_read(l2, at);
	l2_check_value(l2, 0xcccc0001);
	l2_write(l2, at, 0xcccc0004);
	l2_check_done(l2);
	check("L1 sees", *word, 0xcccc0004);
	*word = *l2_large_frame(0x72010) = 0;
}

void points_remap(const struct l2_kind *kind)
{
	struct l2 *l2;

	if (!tap_group(kind->name, "remap"))
		return;
	l2 = l2_new(0, kind);
	small_pages(l2);
	tables(l2);
	sizes(l2);
}
