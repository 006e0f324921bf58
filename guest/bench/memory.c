/*
 * What nested faults and edits of the nested tables cost, for the first and the last page of a
 * table alike. L2 times its own access where that is what exits; L1 times what begins with an edit.
 * Relies on bench.h.
 */
#include "guest/bench/bench.h"

/* The pages, far from all that an L2 has otherwise; behind them are the frames of L2_LARGE. */
#define FIRST       0x10000000u
#define TABLE_BYTES (BENCH_PAGES * PAGE_SIZE)
#define VALUE       0xbe9c0000u

/* Which pages of each table a row is about. All are touched, in their order. */
enum which {
	ALL_BUT_FIRST, /* what the first costs more is the table's */
	ONLY_FIRST,
	ONLY_LAST,
};

static uint32_t *frame_of(unsigned int page)
{
	return l2_large_frame(page * PAGE_SIZE);
}

/* Frames and tables are below 4 GiB: an entry's lower half is all that L1 ever changes. */
static void write_entry(void *entry, uint64_t value)
{
	*(volatile uint32_t *)entry = (uint32_t)value;
}

static uint32_t read_entry(const void *entry)
{
	return *(const volatile uint32_t *)entry;
}

/* A new L2 whose nested tables have the pages with these flags. */
static struct l2 *with_pages(uint64_t flags)
{
	struct l2 *l2 = bench_l2(0);

	for (unsigned int page = 0; page < BENCH_PAGES; page++)
		*frame_of(page) = VALUE + page;
	for (unsigned int n = 0; n < BENCH_TABLES * BENCH_PAGES; n++)
		pt_map(&l2->npt, FIRST + n * PAGE_SIZE, l2_gpa(frame_of(n % BENCH_PAGES)), 1,
		       flags);
	bench_forget(l2);
	return l2;
}

/*
 * The accesses. After each, the last run has ended well, EDI is what was read or written, and EAX
 * the time that it took.
 */
static void touch_mapped(struct l2 *l2, uint64_t ngpa, void *entry)
{
	(void)entry;
	l2->regs.rbx = ngpa;
	l2_start(l2, BENCH_L2_READ);
}

/* Runs L2 into the fault, gives it the rights, and resumes it. */
static void fault_then(struct l2 *l2, void *entry, uint64_t rights)
{
	uint64_t code, value = read_entry(entry) | rights;

	l2->vmcb->control.tlb_control = TLB_CONTROL_NONE; /* more rights need no flush */
	clgi();
	vmrun_once(&l2->regs, l2->vmcb);
	code = l2->vmcb->control.exit_code;
	write_entry(entry, value);
	vmrun_once(&l2->regs, l2->vmcb);
	stgi();
	check("exit code of the fault", code, l2_fault_exit(l2));
}

static void touch_missing(struct l2 *l2, uint64_t ngpa, void *entry)
{
	l2->regs.rbx = ngpa;
	l2_aim(l2, BENCH_L2_READ);
	fault_then(l2, entry, PT_RWU);
}

static void touch_read_only(struct l2 *l2, uint64_t ngpa, void *entry)
{
	l2_read(l2, ngpa);
	l2_check_done(l2);
	l2->regs.rdi = l2_eax(l2);
	l2_aim(l2, BENCH_L2_WRITE);
	fault_then(l2, entry, PT_WRITE);
}

static void over_tables(uint64_t flags, void (*access)(struct l2 *l2, uint64_t ngpa, void *entry),
                        enum which which)
{
	struct l2 *l2 = with_pages(flags);

	for (unsigned int n = 0; n < BENCH_TABLES * BENCH_PAGES; n++) {
		unsigned int page = n % BENCH_PAGES;
		uint64_t ngpa = FIRST + n * PAGE_SIZE;
		bool wanted = which == ONLY_FIRST  ? page == 0
		              : which == ONLY_LAST ? page == BENCH_PAGES - 1
		                                   : page != 0;

		access(l2, ngpa, pt_entry(&l2->npt, ngpa, 1));
		if (!l2_check_done(l2) || !check("value", (uint32_t)l2->regs.rdi, VALUE + page))
			return;
		if (wanted)
			bench_sample(l2_eax(l2));
	}
}

/*
 * Two ASIDs come to the pages in turn. What one of them fills is new to the other one, but nobody
 * edits the tables: none is to be read again.
 */
static void in_turn(void)
{
	struct l2 *l2 = with_pages(PT_RWU);

	for (unsigned int n = 0; n < BENCH_TABLES * BENCH_PAGES; n++) {
		uint64_t ticks;

		l2->vmcb->control.asid = 1 + n % 2;
		l2->regs.rbx = FIRST + n * PAGE_SIZE;
		l2_aim(l2, L2_READ);
		clgi();
		ticks = bench_run(l2);
		stgi();
		if (!l2_check_value(l2, VALUE + n % BENCH_PAGES))
			return;
		if (n % BENCH_PAGES)
			bench_sample(ticks);
	}
}

/* One entry of the first table moves to and fro between two frames. */
static void remap(unsigned int touched_before)
{
	struct l2 *l2 = with_pages(PT_RWU);
	unsigned int page = BENCH_PAGES - 1;
	uint64_t ngpa = FIRST + page * PAGE_SIZE;
	void *entry = pt_entry(&l2->npt, ngpa, 1);

	for (unsigned int n = BENCH_PAGES - touched_before; n < BENCH_PAGES; n++) {
		l2_read(l2, FIRST + n * PAGE_SIZE);
		l2_check_done(l2);
	}
	l2->regs.rbx = ngpa;
	for (unsigned int i = 0; i < bench_rounds; i++) {
		unsigned int to = i % 2 ? page : 0;
		uint64_t value = l2_gpa(frame_of(to)) | PT_RWU, start, ticks;

		l2_aim(l2, L2_READ);
		clgi();
		start = bench_time();
		write_entry(entry, value);
		l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
		vmrun_once(&l2->regs, l2->vmcb);
		ticks = bench_time() - start;
		stgi();
		bench_sample(ticks);
		l2_check_value(l2, VALUE + to);
	}
}

void bench_memory(void)
{
	if (!tap_group("bench", "memory"))
		return;

	bench_row("first touch of a page that NPT12 maps");
	over_tables(PT_RWU, touch_mapped, ALL_BUT_FIRST);
	bench_row("first touch of a page that NPT12 maps, 1st of a table");
	over_tables(PT_RWU, touch_mapped, ONLY_FIRST);
	bench_row("first touch of a page that NPT12 maps, 512th of a table");
	over_tables(PT_RWU, touch_mapped, ONLY_LAST);

	bench_row("first touch of pages by two ASIDs in turn, with VMRUN");
	in_turn();

	bench_row("L2 faults, L1 maps, resumes");
	over_tables(0, touch_missing, ALL_BUT_FIRST);
	bench_row("L2 faults, L1 maps, resumes, 1st page of a table");
	over_tables(0, touch_missing, ONLY_FIRST);
	bench_row("L2 faults, L1 maps, resumes, 512th page of a table");
	over_tables(0, touch_missing, ONLY_LAST);

	bench_row("L1 sets W after a write fault, resumes");
	over_tables(PT_PRESENT | PT_USER, touch_read_only, ALL_BUT_FIRST);
	bench_row("L1 sets W after a write fault, resumes, 512th page of a table");
	over_tables(PT_PRESENT | PT_USER, touch_read_only, ONLY_LAST);

	bench_row("L1 remaps one entry, flushes, L2 touches");
	remap(1);
	bench_row("L1 remaps one entry, flushes, L2 touches, 512 in use");
	remap(BENCH_PAGES);
	bench_end();
}
