/*
 * What a flush costs with many tables in use: side by side, and each in 2 MiB of its own, as they
 * lie in a machine that has run for a while. The flush, VMRUN and #VMEXIT are timed, not the edits.
 * Relies on bench.h.
 */
#include "guest/bench/bench.h"
#include "guest/lib/memory_map.h"

#define TABLES      256u
#define TABLE_BYTES (BENCH_PAGES * PAGE_SIZE)

/* In L2's memory, and L1's for the tables; nothing else is there. */
#define FIRST    0x10000000u
#define PLACE    0x10000000u
#define APART    0x200000u
#define SETTLING 8u /* so many flushes later nothing of the faults is left to do */

static struct l2 *l2;

static void *entry_of(unsigned int table, unsigned int page)
{
	return pt_entry(&l2->npt, FIRST + table * TABLE_BYTES + page * PAGE_SIZE, 1);
}

static uint64_t flush_and_run(void)
{
	uint64_t ticks;

	l2_aim(l2, L2_VMMCALL);
	l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	clgi();
	ticks = bench_run(l2);
	stgi();
	l2_check_done(l2);
	return ticks;
}

/* A new L2 that uses the first pages of so many tables. */
static void begin(unsigned int tables, unsigned int pages, uint32_t apart)
{
	l2 = bench_l2(0);
	for (unsigned int n = 0; n < tables; n++) {
		l2->npt.next = PLACE + n * apart;
		l2->npt.end = l2->npt.next + PAGE_SIZE;
		for (unsigned int page = 0; page < pages; page++)
			pt_map(&l2->npt, FIRST + n * TABLE_BYTES + page * PAGE_SIZE,
			       l2_gpa(l2_large_frame(0)), 1, PT_RWU);
	}
	bench_forget(l2);
	for (unsigned int n = 0; n < tables; n++) {
		for (unsigned int page = 0; page < pages; page++) {
			l2_read(l2, FIRST + n * TABLE_BYTES + page * PAGE_SIZE);
			l2_check_done(l2);
		}
	}
	for (unsigned int i = 0; i < SETTLING; i++)
		flush_and_run();
}

/* Moves one page of a table to and fro between two frames. */
static void edit(unsigned int table, unsigned int page, unsigned int round)
{
	volatile uint32_t *entry = entry_of(table, page);

	*entry = (uint32_t)(l2_gpa(l2_large_frame(round % 2 ? 0 : PAGE_SIZE)) | PT_RWU |
	                    PT_ACCESSED | PT_DIRTY);
}

static void unchanged(uint32_t apart)
{
	begin(TABLES, 1, apart);
	for (unsigned int i = 0; i < bench_rounds; i++)
		bench_sample(flush_and_run());
}

/* Some tables, other ones each time, lose an entry; L2 comes to it again. */
static void some_change(unsigned int changes)
{
	begin(TABLES, 1, APART);
	for (unsigned int i = 0; i < bench_rounds; i++) {
		for (unsigned int n = 0; n < changes; n++)
			edit((n * (TABLES / changes) + i) % TABLES, 0, i / (TABLES / changes) + 1);
		bench_sample(flush_and_run());
	}
}

static void one_changes(unsigned int entries)
{
	begin(1, BENCH_PAGES, APART);
	for (unsigned int i = 0; i < bench_rounds; i++) {
		for (unsigned int page = 0; page < entries; page++)
			edit(0, page, i);
		bench_sample(flush_and_run());
	}
}

void bench_flush(void)
{
	if (!tap_group("bench", "flush"))
		return;
	if (!memory_usable(PLACE, PLACE + TABLES * APART)) {
		point("a flush with many tables in use");
		point_skip("the loader's map has not 512 MiB of memory from 256 MiB on");
		return;
	}
	bench_row("a flush that changed nothing, 256 tables side by side");
	unchanged(PAGE_SIZE);
	bench_row("a flush that changed nothing, 256 tables in 512 MiB");
	unchanged(APART);
	bench_row("a flush of 16 changed tables of 256 in 512 MiB");
	some_change(16);
	bench_row("a flush of 256 changed entries in one table");
	one_changes(256);
	bench_end();
}
