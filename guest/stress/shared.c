/*
 * Tables that are found twice: one under many parents, and tables that are their own. Relies on
 * stress.h.
 */
#include "guest/stress/stress.h"

enum { TREE_PAGES = 24, PARENTS = 512 };

#define FINAL    (NPF_FINAL | NPF_USER)
#define VALUE    0x54a6ed00u
#define UPPER    (SIZE_1G - SIZE_2M)
#define AD       ((uint32_t)(PT_ACCESSED | PT_DIRTY))
#define PAGES_AT 3u /* of the shared table: where its pages begin */

/* A new L2 with tables of its own, and a page at STRESS_FAR. */
static struct l2 *fresh(struct pt *tree)
{
	struct l2 *l2 = l2_new(0, &l2_prot);

	stress_tree(tree, l2, TREE_PAGES);
	pt_map(tree, STRESS_FAR + PAGES_AT * PAGE_SIZE, l2_gpa(l2_small_frame(l2, 0)), 1, PT_RWU);
	pt_map(tree, STRESS_FAR + SIZE_1G, l2_gpa(l2_small_frame(l2, 15)), 1, PT_RWU);
	stress_use(l2, tree);
	return l2;
}

/* The shared table's page, under the n-th of its parents. */
static uint64_t under(unsigned int parent, unsigned int page)
{
	return STRESS_FAR + parent * SIZE_2M + (PAGES_AT + page) * PAGE_SIZE;
}

static bool all_read(struct l2 *l2, unsigned int page, uint32_t value)
{
	for (unsigned int parent = 0; parent < 2 * PARENTS; parent++) {
		l2_read(l2, under(parent, page));
		if (!l2_check_value(l2, value))
			return false;
	}
	return true;
}

static bool all_fault(struct l2 *l2, unsigned int page, uint64_t why)
{
	for (unsigned int parent = 0; parent < 2 * PARENTS; parent++) {
		if (why & NPF_WRITE)
			l2_write(l2, under(parent, page), 1);
		else
			l2_read(l2, under(parent, page));
		if (!l2_check_npf(l2, FINAL | why, under(parent, page)))
			return false;
	}
	return true;
}

static void many_parents(void)
{
	struct pt tree;
	struct l2 *l2 = fresh(&tree);
	uint64_t table = pt_get(&tree, under(0, 0), 2) & ~(uint64_t)AD, page;

	for (unsigned int parent = 1; parent < 2 * PARENTS; parent++)
		pt_set(&tree, under(parent, 0), 2, table);
	for (unsigned int n = 0; n < 2; n++)
		*l2_small_frame(l2, n) = VALUE + n;

	point("one table under many parents shows its page under each");
	all_read(l2, 0, VALUE);

	point("a page that L1 adds to it shows under each, without a flush");
	pt_map(&tree, under(0, 1), l2_gpa(l2_small_frame(l2, 1)), 1, PT_RWU);
	all_read(l2, 1, VALUE + 1);

	point("a page that moves in it moves under each");
	pt_map(&tree, under(0, 0), l2_gpa(l2_small_frame(l2, 1)), 1, PT_RWU);
	l2->flush = true;
	all_read(l2, 0, VALUE + 1);

	point("a page that becomes read-only in it does so under each");
	page = pt_get(&tree, under(0, 0), 1);
	pt_set(&tree, under(0, 0), 1, page & ~(uint64_t)PT_WRITE);
	l2->flush = true;
	all_fault(l2, 0, NPF_PRESENT | NPF_WRITE);

	point("a parent that is read-only makes the page so there only");
	pt_set(&tree, under(0, 0), 1, page);
	pt_set(&tree, under(7, 0), 2, table & ~(uint64_t)PT_WRITE);
	l2->flush = true;
	l2_write(l2, under(7, 0), VALUE + 5);
	l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, under(7, 0));
	l2_write(l2, under(8, 0), VALUE + 6);
	l2_check_done(l2);
	l2_read(l2, under(7, 0));
	l2_check_value(l2, VALUE + 6);

	point("a page that goes from it goes under each");
	pt_set(&tree, under(0, 0), 1, 0);
	l2->flush = true;
	all_fault(l2, 0, 0);
}

