/*
 * Runs scripts: each operation on mmu/ and on the model, and compares. Relies on
 * tests/model/world.h.
 */
#include "tests/model/world.h"

#include "tests/model/marks.h"

#include <inttypes.h>
#include <stdio.h>

/* Frames are tracked by NPT01's pages, which need their own. */
enum { MINIMUM_POOL = 6, TRACKED_POOL = 40 };

/* Half of the edits concern what L0 is at work on: that is where it can go wrong. */
static struct op aimed(const struct world *world)
{
	struct op op = *world->race;
	const struct world_cpu *self = &world->cpu[world->self];

	if (op.cpu & 0x40) {
		op.root = (uint8_t)self->root;
		op.address = self->address;
	}
	return op;
}

void world_enter_l2(struct world *world, unsigned int cpu)
{
	struct world_cpu *at = &world->cpu[cpu];

	windows_open(&at->used[at->asid][at->root], ram_now(&world->rig->ram));
	at->running = at->in_l2 = true;
}

void world_leave_l2(struct world *world, unsigned int cpu)
{
	struct world_cpu *at = &world->cpu[cpu];

	if (at->in_l2)
		windows_close(&at->used[at->asid][at->root], ram_now(&world->rig->ram));
	at->in_l2 = false;
}

/* Others enter their L2 amid the work of mmu/ if they can without its lock. */
static void enter_amid(struct world *world)
{
	for (unsigned int cpu = 0; cpu < world->cpus; cpu++) {
		struct world_cpu *at = &world->cpu[cpu];
		struct guest_tables tables = world_tables(world, at->root);
		uint64_t hpa;

		if (cpu == world->self || !at->running || at->in_l2)
			continue;
		hpa = mmu_current_root(&world->rig->mmu, &world->rig->cpu[cpu], &tables,
		                       at->asid + 1);
		if (!hpa)
			continue;
		at->hpa = hpa;
		at->in_l1 = false;
		world_enter_l2(world, cpu);
	}
}

static void look(struct world *world)
{
	struct entries entries;
	struct op op;

	if (!world->racing || world->countdown-- > 0)
		return;
	world->racing = false;
	world->raced = true;
	ram_collect(&world->rig->ram);
	world_l1_runs(world);
	world->amid = true;
	op = aimed(world);
	entries = world_entries(world, &op);
	entries_edit(&entries, &op);
	enter_amid(world);
	world->amid = false;
}

/* What mmu/ does from here to end_race() may be raced by an edit that another processor makes. */
static void begin_race(struct world *world)
{
	world->raced = false;
	world->racing = world->race != NULL;
}

static void end_race(struct world *world)
{
	world->racing = false;
	if (world->raced)
		world->race = NULL;
}

static void on_memory(struct rig *rig, uint64_t gpa)
{
	(void)gpa;
	look(rig->context);
}

static void on_changed(struct rig *rig, uint64_t gpa)
{
	struct world *world = rig->context;

	watch_told(&world->watched, rig, gpa);
}

static void on_opens(struct rig *rig, uint64_t gpa)
{
	struct world *world = rig->context;

	watch_opens(&world->watched, gpa);
}

static void on_flush(struct rig *rig)
{
	world_forget_all(rig->context);
	world_l1_runs(rig->context);
}

static void on_kick(struct rig *rig, unsigned int cpu)
{
	struct world *world = rig->context;

	if (world->heeds_kicks)
		world->cpu[cpu].in_l1 = false;
}

