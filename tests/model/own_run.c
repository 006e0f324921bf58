/*
 * What guests with their own paging do, on mmu/ and on the model. Relies on
 * tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

#include "tests/model/marks.h"

#include <inttypes.h>
#include <string.h>

enum { MOST_FAULTS = 3 };

struct own_cpu *own_cpu_of(struct own_world *world, const struct op *op)
{
	return &world->cpu[(op->cpu >> 2) % world->cpus];
}

void own_flush(struct own_cpu *cpu, unsigned int asid)
{
	struct own_asid *at = &cpu->asid[asid];

	mmu_flush_asid(cpu->mmu, asid);
	own_forget(cpu, asid);
	for (unsigned int i = 0; i < OWN_SPACES; i++)
		at->used[i].valid = false;
	memset(at->windows, 0, sizeof(at->windows));
	at->running = false;
}

/* What runs on the processor does so no longer. */
static void leave(struct own_world *world, struct own_cpu *cpu)
{
	struct own_asid *at = own_running(cpu);

	windows_close(own_windows(at, at->space), ram_now(&world->rig->ram));
}

static void note_load(struct own_world *world, struct own_asid *at, unsigned int space)
{
	struct own_tables *used = &at->used[space].tables;
	size_t now = ram_now(&world->rig->ram);

	if (!at->used[space].valid) {
		*used = (struct own_tables){.direct = at->tables.direct,
		                            .cr3 = at->tables.root,
		                            .loads = 1,
		                            .load = {now}};
		if (!used->direct)
			used->mode = *own_mode(world, space);
		at->used[space].epochs.count = 0;
		memset(at->used[space].dropped, 0, sizeof(at->used[space].dropped));
		at->used[space].valid = true;
	} else if (at->tables.mode.pdptes && used->load[used->loads - 1] != now) {
		used->load[used->loads++] = now;
	}
	windows_open(own_windows(at, space), now);
}

void own_load(struct own_world *world, struct own_cpu *cpu, unsigned int asid, unsigned int space,
              bool flush)
{
	struct own_asid *at = &cpu->asid[asid];
	size_t start;

	leave(world, cpu);
	if (flush || (asid == 0 && space != at->space) ||
	    (at->used[space].valid && at->used[space].tables.loads == OWN_LOADS))
		own_flush(cpu, asid);
	at->space = space;
	at->tables = own_tables_of(world, space);
	if (!at->tables.direct && at->tables.mode.id == PT_PAE)
		own_load_pdptes(world->rig, &at->tables, at->pdptes);
	note_load(world, at, space);
	start = ram_now(&world->rig->ram);
	world->raced = false;
	cpu->root = mmu_current_root(&world->rig->mmu, cpu->mmu, &at->tables, asid);
	if (!cpu->root) {
		own_enter_l0(world, cpu);
		cpu->root = mmu_load_root(&world->rig->mmu, cpu->mmu, &at->tables, asid);
		own_leave_l0(world);
	}
	cpu->now = asid;
	at->running = true;
	if (ram_now(&world->rig->ram) - start > world->raced)
		own_fail(world, "loading a root wrote guest memory");
}

/* Gives a fault to mmu/ and compares with the reference. Returns false when it was reflected. */
static bool fault(struct own_world *world, struct own_cpu *cpu, uint64_t address,
                  struct ref_access access)
{
	struct own_asid *at = own_running(cpu);
	const struct own_tables *tables = &at->used[at->space].tables;
	struct ram *ram = &world->rig->ram;
	struct ref_result expected = own_ref_walk(ram, tables, address, access);
	struct page_fault fault = {.address = address, .access = own_access_flags(access)};
	size_t start = ram_now(ram);
	enum fault_result result;
	struct own_seen seen;
	const char *wrong;

