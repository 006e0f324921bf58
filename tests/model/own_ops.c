/*
 * The operations of a script, on mmu/ and on the model. Relies on tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

#include <inttypes.h>

enum { COUNTDOWN = 12 };

static struct ref_access access_of(const struct op *op)
{
	return (struct ref_access){.write = op->level % 3 == 1,
	                           .fetch = op->level % 3 == 2,
	                           .user = op->how & 1,
	                           .ac = op->how & 2};
}

/* A fault that the processor took before another one's work made it needless. */
static void refault(struct own_world *world, struct own_cpu *cpu, uint64_t address,
                    struct ref_access access)
{
	struct own_asid *at = own_running(cpu);
	struct page_fault fault = {.address = address, .access = own_access_flags(access)};
	struct ram *ram = &world->rig->ram;
	struct own_seen seen = own_see(world, cpu, address);
	enum fault_result result;

	if (!own_permits(own_mode(world, at->space), &seen, access) ||
	    own_ref_walk(ram, &at->used[at->space].tables, address, access).fault)
		return;
	own_enter_l0(world, cpu);
	result = mmu_fault(&world->rig->mmu, cpu->mmu, &at->tables, &fault);
	own_leave_l0(world);
	if (result == FAULT_REFLECT && !world->raced)
		own_fail(world, "address %#" PRIx64 ": what is allowed was reflected", address);
}

static void access_guest(struct own_world *world, struct own_cpu *cpu, const struct op *op)
{
	struct own_asid *at = own_running(cpu);
	uint64_t address = own_address(at->space, op->address % own_addresses(world, at->space)) |
	                   (op->value & 15) << 8;
	struct ref_access access = access_of(op);

	if (!at->running)
		own_load(world, cpu, cpu->now, at->space, false);
	if (op->kind % OWN_OP_KINDS == OWN_OP_REFAULT)
		refault(world, cpu, address, access);
	own_do_access(world, cpu, address, access);
}

static void invlpg(struct own_world *world, struct own_cpu *cpu, const struct op *op)
{
	struct own_asid *at = own_running(cpu);
	uint64_t address = own_address(at->space, op->address % own_addresses(world, at->space));
	struct own_epochs *epochs = &at->used[at->space].epochs;
	size_t now;

	if (!at->running || epochs->count == OWN_EPOCHS)
		own_load(world, cpu, cpu->now, at->space, true);
	now = ram_now(&world->rig->ram);
	own_enter_l0(world, cpu);
	mmu_invlpg(&world->rig->mmu, cpu->mmu, &at->tables, address | (op->value & 15) << 8);
	own_leave_l0(world);
	own_forget_page(cpu, address);
	epochs->load[epochs->count] = at->used[at->space].tables.loads - 1;
	epochs->begin[epochs->count++] = now;
	for (unsigned int n = 0; n < OWN_ADDRESSES; n++) {
		for (unsigned int size = 0; size < OWN_SHIFTS; size++) {
			if (!((own_address(at->space, n) ^ address) >> own_shifts[size]))
				at->used[at->space].dropped[n].at[size] = now;
		}
	}
	own_check_all(world);
}

static void watch(struct own_world *world, struct own_cpu *cpu, unsigned int page)
{
	own_enter_l0(world, cpu);
	watch_toggle(&world->watched, world->rig, cpu->mmu, page);
	own_leave_l0(world);
}

static void ask_watched(struct own_world *world, struct own_cpu *cpu, unsigned int page)
{
	bool holds;

	own_enter_l0(world, cpu);
	holds = watch_holds(&world->watched, world->rig, cpu->mmu, page);
	own_leave_l0(world);
	if (!holds)
		own_fail(world, "a watched page was written, and nothing told");
}

static void load(struct own_world *world, struct own_cpu *cpu, const struct op *op)
{
	unsigned int asid = op->asid % OWN_ASIDS;

	if (op->value & 0x20) /* a world switch alone */
		own_load(world, cpu, asid, cpu->asid[asid].space, false);
	else
		own_load(world, cpu, asid, op->how % 16 ? op->root % OWN_DIRECT : OWN_DIRECT,
		         !(op->value & 0xc0));
}

