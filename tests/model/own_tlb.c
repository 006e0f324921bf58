/*
 * The processor's TLB and paging-structure caches, as greedy as the architecture allows: what the
 * shadow pages offered once stays until a flush that must end it. Relies on
 * tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

#include <inttypes.h>
#include <string.h>

static uint32_t passing(const struct ref_mode *mode, const struct own_seen *seen)
{
	uint32_t allowed = 0;

	for (unsigned int i = 0; i < OWN_ACCESSES; i++) {
		struct ref_access access = own_access(i);

		/* SMAP with WP=0 is not exact: a page that a supervisor wrote is its own. */
		if (mode && !mode->wp && mode->smap && !access.user && !access.fetch && !access.ac)
			continue;
		if (own_permits(mode, seen, access))
			allowed |= 1u << i;
	}
	return allowed;
}

static int number_of(unsigned int space, uint64_t address)
{
	for (unsigned int n = 0; n < OWN_ADDRESSES; n++) {
		if (own_address(space, n) == (address & ~0xfffull))
			return (int)n;
	}
	return -1;
}

/* The same tables may have been used in another mode, with no flush between the two. */
static bool another_mode_explains(struct own_asid *at, unsigned int space, int number,
                                  struct own_question *question)
{
	unsigned int first = space / OWN_MODES * OWN_MODES;

	for (unsigned int i = first; i < first + OWN_MODES && space != OWN_DIRECT; i++) {
		question->tables = &at->used[i].tables;
		question->epochs = &at->used[i].epochs;
		question->windows = own_windows(at, i);
		question->dropped = number < 0 ? NULL : &at->used[i].dropped[number];
		if (at->used[i].valid && own_may_have(question))
			return true;
	}
	return false;
}

void own_check(struct own_world *world, struct own_cpu *cpu, unsigned int asid, unsigned int space,
               uint64_t address, const struct own_seen *seen, bool strict)
{
	struct own_asid *at = &cpu->asid[asid];
	unsigned int id = (unsigned int)(cpu - world->cpu);
	const struct ref_mode *mode = own_mode(world, space);
	int number = number_of(space, address);
	struct own_question question = {
		.ram = &world->rig->ram,
		.tables = &at->used[space].tables,
		.mode = mode,
		.epochs = strict ? NULL : &at->used[space].epochs,
		.windows = own_windows(at, space),
		.dropped = number < 0 ? NULL : &at->used[space].dropped[number],
		.address = address,
		.gpa = seen->hpa,
		.type = rig_host_types[seen->pat],
		.pat = space == OWN_DIRECT ? 0 : world->pat[space % OWN_MODES],
		.allowed = passing(mode, seen),
	};

	if (seen->status == OWN_BROKEN)
		own_fail(world,
		         "cpu %u asid %u space %u address %#" PRIx64
		         ": reserved bits or a wrong table",
		         id, asid, space, address);
	if (seen->status == OWN_MISSING)
		return;
	/* What is not L1's leads to nobody's page, whatever gpa it has. */
	if (seen->hpa >> 12 == RIG_NOBODY >> 12) {
		struct ref_result walk = {.gpa = address};

		if (!strict)
			return;
		walk = own_ref_walk(&world->rig->ram, question.tables, address,
		                    (struct ref_access){.ac = true});
		if (walk.fault || rig_map(walk.gpa).hpa != RIG_NOBODY)
			own_fail(world, "address %#" PRIx64 " leads to nobody's page", address);
		question.gpa = walk.gpa;
	} else if (rig_map(seen->hpa).hpa == RIG_NOBODY) {
		own_fail(world, "address %#" PRIx64 " leads to %#" PRIx64 ", which is L0's",
		         address, seen->hpa);
	}
	if (!own_may_have(&question) &&
	    (strict || !another_mode_explains(at, space, number, &question)))
		own_fail(world,
		         "cpu %u asid %u space %u address %#" PRIx64 ": hpa %#" PRIx64
		         " type %u w %d u %d x %d "
		         "level %d is not what the tables %s",
		         id, asid, space, address, seen->hpa, rig_host_types[seen->pat],
		         seen->write, seen->user, seen->execute, seen->level,
		         strict ? "say now" : "said while it ran");
}

static bool same(const struct own_cached *cached, unsigned int space, const struct own_seen *seen)
{
	const struct own_seen *other = &cached->seen;

	return cached->space == space && other->hpa == seen->hpa && other->pat == seen->pat &&
	       other->write == seen->write && other->user == seen->user &&
	       other->execute == seen->execute && other->level == seen->level;
}

/* The processor sees this: it is right, and it is cached. */
static void see(struct own_world *world, struct own_cpu *cpu, unsigned int number,
                const struct own_seen *seen)
{
	struct own_asid *at = own_running(cpu);
	struct own_cached *tlb = at->tlb[number];

	if (seen->status == OWN_MISSING)
		return;
	for (unsigned int i = 0; i < at->cached[number]; i++) {
		if (same(&tlb[i], at->space, seen))
			return;
	}
	own_check(world, cpu, cpu->now, at->space, own_address(at->space, number), seen, false);
	if (at->cached[number] == OWN_WAYS)
		at->cached[number]--;
	tlb[at->cached[number]++] = (struct own_cached){*seen, at->space};
}

