/*
 * When an edit of a last-level entry must show: more rights at once, less rights and another frame
 * after INVLPG, MOV CR3 or a change of CR4.PGE; however the entry was written. Relies on paging.h;
 * APM 5.5.
 */
#include "guest/points/paging.h"
#include "hv/print.h"

enum { VALUE = 0xc4a0, ROUNDS = 12 };

enum way { BY_INVLPG, BY_CR3, BY_PGE, WAYS };

static const char *const way_names[WAYS] = {"INVLPG", "MOV CR3", "a change of CR4.PGE"};
static char names[WAYS][3][64];

static void show(enum way way, uint64_t address)
{
	if (way == BY_INVLPG)
		invlpg(address);
	else if (way == BY_CR3)
		flush();
	else
		flush_global();
}

/* Where the processor may still hold the lesser right, the first try may fault; that ends it. */
static void may_at_last(enum who who, enum what what, uint64_t at, uint32_t value)
{
	uint32_t got = value;

	if (try_access(who, what, at, &got) >= 0)
		may(who, what, at, value);
	else if (what != WRITE)
		check("value", got, value);
}

static void more(void)
{
	uint64_t at = small_page(0), entry = get(at, 1);

	frame(0)[0] = VALUE;
	point("a page that becomes present is there, without a flush");
	set(at, 1, 0);
	flush();
	faults(SUPERVISOR, READ, at, 0);
	faults(USER, WRITE, at, 0);
	set(at, 1, entry);
	may_at_last(SUPERVISOR, READ, at, VALUE);
	may_at_last(USER, WRITE, at, VALUE + 1);
	check("L1 sees", frame(0)[0], VALUE + 1);

	point("W that is added counts without a flush");
	set(at, 1, entry & ~PT_WRITE);
	flush();
	may(SUPERVISOR, READ, at, VALUE + 1);
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	set(at, 1, entry);
	may_at_last(SUPERVISOR, WRITE, at, VALUE + 2);
	check("L1 sees", frame(0)[0], VALUE + 2);

	point("U that is added counts without a flush");
	set(at, 1, entry & ~PT_USER);
	flush();
	may(SUPERVISOR, READ, at, VALUE + 2);
	faults(USER, READ, at, PF_PRESENT);
	set(at, 1, entry);
	may_at_last(USER, READ, at, VALUE + 2);

	point("NX that is taken away counts without a flush");
	if (l1_tables.format->nx) {
		put_code(frame(0), VALUE);
		set(at, 1, entry | PT_NX);
		flush();
		faults(SUPERVISOR, FETCH, at, PF_PRESENT);
		set(at, 1, entry);
		may_at_last(SUPERVISOR, FETCH, at, VALUE);
	} else {
		point_skip("the format has no NX");
	}
}

static const char *name(enum way way, unsigned int which, const char *text)
{
	snprint(names[way][which], sizeof(names[way][which]), "%s%s", text, way_names[way]);
	return names[way][which];
}

static void less(enum way way)
{
	uint64_t at = small_page(1), entry = get(at, 1), other = get(small_page(2), 1);

	put_code(frame(1), VALUE);
	point(name(way, 0, "rights that are taken away are gone after "));
	may(SUPERVISOR, WRITE, at + 8, 1);
	set(at, 1, entry & ~PT_WRITE);
	show(way, at);
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	set(at, 1, entry);
	may_at_last(USER, WRITE, at + 8, 2);
	set(at, 1, entry & ~PT_USER);
	show(way, at);
	faults(USER, READ, at, PF_PRESENT);
	if (l1_tables.format->nx) {
		may(SUPERVISOR, FETCH, at, VALUE);
		set(at, 1, entry | PT_NX);
		show(way, at);
		faults(SUPERVISOR, FETCH, at, PF_PRESENT);
	}
	set(at, 1, entry);
	show(way, at);

	point(name(way, 1, "a page that is taken away is gone after "));
	may(SUPERVISOR, READ, at, frame(1)[0]);
	set(at, 1, 0);
	show(way, at);
	faults(SUPERVISOR, READ, at, 0);
	faults(USER, READ, at, 0);
	set(at, 1, entry);
	may_at_last(SUPERVISOR, READ, at, frame(1)[0]);

	point(name(way, 2, "another frame shows after "));
	frame(1)[0] = VALUE + 1;
	frame(2)[0] = VALUE + 2;
	for (unsigned int i = 0; i < 4; i++) {
		set(at, 1, other);
		show(way, at);
		may(SUPERVISOR, READ, at, VALUE + 2);
		may(USER, WRITE, at + 4, i);
		check("the frame now", frame(2)[1], i);
		set(at, 1, entry);
		show(way, at);
		may(USER, READ, at, VALUE + 1);
		may(SUPERVISOR, WRITE, at + 4, 100 + i);
		check("the frame now", frame(1)[1], 100 + i);
		check("the frame before", frame(2)[1], i);
	}
}