void world_init(struct world *world, const struct setting *setting)
{
	static const uint32_t pools[] = {8, 10, 14, 24, 64, 200, 18, 40};
	int host_levels = setting->host & 8 ? 3 : 4 + (setting->host & 1);
	const uint8_t formats[2] = {setting->formats, setting->formats / 16};

	world->tracking = setting->host & 4;
	world->rig = rig_new(host_levels, setting->host & 2,
	                     MINIMUM_POOL + pools[setting->pool % 8] +
	                             (world->tracking ? TRACKED_POOL : 0));
	world->rig->context = world;
	world->rig->on_page = on_memory;
	world->rig->on_written = on_memory;
	world->rig->on_map = on_memory;
	world->rig->on_flush = on_flush;
	world->rig->on_changed = on_changed;
	world->rig->on_opens = on_opens;
	world->rig->on_kick = on_kick;
	world->heeds_kicks = setting->map & 0x10;
	world->near = setting->map & 0x40;
	world->rig->hole_level = setting->map % 4;
	world->cpus = 1 + setting->cpus % RIG_CPUS;
	for (int i = 0; i < 2; i++) {
		uint32_t flags = (i ? setting->flags_b : setting->flags_a) &
		                 (MODE_NX | MODE_PSE | MODE_1G | MODE_PDPTE_A);

		rig_mode(world->rig, &world->tables[i].mode, formats[i], flags | MODE_NESTED,
		         setting->phys_bits);
		world->tables[i].pat = pack_pat(rig_pats[i]);
		world->pat[i] = rig_pats[i];
		world->mode[i] = rig_ref_mode(&world->tables[i].mode);
	}
	world->rig->mmu.phys_bits = world->mode[0].phys_bits;
	if (!world->tracking)
		return;
	rig_track(world->rig);
	/* Other processors may come later. */
	for (unsigned int cpu = 0; cpu < (setting->map & 0x20 ? world->cpus : 1); cpu++)
		world->cpu[cpu].direct = mmu_direct_root(&world->rig->mmu, &world->rig->cpu[cpu]);
}

/* What regions at rest have been good for, in all scripts. */
static uint64_t slept, woken, held, glances;
/* Faults that took the short way; tables that were compared with a copy, and leaves set in place.
 */
static uint64_t short_ways, copies_used, moved;

void world_end(struct world *world)
{
	for (unsigned int cpu = 0; cpu < RIG_CPUS; cpu++) {
		slept += world->rig->cpu[cpu].counters.giants_skipped;
		glances += world->rig->cpu[cpu].counters.glances;
		short_ways += world->rig->cpu[cpu].counters.short_ways;
		copies_used += world->rig->cpu[cpu].counters.copies_used;
		moved += world->rig->cpu[cpu].counters.leaves_moved;
	}
	woken += world->woken;
	held += world->watched.held;
	rig_free(world->rig);
}

static const char *missed(void)
{
	return !slept         ? "a giant at rest"
	       : !woken       ? "a write in a giant at rest"
	       : !glances     ? "a glance that was enough"
	       : !held        ? "marks that held"
	       : !short_ways  ? "a fault beside the last one"
	       : !copies_used ? "a table with a copy"
	       : !moved       ? "a leaf that is set in place"
	                      : NULL;
}

static void load(struct world *world, unsigned int cpu, unsigned int root, unsigned int asid)
{
	struct world_cpu *at = &world->cpu[cpu];
	struct guest_tables tables = world_tables(world, root);

	world_leave_l2(world, cpu);
	at->root = root;
	at->asid = asid;
	world_enter_l2(world, cpu);
	at->hpa = mmu_current_root(&world->rig->mmu, &world->rig->cpu[cpu], &tables, asid + 1);
	/* All of a world's tables are read alike. */
	if (mmu_same_root(&world->rig->mmu, &world->rig->cpu[cpu], tables.root, asid + 1) !=
	    at->hpa)
		world_fail(world, "the same root is another one");
	if (!at->hpa) {
		begin_race(world);
		at->hpa = mmu_load_root(&world->rig->mmu, &world->rig->cpu[cpu], &tables, asid + 1);
		end_race(world);
	}
	if (ram_collect(&world->rig->ram))
		world_fail(world, "loading a root wrote guest memory");
}

static uint64_t read_ram(void *context, uint64_t gpa, unsigned int size)
{
	return ram_read(context, gpa, size);
}