	own_enter_l0(world, cpu);
	result = mmu_fault(&world->rig->mmu, cpu->mmu, &at->tables, &fault);
	own_leave_l0(world);
	own_forget_points(cpu, address);
	wrong = world->raced ? marks_wrong_amid(ram, start, world->raced_at)
	                     : marks_wrong(ram, &expected, start);
	if (wrong)
		own_fail(world, "%s", wrong);
	if (world->raced) {
		if (result == FAULT_REFLECT &&
		    !own_may_fault(ram, tables, address, access, fault.code, start))
			own_fail(world, "address %#" PRIx64 ": code %#x was never true", address,
			         fault.code);
		return result != FAULT_REFLECT;
	}
	if (expected.fault != (result == FAULT_REFLECT) || result == FAULT_RETRY)
		own_fail(world,
		         "space %u address %#" PRIx64 ": result %d, the reference has code %#x",
		         at->space, address, result, expected.fault ? expected.code : 0);
	if (expected.fault && fault.code != expected.code)
		own_fail(world, "address %#" PRIx64 ": code %#x, the reference has %#x", address,
		         fault.code, expected.code);
	if (expected.fault)
		return false;
	seen = own_see(world, cpu, address);
	own_check(world, cpu, cpu->now, at->space, address, &seen, true);
	/* A write may have to fault once more: the page itself became a table just now. */
	if (!access.write && !own_permits(own_mode(world, at->space), &seen, access))
		own_fail(world,
		         "space %u address %#" PRIx64 ": the fault was handled, yet it comes again",
		         at->space, address);
	return true;
}

/* Does the processor let the access pass without a fault? */
static bool passes(struct own_world *world, struct own_cpu *cpu, uint64_t address,
                   struct ref_access access, struct own_seen *seen)
{
	unsigned int space = own_running(cpu)->space;

	if (own_lookup(world, cpu, address, access, seen))
		return true;
	*seen = own_see(world, cpu, address);
	own_check(world, cpu, cpu->now, space, address, seen, false);
	if (!own_permits(own_mode(world, space), seen, access))
		return false;
	own_remember(cpu, address, seen);
	return true;
}

static void run(struct own_world *world, struct own_cpu *cpu)
{
	if (!own_running(cpu)->running)
		own_load(world, cpu, cpu->now, own_running(cpu)->space, false);
}

uint64_t own_do_access(struct own_world *world, struct own_cpu *cpu, uint64_t address,
                       struct ref_access access)
{
	struct own_seen seen;

	if (!world->amid)
		run(world, cpu);
	for (int faults = 0; !passes(world, cpu, address, access, &seen);) {
		if (world->amid)
			return ~0ull; /* it waits until L0 has time for it */
		if (faults == MOST_FAULTS)
			own_fail(world, "address %#" PRIx64 ": faults without end", address);
		if (!fault(world, cpu, address, access))
			return ~0ull;
		faults += !world->raced;
	}
	return seen.hpa;
}

/* The gva that the guest's tables lead to gpa from, by way of an address; or ~0. */
static uint64_t by_tables(struct own_world *world, struct own_cpu *cpu, unsigned int number,
                          uint64_t gpa, struct ref_access access)
{
	struct own_asid *at = own_running(cpu);
	uint64_t address = own_address(at->space, number);
	struct ref_result walk =
		own_ref_walk(&world->rig->ram, &at->used[at->space].tables, address, access);
	const struct ref_mode *mode = own_mode(world, at->space);
	uint64_t low;
	int level;

	if (walk.fault)
		return ~0ull;
	level = mode ? walk.rights.level + 1 : 1;
	low = mode && mode->format == REF_2LEVEL && level == 2
	              ? (1ull << 22) - 1
	              : (1ull << (12 + 9 * (level - 1))) - 1;
	return (walk.gpa ^ gpa) & ~low ? ~0ull : (address & ~low) | (gpa & low);
}