static void drop_large(struct own_world *world, struct own_cpu *cpu)
{
	own_enter_l0(world, cpu);
	mmu_drop_leaves(&world->rig->mmu);
	own_leave_l0(world);
}

static void reclaim(struct own_world *world, struct own_cpu *cpu, unsigned int pages)
{
	own_enter_l0(world, cpu);
	pool_reserve(&world->rig->mmu, pages);
	own_leave_l0(world);
}

/*
 * Clears the spte of a root, as mmu/ does where memory for links has run out: what is below is
 * there still, and is found by the next fault.
 */
static void drop_link(struct own_world *world, struct own_cpu *cpu, unsigned int number)
{
	uint64_t address = own_address(own_running(cpu)->space, number);
	struct shadow_page *root = cpu->mmu->current;

	if (!root)
		return;
	own_enter_l0(world, cpu);
	spte_clear(&world->rig->mmu, root, shadow_index(root->role.level, address));
	own_leave_l0(world);
}

/*
 * The processor can write, without a fault, an entry on the way of an address that another one
 * uses. It does so when L0 looks at the world amid what the other one does next.
 */
static void race(struct own_world *world, struct own_cpu *cpu, const struct op *op)
{
	unsigned int number = (unsigned int)(cpu - world->cpu) + 1 + op->value / 128;
	struct own_cpu *victim = &world->cpu[number % world->cpus];
	unsigned int space = own_running(victim)->space;
	struct op access = {.address = op->address, .level = op->value >> 4, .how = op->cpu};

	if (victim == cpu)
		return;
	world->race = *op;
	if (space != OWN_DIRECT)
		world->race.root = (uint8_t)space;
	own_warm_up(world, &world->race);
	world->pending = true;
	world->countdown = op->asid % COUNTDOWN;
	switch (op->asid / COUNTDOWN % 8) {
	case 0: /* amid what comes next */
		return;
	case 1:
		invlpg(world, victim, op);
		return;
	case 2:
	case 3:
		own_load(world, victim, victim->now, space, true);
		break;
	case 4:
	case 5: /* tables get their shadows anew */
		reclaim(world, victim, world->rig->mmu.page_count);
		break;
	case 6:
		drop_link(world, victim, op->address);
		break;
	default:
		break;
	}
	access_guest(world, victim, &access);
}

void own_op(struct own_world *world, const struct op *op)
{
	struct own_cpu *cpu = own_cpu_of(world, op);
	struct entries entries = own_entries(world, op);

	switch ((enum own_op)(op->kind % OWN_OP_KINDS)) {
	case OWN_OP_ACCESS:
	case OWN_OP_REFAULT:
		access_guest(world, cpu, op);
		break;
	case OWN_OP_LOAD:
		load(world, cpu, op);
		break;
	case OWN_OP_EDIT:
		entries_edit(&entries, op);
		break;
	case OWN_OP_MEND:
		entries_mend(&entries, op);
		break;
	case OWN_OP_FLUSH:
		own_flush(cpu, op->asid % OWN_ASIDS);
		break;
	case OWN_OP_FLUSH_ALL:
		mmu_flush_all_asids(cpu->mmu);
		for (unsigned int asid = 0; asid < OWN_ASIDS; asid++)
			own_flush(cpu, asid);
		break;
	case OWN_OP_INVLPG:
		invlpg(world, cpu, op);
		break;
	case OWN_OP_DROP_LARGE:
		drop_large(world, cpu);
		break;
	case OWN_OP_RECLAIM:
		reclaim(world, cpu, op->value % 8);
		break;
	case OWN_OP_WATCH:
		watch(world, cpu, op->value % RAM_PAGES);
		break;
	case OWN_OP_WATCHED:
		ask_watched(world, cpu, op->value % RAM_PAGES);
		break;
	case OWN_OP_RACE:
		race(world, cpu, op);
		break;
	case OWN_OP_CHECK:
	case OWN_OP_KINDS:
		own_check_all(world);
		break;
	}
	for (unsigned int i = 0; i < world->cpus; i++)
		own_observe(world, &world->cpu[i]);
}
