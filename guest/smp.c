/*
 * The L1 image `smp`: processors that run L2s on shared nested tables, or L1's own code on shared
 * tables of its own, while one of them edits, flushes and moves these. guest/smp/smp.h tells how it
 * is judged. For 2 to 4 processors with APIC ids from 0; edits= of the command line is
 * how many edits each point has; seed= and rounds= are for the random part.
 */
#include "guest/smp/smp.h"

enum { EDITS = 32, ROUNDS = 4, SHARED_ROUNDS = 4 };

/* What the scripts below say of their edits. */
enum { FEW, MANY };
static unsigned int few, many; /* edits of one point, by all its editors together */

uint32_t smp_seed(void)
{
	return cmdline_number("seed", 1);
}

uint32_t smp_random(struct tester *tester, uint32_t n)
{
	uint32_t *state = &tester->random;

	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return (uint32_t)((uint64_t)*state * n >> 32);
}

/* Each page: read only, written, or left alone. */
static bool is_left(unsigned int page)
{
	return page % 4 == 3;
}

static bool is_written(unsigned int page)
{
	return page % 4 > 1 && !is_left(page);
}

/* All come to all pages at the same time, with nothing shadowed yet. */
static void touch(struct cpu *cpu)
{
	struct tester *t = tester_self();

	(void)cpu;
	access_begin(t);
	for (unsigned int i = 0; i < PAGES; i++) {
		unsigned int page = (i + t->number * 5) % PAGES;

		if (!is_left(page) && !access_thing(t, page, is_written(page)))
			return;
	}
}

static void on_all(void (*function)(struct cpu *))
{
	for (unsigned int i = 0; i < tester_count; i++)
		testers[i].failure = NULL;
	for (unsigned int i = 1; i < tester_count; i++)
		cpu_call(testers[i].cpu, function);
	function(testers[0].cpu);
	for (unsigned int i = 1; i < tester_count; i++) {
		if (!cpu_wait(testers[i].cpu))
			fail(&testers[i], "it does not end", NULL);
	}
}

static void check_bits(void)
{
	for (unsigned int page = 0; page < PAGES; page++) {
		uint64_t bits = is_left(page)      ? 0
		                : is_written(page) ? PT_ACCESSED | PT_DIRTY
		                                   : PT_ACCESSED;

		check("A and D",
		      pt_get(&scene.tree[0], scene_address(page), 1) & (PT_ACCESSED | PT_DIRTY),
		      bits);
	}
}

static void shared(const struct l2_kind *kind)
{
	static const struct script script = {0};

	point("all processors find their values in pages that nobody used before");
	for (unsigned int round = 0; round < SHARED_ROUNDS; round++) {
		scene_make(kind, 1);
		for (unsigned int i = 0; i < tester_count; i++)
			testers[i].begun = false;
		on_all(touch);
		report_failures(&script);
	}
	point("what they used has A and D, what they did not has none");
	check_bits();
	scene_end();
}

static const struct {
	const char *name;
	struct script script;
} parts[] = {
	{"a page that moves", {MOVE_PAGE, FEW, 0, 0}},
	{"a page that comes, goes, or becomes read-only", {PAGE_RIGHTS, FEW, 0, 0}},
	{"pages that come show without a flush", {ADD_ONLY, MANY, 0, 0}},
	{"a table whose rights change", {TABLE_RIGHTS, FEW, 0, 0}},
	{"a table that moves", {MOVE_TABLE, FEW, 0, 0}},
	{"the table above that moves", {MOVE_UPPER, FEW, 0, 0}},
	{"small pages that become large, and back", {SIZES, FEW, 0, 0}},
	{"tables that become data, and data tables", {MOVE_TABLE | RECYCLE, MANY, 0, 0}},
	{"all of these, by a processor that only edits", {ALL_EDITS & ~MAPS, FEW, SILENT, 0}},
	{"all of these, and one processor does not flush", {ALL_EDITS & ~MAPS, FEW, HOLD, 0}},
	{"all of these, and no processor waits", {ALL_EDITS & ~MAPS, FEW, LAG, 0}},
};

/* Each processor in turn is the one that edits. */
static void play_all(const struct l2_kind *kind, struct script script, unsigned int trees)
{
	script.edits = script.edits == MANY ? many : few;
	/* Only the first processor may restart others. */
	if (!(script.options & RESTART))
		script.edits = script.edits / tester_count + 1;
	for (script.editor = 0; script.editor < tester_count; script.editor++) {
		bool ok;

		scene_make(kind, trees);
		ok = play(&script);
		if (!ok)
			report_failures(&script);
		scene_end();
		if (!ok || script.options & RESTART)
			return;
	}
}

