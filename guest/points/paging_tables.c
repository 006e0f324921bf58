/*
 * Page tables that are also something else: data before and after, mapped by themselves, at two
 * places, at two levels, written by the user. Relies on paging.h.
 */
#include "guest/points/paging.h"

enum { VALUE = 0x7ab1 };

/* The page of the table that has the entry for the address at the level. */
static uint8_t *table_of(uint64_t address, unsigned int level)
{
	return (uint8_t *)((uintptr_t)pt_entry(&l1_tables, address, level) & ~0xffful);
}

static void write_entry(uintptr_t where, uint64_t value)
{
	if (l1_tables.format->entry_bytes == 4)
		*(volatile uint32_t *)where = (uint32_t)value;
	else
		*(volatile uint64_t *)where = value;
}

static void reuse(void)
{
	uint64_t at = region(REGION_FREE), table;
	uint32_t *words;

	map(at, frame(0), 1, PT_RWU);
	table = get(at, 2);
	words = (uint32_t *)(void *)table_of(at, 1);
	frame(0)[0] = VALUE;
	may(SUPERVISOR, READ, at, VALUE);

	point("a table that is none any more holds data like any page");
	set(at, 2, 0);
	flush();
	for (unsigned int i = 0; i < PAGE_SIZE / 4; i++)
		words[i] = VALUE * i;
	for (unsigned int i = 0; i < PAGE_SIZE / 4; i += 129)
		check("data", words[i], VALUE * i);
	faults(SUPERVISOR, READ, at, 0);

	point("the page becomes a table again, with what is in it now");
	memset(words, 0, PAGE_SIZE);
	set(at, 2, table);
	map(at + PAGE_SIZE, frame(1), 1, PT_RWU);
	frame(1)[0] = VALUE + 1;
	flush();
	may(SUPERVISOR, READ, at + PAGE_SIZE, VALUE + 1);
	faults(SUPERVISOR, READ, at, 0);

	point("a page of data becomes a table, and back, several times");
	memset(frame(2), 0, PAGE_SIZE);
	for (unsigned int i = 0; i < 4; i++) {
		set(at, 2, (uintptr_t)frame(2) | PT_RWU);
		map(at, frame(i % 2), 1, PT_RWU);
		flush();
		may(SUPERVISOR, READ, at, VALUE + i % 2);
		set(at, 2, table);
		flush();
		frame(2)[0] = i; /* no entry any more */
		may(SUPERVISOR, READ, at + PAGE_SIZE, VALUE + 1);
		may(SUPERVISOR, READ, small_page(2), i);
		frame(2)[0] = frame(2)[1] = 0;
	}
	set(at, 2, 0);
	flush();
}

static void itself(void)
{
	uint64_t at = small_page(0), window = small_page(3), a = get(at, 1),
		 b = get(small_page(1), 1);
	unsigned int bytes = l1_tables.format->entry_bytes;
	uintptr_t entry = (uintptr_t)window + ((uintptr_t)pt_entry(&l1_tables, at, 1) & 0xfff);

	frame(0)[0] = VALUE;
	frame(1)[0] = VALUE + 1;
	map(window, table_of(at, 1), 1, PT_RWU);
	invlpg(window);

	point("a table that maps itself is edited through that mapping");
	for (unsigned int i = 0; i < 4; i++) {
		may(SUPERVISOR, READ, at, VALUE);
		write_entry(entry, b);
		invlpg(at);
		may(SUPERVISOR, READ, at, VALUE + 1);
		write_entry(entry, a);
		flush();
	}

	point("both ways to write it mix");
	write_entry(entry, b & ~PT_WRITE);
	set(small_page(2), 1, 0);
	flush();
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	faults(SUPERVISOR, READ, small_page(2), 0);
	write_entry(entry + 2 * bytes, a);
	set(at, 1, a);
	flush();
	may(SUPERVISOR, READ, small_page(2), VALUE);
	may(SUPERVISOR, WRITE, at, VALUE);

	point("D of the entry that maps its own table is set by writing there");
	set(window, 1, get(window, 1) & ~AD);
	flush();
	write_entry(entry, a);
	check("A and D", get(window, 1) & AD, AD);

	point("the user edits a table that it may write");
	{
		const struct user user = {
			.bx = entry,
			.cx = (uint32_t)b,
			.ip = (uintptr_t)region(REGION_USER) + user_code_at(USER_WRITE),
			.sp = (uintptr_t)region(REGION_USER) + 2 * PAGE_SIZE,
			.flags = RFLAGS_FIXED,
		};

		check("vector", (uint64_t)(int64_t)user_run(&user), (uint64_t)-1);
	}
	invlpg(at);
	may(SUPERVISOR, READ, at, VALUE + 1);

	point("a read-only mapping of a table forbids the write to it");
	set(at, 1, a);
	set(window, 1, get(window, 1) & ~PT_WRITE);
	flush();
	faults(SUPERVISOR, WRITE, entry, PF_PRESENT);
	faults(USER, WRITE, entry, PF_PRESENT);
	may(SUPERVISOR, READ, entry, (uint32_t)get(at, 1));
	map(window, frame(3), 1, PT_RWU);
	map(small_page(2), frame(2), 1, PT_RWU);
	flush();
}

