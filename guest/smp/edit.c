/*
 * Edits of the tables under test: the bookkeeping of one editor at a time, the versions that it
 * announces, and the stores, by L1 or by an L2 of the editor's. Relies on smp.h.
 */
#include "guest/smp/smp.h"

enum {
	FEWEST_DATA = 8, /* frames of data that stay */
	TRIES = 8,
	MSR = 0x174, /* SYSENTER_CS */
	PORT = 0x80,
	INTERCEPT_READ = 1,
	ENTRIES = 512,
};

#define TABLE_BITS ((uint32_t)(PT_PRESENT | PT_WRITE | PT_USER))

enum use { SPARE, TABLE, DATA };

static struct state ptes[PAGES];
static struct {
	bool present, writable;
	unsigned int table; /* a frame */
} ranges[RANGES];
static bool large; /* the last range is one page, of this block */
static unsigned int block;
static enum use use[POOL];
static uint32_t since[POOL]; /* the version at which it came out of use */
static bool msr_on, port_on;
static uint64_t upper;           /* the level 3 entry as it was */
static unsigned int upper_table; /* the frame that the level 2 table is in, or FRAMES */

static unsigned int range_of(unsigned int page)
{
	return page / SLOTS;
}

static unsigned int block_frame(unsigned int which, unsigned int page)
{
	return POOL + which * LARGE_SLOTS + page - LARGE * SLOTS;
}

static uint32_t gpa_of(unsigned int frame)
{
	return (uint32_t)(uintptr_t)frame_memory(frame);
}

/* What the tables say of a thing now. */
static struct state derive(unsigned int thing)
{
	unsigned int range = range_of(thing);
	struct state state = {0};

	if (thing >= PAGES) {
		state.present = thing == THE_MSR ? msr_on : port_on;
		return state;
	}
	state = ptes[thing];
	if (range == LARGE && large)
		state = (struct state){(uint8_t)block_frame(block, thing), true, true};
	state.present &= ranges[range].present;
	state.writable &= ranges[range].writable;
	return state;
}

static bool takes_away(const struct state *old, const struct state *new)
{
	return old->present &&
	       (!new->present || new->frame != old->frame || (old->writable && !new->writable));
}

/* Announces the version that the bookkeeping describes. Does it take something away? */
static bool announce(bool structural)
{
	uint32_t version = scene.started + 1;
	bool less = structural;

	for (unsigned int i = 0; i < THINGS; i++) {
		struct state new = derive(i);

		less |= i < PAGES && takes_away(scene_state(version - 1, i), &new);
		scene.history[version % VERSIONS][i] = new;
	}
	if (structural)
		scene.structural = version;
	__atomic_store_n(&scene.started, version, __ATOMIC_SEQ_CST);
	return less;
}

static void conclude(bool less)
{
	uint32_t version = scene.started;

	__atomic_store_n(&scene.finished, version, __ATOMIC_SEQ_CST);
	if (less)
		__atomic_store_n(&scene.due, version, __ATOMIC_SEQ_CST);
}

/* Entries have 8 bytes, of which the upper 4 are always 0. */
static void store(struct tester *editor, uint64_t gpa, uint32_t value, bool by_l2)
{
	if (by_l2 && gpa >= scene.chunk && gpa < scene.chunk_end)
		l2_writes(editor, &editor->writer, L2_TO_TABLES + (gpa - scene.chunk), value);
	else
		*(volatile uint32_t *)(uintptr_t)gpa = value;
}

static uint64_t pte_gpa(unsigned int page)
{
	uint64_t index = scene_address(page) >> PAGE_SHIFT & (ENTRIES - 1);

	return gpa_of(ranges[range_of(page)].table) + index * sizeof(uint64_t);
}

static uint32_t flags_of(bool present, bool writable)
{
	return (uint32_t)PT_USER | (present ? (uint32_t)PT_PRESENT : 0) |
	       (writable ? (uint32_t)PT_WRITE : 0);
}

static uint32_t pte_of(unsigned int page)
{
	const struct state *pte = &ptes[page];

	return gpa_of(pte->frame) | flags_of(pte->present, pte->writable);
}

static void put_pte(struct tester *editor, unsigned int page, bool by_l2)
{
	store(editor, pte_gpa(page), pte_of(page), by_l2);
}

/* The entry above a range, in each tree. */
static void put_range(struct tester *editor, unsigned int range, bool by_l2)
{
	uint32_t to = gpa_of(ranges[range].table);

	if (range == LARGE && large)
		to = (gpa_of(block_frame(block, LARGE * SLOTS)) & ~(uint32_t)(SIZE_2M - 1)) |
		     (uint32_t)PT_LARGE;
	to |= flags_of(ranges[range].present, ranges[range].writable);
	for (unsigned int i = 0; i < scene.trees; i++)
		store(editor, pt_entry_address(&scene.tree[i], scene.base + range * SIZE_2M, 2), to,
		      by_l2);
}