struct own_seen own_see(const struct own_world *world, struct own_cpu *cpu, uint64_t address)
{
	int levels = own_levels(&own_running(cpu)->tables);

	return own_walk(world->rig, own_start(cpu->root, levels), address);
}

void own_observe(struct own_world *world, struct own_cpu *cpu)
{
	const struct own_asid *at = own_running(cpu);

	for (unsigned int n = 0; at->running && n < own_addresses(world, at->space); n++) {
		struct own_seen seen = own_see(world, cpu, own_address(at->space, n));

		see(world, cpu, n, &seen);
	}
}

static bool covers(const struct own_cached_point *point, uint64_t address)
{
	return point->point.hpa && !((point->address ^ address) >> (12 + 9 * point->point.level));
}

static bool by_points(struct own_world *world, struct own_cpu *cpu, uint64_t address,
                      struct ref_access access, struct own_seen *found)
{
	unsigned int space = own_running(cpu)->space;

	for (unsigned int i = 0; i < OWN_POINTS; i++) {
		const struct own_cached_point *point = &cpu->point[i];
		struct own_seen seen;

		if (point->asid != cpu->now || point->space != space || !covers(point, address))
			continue;
		seen = own_walk(world->rig, point->point, address);
		own_check(world, cpu, cpu->now, space, address, &seen, false);
		if (own_permits(own_mode(world, space), &seen, access)) {
			*found = seen;
			return true;
		}
	}
	return false;
}

bool own_lookup(struct own_world *world, struct own_cpu *cpu, uint64_t address,
                struct ref_access access, struct own_seen *seen)
{
	const struct own_asid *at = own_running(cpu);

	for (unsigned int n = 0; n < own_addresses(world, at->space); n++) {
		for (unsigned int i = 0; i < at->cached[n]; i++) {
			const struct own_seen *cached = &at->tlb[n][i].seen;
			uint64_t low = (1ull << (12 + 9 * (cached->level - 1))) - 1;
			uint64_t first = own_address(at->tlb[n][i].space, n);

			if (((first ^ address) & ~low) ||
			    !own_permits(own_mode(world, at->space), cached, access))
				continue;
			*seen = *cached;
			seen->hpa = (cached->hpa & ~low) | (address & low);
			return true;
		}
	}
	return by_points(world, cpu, address, access, seen);
}

void own_remember(struct own_cpu *cpu, uint64_t address, const struct own_seen *seen)
{
	unsigned int space = own_running(cpu)->space;

	for (unsigned int i = 1; i < seen->points; i++)
		cpu->point[cpu->points++ % OWN_POINTS] =
			(struct own_cached_point){seen->point[i], address, cpu->now, space};
}

void own_forget(struct own_cpu *cpu, unsigned int asid)
{
	memset(cpu->asid[asid].cached, 0, sizeof(cpu->asid[asid].cached));
	for (unsigned int i = 0; i < OWN_POINTS; i++) {
		if (cpu->point[i].asid == asid)
			cpu->point[i].point.hpa = 0;
	}
}

void own_forget_all(struct own_cpu *cpu)
{
	for (unsigned int asid = 0; asid < OWN_ASIDS; asid++)
		own_forget(cpu, asid);
}

/* INVLPG drops one page, however small L0 made it, and all upper entries. */
void own_forget_page(struct own_cpu *cpu, uint64_t address)
{
	struct own_asid *at = own_running(cpu);

	for (unsigned int n = 0; n < OWN_ADDRESSES; n++) {
		uint8_t kept = 0;

		for (unsigned int i = 0; i < at->cached[n]; i++) {
			const struct own_cached *entry = &at->tlb[n][i];

			if ((own_address(entry->space, n) ^ address) >>
			    (12 + 9 * (entry->seen.level - 1)))
				at->tlb[n][kept++] = *entry;
		}
		at->cached[n] = kept;
	}
	for (unsigned int i = 0; i < OWN_POINTS; i++) {
		if (cpu->point[i].asid == cpu->now)
			cpu->point[i].point.hpa = 0;
	}
}

void own_forget_points(struct own_cpu *cpu, uint64_t address)
{
	for (unsigned int i = 0; i < OWN_POINTS; i++) {
		if (cpu->point[i].asid == cpu->now && covers(&cpu->point[i], address))
			cpu->point[i].point.hpa = 0;
	}
}

static void check_cached(struct own_world *world, struct own_cpu *cpu, unsigned int asid)
{
	const struct own_asid *at = &cpu->asid[asid];

	for (unsigned int n = 0; n < OWN_ADDRESSES; n++) {
		for (unsigned int i = 0; i < at->cached[n]; i++)
			own_check(world, cpu, asid, at->tlb[n][i].space,
			          own_address(at->tlb[n][i].space, n), &at->tlb[n][i].seen, false);
	}
}

void own_check_all(struct own_world *world)
{
	const char *wrong = own_broken_invariant(world->rig);

	if (wrong)
		own_fail(world, "%s", wrong);
	if (ram_changed_unseen(&world->rig->ram))
		own_fail(world, "guest memory was written without a word");
	for (unsigned int cpu = 0; cpu < world->cpus; cpu++) {
		for (unsigned int asid = 0; asid < OWN_ASIDS; asid++)
			check_cached(world, &world->cpu[cpu], asid);
	}
}
