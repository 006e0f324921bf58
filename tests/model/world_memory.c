/*
 * Who writes guest memory. L1 does through NPT01: its processor sets D in the leaf, unless it has
 * the translation cached with D=1, and whatever it may have cached the model takes to be cached.
 * L2 does where NPT02 lets it. Relies on tests/model/world.h.
 */
#include "tests/model/world.h"

#include <inttypes.h>

enum { ACCESSED = 1 << 5, DIRTY = 1 << 6, BY_L2 = 0x80 };

/*
 * Where one processor has its NPT01 every one that runs a guest has, as in svm/start/join.c: mmu/
 * counts them to know whether another one may write.
 */
static void bring_up(struct world *world)
{
	for (unsigned int cpu = 0; cpu < world->cpus; cpu++) {
		struct world_cpu *at = &world->cpu[cpu];

		if (!at->direct)
			at->direct = mmu_direct_root(&world->rig->mmu, &world->rig->cpu[cpu]);
	}
}

struct host_result world_reach(struct world *world, unsigned int cpu, uint64_t gpa)
{
	struct world_cpu *at = &world->cpu[cpu];
	struct host_result seen;

	bring_up(world);
	seen = rig_look(world->rig, at->direct, gpa);
	world_check_direct(world, gpa, &seen);
	if (seen.status != HOST_OK) {
		at->in_l1 = false;
		if (!mmu_direct_fault(&world->rig->mmu, &world->rig->cpu[cpu], gpa))
			world_fail(world, "NPT01: nothing filled for %#" PRIx64, gpa);
		seen = rig_look(world->rig, at->direct, gpa);
		world_check_direct(world, gpa, &seen);
	}
	if (seen.status != HOST_OK)
		world_fail(world, "NPT01: %#" PRIx64 " is not filled", gpa);
	return seen;
}

void world_l1_runs(struct world *world)
{
	for (unsigned int cpu = 0; cpu < world->cpus; cpu++) {
		struct world_cpu *at = &world->cpu[cpu];

		for (unsigned int page = 0; at->in_l1 && page < world_l1_pages(world); page++) {
			struct host_result seen =
				rig_look(world->rig, at->direct, ram_page_gpa(page));

			if (seen.status != HOST_OK)
				continue;
			if (at->l1_size[page] && at->l1_size[page] != seen.level)
				world_fail(world, "cpu %u: two sizes of page %u in the TLB", cpu,
				           page);
			at->l1_size[page] = seen.level;
			/* Nothing comes to be cached before A is set above it, whatever D says. */
			at->l1_upper[page] |= !seen.upper || (*seen.upper & ACCESSED);
			at->l1_comes[page] |=
				at->l1_upper[page] && (!seen.above || (*seen.above & ACCESSED));
			at->l1_writes[page] |= at->l1_comes[page] && (*seen.leaf & DIRTY);
		}
	}
}

/* L1 runs on the processor from now on: what its tables offer may be cached at once. */
static void enter_l1(struct world *world, unsigned int cpu)
{
	struct world_cpu *at = &world->cpu[cpu];

	bring_up(world);
	world_leave_l2(world, cpu);
	if (!at->in_l1 && world->rig->cpu[cpu].flush_direct) {
		world_forget_l1(world, cpu);
		mmu_direct_flushed(&world->rig->cpu[cpu]);
	}
	at->in_l1 = true;
	world_l1_runs(world);
}

/* The processor sets D, and A in the entries above unless it has them cached. */
static void set_dirty(struct world *world, const struct world_cpu *at, unsigned int page,
                      const struct host_result *seen)
{
	if (!at->l1_comes[page]) {
		if (!at->l1_upper[page] && seen->upper) {
			world->woken += seen->level == 1 && !(*seen->upper & ACCESSED);
			*seen->upper |= ACCESSED;
		}
		if (seen->above)
			*seen->above |= ACCESSED;
	}
	*seen->leaf |= DIRTY;
}

static void write_by_l1(struct world *world, unsigned int cpu, unsigned int page)
{
	struct world_cpu *at = &world->cpu[cpu];

	for (enter_l1(world, cpu); !at->l1_writes[page]; enter_l1(world, cpu)) {
		struct host_result seen = world_reach(world, cpu, ram_page_gpa(page));

		set_dirty(world, at, page, &seen);
	}
}

/* Amid the work of mmu/ only guests of other processors write, and only without a fault. */
static bool write_amid(struct world *world, const struct op *op, unsigned int cpu,
                       unsigned int page)
{
	struct world_cpu *at = &world->cpu[cpu];
	struct host_result seen;

	if (cpu == world->self)
		return false;
	if ((op->cpu & BY_L2) && at->in_l2 && at->l2_writes[at->asid][page])
		return true;
	if (!at->in_l1)
		return false;
	if (at->l1_writes[page])
		return true;
	seen = rig_look(world->rig, at->direct, ram_page_gpa(page));
	if (seen.status != HOST_OK)
		return false;
	set_dirty(world, at, page, &seen);
	world_l1_runs(world);
	return true;
}

void world_write(struct world *world, const struct op *op, uint64_t gpa, unsigned int size,
                 uint64_t value)
{
	int page = ram_page_number(gpa);
	unsigned int cpu = op->cpu % world->cpus;
	struct world_cpu *at = &world->cpu[cpu];

	if (!world->tracking || page < 0 || page >= (int)world_l1_pages(world)) {
		if (!world->amid)
			world_leave_l2(world, cpu);
		ram_write(&world->rig->ram, gpa, size, value);
		return;
	}
	if (world->amid) {
		if (!write_amid(world, op, cpu, (unsigned int)page))
			return;
	} else if (!(op->cpu & BY_L2) || !at->in_l2 || !at->l2_writes[at->asid][page]) {
		write_by_l1(world, cpu, (unsigned int)page);
	}
	ram_write(&world->rig->ram, gpa, size, value);
	if (world->amid && at->in_l1 && (op->asid & 1)) { /* it was on its way to L0 */
		at->in_l1 = false;
		enter_l1(world, cpu);
	}
}

void world_l2_may_write(struct world *world, unsigned int cpu, unsigned int asid,
                        const struct host_result *seen)
{
	int page = world->tracking ? ram_page_number(seen->hpa & ~0xfffull) : -1;

	if (page < 0 || seen->status != HOST_OK || !seen->write)
		return;
	world->cpu[cpu].l2_writes[asid][page] = true;
}