static void edits(const struct l2_kind *kind)
{
	for (unsigned int i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		point(parts[i].name);
		play_all(kind, parts[i].script, 1);
	}
}

static void edits_by_l2(const struct l2_kind *kind)
{
	point("an L2 of one processor edits the tables of the others'");
	play_all(kind, (struct script){ALL_EDITS & ~MAPS, MANY, BY_L2, 0}, 1);
	point("an L2 does, of a processor that only edits");
	play_all(kind, (struct script){ALL_EDITS & ~MAPS, FEW, BY_L2 | SILENT, 0}, 1);
}

static void maps(const struct l2_kind *kind)
{
	point("an edit of a shared MSRPM or IOPM shows at the next VMRUN");
	play_all(kind, (struct script){MAPS, MANY, 0, 0}, 1);
	play_all(kind, (struct script){MAPS, MANY, SILENT | LAG, 0}, 1);
}

static void restarts(const struct l2_kind *kind)
{
	point("INIT and SIPI to processors that run L2s, and they join again");
	play_all(kind, (struct script){ALL_EDITS & ~MAPS, MANY, RESTART, 0}, 1);
	point("what was edited meanwhile shows to one that joins, without a flush of its own");
	play_all(kind, (struct script){ALL_EDITS & ~MAPS, MANY, RESTART | SILENT, 0}, 1);
	point("INIT and SIPI beside interrupts and processors that do not flush");
	play_all(kind, (struct script){ALL_EDITS, MANY, RESTART | POKE | HOLD, 0}, 1);
}

static void roots(const struct l2_kind *kind)
{
	point("more roots than can be shadowed, with tables that they share");
	play_all(kind, (struct script){ALL_EDITS, FEW, 0, 0}, TREES);
	point("a processor that only edits, and roots under ASIDs of their own");
	play_all(kind, (struct script){ALL_EDITS, FEW, SILENT | LAG, 0}, TREES / 8);
}

static void mixed(const struct l2_kind *kind)
{
	uint32_t rounds = cmdline_number("rounds", ROUNDS);
	struct tester *self = &testers[0];

	point("all of this, at random");
	for (uint32_t round = 0; round < rounds; round++) {
		struct script script = {.kinds = ALL_EDITS, .edits = few};
		unsigned int trees = smp_random(self, 3) ? 1 : 1 + smp_random(self, TREES);
		bool ok;

		script.options = smp_random(self, POKE << 1);
		script.editor = smp_random(self, tester_count);
		if (script.editor || smp_random(self, 2))
			script.options &= ~(unsigned int)RESTART;
		if (smp_random(self, 2))
			script.kinds = 1 + smp_random(self, ALL_EDITS);
		scene_make(smp_random(self, 2) ? kind : NULL, trees);
		ok = play(&script);
		if (!ok) {
			report_failures(&script);
			point_fail("# round %u of seed %u, %u roots, %s\n", round, smp_seed(),
			           trees, scene.own ? "L1's own paging" : "L2s");
		}
		scene_end();
		if (!ok)
			return;
	}
}

static void own_edits(const struct l2_kind *kind)
{
	(void)kind;
	shared(NULL);
	edits(NULL);
	point("INIT and SIPI to processors that use the tables, and they join again");
	play_all(NULL, (struct script){ALL_EDITS, MANY, RESTART | POKE, 0}, 1);
}

static const struct {
	const char *name;
	void (*run)(const struct l2_kind *kind);
} groups[] = {
	{"shared", shared},    {"edit", edits},  {"by-l2", edits_by_l2},        {"maps", maps},
	{"restart", restarts}, {"roots", roots}, {"interrupt", smp_interrupts}, {"own", own_edits},
	{"random", mixed},
};

static void prepare(void)
{
	testers_init();
	if (tester_count < 2)
		run_skipped("one processor only: this image is for 2 to 4 (SMP=2)");
	few = cmdline_number("edits", EDITS);
	many = 2 * few;
	scene_memory_init();
	shoot_init();
}

static void run(void)
{
	for (unsigned int i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		if (tap_group("smp", groups[i].name))
			groups[i].run(l2_widest());
		point_end();
	}
}

const struct image image = {.name = "smp",
                            .format = pt_format_of_width,
                            .prepare = prepare,
                            .run = run,
                            .maps_4g = true};
