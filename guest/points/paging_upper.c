/*
 * Edits above the last level: another table, a table taken away, a large page that moves, that is
 * split into small ones and merged again. Relies on paging.h; APM 5.3 to 5.5.
 */
#include "guest/points/paging.h"

enum { VALUE = 0x09be, LARGE_LOW = 0x3000 };

#define LARGE_HIGH (L2_LARGE_BYTES - 2 * PAGE_SIZE)
#define GIANT      0x80000000u /* of the region; 1 GiB from there on is free */

/* Two sets of tables below one entry of the level; the second has frame 1 where the first has 0. */
static void another_table(unsigned int level)
{
	uint64_t at = small_page(0), first = get(at, level), second;

	frame(0)[0] = VALUE;
	frame(1)[0] = VALUE + 1;
	set(at, level, 0);
	map(at, frame(1), 1, PT_RWU);
	second = get(at, level);
	set(at, level, first);
	flush();

	point(at_level("another table shows after INVLPG", level));
	for (unsigned int i = 0; i < 3; i++) {
		may(SUPERVISOR, READ, at, VALUE);
		set(at, level, second);
		invlpg(at);
		may(SUPERVISOR, READ, at, VALUE + 1);
		set(at, level, first);
		invlpg(at);
	}

	point(at_level("another table shows after MOV CR3", level));
	for (unsigned int i = 0; i < 3; i++) {
		may(SUPERVISOR, READ, at, VALUE);
		set(at, level, second);
		flush();
		may(SUPERVISOR, READ, at, VALUE + 1);
		faults(SUPERVISOR, READ, small_page(2), 0);
		set(at, level, first);
		flush();
	}

	point(at_level("a table that is not in use is edited, and shows when it is", level));
	set(at, level, second);
	flush();
	may(SUPERVISOR, READ, at, VALUE + 1);
	set(at, 1, get(at, 1) & ~PT_WRITE);
	map(small_page(3), frame(3), 1, PT_RW);
	set(at, level, first);
	flush();
	may(SUPERVISOR, WRITE, at, VALUE);
	set(at, level, second);
	flush();
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	may(SUPERVISOR, WRITE, small_page(3), VALUE + 3);
	check("L1 sees", frame(3)[0], VALUE + 3);

	point(at_level("a table that is taken away takes its pages along", level));
	set(at, level, 0);
	flush();
	faults(SUPERVISOR, READ, at, 0);
	faults(SUPERVISOR, WRITE, small_page(3), 0);
	set(at, level, first);
	may(SUPERVISOR, READ, at, VALUE);
	flush();
}

/* Maps the large place to the memory at `to`, by its large pages, each with an INVLPG. */
static void large_to(uint64_t to)
{
	uint64_t size = pt_page_size(l1_tables.format, 2);

	for (uint64_t done = 0; done < L2_LARGE_BYTES; done += size) {
		set(region(REGION_LARGE) + done, 2, (to + done) | PT_RWU | PT_LARGE);
		invlpg(region(REGION_LARGE) + done + size - 4);
	}
}

static void reads_as(uint64_t address, const volatile void *memory)
{
	may(SUPERVISOR, READ, address, *(const volatile uint32_t *)memory);
}

static void large_moves(void)
{
	uint64_t at = region(REGION_LARGE), to = l2_gpa(l2_large_frame(0));

	point("a large page that moves shows other memory, in its halves, after INVLPG");
	*l2_large_frame(LARGE_LOW) = VALUE + 4;
	*l2_large_frame(LARGE_HIGH) = VALUE + 5;
	for (unsigned int i = 0; i < 3; i++) {
		may(SUPERVISOR, READ, at + LARGE_LOW, VALUE + 4);
		may(SUPERVISOR, READ, at + LARGE_HIGH, VALUE + 5);
		large_to(to - L2_LARGE_BYTES); /* the image itself */
		reads_as(at + LARGE_LOW, (void *)(uintptr_t)(to - L2_LARGE_BYTES + LARGE_LOW));
		reads_as(at + LARGE_HIGH, (void *)(uintptr_t)(to - L2_LARGE_BYTES + LARGE_HIGH));
		reads_as(at + (uintptr_t)frame(0) % L2_LARGE_BYTES, frame(0));
		large_to(to);
	}

	point("a large page that is read-only is so in its halves");
	for (uint64_t done = 0; done < L2_LARGE_BYTES; done += pt_page_size(l1_tables.format, 2))
		set(at + done, 2, get(at + done, 2) & ~PT_WRITE);
	flush();
	faults(SUPERVISOR, WRITE, at + LARGE_LOW, PF_PRESENT);
	faults(USER, WRITE, at + LARGE_HIGH, PF_PRESENT);
	may(USER, READ, at + LARGE_HIGH, VALUE + 5);
	large_to(to);
	may(USER, WRITE, at + LARGE_LOW, 0);
	may(SUPERVISOR, WRITE, at + LARGE_HIGH, 0);
}

