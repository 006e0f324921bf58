/*
 * What other processors do while one is at work in mmu/: they run on what they have cached and on
 * the shadow pages as they stand, at every moment at which mmu/ looks at the world outside. Relies
 * on tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

static void observe_others(struct own_world *world)
{
	ram_collect(&world->rig->ram);
	for (unsigned int cpu = 0; cpu < world->cpus; cpu++) {
		if (&world->cpu[cpu] != world->in_l0)
			own_observe(world, &world->cpu[cpu]);
	}
}

static void look(struct own_world *world)
{
	struct ram *ram = &world->rig->ram;
	struct entries entries;

	if (!world->pending || !world->in_l0 || world->amid ||
	    world->in_l0 == own_cpu_of(world, &world->race) || world->countdown-- > 0)
		return;
	world->pending = false;
	observe_others(world);
	world->raced_at = ram_now(ram);
	world->amid = true;
	entries = own_entries(world, &world->race);
	entries_edit(&entries, &world->race);
	world->amid = false;
	world->raced = ram_now(ram) != world->raced_at;
}

void own_enter_l0(struct own_world *world, struct own_cpu *cpu)
{
	world->in_l0 = cpu;
	world->raced = false;
}

void own_leave_l0(struct own_world *world)
{
	world->in_l0 = NULL;
	ram_collect(&world->rig->ram);
}

static void on_memory(struct rig *rig, uint64_t gpa)
{
	(void)gpa;
	look(rig->context);
}

/* Until it is asked to flush a processor goes on as before, and from then on with what there is. */
static void on_flush(struct rig *rig)
{
	struct own_world *world = rig->context;

	look(world);
	for (unsigned int cpu = 0; cpu < world->cpus; cpu++)
		own_forget_all(&world->cpu[cpu]);
	if (world->cpus > 1)
		observe_others(world);
}

static void on_changed(struct rig *rig, uint64_t gpa)
{
	struct own_world *world = rig->context;

	watch_told(&world->watched, rig, gpa);
	look(world);
}

static void on_opens(struct rig *rig, uint64_t gpa)
{
	struct own_world *world = rig->context;

	watch_opens(&world->watched, gpa);
}

void own_hook(struct own_world *world)
{
	struct rig *rig = world->rig;

	rig->context = world;
	rig->on_page = on_memory;
	rig->on_written = on_memory;
	rig->on_map = on_memory;
	rig->on_flush = on_flush;
	rig->on_changed = on_changed;
	rig->on_opens = on_opens;
}
