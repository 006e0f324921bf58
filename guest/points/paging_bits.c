/*
 * A and D in L1's own tables: what sets them, where, and what does not. Relies on paging.h; APM
 * 5.4.2.
 */
#include "guest/points/paging.h"

static const char pdpte_a[] = "a walk sets A in a PDPTE";

/* Clears A and D in every entry that leads to the address. */
static void clear(uint64_t address, unsigned int leaf)
{
	for (unsigned int level = leaf; level <= l1_tables.format->levels; level++)
		set(address, level, get(address, level) & ~AD);
	flush();
}

static uint64_t bits(uint64_t address, unsigned int level)
{
	return get(address, level) & AD;
}

static void above(uint64_t address, unsigned int leaf)
{
	for (unsigned int level = leaf + 1; level <= l1_tables.format->levels; level++) {
		if (has_rights(level))
			check("A above, and D", bits(address, level) & PT_ACCESSED, PT_ACCESSED);
		else
			check_known("a PDPTE", bits(address, level), 0, PT_ACCESSED, QEMU, pdpte_a);
	}
}

/* The same for supervisor and user, for small and for large pages. */
static void accesses(enum who who, uint64_t at, unsigned int leaf)
{
	clear(at, leaf);
	may(who, READ, at, 0);
	check("A and D after a read", bits(at, leaf), PT_ACCESSED);
	above(at, leaf);
	may(who, WRITE, at, 0);
	check("A and D after a read and a write", bits(at, leaf), AD);
	clear(at, leaf);
	may(who, WRITE, at, 0);
	check("A and D after a write alone", bits(at, leaf), AD);
	above(at, leaf);
}

static void set_again(void)
{
	uint64_t at = small_page(1);

	for (unsigned int level = 1; level <= l1_tables.format->levels; level++) {
		if (!has_rights(level))
			continue;
		point(at_level("A that L1 clears is set again after INVLPG", level));
		may(SUPERVISOR, READ, at, 0);
		set(at, level, get(at, level) & ~PT_ACCESSED);
		invlpg(at);
		may(SUPERVISOR, READ, at, 0);
		check("A", get(at, level) & PT_ACCESSED, PT_ACCESSED);
	}

	point("D that L1 clears is set again after INVLPG, by a write only");
	may(SUPERVISOR, WRITE, at, 0);
	set(at, 1, get(at, 1) & ~PT_DIRTY);
	invlpg(at);
	may(SUPERVISOR, READ, at, 0);
	check("D after a read", bits(at, 1), PT_ACCESSED);
	may(SUPERVISOR, WRITE, at, 0);
	check("D after a write", bits(at, 1), AD);

	point("D that L1 clears is set again after MOV CR3");
	set(at, 1, get(at, 1) & ~AD);
	flush();
	may(USER, WRITE, at, 0);
	check("A and D", bits(at, 1), AD);
}

static void denied(void)
{
	uint64_t at = small_page(2);

	point("a write that faults does not set D");
	clear(at, 1);
	set(at, 1, get(at, 1) & ~PT_WRITE);
	flush();
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	check("D", bits(at, 1) & PT_DIRTY, 0);
	faults(USER, WRITE, at, PF_PRESENT);
	check("D", bits(at, 1) & PT_DIRTY, 0);

	point("a user's access that faults does not set D in a supervisor's page");
	set(at, 1, (get(at, 1) | PT_WRITE) & ~(AD | PT_USER));
	flush();
	faults(USER, WRITE, at, PF_PRESENT);
	check("D", bits(at, 1) & PT_DIRTY, 0);

	point("an entry that is not present stays as it is");
	set(at, 1, 0xabcde000u & ~(uint32_t)PT_PRESENT);
	flush();
	faults(SUPERVISOR, READ, at, 0);
	faults(SUPERVISOR, WRITE, at, 0);
	check("entry", get(at, 1), 0xabcde000u);
}

static void instructions(void)
{
	uint64_t at = small_page(3), next = small_page(4);
	volatile uint32_t *word = (void *)(uintptr_t)at;
	uint32_t old = 1;

	point("a fetch sets A and not D");
	put_code(frame(3), 0xfe7c);
	clear(at, 1);
	may(SUPERVISOR, FETCH, at, 0xfe7c);
	check("A and D", bits(at, 1), PT_ACCESSED);
	clear(at, 1);
	may(USER, FETCH, at, 0xfe7c);
	check("A and D", bits(at, 1), PT_ACCESSED);

	point("a write across two pages sets D in both");
	clear(at, 1);
	clear(next, 1);
	may(SUPERVISOR, WRITE, next - 2, 0x44332211);
	check("the first", bits(at, 1), AD);
	check("the second", bits(next, 1), AD);
	check("the first's memory", frame(3)[1023] >> 16, 0x2211);
	check("the second's memory", frame(4)[0] & 0xffff, 0x4433);

	point("a write across two pages of which the second is read-only changes neither");
	set(next, 1, get(next, 1) & ~AD & ~PT_WRITE);
	flush();
	if (try_access(SUPERVISOR, WRITE, next - 2, &old) != VEC_PF)
		point_fail("# it did not fault\n");
	check("error code", trap_last.error, PF_PRESENT | PF_WRITE);
	check("CR2", trap_last.cr2, next);
	check("the first's memory", frame(3)[1023] >> 16, 0x2211);
	check("the second's memory", frame(4)[0] & 0xffff, 0x4433);
	check("D of the second", bits(next, 1) & PT_DIRTY, 0);
	set(next, 1, get(next, 1) | PT_WRITE);

	point("a locked instruction that reads and writes sets D");
	clear(at, 1);
	frame(3)[0] = 5;
	__asm__ volatile("lock addl $3, %0" : "+m"(*word) : : "memory");
	check("A and D", bits(at, 1), AD);
	check("memory", frame(3)[0], 8);

	point("a compare-exchange that fails sets D, too");
	clear(at, 1);
	__asm__ volatile("lock cmpxchgl %2, %1" : "+a"(old), "+m"(*word) : "r"(7) : "memory");
	check("A and D", bits(at, 1), AD);
	check("memory", frame(3)[0], 8);
}

void paging_bits(void)
{
	if (!paging_group("bits"))
		return;
	point("a supervisor's read sets A, a write sets D");
	accesses(SUPERVISOR, small_page(0), 1);
	point("a user's read sets A, a write sets D");
	accesses(USER, small_page(0), 1);
	point("the same in a large page's entry");
	if (has_large()) {
		accesses(SUPERVISOR, region(REGION_LARGE) + 0x3000, 2);
		accesses(USER, region(REGION_LARGE) + 0x3000, 2);
	} else {
		point_skip("the format has no large pages");
	}
	set_again();
	denied();
	instructions();
	paging_end();
}
