/*
 * Several L2s of different modes that take turns, under ASIDs that they share or do not, while L1
 * edits their nested tables at random. What each must see is kept beside; an edit that takes
 * something away is followed by a flush some time before the page is used again. Relies on
 * stress.h.
 */
#include "guest/stress/stress.h"

enum { TREE_PAGES = 24, PAGES = 64, EDITS = 8, PART = 4 };

#define FINAL (NPF_FINAL | NPF_USER)

/* What a nested page is to L2: the frame, none of all, and whether it can be written. */
struct page {
	unsigned int frame;
	bool there, writable;
};

struct guest {
	struct l2 *l2;
	struct pt tree;
	struct page pages[PAGES];
};

static struct guest guests[L2_SLOTS];
static uint64_t frames;
static uint32_t values[PAGES]; /* of the frames */

static uint64_t ngpa_of(unsigned int page)
{
	/* Spread over several tables; L2 reaches it with its own tables, too. */
	return page < PAGES / 2 ? L2_LARGE + page * PAGE_SIZE
	                        : L2_HOLE + (page - PAGES / 2) * 17 * PAGE_SIZE;
}

static void show(struct guest *guest, unsigned int page)
{
	const struct page *p = &guest->pages[page];
	uint64_t flags = p->there ? PT_PRESENT | PT_USER | (p->writable ? PT_WRITE : 0) : 0;

	pt_map(&guest->tree, ngpa_of(page), frames + p->frame * PAGE_SIZE, 1, flags);
}

static void make(unsigned int n, const struct l2_kind *kind)
{
	struct guest *guest = &guests[n];

	guest->l2 = l2_new(n, kind);
	stress_tree(&guest->tree, guest->l2, TREE_PAGES);
	for (unsigned int page = 0; page < PAGES; page++) {
		guest->pages[page] = (struct page){stress_below(PAGES), true, true};
		show(guest, page);
	}
	stress_use(guest->l2, &guest->tree);
}

/* Any change, and the flush that it needs; a page that gets more only needs none. */
static void edit(struct guest *guest)
{
	unsigned int page = stress_below(PAGES);
	struct page old = guest->pages[page], *p = &guest->pages[page];

	p->there = stress_below(4) != 0;
	p->writable = stress_below(3) != 0;
	if (stress_below(2))
		p->frame = stress_below(PAGES);
	show(guest, page);
	if (old.there && (!p->there || p->frame != old.frame || (old.writable && !p->writable)))
		guest->l2->flush = true;
}

static bool use(struct guest *guest)
{
	unsigned int page = stress_below(PAGES);
	const struct page *p = &guest->pages[page];
	struct l2 *l2 = guest->l2;
	uint64_t ngpa = ngpa_of(page);

	if (stress_below(2)) {
		l2_read(l2, ngpa);
		if (!p->there)
			return l2_check_npf(l2, FINAL, ngpa);
		return l2_check_value(l2, values[p->frame]);
	}
	l2_write(l2, ngpa, stress_random());
	if (!p->there)
		return l2_check_npf(l2, FINAL | NPF_WRITE, ngpa);
	if (!p->writable)
		return l2_check_npf(l2, FINAL | NPF_WRITE | NPF_PRESENT, ngpa);
	values[p->frame] = l2_eax(l2);
	return l2_check_done(l2) &&
	       check("L1 sees", *stress_word(frames + p->frame * PAGE_SIZE), values[p->frame]);
}

/* Under an ASID that another L2 had before, L2 must flush; under its own it need not. */
static void turns(bool own_asids)
{
	unsigned int count = own_asids && machine.asids <= L2_SLOTS ? machine.asids - 1 : L2_SLOTS;

	for (unsigned int round = 0; round < stress_rounds / PART + PART; round++) {
		struct guest *guest = &guests[stress_below(count)];

		for (unsigned int n = stress_below(EDITS); n > EDITS / 2; n--)
			edit(guest);
		if (!own_asids) {
			guest->l2->vmcb->control.asid = 1 + stress_below(machine.asids - 1);
			guest->l2->flush = true;
		}
		if (!use(guest))
			return;
	}
}

void stress_alternate(void)
{
	static const struct l2_kind *const kinds[L2_SLOTS] = {&l2_prot, &l2_pae, &l2_real, NULL};
	uint64_t mark = stress_free_start();

	if (!tap_group("stress", "alternate"))
		return;
	frames = stress_pages(PAGES);
	for (unsigned int i = 0; i < PAGES; i++)
		values[i] = *stress_word(frames + i * PAGE_SIZE) = stress_random();
	for (unsigned int n = 0; n < L2_SLOTS; n++)
		make(n, kinds[n] ? kinds[n] : l2_widest());

	point("several L2s under ASIDs of their own see every edit of theirs");
	turns(true);
	point("several L2s under any ASID, with flushes, see every edit of theirs");
	turns(false);
	point_end();
	stress_release(mark);
}
