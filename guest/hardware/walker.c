/*
 * A and D of nested tables, as dirty tracking relies on them (docs/shadow-paging.md): once software
 * has cleared them and flushed, by ASID or all, the processor sets them again where L2 comes by,
 * and D where L2 or the walk of its tables writes, and nowhere else. Relies on guest/lib;
 * APM 15.25.5 and 5.4.2.
 */
#include "guest/hardware/hardware.h"

#define PAGE(n) (L2_SMALL + (n)*PAGE_SIZE)
#define AD      (PT_ACCESSED | PT_DIRTY)

static const struct flush {
	enum tlb_control control;
	const char *name;
	bool by_asid;
} flushes[] = {
	{TLB_CONTROL_FLUSH_ALL, "TLB_CONTROL=1", false},
	{TLB_CONTROL_FLUSH_ASID, "TLB_CONTROL=3", true},
	{TLB_CONTROL_FLUSH_ASID_NONGLOBAL, "TLB_CONTROL=7", true},
};

static uint64_t bits(const struct l2 *l2, uint64_t ngpa, unsigned int level)
{
	return pt_get(&l2->npt, ngpa, level) & AD;
}

static void clear(struct l2 *l2, uint64_t ngpa, unsigned int level, uint64_t which)
{
	pt_clear(&l2->npt, ngpa, level, which);
}

/* A PDPTE of a PAE table has no A. */
static bool has_a(const struct l2 *l2, unsigned int level)
{
	return l2->npt.format->level[level].table_flags != PT_PRESENT;
}

static void clear_upper(struct l2 *l2, uint64_t ngpa)
{
	for (unsigned int level = 2; level <= l2->npt.format->levels; level++) {
		if (has_a(l2, level))
			clear(l2, ngpa, level, PT_ACCESSED);
	}
}

static void check_upper(struct l2 *l2, uint64_t ngpa)
{
	for (unsigned int level = 2; level <= l2->npt.format->levels; level++) {
		if (has_a(l2, level) &&
		    !check("A above", bits(l2, ngpa, level) & PT_ACCESSED, PT_ACCESSED))
			point_fail("# level %u\n", level);
	}
}

static bool flush_point(const struct flush *flush, const char *what)
{
	point_named("%s after %s", what, flush->name);
	if (!flush->by_asid || (machine.svm_features & SVM_FEATURE_FLUSH_ASID))
		return true;
	point_skip("the processor cannot flush by ASID");
	return false;
}

/* A page that L2 has written, and has cached with D=1 if the processor caches. */
static struct l2 *written(uint64_t ngpa)
{
	struct l2 *l2 = l2_new(0, l2_widest());

	write_with(l2, ngpa, TLB_CONTROL_FLUSH_ALL);
	write_with(l2, ngpa, TLB_CONTROL_NONE);
	return l2;
}

static void dirty_again(const struct flush *flush, uint64_t ngpa, unsigned int level)
{
	struct l2 *l2 = written(ngpa);

	check("A and D before", bits(l2, ngpa, level), AD);
	clear(l2, ngpa, level, PT_DIRTY);
	write_with(l2, ngpa, flush->control);
	check("A and D", bits(l2, ngpa, level), AD);
	clear(l2, ngpa, level, AD);
	read_with(l2, ngpa, flush->control);
	check("A and D after a read", bits(l2, ngpa, level), PT_ACCESSED);
	write_with(l2, ngpa, TLB_CONTROL_NONE);
	check("A and D of a write behind a read", bits(l2, ngpa, level), AD);
}

/* As L0 does it: A of all that is above a region goes, D of what was written in it. */
static void upper_again(const struct flush *flush)
{
	struct l2 *l2;

	if (flush_point(flush, "A of each upper entry, and D, come again with a write")) {
		l2 = written(PAGE(1));
		clear_upper(l2, PAGE(1));
		clear(l2, PAGE(1), 1, PT_DIRTY);
		write_with(l2, PAGE(1), flush->control);
		check_upper(l2, PAGE(1));
		check("A and D", bits(l2, PAGE(1), 1), AD);
	}
	if (flush_point(flush, "A of each upper entry comes again with a read")) {
		l2 = written(PAGE(1));
		clear_upper(l2, PAGE(1));
		read_with(l2, PAGE(1), flush->control);
		check_upper(l2, PAGE(1));
		check("A and D", bits(l2, PAGE(1), 1), AD);
	}
	if (flush_point(flush, "A of the entry above a large page, and D, come again")) {
		if (!l2_format->level[2].large) {
			point_skip("the nested format has no large pages");
			return;
		}
		l2 = written(L2_LARGE);
		for (unsigned int level = 3; level <= l2->npt.format->levels; level++) {
			if (has_a(l2, level))
				clear(l2, L2_LARGE, level, PT_ACCESSED);
		}
		clear(l2, L2_LARGE, 2, AD);
		write_with(l2, L2_LARGE, flush->control);
		check("A and D", bits(l2, L2_LARGE, 2), AD);
		check_upper(l2, L2_LARGE);
	}
}