/* Level 2's table under an entry of its own: as a table of level 1, it maps the tables. */
static void two_levels(void)
{
	uint64_t at = small_page(0), window = region(REGION_FREE), a = get(at, 1),
		 b = get(small_page(1), 1);
	unsigned int index = (unsigned int)(at >> l1_tables.format->level[2].shift) &
	                     ((1u << l1_tables.format->level[2].bits) - 1);
	uintptr_t entry = (uintptr_t)window + index * PAGE_SIZE +
	                  ((uintptr_t)pt_entry(&l1_tables, at, 1) & 0xfff);

	set(window, 2, (uintptr_t)table_of(at, 2) | PT_RWU);
	flush();

	point("a table of level 2 that is one of level 1, too, shows the tables below it");
	may(SUPERVISOR, READ, entry, (uint32_t)get(at, 1));
	for (unsigned int i = 0; i < 4; i++) {
		write_entry(entry, b);
		invlpg(at);
		may(SUPERVISOR, READ, at, VALUE + 1);
		write_entry(entry, a);
		invlpg(at);
		may(SUPERVISOR, READ, at, VALUE);
	}

	point("A and D of its entry serve both levels");
	set(at, 2, get(at, 2) & ~AD);
	flush();
	write_entry(entry, a);
	check("A and D", get(at, 2) & AD, AD);
	set(window, 2, 0);
	flush();
	may(SUPERVISOR, READ, at, VALUE);
}

static void two_places(void)
{
	uint64_t at = small_page(0), twin = region(REGION_FREE), a = get(at, 1),
		 b = get(small_page(1), 1), upper = get(at, 2);

	point("one table at two places shows an edit at both");
	set(twin, 2, upper);
	flush();
	for (unsigned int i = 0; i < 4; i++) {
		may(SUPERVISOR, READ, at, VALUE);
		may(SUPERVISOR, READ, twin, VALUE);
		set(at, 1, b);
		invlpg(at);
		invlpg(twin);
		may(SUPERVISOR, READ, at, VALUE + 1);
		may(SUPERVISOR, READ, twin, VALUE + 1);
		set(at, 1, a);
		flush();
	}

	point("the rights of the entries above it differ");
	set(twin, 2, upper & ~PT_WRITE);
	flush();
	may(SUPERVISOR, WRITE, at, VALUE);
	faults(SUPERVISOR, WRITE, twin, PF_PRESENT);
	faults(USER, WRITE, twin, PF_PRESENT);
	set(twin, 2, upper & ~PT_USER);
	flush();
	faults(USER, READ, twin, PF_PRESENT);
	may(USER, READ, at, VALUE);
	may(SUPERVISOR, WRITE, twin, VALUE);
	set(twin, 2, 0);
	flush();
}

void paging_tables(void)
{
	if (!paging_group("tables"))
		return;
	reuse();
	itself();
	two_levels();
	two_places();
	paging_end();
}