/* Gives a fault to mmu/ and compares with the reference. Returns false when it was reflected. */
static bool fault(struct world *world, unsigned int cpu, uint64_t address, struct ref_access access)
{
	struct world_cpu *at = &world->cpu[cpu];
	struct ram *ram = &world->rig->ram;
	const struct ref_mode *mode = world_mode(world, at->root);
	struct guest_tables tables = world_tables(world, at->root);
	struct ref_result expected = ref_walk(mode, tables.root, address, access, read_ram, ram);
	struct page_fault fault = {.address = address,
	                           .access = (access.write ? ACCESS_WRITE : 0) |
	                                     (access.fetch ? ACCESS_FETCH : 0)};
	size_t start = ram_now(ram);
	enum fault_result result;
	const char *wrong;

	begin_race(world);
	result = mmu_fault(&world->rig->mmu, &world->rig->cpu[cpu], &tables, &fault);
	end_race(world);
	world->race = NULL;
	ram_collect(ram);
	if (world->raced) {
		struct windows since = WINDOWS_FROM(start);
		struct history history = {ram, mode, tables.root, address, &since};

		if (result == FAULT_REFLECT && !history_may_fault(&history, access, fault.code))
			world_fail(world, "address %#" PRIx64 ": code %#x was never true", address,
			           fault.code);
		return result != FAULT_REFLECT;
	}
	wrong = marks_wrong(ram, &expected, start);
	if (wrong)
		world_fail(world, "%s", wrong);
	if (expected.fault != (result == FAULT_REFLECT))
		world_fail(world,
		           "root %u address %#" PRIx64 ": result %d, the reference has code %#x",
		           at->root, address, result, expected.fault ? expected.code : 0);
	if (result == FAULT_RETRY)
		world_fail(world, "address %#" PRIx64 ": retry without a race", address);
	if (expected.fault) {
		if (fault.code != expected.code)
			world_fail(world, "address %#" PRIx64 ": code %#x, the reference has %#x",
			           address, fault.code, expected.code);
		return false;
	}
	struct host_result seen = rig_walk(world->rig, at->hpa, address);

	world_check_current(world, at->root, address, access, &seen);
	return true;
}

static void access_guest(struct world *world, unsigned int cpu, const struct op *op)
{
	struct world_cpu *at = &world->cpu[cpu];
	uint64_t address;
	struct ref_access access = {.write = op->level % 3 == 1, .fetch = op->level % 3 == 2};

	if (!at->in_l2)
		load(world, cpu, at->root, at->asid);
	address = world_address(world, at->root, op);
	world_check_points(world, cpu, at->asid, at->root, address);
	if (op->kind % OP_KINDS == OP_REFAULT && !fault(world, cpu, address, access)) {
		world_leave_l2(world, cpu);
		return;
	}
	for (int faults = 0;; faults++) {
		struct host_result seen = rig_walk(world->rig, at->hpa, address);

		world_check_translation(world, cpu, at->asid, at->root, address, &seen);
		if (seen.status == HOST_OK && seen.write >= access.write &&
		    seen.execute >= access.fetch) {
			world_remember(world, cpu, at->asid, at->root, address, &seen);
			world_l2_may_write(world, cpu, at->asid, &seen);
			return;
		}
		/* One fault is enough, another one if L1 changed its tables amid the first. */
		if (faults > 1)
			world_fail(world, "address %#" PRIx64 ": faults without end", address);
		if (!fault(world, cpu, address, access)) {
			world_leave_l2(world, cpu);
			return;
		}
	}
}

static void access_direct(struct world *world, unsigned int cpu, const struct op *op)
{
	struct world_cpu *at = &world->cpu[cpu];
	uint64_t gpa = world_frame(world, op->value & 0x3f, 12) | (op->level & 0xf) << 4;
	struct host_result seen;
	unsigned int flushes;

	if (world_is_pae(world))
		gpa = (uint32_t)gpa;
	world_check_points(world, cpu, 0, WORLD_ROOTS, gpa);
	seen = world_reach(world, cpu, gpa);
	flushes = world->rig->flushes;
	if (mmu_direct_fault(&world->rig->mmu, &world->rig->cpu[cpu], gpa) &&
	    flushes == world->rig->flushes) /* nothing was reclaimed */
		world_fail(world, "NPT01: %#" PRIx64 " was filled twice", gpa);
	seen = rig_walk(world->rig, at->direct, gpa);
	world_remember(world, cpu, 0, WORLD_ROOTS, gpa, &seen);
}