/* D may not come where nobody writes. A may, by speculation: that is counted. */
static void elsewhere(const struct flush *flush)
{
	unsigned int accessed = 0;
	struct l2 *l2;

	if (!flush_point(flush, "no page gets D that L2 does not write"))
		return;
	l2 = written(PAGE(1));
	for (unsigned int page = 0; page < L2_SMALL_PAGES; page++)
		clear(l2, PAGE(page), 1, AD);
	read_with(l2, PAGE(3), flush->control);
	write_with(l2, PAGE(5), TLB_CONTROL_NONE);
	for (unsigned int page = 0; page < L2_SMALL_PAGES; page++) {
		uint64_t now = bits(l2, PAGE(page), 1);

		check("D", now & PT_DIRTY, page == 5 ? PT_DIRTY : 0);
		accessed += page != 3 && page != 5 && (now & PT_ACCESSED);
	}
	seen("%s: A came to %u of %u pages beside those that L2 used", flush->name, accessed,
	     L2_SMALL_PAGES - 2);
}

/* The page of the table in which L2's own entry of the level is for the address. */
static uint64_t table_page(const struct l2 *l2, uint64_t address, unsigned int level)
{
	return pt_entry_address(&l2->own, address, level) & ~(uint64_t)(PAGE_SIZE - 1);
}

static void own_tables(const struct flush *flush)
{
	uint64_t address, page;
	struct l2 *l2;

	if (!flush_point(flush, "a walk that sets A or D in L2's tables sets D of their page"))
		return;
	l2 = written(L2_SCRATCH);
	address = l2->alias + L2_SCRATCH;
	for (unsigned int level = 1; level < l2->own.format->levels; level++) {
		page = table_page(l2, address, level);
		pt_clear(&l2->own, address, level, PT_ACCESSED);
		clear(l2, page, 1, AD);
		read_with(l2, L2_SCRATCH, flush->control);
		check("A of L2's entry", pt_get(&l2->own, address, level) & PT_ACCESSED,
		      has_a(l2, level) ? PT_ACCESSED : 0);
		check("A and D of its page", bits(l2, page, 1), AD);
	}
	page = table_page(l2, address, 1);
	pt_clear(&l2->own, address, 1, PT_DIRTY);
	read_with(l2, L2_SCRATCH, flush->control);
	clear(l2, page, 1, PT_DIRTY);
	write_with(l2, L2_SCRATCH, flush->control);
	check("D of L2's entry", pt_get(&l2->own, address, 1) & PT_DIRTY, PT_DIRTY);
	check("D of its page, by a write", bits(l2, page, 1) & PT_DIRTY, PT_DIRTY);

	clear(l2, page, 1, AD);
	read_with(l2, L2_SCRATCH, flush->control);
	seen("%s: a walk that sets nothing in L2's tables sets %s of their page", flush->name,
	     bits(l2, page, 1) == AD            ? "A and D"
	     : bits(l2, page, 1) == PT_ACCESSED ? "A"
	                                        : "nothing");
}

static void after(const struct flush *flush)
{
	if (flush_point(flush, "D of a 4 KiB page comes again"))
		dirty_again(flush, PAGE(1), 1);
	if (flush_point(flush, "D of a large page comes again")) {
		if (l2_format->level[2].large)
			dirty_again(flush, L2_LARGE, 2);
		else
			point_skip("the nested format has no large pages");
	}
	upper_again(flush);
	elsewhere(flush);
	own_tables(flush);
}

/* L2's run under another ASID is none of this ASID's: it sets what it uses for itself. */
static void other_asid(void)
{
	struct l2 *l2;

	point("an ASID that has not run sets A and D without a flush");
	if (machine.asids < 3) {
		point_skip("there are fewer than 2 ASIDs for L2s");
		return;
	}
	l2 = written(PAGE(1));
	l2->vmcb->control.asid = 1;
	write_with(l2, PAGE(1), TLB_CONTROL_FLUSH_ALL);
	clear_upper(l2, PAGE(1));
	clear(l2, PAGE(1), 1, AD);
	l2->vmcb->control.asid = 2;
	write_with(l2, PAGE(1), TLB_CONTROL_NONE);
	check("A and D", bits(l2, PAGE(1), 1), AD);
	check_upper(l2, PAGE(1));
}

