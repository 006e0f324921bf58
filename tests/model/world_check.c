/*
 * What a processor may see at a moment. Relies on tests/model/world.h.
 */
#include "tests/model/world.h"

#include "tests/model/invariants.h"

#include <inttypes.h>
#include <string.h>

struct seen {
	const struct world *world;
	unsigned int root;
	const struct host_result *host;
	uint64_t address;
};

static bool explains(void *context, uint64_t gpa, unsigned int pat, bool write, bool execute)
{
	const struct seen *seen = context;
	unsigned int type = seen->world->pat[seen->root & 1] >> (8 * pat) & 7;

	return rig_hpa(seen->world->rig, gpa) == seen->host->hpa &&
	       type == rig_host_types[seen->host->pat] && write >= seen->host->write &&
	       execute >= seen->host->execute;
}

static void check_in(struct world *world, unsigned int cpu, unsigned int asid, unsigned int root,
                     uint64_t address, const struct host_result *seen,
                     const struct windows *windows)
{
	struct seen what = {world, root, seen, address};
	struct history history = {.ram = &world->rig->ram,
	                          .mode = world_mode(world, root),
	                          .cr3 = world_tables(world, root).root,
	                          .address = address,
	                          .windows = windows};

	if (seen->status == HOST_BROKEN)
		world_fail(world,
		           "cpu %u root %u address %#" PRIx64 ": reserved bits or a wrong table",
		           cpu, root, address);
	if (seen->status == HOST_OK && !history_may_have(&history, explains, &what))
		world_fail(world,
		           "cpu %u asid %u root %u address %#" PRIx64 ": hpa %#" PRIx64
		           " type %u w %d x %d level "
		           "%d is not what the tables said while it ran",
		           cpu, asid, root, address, seen->hpa, rig_host_types[seen->pat],
		           seen->write, seen->execute, seen->level);
}

void world_check_translation(struct world *world, unsigned int cpu, unsigned int asid,
                             unsigned int root, uint64_t address, const struct host_result *seen)
{
	check_in(world, cpu, asid, root, address, seen, &world->cpu[cpu].used[asid][root]);
}

void world_check_current(struct world *world, unsigned int root, uint64_t address,
                         struct ref_access access, const struct host_result *seen)
{
	check_in(world, 0, 0, root, address, seen, &WINDOWS_FROM(ram_now(&world->rig->ram)));
	if (seen->status != HOST_OK || (access.write && !seen->write) ||
	    (access.fetch && !seen->execute))
		world_fail(world,
		           "root %u address %#" PRIx64
		           ": the fault was handled, yet it comes again",
		           root, address);
}

void world_check_direct(struct world *world, uint64_t gpa, const struct host_result *seen)
{
	struct host_mapping map = rig_map(gpa);

	if (seen->status == HOST_BROKEN)
		world_fail(world, "NPT01: reserved bits or a wrong table at %#" PRIx64, gpa);
	if (seen->status == HOST_OK &&
	    (seen->hpa != rig_hpa(world->rig, gpa) || !seen->write || !seen->execute ||
	     seen->level > map.level || rig_host_types[seen->pat] != 6))
		world_fail(world, "NPT01: gpa %#" PRIx64 " leads to %#" PRIx64, gpa, seen->hpa);
}

void world_remember(struct world *world, unsigned int cpu, unsigned int asid, unsigned int root,
                    uint64_t address, const struct host_result *seen)
{
	for (unsigned int i = 1; i < seen->points; i++)
		world->point[world->points++ % WORLD_POINTS] =
			(struct cached_point){seen->point[i], address, cpu, asid, root};
}

void world_check_points(struct world *world, unsigned int cpu, unsigned int asid, unsigned int root,
                        uint64_t address)
{
	for (unsigned int i = 0; i < WORLD_POINTS; i++) {
		const struct cached_point *at = &world->point[i];
		struct host_result seen;

		if (!at->point.hpa || at->cpu != cpu || at->asid != asid || at->root != root ||
		    (at->address ^ address) >> (12 + 9 * at->point.level))
			continue;
		seen = host_walk(&world->rig->host, at->point, address);
		if (root == WORLD_ROOTS)
			world_check_direct(world, address, &seen);
		else
			world_check_translation(world, cpu, asid, root, address, &seen);
	}
}

void world_forget(struct world *world, unsigned int cpu, unsigned int asid)
{
	for (unsigned int i = 0; i < WORLD_POINTS; i++) {
		if (world->point[i].cpu == cpu && world->point[i].asid == asid &&
		    world->point[i].root != WORLD_ROOTS)
			world->point[i].point.hpa = 0;
	}
	memset(world->cpu[cpu].l2_writes[asid], 0, sizeof(world->cpu[cpu].l2_writes[asid]));
	for (unsigned int root = 0; root < WORLD_ROOTS; root++)
		world->cpu[cpu].used[asid][root].count = 0;
	if (world->cpu[cpu].asid == asid)
		world->cpu[cpu].running = world->cpu[cpu].in_l2 = false;
}

static void forget_npt01(struct world_cpu *at)
{
	memset(at->l1_writes, 0, sizeof(at->l1_writes));
	memset(at->l1_comes, 0, sizeof(at->l1_comes));
	memset(at->l1_upper, 0, sizeof(at->l1_upper));
	memset(at->l1_size, 0, sizeof(at->l1_size));
}

void world_forget_l1(struct world *world, unsigned int cpu)
{
	for (unsigned int i = 0; i < WORLD_POINTS; i++) {
		if (world->point[i].cpu == cpu && world->point[i].root == WORLD_ROOTS)
			world->point[i].point.hpa = 0;
	}
	forget_npt01(&world->cpu[cpu]);
}

void world_forget_all(struct world *world)
{
	for (unsigned int cpu = 0; cpu < RIG_CPUS; cpu++) {
		forget_npt01(&world->cpu[cpu]);
		memset(world->cpu[cpu].l2_writes, 0, sizeof(world->cpu[cpu].l2_writes));
	}
	for (unsigned int i = 0; i < WORLD_POINTS; i++)
		world->point[i].point.hpa = 0;
}

void world_check_all(struct world *world)
{
	const char *wrong = broken_invariant(&world->rig->mmu, world->rig->cpu, RIG_CPUS);

	if (wrong)
		world_fail(world, "%s", wrong);
	if (ram_changed_unseen(&world->rig->ram))
		world_fail(world, "guest memory was written without a word");
	for (unsigned int i = 0; i < world->cpus; i++) {
		struct world_cpu *cpu = &world->cpu[i];

		if (!cpu->in_l2)
			continue;
		for (unsigned int n = 0; n < WORLD_ADDRESSES; n++) {
			struct op op = {.address = (uint8_t)n};
			uint64_t address = world_address(world, cpu->root, &op);
			struct host_result seen = rig_walk(world->rig, cpu->hpa, address);

			world_check_translation(world, i, cpu->asid, cpu->root, address, &seen);
			world_l2_may_write(world, i, cpu->asid, &seen);
		}
	}
}
