/*
 * Nested faults on the final address: missing, read-only and no-execute pages; each time L1 gives
 * the right and resumes L2, without a flush, since more access needs none. Relies on guest/lib.
 * EXITINFO1 and EXITINFO2 of #VMEXIT(NPF) are APM 15.25.6.
 */
#include "guest/points/points.h"

/* Nested accesses are user accesses, and these are on the final address. */
#define FINAL (NPF_FINAL | NPF_USER)

static void missing(struct l2 *l2)
{
	uint64_t read_at = L2_SMALL + PAGE_SIZE + 0x124,
		 write_at = L2_SMALL + 2 * PAGE_SIZE + 0x248;
	uint64_t read_page = pt_get(&l2->npt, read_at, 1),
		 write_page = pt_get(&l2->npt, write_at, 1);
	uint64_t exec_page = pt_get(&l2->npt, L2_EXEC, 1);

	pt_set(&l2->npt, read_at, 1, 0);
	pt_set(&l2->npt, write_at, 1, 0);
	pt_set(&l2->npt, L2_EXEC, 1, 0);
	l2_small_frame(l2, 1)[0x124 / 4] = 0x11111111;

	point("a read of a missing page faults");
	l2_read(l2, read_at);
	l2_check_npf(l2, FINAL, read_at);

	point("a read of a missing page faults again if L1 does nothing");
	l2_run(l2);
	l2_check_npf(l2, FINAL, read_at);

	point("a read goes on once L1 has mapped the page");
	pt_set(&l2->npt, read_at, 1, read_page);
	l2_run(l2);
	l2_check_value(l2, 0x11111111);

	point("a write to a missing page faults");
	l2_write(l2, write_at, 0x22222222);
	l2_check_npf(l2, FINAL | NPF_WRITE, write_at);

	point("a write goes on once L1 has mapped the page");
	pt_set(&l2->npt, write_at, 1, write_page);
	l2_run(l2);
	l2_check_done(l2);
	check("L1 sees", l2_small_frame(l2, 2)[0x248 / 4], 0x22222222);

	point("a fetch from a missing page faults");
	l2_fetch(l2);
	l2_check_npf(l2, FINAL | NPF_FETCH, L2_EXEC);

	point("a fetch goes on once L1 has mapped the page");
	pt_set(&l2->npt, L2_EXEC, 1, exec_page);
	l2_run(l2);
	l2_check_value(l2, L2_FETCHED_VALUE);
}

static void missing_table(struct l2 *l2)
{
	uint64_t at = L2_HOLE + 0x21000 + 0x10;

	point("a read where L1 has no table faults");
	l2_read(l2, at);
	l2_check_npf(l2, FINAL, at);

	point("a read goes on once L1 has added the table");
	l2_spare_frame(0)[4] = 0x7ab1e;
	pt_map(&l2->npt, at & ~0xfffull, l2_gpa(l2_spare_frame(0)), 1, PT_RWU);
	l2_run(l2);
	l2_check_value(l2, 0x7ab1e);

	/* Missing, not forbidden: with U=0 the page is there, but no access of L2 may have it. */
	point("a page that L1 keeps for the supervisor faults as present");
	if (!l2->nested) {
		point_skip(l2_lacks_nesting);
		return;
	}
	pt_map(&l2->npt, at & ~0xfffull, l2_gpa(l2_spare_frame(0)), 1, PT_RW);
	l2->flush = true;
	l2_read(l2, at);
	l2_check_npf(l2, FINAL | NPF_PRESENT, at);
}

static void read_only(struct l2 *l2)
{
	uint64_t at = L2_SMALL + 3 * PAGE_SIZE + 0x80;
	uint64_t page = pt_get(&l2->npt, at, 1);
	uint32_t *word = &l2_small_frame(l2, 3)[0x80 / 4];

	pt_set(&l2->npt, at, 1, page & ~PT_WRITE);
	*word = 0x33333333;
	l2->flush = true;

	point("a read of a read-only page works");
	l2_read(l2, at);
	l2_check_value(l2, 0x33333333);

	point("a write to a read-only page faults, and changes nothing");
	l2_write(l2, at, 0x44444444);
	l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, at);
	check("L1 sees", *word, 0x33333333);

	point("a write goes on once L1 has made the page writable");
	pt_set(&l2->npt, at, 1, page);
	l2_run(l2);
	l2_check_done(l2);
	check("L1 sees", *word, 0x44444444);

	point("an instruction that reads and writes faults as a write");
	pt_set(&l2->npt, at, 1, page & ~PT_WRITE);
	l2->flush = true;
	l2->regs.rbx = l2->alias + at;
	l2->vmcb->save.rax = 0x11111111;
	l2_start(l2, L2_ADD);
	l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, at);
	pt_set(&l2->npt, at, 1, page);
	l2_run(l2);
	l2_check_done(l2);
	check("L1 sees", *word, 0x55555555);
}

static void no_execute(struct l2 *l2)
{
	bool nx = l2->npt.format->nx;
	uint64_t page = pt_get(&l2->npt, L2_EXEC, 1);

	pt_set(&l2->npt, L2_EXEC, 1, page | (nx ? PT_NX : 0));
	l2->flush = true;

	point("a read of a no-execute page works");
	l2_read(l2, L2_EXEC);
	l2_check_value(l2, *(uint32_t *)(l2->low + L2_EXEC));

	point("a fetch from a no-execute page faults");
	l2_fetch(l2);
	if (nx)
		l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_FETCH, L2_EXEC);
	else
		point_skip("the nested format has no NX");

	point("a fetch goes on once L1 has made the page executable");
	pt_set(&l2->npt, L2_EXEC, 1, page);
	if (nx)
		l2_run(l2);
	l2_check_value(l2, L2_FETCHED_VALUE);
}

static void large(struct l2 *l2)
{
	uint64_t at = L2_LARGE + 0x1234;
	uint64_t page = pt_get(&l2->npt, at, 2);
	bool possible = l2->npt.format->level[2].large;

	point("a write to a large read-only page faults");
	if (possible) {
		pt_set(&l2->npt, at, 2, page & ~PT_WRITE);
		l2->flush = true;
		l2_write(l2, at, 0x66666666);
		l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, at);
		pt_set(&l2->npt, at, 2, page);
	} else {
		point_skip("the nested format has no large pages");
	}

	point("a read of a large missing page faults");
	if (possible) {
		pt_set(&l2->npt, at, 2, 0);
		l2->flush = true;
		l2_read(l2, at);
		l2_check_npf(l2, FINAL, at);
		*l2_large_frame(0x1234) = 0x77777777;
		pt_set(&l2->npt, at, 2, page);
		l2_run(l2);
		l2_check_value(l2, 0x77777777);
		*l2_large_frame(0x1234) = 0;
	} else {
		point_skip("the nested format has no large pages");
	}
}

void points_fault(const struct l2_kind *kind)
{
	struct l2 *l2;

	if (!tap_group(kind->name, "fault"))
		return;
	l2 = l2_new(0, kind);
	missing(l2);
	missing_table(l2);
	read_only(l2);
	no_execute(l2);
	large(l2);
}