/* The same by what the processor has cached. */
static uint64_t by_tlb(struct own_cpu *cpu, unsigned int number, uint64_t gpa)
{
	const struct own_asid *at = own_running(cpu);

	for (unsigned int i = 0; i < at->cached[number]; i++) {
		const struct own_seen *seen = &at->tlb[number][i].seen;
		uint64_t low = (1ull << (12 + 9 * (seen->level - 1))) - 1;

		if (seen->write && !((seen->hpa ^ gpa) & ~low))
			return (own_address(at->tlb[number][i].space, number) & ~low) | (gpa & low);
	}
	return ~0ull;
}

static bool store_by_mapping(struct own_world *world, const struct op *op, uint64_t gpa,
                             unsigned int size, uint64_t value)
{
	struct own_cpu *cpu = own_cpu_of(world, op);
	struct ref_access access = {.write = true, .user = op->cpu & 2, .ac = true};
	unsigned int count;

	if (!world->amid)
		run(world, cpu);
	count = own_addresses(world, own_running(cpu)->space);
	for (unsigned int i = 0; i < count; i++) {
		unsigned int number = (i + op->value) % count;
		uint64_t address = op->cpu & 1 ? by_tlb(cpu, number, gpa) : ~0ull, to;

		if (address == ~0ull)
			address = by_tables(world, cpu, number, gpa, access);
		if (address == ~0ull)
			continue;
		to = own_do_access(world, cpu, address, access);
		if (to == ~0ull)
			continue;
		ram_write(&world->rig->ram, to, size, value);
		return true;
	}
	return false;
}

/* L1 turns paging off for the store, and goes back to what it did. */
static void store_without_paging(struct own_world *world, struct own_cpu *cpu, uint64_t gpa,
                                 unsigned int size, uint64_t value)
{
	unsigned int asid = cpu->now, space = cpu->asid[asid].space;
	uint64_t to;

	own_load(world, cpu, 0, OWN_DIRECT, false);
	to = own_do_access(world, cpu, gpa, (struct ref_access){.write = true});
	ram_write(&world->rig->ram, to, size, value);
	own_load(world, cpu, asid, space, false);
}

/* L0 itself, as when it writes a VMCB back, and tells mmu/ of it afterwards. */
static void write_by_l0(struct own_world *world, struct own_cpu *cpu, uint64_t gpa,
                        unsigned int size, uint64_t value)
{
	ram_write(&world->rig->ram, gpa, size, value);
	if (!mmu_wants_note(&world->rig->mmu, gpa))
		return;
	own_enter_l0(world, cpu);
	mmu_note_write(&world->rig->mmu, gpa);
	own_leave_l0(world);
}

void own_store(struct own_world *world, const struct op *op, uint64_t gpa, unsigned int size,
               uint64_t value)
{
	struct own_cpu *cpu = own_cpu_of(world, op);

	if (ram_page_number(gpa) < 0)
		return;
	if (world->amid) {
		if (cpu != world->in_l0 && own_running(cpu)->running)
			store_by_mapping(world, op, gpa, size, value);
		return;
	}
	if (store_by_mapping(world, op, gpa, size, value))
		return;
	if (gpa < RAM_HIGH_GPA && !(op->cpu & 0x40)) {
		store_without_paging(world, cpu, gpa, size, value);
		return;
	}
	write_by_l0(world, cpu, gpa, size, value);
}

void own_warm_up(struct own_world *world, const struct op *op)
{
	struct own_cpu *cpu = own_cpu_of(world, op);
	struct entries entries = own_entries(world, op);
	struct ram *ram = &world->rig->ram;
	unsigned int size = ref_entry_size(entries.mode);
	uint64_t gpa = entries_find(&entries, op);

	if (ram_page_number(gpa) < 0 ||
	    store_by_mapping(world, op, gpa, size, ram_read(ram, gpa, size)) || gpa >= RAM_HIGH_GPA)
		return;
	own_load(world, cpu, 0, OWN_DIRECT, false);
	own_do_access(world, cpu, gpa, (struct ref_access){.write = true});
}