/* Every processor that takes part has flushed since; what it may still write with is no matter. */
static bool all_acked(uint32_t version)
{
	for (unsigned int i = 0; i < tester_count; i++) {
		if (!testers[i].out && testers[i].acked < version)
			return false;
	}
	return true;
}

/* A frame that nobody can reach any more, or FRAMES. */
static unsigned int take_spare(void)
{
	for (unsigned int i = 0; i < POOL; i++) {
		if (use[i] == SPARE && all_acked(since[i]))
			return i;
	}
	return FRAMES;
}

static void put_back(unsigned int frame)
{
	use[frame] = SPARE;
	since[frame] = scene.started;
}

static void make_data(unsigned int frame)
{
	uint32_t *words = frame_memory(frame);

	if (frame < POOL)
		use[frame] = DATA;
	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		words[i] = frame_tag(frame);
}

static unsigned int any_data(struct tester *editor)
{
	unsigned int frame = smp_random(editor, POOL);

	while (use[frame] != DATA)
		frame = (frame + 1) % POOL;
	return frame;
}

static bool is_used(unsigned int frame)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		if (ptes[i].frame == frame)
			return true;
	}
	return false;
}

static void copy_table(unsigned int to, const volatile uint32_t *from)
{
	uint32_t *words = frame_memory(to);

	use[to] = TABLE;
	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*words); i++)
		words[i] = from[i];
}

/* A page that has an entry of its own now. */
static unsigned int any_page(struct tester *editor)
{
	return smp_random(editor, large ? LARGE * SLOTS : PAGES);
}

static uint64_t change_page(struct tester *editor, unsigned int page, bool by_l2)
{
	bool less = announce(false);

	put_pte(editor, page, by_l2);
	conclude(less);
	return less ? scene_address(page) : 0;
}

static uint64_t move_page(struct tester *editor, bool by_l2)
{
	unsigned int page = any_page(editor);

	ptes[page].frame = (uint8_t)any_data(editor);
	return change_page(editor, page, by_l2);
}

static uint64_t page_rights(struct tester *editor, bool by_l2)
{
	unsigned int page = any_page(editor);

	ptes[page].present = smp_random(editor, 4) != 0;
	ptes[page].writable = smp_random(editor, 2) != 0;
	return change_page(editor, page, by_l2);
}

/* The next page that is not there comes back; when all are there, all go at once. */
static uint64_t add_only(struct tester *editor, bool by_l2)
{
	unsigned int page = 0;
	bool less;

	while (page < PAGES && ptes[page].present && ptes[page].writable)
		page++;
	if (page < PAGES) {
		ptes[page].writable = ptes[page].present;
		ptes[page].present = true;
		return change_page(editor, page, by_l2);
	}
	for (page = 0; page < PAGES; page++)
		ptes[page].present = ptes[page].writable = false;
	less = announce(false);
	for (page = 0; page < (large ? LARGE * SLOTS : PAGES); page++)
		put_pte(editor, page, by_l2);
	conclude(less);
	return SHOOT_ALL;
}

static uint64_t change_range(struct tester *editor, unsigned int range, bool structural, bool by_l2)
{
	bool less = announce(structural);

	put_range(editor, range, by_l2);
	conclude(less);
	return less ? SHOOT_ALL : 0;
}

static uint64_t table_rights(struct tester *editor, bool by_l2)
{
	unsigned int range = smp_random(editor, RANGES);

	ranges[range].present = smp_random(editor, 4) != 0;
	ranges[range].writable = smp_random(editor, 3) != 0;
	return change_range(editor, range, false, by_l2);
}

static uint64_t move_table(struct tester *editor, bool by_l2)
{
	unsigned int range = smp_random(editor, large ? LARGE : RANGES), to = take_spare();
	unsigned int from = ranges[range].table;
	uint64_t flush;

	if (to == FRAMES)
		return move_page(editor, by_l2);
	copy_table(to, frame_memory(from));
	ranges[range].table = to;
	flush = change_range(editor, range, true, by_l2);
	put_back(from);
	return flush;
}

/* The level 2 table, with all that it maps. */
static uint64_t move_upper(struct tester *editor, bool by_l2)
{
	uint64_t at = pt_entry_address(&scene.tree[0], scene.base, 3);
	unsigned int to = scene.upper_moves ? take_spare() : FRAMES, from = upper_table;
	bool less;

	if (to == FRAMES)
		return move_table(editor, by_l2);
	copy_table(to, (const volatile uint32_t *)(uintptr_t)(pt_entry_address(&scene.tree[0],
	                                                                       scene.base, 2) &
	                                                      ~(uint64_t)(PAGE_SIZE - 1)));
	less = announce(true);
	store(editor, at, gpa_of(to) | (uint32_t)scene.tree[0].format->level[3].table_flags, by_l2);
	conclude(less);
	if (from != FRAMES)
		put_back(from);
	upper_table = to;
	return SHOOT_ALL;
}