static void ask_watched(struct world *world, struct mmu_cpu *cpu, unsigned int page)
{
	if (!watch_holds(&world->watched, world->rig, cpu, page))
		world_fail(world, "a watched page was written, and nothing told");
}

/* L2 goes on through what L0 does by itself. */
static bool is_l1s(const struct op *op)
{
	switch (op->kind % OP_KINDS) {
	case OP_FLUSH:
	case OP_FLUSH_ALL:
	case OP_DIRECT:
	case OP_WATCH:
	case OP_WATCHED:
		return true;
	default:
		return false;
	}
}

static void check_all(struct world *world)
{
	for (unsigned int cpu = 0; cpu < world->cpus; cpu++) {
		struct world_cpu *at = &world->cpu[cpu];

		at->in_l1 = false;
		if (at->running && !at->in_l2)
			load(world, cpu, at->root, at->asid);
	}
	world_check_all(world);
}

static void run_op(struct world *world, const struct op *op)
{
	unsigned int cpu = op->cpu % world->cpus, asid = op->asid % WORLD_ASIDS;
	struct mmu_cpu *at = &world->rig->cpu[cpu];
	struct entries entries = world_entries(world, op);

	world->self = cpu;
	world->cpu[cpu].address = op->address;
	if (op->kind % OP_KINDS != OP_EDIT && op->kind % OP_KINDS != OP_MEND)
		world->cpu[cpu].in_l1 = false;
	if (is_l1s(op))
		world_leave_l2(world, cpu);
	world_l1_runs(world);
	switch (op->kind % OP_KINDS) {
	case OP_ACCESS:
	case OP_REFAULT:
		access_guest(world, cpu, op);
		break;
	case OP_LOAD:
		load(world, cpu, world_root(world, op->root), asid);
		break;
	case OP_EDIT:
		entries_edit(&entries, op);
		break;
	case OP_MEND:
		entries_mend(&entries, op);
		break;
	case OP_FLUSH:
		mmu_flush_asid(at, asid + 1);
		world_forget(world, cpu, asid);
		break;
	case OP_FLUSH_ALL:
		mmu_flush_all_asids(at);
		for (asid = 0; asid < WORLD_ASIDS; asid++)
			world_forget(world, cpu, asid);
		break;
	case OP_RACE:
		world->race = op;
		world->countdown = op->cpu / 16 % 8;
		break;
	case OP_DIRECT:
		access_direct(world, cpu, op);
		break;
	case OP_DROP_LARGE:
		mmu_drop_leaves(&world->rig->mmu);
		break;
	case OP_RECLAIM:
		pool_reserve(&world->rig->mmu, op->value % 8);
		break;
	case OP_WATCH:
		if (world->tracking)
			watch_toggle(&world->watched, world->rig, at,
			             op->value % world_l1_pages(world));
		break;
	case OP_WATCHED:
		if (world->tracking)
			ask_watched(world, at, op->value % world_l1_pages(world));
		break;
	case OP_CHECK:
		if (op->value & 1)
			check_all(world);
		else
			world_check_all(world);
		break;
	}
}

static int run(const struct script *script, char *message, size_t size)
{
	static struct world world;
	static char why[512];
	static uint32_t at;

	world = (struct world){.run = {.message = why, .size = sizeof(why)}};
	world_init(&world, &script->setting);
	at = 0;
	if (setjmp(world.run.failed)) {
		snprintf(message, size, "operation %u: %s", at, why);
		world_end(&world);
		return -1;
	}
	for (; at < script->count; at++)
		run_op(&world, &script->op[at]);
	check_all(&world);
	world_end(&world);
	return 0;
}

const struct script_model nested_model = {run, script_random, script_print, missed};