static void split(void)
{
	uint64_t at = region(REGION_LARGE), to = l2_gpa(l2_large_frame(0));
	uint64_t size = pt_page_size(l1_tables.format, 2), small, large = to | PT_RWU | PT_LARGE;

	*l2_large_frame(0x1000) = VALUE + 6;
	*l2_large_frame(0x2000) = VALUE + 7;
	may(SUPERVISOR, READ, at + 0x1000, VALUE + 6);

	point("a large page that is split shows the same memory");
	set(at, 2, 0);
	invlpg(at);
	pt_map_range(&l1_tables, at, to, size, 1, PT_RWU);
	small = get(at, 2);
	may(SUPERVISOR, READ, at + 0x1000, VALUE + 6);
	may(SUPERVISOR, READ, at + 0x2000, VALUE + 7);

	point("one small page of it moves, another one becomes read-only");
	map(at + 0x1000, frame(4), 1, PT_RWU);
	set(at + 0x2000, 1, get(at + 0x2000, 1) & ~PT_WRITE);
	invlpg(at + 0x1000);
	invlpg(at + 0x2000);
	frame(4)[0] = VALUE + 8;
	may(SUPERVISOR, READ, at + 0x1000, VALUE + 8);
	faults(SUPERVISOR, WRITE, at + 0x2000, PF_PRESENT);
	may(SUPERVISOR, WRITE, at + 0x3000, 0);

	point("small pages that are merged show the large page's memory, and are written");
	set(at, 2, large);
	flush();
	may(SUPERVISOR, READ, at + 0x1000, VALUE + 6);
	may(SUPERVISOR, WRITE, at + 0x2000, VALUE + 9);
	check("L1 sees", *l2_large_frame(0x2000), VALUE + 9);

	point("large and small take turns under INVLPG");
	for (unsigned int i = 0; i < 4; i++) {
		set(at, 2, small);
		invlpg(at + 0x1000);
		may(SUPERVISOR, READ, at + 0x1000, VALUE + 8);
		set(at, 2, large);
		invlpg(at + 0x1000);
		may(SUPERVISOR, READ, at + 0x1000, VALUE + 6);
	}
	*l2_large_frame(0x1000) = *l2_large_frame(0x2000) = 0;
}

static void giant(void)
{
	uint64_t at = region(GIANT), inside = at + (uintptr_t)frame(5);

	point("a 1 GiB page shows memory, and is read-only if its entry says so");
	if (l1_tables.format->levels < 4 || !machine.page_1g) {
		point_skip("there are no 1 GiB pages");
		return;
	}
	frame(5)[0] = VALUE;
	map(at, NULL, 3, PT_RWU);
	may(SUPERVISOR, READ, inside, VALUE);
	check("A and D after a read", get(at, 3) & AD, PT_ACCESSED);
	may(USER, WRITE, inside, VALUE + 1);
	check("L1 sees", frame(5)[0], VALUE + 1);
	check("A and D after a write", get(at, 3) & AD, AD);
	set(at, 3, get(at, 3) & ~PT_WRITE);
	invlpg(inside);
	faults(SUPERVISOR, WRITE, inside, PF_PRESENT);
	set(at, 3, 0);
	flush();
	faults(SUPERVISOR, READ, inside, 0);
}

/* With CR4.PSE=0 bit 7 of a root's entry means nothing. */
static void ps_ignored(void)
{
	uint64_t at = small_page(0);

	point("PS means nothing without CR4.PSE");
	if (l1_tables.format->levels != 2 || has_large()) {
		point_skip("CR4.PSE or CR4.PAE is 1");
		return;
	}
	set(at, 2, get(at, 2) | PT_LARGE);
	flush();
	may(SUPERVISOR, READ, at, frame(0)[0]);
	may(USER, WRITE, at, VALUE);
	check("L1 sees", frame(0)[0], VALUE);
	check("PS", get(at, 2) & PT_LARGE, PT_LARGE);
	set(at, 2, get(at, 2) & ~PT_LARGE);
	flush();
}

/* Of a 4 MiB page: bits 20:13 are address bits 39:32, and there is memory or not. */
static void pse36(void)
{
	uint64_t at = region(REGION_LARGE), entry;
	uint32_t value = 0;

	point("a PSE36 page above 4 GiB is not the page below");
	if (l1_tables.format->levels != 2 || !has_large()) {
		point_skip("the format has no 4 MiB pages");
		return;
	}
	if (machine_on_pae_host() && machine.npt) {
		point_skip("a PAE host has nothing above 4 GiB");
		return;
	}
	entry = get(at, 2);
	*l2_large_frame(0x2000) = VALUE;
	set(at, 2, entry | 1u << 13);
	flush();
	check("vector", (uint64_t)(int64_t)try_access(SUPERVISOR, WRITE, at + 0x2000, &value),
	      (uint64_t)-1);
	check("L1 sees", *l2_large_frame(0x2000), VALUE);
	set(at, 2, entry);
	flush();
	may(SUPERVISOR, READ, at + 0x2000, VALUE);
	*l2_large_frame(0x2000) = 0;
}

void paging_upper(void)
{
	if (!paging_group("upper"))
		return;
	for (unsigned int level = 2; level <= l1_tables.format->levels; level++) {
		if (has_rights(level))
			another_table(level);
	}
	if (has_large()) {
		large_moves();
		split();
	} else {
		point("a large page that moves shows other memory, in its halves, after INVLPG");
		point_skip("the format has no large pages");
	}
	giant();
	ps_ignored();
	pse36();
	paging_end();
}