/* A level 2 table that is a page table under its own last entry. */
static void own_table(void)
{
	struct pt tree;
	struct l2 *l2 = fresh(&tree);
	uint64_t table, at, entry, at_entry;

	table = pt_entry_address(&tree, STRESS_FAR, 2) & ~(uint64_t)(PAGE_SIZE - 1);
	pt_set(&tree, STRESS_FAR + UPPER, 2, table | PT_RWU);
	*l2_small_frame(l2, 0) = VALUE;
	*l2_small_frame(l2, 1) = VALUE + 1;

	point("a table that names itself shows the tables under it as pages");
	at = STRESS_FAR + UPPER; /* entry 0 names the page table of STRESS_FAR */
	l2_read(l2, at + PAGES_AT * 8);
	l2_check_done(l2);
	check("the entry that L2 sees", l2_eax(l2) & ~AD,
	      pt_get(&tree, under(0, 0), 1) & ~AD & 0xffffffff);

	point("a table that names itself shows itself as a page");
	at = STRESS_FAR + UPPER + (SIZE_2M - PAGE_SIZE);
	l2_read(l2, at);
	l2_check_done(l2);
	check("the entry that L2 sees", l2_eax(l2) & ~AD,
	      pt_get(&tree, STRESS_FAR, 2) & ~AD & 0xffffffff);

	point("a page that L2 itself adds to its nested tables is there");
	entry = l2_gpa(l2_small_frame(l2, 1)) | PT_RWU;
	at_entry = STRESS_FAR + UPPER + (PAGES_AT + 1) * 8;
	l2_read(l2, under(0, 1));
	l2_check_npf(l2, FINAL, under(0, 1));
	l2_write(l2, at_entry, (uint32_t)entry);
	l2_check_done(l2);
	l2_read(l2, under(0, 1));
	l2_check_value(l2, VALUE + 1);

	point("a page that L2 itself takes from its nested tables is gone after a flush");
	l2_write(l2, at_entry, 0);
	l2_check_done(l2);
	l2->flush = true;
	l2_read(l2, under(0, 1));
	l2_check_npf(l2, FINAL, under(0, 1));

	point("a page that L2 itself moves is moved after a flush");
	l2_write(l2, STRESS_FAR + UPPER + PAGES_AT * 8, (uint32_t)entry);
	l2_check_done(l2);
	l2->flush = true;
	l2_read(l2, under(0, 0));
	l2_check_value(l2, VALUE + 1);
}

/* A page table that is one of its own pages. */
static void own_page(void)
{
	struct pt tree;
	struct l2 *l2 = fresh(&tree);
	uint64_t table = pt_entry_address(&tree, STRESS_FAR, 1) & ~(uint64_t)(PAGE_SIZE - 1);
	uint64_t at = STRESS_FAR + 9 * PAGE_SIZE;

	pt_set(&tree, at, 1, table | PT_RWU);
	*l2_small_frame(l2, 0) = VALUE;
	*l2_small_frame(l2, 1) = VALUE + 1;

	point("a page table that maps itself can be edited by L2");
	l2_read(l2, under(0, 0));
	l2_check_value(l2, VALUE);
	l2_write(l2, at + PAGES_AT * 8, (uint32_t)(l2_gpa(l2_small_frame(l2, 1)) | PT_RWU));
	l2_check_done(l2);
	l2->flush = true;
	l2_read(l2, under(0, 0));
	l2_check_value(l2, VALUE + 1);

	point("a write to it through itself sets D in it");
	check("A and D", pt_get(&tree, at, 1) & AD, AD);

	point("a page table that maps itself read-only cannot be edited by L2");
	pt_set(&tree, at, 1, table | PT_PRESENT | PT_USER);
	l2->flush = true;
	l2_write(l2, at, 1);
	l2_check_npf(l2, FINAL | NPF_PRESENT | NPF_WRITE, at);
}

/* A level 4 table that is every table below it, down to the page: entries there are of one kind. */
static void own_tree(void)
{
	struct pt tree;
	struct l2 *l2;
	uint64_t table, ngva = l2_long.alias + L2_END, ngpa = (1ull << 40) - PAGE_SIZE;

	point("a table that names itself at every level shows itself as a page");
	if (l2_format->levels < 4 || machine.physical_bits < 40) {
		point_skip("entries of a PAE root are not those of its tables");
		return;
	}
	l2 = l2_new(0, &l2_long); /* no other reaches such an ngpa */
	stress_tree(&tree, l2, TREE_PAGES);
	stress_use(l2, &tree);
	table = pt_entry_address(&tree, 0, 4) & ~(uint64_t)(PAGE_SIZE - 1);
	/* The ngpa's index is 1 at level 4, and 511 below. */
	*stress_word(table + 8) = *stress_word(table + PAGE_SIZE - 8) = (uint32_t)table | PT_RWU;
	pt_map(&l2->own, ngva, ngpa, 1, PT_RW);
	l2->regs.rbx = ngva;
	l2_start(l2, L2_READ);
	l2_check_done(l2);
	check("the entry that L2 sees", l2_eax(l2) & ~AD, *stress_word(table) & ~AD);
}

void stress_shared(void)
{
	uint64_t mark = stress_free_start();

	if (!tap_group("stress", "shared"))
		return;
	many_parents();
	own_table();
	own_page();
	own_tree();
	point_end();
	stress_release(mark);
}
