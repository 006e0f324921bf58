/*
 * All free memory in 4 KiB nested pages, by several sets of nested tables at once, each of which
 * has it in another order: more tables than the default pool of Nestling has shadow pages. Every
 * page has a tag of its own. Relies on stress.h.
 */
#include "guest/stress/stress.h"

enum {
	TREES = 12,
	STRIDE = 16, /* of all trees but the first, which is touched page by page */
	PART = 32,   /* of rounds= are what is done at random */
	WINDOW = 32,
	ADDED = 0x11,
};

#define MOST_PAGES ((unsigned int)((0xfff00000u - STRESS_FAR) / PAGE_SIZE))

static struct pt trees[TREES];
static uint64_t frames;    /* the first one's gpa */
static unsigned int count; /* of frames, and of pages in each tree */

static uint32_t tag(unsigned int frame)
{
	return frame * 2654435769u + 12345;
}

static uint32_t rotate(uint32_t value)
{
	return value << 1 | value >> 31;
}

/* The frame that a tree has at its n-th page. */
static unsigned int frame_of(unsigned int tree, unsigned int page)
{
	return (page + tree * 1237) % count;
}

static uint64_t ngpa_of(unsigned int page)
{
	return STRESS_FAR + (uint64_t)page * PAGE_SIZE;
}

static volatile uint32_t *word_of(unsigned int frame)
{
	return stress_word(frames + (uint64_t)frame * PAGE_SIZE);
}

static void make(const struct l2 *l2)
{
	unsigned int tables = 16, entries = PAGE_SIZE / l2_format->entry_bytes;
	uint64_t all = (stress_free_end() - stress_free_start()) / PAGE_SIZE;

	count = all < MOST_PAGES ? (unsigned int)all : MOST_PAGES;
	/* The first one has to do for everything(), too, from 0 on. */
	tables += (unsigned int)(stress_top() / PAGE_SIZE) / entries;
	count -= TREES * tables;
	for (unsigned int t = 0; t < TREES; t++)
		stress_tree(&trees[t], l2, tables);
	frames = stress_free_start();
	for (unsigned int n = 0; n < count; n++)
		*word_of(n) = tag(n);
	for (unsigned int t = 0; t < TREES; t++) {
		for (unsigned int n = 0; n < count; n++)
			pt_map(&trees[t], ngpa_of(n), frames + (uint64_t)frame_of(t, n) * PAGE_SIZE,
			       1, PT_RWU);
	}
}

/* L2 reads some pages of a tree, in one go, and must see their tags. */
static bool sum(struct l2 *l2, unsigned int tree, unsigned int first, unsigned int pages,
                unsigned int stride)
{
	uint32_t expected = 0;

	for (unsigned int i = 0; i < pages; i++)
		expected = rotate(expected) + tag(frame_of(tree, first + i * stride));
	stress_use(l2, &trees[tree]);
	l2->vmcb->save.rax = 0;
	l2->regs.rbx = ngpa_of(first);
	l2->regs.rcx = pages;
	l2->regs.rdx = stride * PAGE_SIZE;
	l2_start(l2, L2_SUM_PAGES);
	return l2_check_value(l2, expected);
}

static void write_all(struct l2 *l2)
{
	stress_use(l2, &trees[0]);
	l2->vmcb->save.rax = ADDED;
	l2->regs.rbx = ngpa_of(0);
	l2->regs.rcx = count;
	l2->regs.rdx = PAGE_SIZE;
	l2_start(l2, L2_ADD_PAGES);
	l2_check_done(l2);
	for (unsigned int n = 0; n < count; n++) {
		if (!check("word of a page", *word_of(n), tag(n) + ADDED))
			break;
	}
	for (unsigned int n = 0; n < count; n++)
		*word_of(n) = tag(n);
}

static void in_turn(struct l2 *l2)
{
	for (unsigned int i = 0; i < stress_rounds / PART + PART; i++) {
		unsigned int first = stress_below(count - WINDOW);

		if (!sum(l2, stress_below(TREES), first, WINDOW, 1))
			return;
	}
}

static void edits(struct l2 *l2)
{
	for (unsigned int i = 0; i < stress_rounds / PART + PART; i++) {
		struct pt *tree = &trees[stress_below(TREES)];
		unsigned int page = stress_below(count), frame = stress_below(count);
		uint64_t old = pt_get(tree, ngpa_of(page), 1);

		pt_set(tree, ngpa_of(page), 1, (frames + (uint64_t)frame * PAGE_SIZE) | PT_RWU);
		stress_use(l2, tree);
		l2_read(l2, ngpa_of(page));
		if (!l2_check_value(l2, tag(frame)))
			return;
		if (i % 2)
			continue;
		pt_set(tree, ngpa_of(page), 1, 0);
		l2->flush = true;
		l2_read(l2, ngpa_of(page));
		if (!l2_check_npf(l2, NPF_FINAL | NPF_USER, ngpa_of(page)))
			return;
		pt_set(tree, ngpa_of(page), 1, old);
	}
}

/* What L1 itself lives in, and tables, too: only that L2 gets through it counts. */
static void everything(struct l2 *l2)
{
	uint64_t end = stress_top();

	stress_use(l2, &trees[0]);
	for (uint64_t gpa = 0; gpa < end && gpa < MOST_PAGES * (uint64_t)PAGE_SIZE;
	     gpa += PAGE_SIZE) {
		if (memory_usable(gpa, gpa + PAGE_SIZE))
			pt_map(&l2->npt, STRESS_FAR + gpa, gpa, 1, PT_RWU);
		else if (pt_entry(&l2->npt, STRESS_FAR + gpa, 1))
			pt_set(&l2->npt, STRESS_FAR + gpa, 1, 0);
	}
	for (unsigned int i = 0; memory_range(i); i++) {
		uint64_t from = (memory_range(i)->start + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ull);
		uint64_t to = memory_range(i)->end & ~(PAGE_SIZE - 1ull);

		to = to < end ? to : end;
		if (!memory_range(i)->usable || from >= to)
			continue;
		l2->regs.rbx = STRESS_FAR + from;
		l2->regs.rcx = (to - from) / PAGE_SIZE;
		l2->regs.rdx = PAGE_SIZE;
		l2_start(l2, L2_SUM_PAGES);
		l2_check_done(l2);
	}
}

void stress_all_memory(void)
{
	uint64_t mark = stress_free_start();
	struct l2 *l2;

	if (!tap_group("stress", "memory"))
		return;
	l2 = l2_new(0, &l2_prot);
	make(l2);

	point("all of memory in small pages is read");
	sum(l2, 0, 0, count, 1);
	point("all of memory in small pages is written");
	write_all(l2);
	point("several sets of tables have all of memory");
	for (unsigned int t = 1; t < TREES; t++)
		sum(l2, t, 0, count / STRIDE, STRIDE);
	point("several sets of tables, in turn, show their own pages");
	in_turn(l2);
	point("edits in any of them show");
	edits(l2);
	point("the memory that L1 lives in is read as well");
	everything(l2);
	point_end();
	stress_release(mark);
}