static void global(void)
{
	uint64_t at = small_page(3), entry = get(at, 1), other = get(small_page(4), 1);
	uint32_t got = 0;

	frame(3)[0] = VALUE;
	frame(4)[0] = VALUE + 1;
	write_cr4(read_cr4() | CR4_PGE);
	set(at, 1, entry | PT_GLOBAL);
	flush_global();

	point("a global page may outlive MOV CR3, and not a change of CR4.PGE");
	may(SUPERVISOR, READ, at, VALUE);
	set(at, 1, other | PT_GLOBAL);
	flush();
	try_access(SUPERVISOR, READ, at, &got);
	if (got != VALUE && got != VALUE + 1)
		point_fail("# neither frame: 0x%x\n", got);
	flush_global();
	may(SUPERVISOR, READ, at, VALUE + 1);

	point("INVLPG names global pages, too");
	set(at, 1, entry | PT_GLOBAL);
	invlpg(at);
	may(SUPERVISOR, READ, at, VALUE);

	point("a page that is global no more goes by MOV CR3");
	set(at, 1, entry);
	flush_global();
	may(SUPERVISOR, READ, at, VALUE);
	set(at, 1, other);
	flush();
	may(SUPERVISOR, READ, at, VALUE + 1);
	set(at, 1, entry);
	write_cr4(read_cr4() & ~(unsigned long)CR4_PGE);
	flush();
}

static void many(void)
{
	uint64_t entries[REGION_PAGES];

	for (unsigned int i = 0; i < REGION_PAGES; i++) {
		entries[i] = get(small_page(i), 1);
		frame(i)[0] = VALUE + i;
	}

	point("a whole table that is rewritten again and again shows after each MOV CR3");
	for (unsigned int n = 1; n <= ROUNDS; n++) {
		for (unsigned int i = 0; i < REGION_PAGES; i++)
			set(small_page(i), 1, entries[(i + n) % REGION_PAGES]);
		flush();
		for (unsigned int i = 0; i < REGION_PAGES; i++)
			may(SUPERVISOR, READ, small_page(i), VALUE + (i + n) % REGION_PAGES);
	}

	point("each page of it shows after an INVLPG of its own");
	for (unsigned int n = 0; n < ROUNDS; n++) {
		unsigned int i = n * 3 % REGION_PAGES;

		set(small_page(i), 1, entries[(i + n) % REGION_PAGES]);
		invlpg(small_page(i));
		may(SUPERVISOR, READ, small_page(i), VALUE + (i + n) % REGION_PAGES);
	}
	for (unsigned int i = 0; i < REGION_PAGES; i++)
		set(small_page(i), 1, entries[i]);
	flush();
}

static void point_to(uint64_t at, uint64_t entry)
{
	set(at, 1, entry);
	invlpg(at);
}

/* The same edit by instructions of other widths. */
static void writes(void)
{
	uint64_t at = small_page(5), a = get(at, 1), b = get(small_page(6), 1);
	volatile uint8_t *entry = pt_entry(&l1_tables, at, 1);
	unsigned int bytes = l1_tables.format->entry_bytes;

	frame(5)[0] = VALUE + 5;
	frame(6)[0] = VALUE + 6;
	may(SUPERVISOR, READ, at, VALUE + 5);

	point("an entry that is written byte by byte shows");
	for (unsigned int i = 0; i < bytes; i++)
		entry[i] = (uint8_t)(b >> i * 8);
	invlpg(at);
	may(SUPERVISOR, READ, at, VALUE + 6);
	point_to(at, a);
	may(SUPERVISOR, READ, at, VALUE + 5);

	point("an entry that REP MOVSB writes shows");
	{
		const void *from = &b;
		volatile void *to = entry;
		unsigned long count = bytes;

		__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	}
	invlpg(at);
	may(SUPERVISOR, READ, at, VALUE + 6);
	point_to(at, a);

	point("an entry that a write across its edge changes shows");
	*(volatile uint32_t *)(entry - 2) =
		*(volatile uint16_t *)(entry - 2) | (uint32_t)(b & 0xffff) << 16;
	*(volatile uint16_t *)(entry + 2) = (uint16_t)(b >> 16);
	invlpg(at);
	may(SUPERVISOR, READ, at, VALUE + 6);
	may(SUPERVISOR, READ, small_page(4), frame(4)[0]);
	point_to(at, a);

	point("bits that locked instructions change show");
	__asm__ volatile("lock btrl $1, %0" : "+m"(*(volatile uint32_t *)entry) : : "memory");
	invlpg(at);
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	__asm__ volatile("lock orb $2, %0" : "+m"(*entry) : : "memory");
	invlpg(at);
	may(SUPERVISOR, WRITE, at + 4, 1);
	__asm__ volatile("lock xorb $1, %0" : "+m"(*entry) : : "memory");
	invlpg(at);
	faults(SUPERVISOR, READ, at, 0);
	point_to(at, a);
	may(SUPERVISOR, READ, at, VALUE + 5);

	point("an entry that is exchanged shows, and A and D come back with the old one");
	{
		uint32_t low = (uint32_t)b;

		__asm__ volatile("xchgl %0, %1" : "+r"(low), "+m"(*(volatile uint32_t *)entry));
		check("A and D", low & AD, (a | PT_ACCESSED) & AD);
	}
	invlpg(at);
	may(SUPERVISOR, READ, at, VALUE + 6);
	point_to(at, a);
}

void paging_change(void)
{
	if (!paging_group("change"))
		return;
	more();
	for (enum way way = BY_INVLPG; way < WAYS; way++)
		less(way);
	global();
	many();
	writes();
	paging_end();
}
