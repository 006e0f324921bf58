/*
 * Several L2s: each under an ASID of its own, or all under one with flushes; TLB_CONTROL and
 * INVLPGA. Relies on guest/lib; APM 15.16. checklist.md: Entry.
 */
#include "guest/points/points.h"

#define AT    (L2_SMALL + 0x60u)
#define VALUE 0xa51d0000u

enum { ROUNDS = 8, FRAME_A = 7, FRAME_B, FRAME_C };

/* A page whose frame L1 changes between runs under several ASIDs. */
#define SHARED (L2_SMALL + FRAME_A * PAGE_SIZE)

static const struct l2_kind *const kinds[L2_SLOTS] = {&l2_real, &l2_pae, &l2_prot, &l2_pse};

/* L2s that read different values at one ngpa. Spare frames and maps are shared by all. */
static void make(struct l2 *l2s[L2_SLOTS], unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		l2s[i] = l2_new(i, kinds[i]);
		l2_small_frame(l2s[i], 0)[0x60 / 4] = VALUE + i;
		l2_small_frame(l2s[i], 1)[0x60 / 4] = VALUE + 0x100 + i;
	}
}

static void alternate(struct l2 *l2s[L2_SLOTS], unsigned int count, bool one_asid)
{
	for (unsigned int i = 0; i < count; i++)
		l2s[i]->vmcb->control.asid = one_asid ? 1 : i + 1;
	for (unsigned int n = 0; n < count * ROUNDS; n++) {
		struct l2 *l2 = l2s[n % count];

		l2->flush |= one_asid;
		l2_read(l2, AT);
		if (!l2_check_value(l2, VALUE + n % count))
			return;
	}
}

/* Points L2's first small page at the frame of the second. */
static void move(struct l2 *l2)
{
	pt_map(&l2->npt, AT & ~0xfffu, l2_gpa(l2_small_frame(l2, 1)), 1, PT_RWU);
}

static void run_with(struct l2 *l2, enum tlb_control control)
{
	l2_aim(l2, L2_READ);
	l2->vmcb->control.tlb_control = control;
	svm_run(&l2->regs, l2->vmcb);
}

static void flush_by(enum tlb_control control, const char *lacks)
{
	struct l2 *l2s[L2_SLOTS];

	make(l2s, 1);
	l2_read(l2s[0], AT);
	l2_check_value(l2s[0], VALUE);
	move(l2s[0]);
	if (lacks) {
		point_skip(lacks);
		return;
	}
	l2s[0]->regs.rbx = l2s[0]->alias + AT;
	run_with(l2s[0], control);
	l2_check_value(l2s[0], VALUE + 0x100);
}

/*
 * X and Y share an ASID. X's tables change; Y's run flushes; X's next run, without a flush of its
 * own, must show the change. X reads an ngva that Y never used, so nothing of Y's is in its way.
 */
static void through_another(enum tlb_control control, const char *lacks)
{
	struct l2 *x = l2_new(0, &l2_pae), *y = l2_new(1, &l2_prot);
	uint64_t at = L2_SMALL + 5 * PAGE_SIZE;

	l2_small_frame(x, 5)[0] = VALUE;
	l2_small_frame(x, 6)[0] = VALUE + 1;
	y->vmcb->control.asid = x->vmcb->control.asid;
	y->flush = false;
	/* Both have their code at the same ngva, and it is the same code. */
	l2_read(x, at);
	l2_check_value(x, VALUE);
	pt_map(&x->npt, at, l2_gpa(l2_small_frame(x, 6)), 1, PT_RWU);
	if (lacks) {
		point_skip(lacks);
		return;
	}
	l2_aim(y, L2_VMMCALL);
	y->vmcb->control.tlb_control = control;
	svm_run(&y->regs, y->vmcb);
	l2_check_done(y);
	l2_read(x, at);
	l2_check_value(x, VALUE + 1);
}

static void map_frame(struct l2 *l2, unsigned int frame)
{
	pt_map(&l2->npt, SHARED, l2_gpa(l2_small_frame(l2, frame)), 1, PT_RWU);
}

/* Runs L2 under an ASID with its shared page at this frame, without a flush. */
static void run_under(struct l2 *l2, uint32_t asid, unsigned int frame)
{
	map_frame(l2, frame);
	l2->vmcb->control.asid = asid;
	l2_read(l2, SHARED);
	l2_check_value(l2, VALUE + frame);
}