static void split(unsigned int table)
{
	uint32_t *words = frame_memory(table);
	uint32_t first = gpa_of(block_frame(block, LARGE * SLOTS)) & ~(uint32_t)(SIZE_2M - 1);

	for (unsigned int i = 0; i < ENTRIES; i++) {
		words[2 * i] = (first + i * PAGE_SIZE) | TABLE_BITS;
		words[2 * i + 1] = 0;
	}
	use[table] = TABLE;
	for (unsigned int page = LARGE * SLOTS; page < PAGES; page++)
		ptes[page] = (struct state){(uint8_t)block_frame(block, page), true, true};
	ranges[LARGE].table = table;
	large = false;
}

/* The last range becomes small pages, or one large one, or another large one. */
static uint64_t sizes(struct tester *editor, bool by_l2)
{
	unsigned int table = large && smp_random(editor, 4) ? take_spare() : FRAMES;
	bool was_large = large;
	uint64_t flush;

	if (table != FRAMES) {
		split(table);
	} else {
		large = true;
		block = smp_random(editor, BLOCKS);
	}
	flush = change_range(editor, LARGE, true, by_l2);
	if (!was_large)
		put_back(ranges[LARGE].table);
	return flush;
}

/* A spare frame becomes a page's; and one that no page has becomes spare. */
static uint64_t recycle(struct tester *editor, bool by_l2)
{
	unsigned int frame = take_spare(), page = any_page(editor), data = 0;

	if (frame == FRAMES)
		return move_page(editor, by_l2);
	make_data(frame);
	for (unsigned int i = 0; i < POOL; i++)
		data += use[i] == DATA;
	for (unsigned int i = 0; data > FEWEST_DATA && i < POOL; i++) {
		if (i != frame && use[i] == DATA && !is_used(i)) {
			put_back(i);
			data--;
		}
	}
	ptes[page].frame = (uint8_t)frame;
	return change_page(editor, page, by_l2);
}

/* Shows at the next VMRUN without any flush: APM 15.10, 15.11. */
static uint64_t maps(struct tester *editor, bool by_l2)
{
	(void)by_l2;
	if (scene.own)
		return move_page(editor, by_l2);
	if (smp_random(editor, 2))
		msr_on = !msr_on;
	else
		port_on = !port_on;
	announce(false);
	l2_msr_intercept(MSR, msr_on ? INTERCEPT_READ : 0);
	l2_port_intercept(PORT, port_on);
	conclude(false);
	return 0;
}

static const struct {
	unsigned int kind;
	uint64_t (*edit)(struct tester *editor, bool by_l2);
} edits[] = {
	{MOVE_PAGE, move_page},       {PAGE_RIGHTS, page_rights},
	{TABLE_RIGHTS, table_rights}, {MOVE_TABLE, move_table},
	{MOVE_UPPER, move_upper},     {SIZES, sizes},
	{RECYCLE, recycle},           {MAPS, maps},
	{ADD_ONLY, add_only},
};

uint64_t edit_once(struct tester *editor, unsigned int kinds, bool by_l2)
{
	unsigned int n;

	do
		n = smp_random(editor, sizeof(edits) / sizeof(*edits));
	while (!(edits[n].kind & kinds));
	return edits[n].edit(editor, by_l2 && !scene.own);
}

void edit_init(void)
{
	struct tester *self = &testers[0];
	uint64_t above = scene.base;

	for (unsigned int i = 0; i < POOL; i++) {
		use[i] = SPARE;
		since[i] = 0;
	}
	for (unsigned int i = RANGES; i < RANGES + PAGES / 2; i++)
		make_data(i);
	for (unsigned int i = POOL; i < FRAMES; i++)
		make_data(i);
	large = msr_on = port_on = false;
	block = 0;
	for (unsigned int i = 0; i < PAGES; i++)
		ptes[i] = (struct state){(uint8_t)any_data(self), true, true};
	for (unsigned int i = 0; i < RANGES; i++) {
		ranges[i].present = ranges[i].writable = true;
		ranges[i].table = i;
		use[i] = TABLE;
	}
	split(LARGE);
	for (unsigned int i = 0; i < PAGES; i++)
		put_pte(self, i, false);

	upper_table = FRAMES;
	for (unsigned int i = 0; i < RANGES; i++)
		put_range(self, i, false);
	upper = pt_get(&scene.tree[0], above, 3);

	scene.started = scene.finished = scene.due = scene.structural = 1;
	for (unsigned int i = 0; i < THINGS; i++)
		scene.history[1][i] = derive(i);
}

void edit_restore(void)
{
	pt_set(&scene.tree[0], scene.base, 3, upper);
	for (unsigned int i = 0; i < RANGES; i++)
		pt_set(&scene.tree[0], scene.base + i * SIZE_2M, 2, 0);
}