static void no_write_no_dirty(void)
{
	static const struct code compare = CODE("\x0f\xb0\x0b"); /* CMPXCHG [rBX], CL */
	struct l2 *l2;

	point("a fetch and a read set no D");
	l2 = written(PAGE(1));
	clear(l2, L2_EXEC, 1, AD);
	clear(l2, PAGE(1), 1, AD);
	l2->flush = true;
	l2_fetch(l2);
	l2_check_done(l2);
	read_with(l2, PAGE(1), TLB_CONTROL_NONE);
	check("of the code", bits(l2, L2_EXEC, 1), PT_ACCESSED);
	check("of the data", bits(l2, PAGE(1), 1), PT_ACCESSED);

	point("a write that the nested tables refuse sets no D");
	l2 = written(PAGE(1));
	clear(l2, PAGE(1), 1, AD | PT_WRITE);
	l2->regs.rbx = l2->alias + PAGE(1);
	run_with(l2, L2_WRITE, TLB_CONTROL_FLUSH_ALL);
	l2_check_exit(l2, VMEXIT_NPF);
	check("D", bits(l2, PAGE(1), 1) & PT_DIRTY, 0);

	point("a write that L2's own tables refuse sets no D");
	l2 = written(L2_SCRATCH);
	clear(l2, L2_SCRATCH, 1, AD);
	pt_clear(&l2->own, l2->alias + L2_SCRATCH, 1, PT_WRITE);
	l2->regs.rbx = l2->alias + L2_SCRATCH;
	run_with(l2, L2_WRITE, TLB_CONTROL_FLUSH_ALL);
	l2_check_vector(l2, VEC_PF);
	check("D", bits(l2, L2_SCRATCH, 1) & PT_DIRTY, 0);

	point("CMPXCHG that does not match sets D: it writes what it read");
	l2 = written(PAGE(1));
	clear(l2, PAGE(1), 1, AD);
	l2->regs.rbx = l2->alias + PAGE(1);
	l2->vmcb->save.rax = 1;
	l2_small_frame(l2, 1)[0] = 0;
	l2->flush = true;
	run_code(l2, &compare);
	check_through(l2, compare.length);
	check("A and D", bits(l2, PAGE(1), 1), AD);
}

/*
 * CMP [rSI], 0; JE over MOV [rBX], EAX: taken for what it did so many times before, while the flag
 * comes from memory.
 */
static void speculation(void)
{
	static const struct code guarded = CODE("\x83\x3e\x00\x74\x02\x89\x03");
	enum { TRAINING = 64 };
	volatile uint32_t *flag;
	struct l2 *l2;

	point("a write that the processor only guesses sets no D");
	l2 = written(PAGE(1));
	flag = l2_small_frame(l2, 3);
	clear(l2, PAGE(2), 1, AD);
	l2->regs.rsi = l2->alias + PAGE(3);
	l2->flush = true;
	for (unsigned int i = 0; i <= TRAINING; i++) {
		*flag = i < TRAINING;
		l2->regs.rbx = l2->alias + PAGE(i < TRAINING ? 1 : 2);
		__asm__ volatile("clflush %0; mfence" : : "m"(*flag) : "memory");
		run_code(l2, &guarded);
		check_through(l2, guarded.length);
	}
	check("D", bits(l2, PAGE(2), 1) & PT_DIRTY, 0);
	seen("A of a page that is written by a guess %s",
	     bits(l2, PAGE(2), 1) & PT_ACCESSED ? "comes" : "stays clear");
}

static void two_pages(void)
{
	struct l2 *l2;

	point("a write across two pages sets D of both");
	l2 = written(PAGE(1));
	clear(l2, PAGE(1), 1, AD);
	clear(l2, PAGE(2), 1, AD);
	write_with(l2, PAGE(2) - 2, TLB_CONTROL_FLUSH_ALL);
	check("A and D of the first", bits(l2, PAGE(1), 1), AD);
	check("A and D of the second", bits(l2, PAGE(2), 1), AD);
}

/* What the processor keeps is its own business: it says how much the points above have shown. */
static void what_is_cached(void)
{
	struct l2 *l2 = written(PAGE(1));

	point("D that was cleared without a flush: may come again, or not");
	clear(l2, PAGE(1), 1, PT_DIRTY);
	write_with(l2, PAGE(1), TLB_CONTROL_NONE);
	seen("D cleared without a flush %s with the next write",
	     bits(l2, PAGE(1), 1) & PT_DIRTY ? "comes again" : "does not come again");

	point("A that was cleared without a flush: may come again, or not");
	clear_upper(l2, PAGE(1));
	clear(l2, PAGE(1), 1, AD);
	read_with(l2, PAGE(1), TLB_CONTROL_NONE);
	seen("A cleared without a flush %s, in the entry above %s",
	     bits(l2, PAGE(1), 1) & PT_ACCESSED ? "comes again" : "does not come again",
	     bits(l2, PAGE(1), 2) & PT_ACCESSED ? "comes again" : "does not");

	point("a write by a cached upper entry sets D of a page that is new");
	clear_upper(l2, PAGE(1));
	clear(l2, PAGE(9), 1, AD);
	write_with(l2, PAGE(9), TLB_CONTROL_NONE);
	check("A and D", bits(l2, PAGE(9), 1), AD);
	seen("A of the entry above %s then",
	     bits(l2, PAGE(9), 2) & PT_ACCESSED ? "comes again" : "stays clear");
}

void hardware_walker(void)
{
	if (!hardware_group("walker", SVM_FEATURE_NP, "no nested paging"))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(flushes); i++)
		after(&flushes[i]);
	other_asid();
	no_write_no_dirty();
	speculation();
	two_pages();
	what_is_cached();
	point_end();
}