static struct l2 *with_frames(void)
{
	struct l2 *l2 = l2_new(0, &l2_pae);

	for (unsigned int frame = FRAME_A; frame <= FRAME_C; frame++)
		l2_small_frame(l2, frame)[0] = VALUE + frame;
	return l2;
}

/*
 * One L2, the same tables, two ASIDs: a TLB loads entries of an ASID only while it runs. So what
 * stood in the tables between two runs of an ASID it never shows, whoever else used it then.
 */
static void same_tables(void)
{
	struct l2 *l2 = with_frames();

	for (unsigned int n = 0; n < ROUNDS; n++) {
		run_under(l2, 1, FRAME_A);
		run_under(l2, 2, FRAME_B);
	}
}

static void filled_by_another(void)
{
	struct l2 *l2 = with_frames();

	l2_read(l2, AT);
	run_under(l2, 2, FRAME_B);
	run_under(l2, 1, FRAME_A);
}

static void flushed_by_another(const char *lacks)
{
	struct l2 *l2 = with_frames();

	run_under(l2, 1, FRAME_A);
	run_under(l2, 2, FRAME_A);
	if (lacks) {
		point_skip(lacks);
		return;
	}
	map_frame(l2, FRAME_B);
	l2->regs.rbx = l2->alias + SHARED;
	run_with(l2, TLB_CONTROL_FLUSH_ASID);
	l2_check_value(l2, VALUE + FRAME_B);
	map_frame(l2, FRAME_C);
	l2->vmcb->control.asid = 1;
	l2_read(l2, SHARED);
	if (l2_eax(l2) != VALUE + FRAME_A)
		l2_check_value(l2, VALUE + FRAME_C);
}

static void by_address(void)
{
	struct l2 *l2 = l2_new(0, &l2_pae);
	uint64_t ngva = l2->alias + L2_SCRATCH;

	*(uint32_t *)(l2->low + L2_SCRATCH) = VALUE;
	l2_small_frame(l2, 0)[0] = VALUE + 1;
	l2_read(l2, L2_SCRATCH);
	l2_check_value(l2, VALUE);
	pt_map(&l2->own, ngva, l2->nested ? L2_SMALL : l2_gpa(l2_small_frame(l2, 0)), 1, PT_RW);
	invlpga(ngva, l2->vmcb->control.asid);
	l2_read(l2, L2_SCRATCH);
	l2_check_value(l2, VALUE + 1);
}

static void two_asids(const char *lacks)
{
	point("under each of two ASIDs one L2 sees what its tables said while it ran");
	same_tables();
	point("what another ASID came to see meanwhile does not show");
	filled_by_another();
	point("what another ASID's flush showed to it meanwhile does not show");
	flushed_by_another(lacks);
}

void points_asid(void)
{
	const char *lacks = (machine.svm_features & SVM_FEATURE_FLUSH_ASID)
	                            ? NULL
	                            : "the processor cannot flush by ASID";
	unsigned int count = machine.asids > L2_SLOTS ? L2_SLOTS : machine.asids - 1;
	struct l2 *l2s[L2_SLOTS];

	if (!tap_group("machine", "asid"))
		return;

	point("several L2s under ASIDs of their own keep their memory apart");
	make(l2s, count);
	alternate(l2s, count, false);

	point("several L2s under one ASID keep their memory apart by flushes");
	make(l2s, L2_SLOTS);
	alternate(l2s, L2_SLOTS, true);

	point("TLB_CONTROL=1 shows an edit of the nested tables");
	flush_by(TLB_CONTROL_FLUSH_ALL, NULL);
	point("TLB_CONTROL=3 shows an edit of the nested tables");
	flush_by(TLB_CONTROL_FLUSH_ASID, lacks);
	point("TLB_CONTROL=7 shows an edit of the nested tables");
	flush_by(TLB_CONTROL_FLUSH_ASID_NONGLOBAL, lacks);

	point("an L2 that flushes the ASID shows the edit to another one");
	through_another(TLB_CONTROL_FLUSH_ALL, NULL);
	point("an L2 that flushes by ASID shows the edit to another one");
	through_another(TLB_CONTROL_FLUSH_ASID, lacks);

	if (machine.asids > 2)
		two_asids(lacks);

	point("INVLPGA shows an edit of L2's own tables");
	by_address();
}
