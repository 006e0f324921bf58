/*
 * Several sets of tables, one of them current: switches by MOV CR3, edits of those that are not
 * current, tables that they share. Relies on paging.h.
 */
#include "guest/lib/report.h"
#include "guest/points/paging.h"

enum { VALUE = 0x2007, POOL_PAGES = 24, ROOTS = 12, LOW_BYTES = 32 << 20, ROUNDS = 10 };

static uint8_t pool[POOL_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t copies[ROOTS][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct pt other;

/* The image in both, and what a point writes at its end; the region's first pages show each other's
 * frames. */
static void make_other(void)
{
	pt_init(&other, l1_tables.format, (uintptr_t)pool, (uintptr_t)pool + sizeof(pool), 0);
	pt_map_range(&other, 0, 0, LOW_BYTES, 2, PT_RW);
	report_map(&other);
	for (unsigned int i = 0; i < 4; i++) {
		pt_map(&other, small_page(i), l2_gpa(frame(i + 4)), 1, PT_RWU);
		frame(i)[0] = VALUE + i;
		frame(i + 4)[0] = VALUE + i + 4;
	}
}

static void switches(void)
{
	uint64_t own = read_cr3(), at = small_page(0);

	point("another CR3 shows other frames, and the first one the first again");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		write_cr3((unsigned long)other.root);
		for (unsigned int n = 0; n < 4; n++)
			may(SUPERVISOR, READ, small_page(n), VALUE + n + 4);
		faults(SUPERVISOR, READ, small_page(5), 0);
		write_cr3((unsigned long)own);
		for (unsigned int n = 0; n < 4; n++)
			may(SUPERVISOR, READ, small_page(n), VALUE + n);
		may(SUPERVISOR, READ, small_page(5), VALUE + 5);
	}

	point("edits of the tables that are not current show after the switch");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		pt_map(&other, at, l2_gpa(frame(i % 4 + 4)), 1, PT_RWU);
		write_cr3((unsigned long)other.root);
		may(SUPERVISOR, READ, at, VALUE + i % 4 + 4);
		map(at, frame(i % 4), 1, i % 2 ? PT_RWU : PT_PRESENT | PT_USER);
		write_cr3((unsigned long)own);
		may(SUPERVISOR, READ, at, VALUE + i % 4);
		if (i % 2)
			may(SUPERVISOR, WRITE, at, VALUE + i % 4);
		else
			faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	}

	point("edits of the current tables and of the others mix");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		write_cr3((unsigned long)(i % 2 ? own : other.root));
		map(at, frame(i % 4), 1, PT_RWU);
		pt_map(&other, at, l2_gpa(frame(i % 4 + 4)), 1, PT_RWU);
		invlpg(at);
		may(SUPERVISOR, READ, at, VALUE + i % 4 + (i % 2 ? 0 : 4));
	}
	write_cr3((unsigned long)own);
	map(at, frame(0), 1, PT_RWU);
	flush();

	point("CR3's low bits are kept, and change nothing");
	write_cr3((unsigned long)(other.root | PT_PCD | PT_PWT));
	check("CR3", read_cr3(), other.root | PT_PCD | PT_PWT);
	may(SUPERVISOR, READ, small_page(1), VALUE + 5);
	write_cr3((unsigned long)own);
	check("CR3", read_cr3(), own);
}

static void shared(void)
{
	uint64_t own = read_cr3(), at = small_page(0), saved = pt_get(&other, at, 2);

	point("a table that both share shows an edit under both");
	pt_set(&other, at, 2, get(at, 2));
	for (unsigned int i = 0; i < 4; i++) {
		write_cr3((unsigned long)other.root);
		may(SUPERVISOR, READ, at, VALUE + i);
		map(at, frame(i + 1), 1, PT_RWU);
		invlpg(at);
		may(SUPERVISOR, READ, at, VALUE + i + 1);
		write_cr3((unsigned long)own);
		may(SUPERVISOR, READ, at, VALUE + i + 1);
	}

	point("its rights differ by the entry above it");
	pt_set(&other, at, 2, get(at, 2) & ~PT_WRITE);
	write_cr3((unsigned long)other.root);
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	write_cr3((unsigned long)own);
	may(SUPERVISOR, WRITE, at, VALUE + 4);
	map(at, frame(0), 1, PT_RWU);
	pt_set(&other, at, 2, saved);
	flush();
}

/* Copies of the root, each with another table for the region. */
static void many(void)
{
	unsigned int bytes = l1_tables.format->levels == 3 ? 32 : PAGE_SIZE;
	uint64_t own = read_cr3(), at = small_page(1);

	for (unsigned int i = 0; i < ROOTS; i++) {
		memcpy(copies[i], (void *)(uintptr_t)own, bytes);
		if (i % 2)
			memcpy(copies[i], (void *)(uintptr_t)other.root, bytes);
	}
	point("many roots show their frames in turn");
	for (unsigned int i = 0; i < 3 * ROOTS; i++) {
		write_cr3((uintptr_t)copies[i % ROOTS]);
		may(SUPERVISOR, READ, at, VALUE + 1 + (i % 2 ? 4 : 0));
	}

	point("a root that is overwritten with another one's entries shows those");
	write_cr3((uintptr_t)copies[0]);
	may(SUPERVISOR, READ, at, VALUE + 1);
	memcpy(copies[0], (void *)(uintptr_t)other.root, bytes);
	flush();
	may(SUPERVISOR, READ, at, VALUE + 5);
	write_cr3((unsigned long)own);
	may(SUPERVISOR, READ, at, VALUE + 1);

	point("a PAE root may be anywhere in its page");
	if (l1_tables.format->levels == 3) {
		for (unsigned int place = 0; place < PAGE_SIZE; place += 32 * 9) {
			memcpy(copies[1] + place,
			       (void *)(uintptr_t)(place % 64 ? own : other.root), 32);
			write_cr3((uintptr_t)copies[1] + place);
			may(SUPERVISOR, READ, at, VALUE + (place % 64 ? 1 : 5));
		}
		write_cr3((unsigned long)own);
	} else {
		point_skip("the format is not PAE");
	}
}

void paging_roots(void)
{
	if (!paging_group("roots"))
		return;
	make_other();
	switches();
	shared();
	many();
	paging_end();
}
