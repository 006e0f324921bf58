/*
 * What guests with their own paging do, on mmu/ and on the model. Relies on
 * tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

#include <string.h>

enum { DIRTY = 1 << 6, MOST_FAULTS = 3 };

void own_flush(struct own_world *world, unsigned int asid)
{
	struct own_asid *at = &world->asid[asid];

	mmu_flush_asid(world->cpu, asid);
	own_forget(world, asid);
	for (unsigned int i = 0; i < OWN_SPACES; i++)
		at->used[i].valid = false;
	at->running = false;
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
}

void own_load(struct own_world *world, unsigned int asid, unsigned int space, bool flush)
{
	struct own_asid *at = &world->asid[asid];

	if (flush || (asid == 0 && space != at->space) ||
	    (at->used[space].valid && at->used[space].tables.loads == OWN_LOADS))
		own_flush(world, asid);
	at->space = space;
	at->tables = own_tables_of(world, space);
	if (!at->tables.direct && at->tables.mode.id == PT_PAE)
		own_load_pdptes(world->rig, &at->tables, at->pdptes);
	note_load(world, at, space);
	world->root = mmu_load_root(&world->rig->mmu, world->cpu, &at->tables, asid);
	world->now = asid;
	at->running = true;
	if (ram_collect(&world->rig->ram))
		own_fail(world, "loading a root wrote guest memory");
}

/* A and D that the reference sets in the word at gpa. */
static uint64_t sets_in(const struct ref_result *expected, uint64_t gpa)
{
	uint64_t set = 0;

	for (unsigned int i = 0; i < expected->entries; i++) {
		if ((expected->entry[i].gpa & ~7ull) == gpa)
			set |= expected->entry[i].set << (8 * (expected->entry[i].gpa & 7));
	}
	return set;
}

/* What a walk wrote is A and D of the entries that it used; all of them if it came through. */
static void check_written(struct own_world *world, const struct ref_result *expected, size_t start)
{
	struct ram *ram = &world->rig->ram;

	for (size_t t = start; t < ram->changes; t++) {
		const struct ram_change *change = &ram->change[t];
		uint64_t set = change->old ^ change->new;

		if ((change->old & set) || (set & ~sets_in(expected, change->gpa)))
			own_fail(world, "entry at %#lx: %#lx became %#lx", change->gpa, change->old,
			         change->new);
	}
	for (unsigned int i = 0; i < expected->entries && !expected->fault; i++) {
		uint64_t gpa = expected->entry[i].gpa;

		if (ram_page_number(gpa) >= 0 &&
		    (sets_in(expected, gpa & ~7ull) & ~ram_read(ram, gpa & ~7ull, 8)))
			own_fail(world, "A or D not set in the entry at %#lx", gpa);
	}
}

/* Gives a fault to mmu/ and compares with the reference. Returns false when it was reflected. */
static bool fault(struct own_world *world, uint64_t address, struct ref_access access)
{
	struct own_asid *at = &world->asid[world->now];
	struct ram *ram = &world->rig->ram;
	struct ref_result expected =
		own_ref_walk(ram, &at->used[at->space].tables, address, access);
	struct page_fault fault = {.address = address, .access = own_access_flags(access)};
	size_t start = ram_now(ram);
	enum fault_result result;
	struct own_seen seen;

	result = mmu_fault(&world->rig->mmu, world->cpu, &at->tables, &fault);
	ram_collect(ram);
	check_written(world, &expected, start);
	own_forget_points(world, address);
	if (expected.fault != (result == FAULT_REFLECT) || result == FAULT_RETRY)
		own_fail(world, "space %u address %#lx: result %d, the reference has code %#x",
		         at->space, address, result, expected.fault ? expected.code : 0);
	if (expected.fault && fault.code != expected.code)
		own_fail(world, "address %#lx: code %#x, the reference has %#x", address,
		         fault.code, expected.code);
	if (expected.fault)
		return false;
	seen = own_walk(world->rig, own_start(world->root, own_levels(&at->tables)), address);
	own_check(world, world->now, at->space, address, &seen, true);
	/* A write may have to fault once more: the page itself became a table just now. */
	if (!access.write && !own_permits(own_mode(world, at->space), &seen, access))
		own_fail(world, "space %u address %#lx: the fault was handled, yet it comes again",
		         at->space, address);
	return true;
}

uint64_t own_do_access(struct own_world *world, uint64_t address, struct ref_access access)
{
	struct own_asid *at = &world->asid[world->now];
	struct own_seen seen;

	if (!at->running)
		own_load(world, world->now, at->space, false);
	for (int faults = 0;; faults++) {
		if (own_lookup(world, address, access, &seen))
			return seen.hpa;
		seen = own_walk(world->rig, own_start(world->root, own_levels(&at->tables)),
		                address);
		own_check(world, world->now, at->space, address, &seen, false);
		if (own_permits(own_mode(world, at->space), &seen, access)) {
			own_remember(world, address, &seen);
			return seen.hpa;
		}
		if (faults == MOST_FAULTS)
			own_fail(world, "address %#lx: faults without end", address);
		if (!fault(world, address, access))
			return ~0ull;
	}
}

/* The gva that the guest's tables lead to gpa from, by way of an address; or ~0. */
static uint64_t by_tables(struct own_world *world, unsigned int number, uint64_t gpa,
                          struct ref_access access)
{
	struct own_asid *at = &world->asid[world->now];
	struct ref_result walk = own_ref_walk(&world->rig->ram, &at->used[at->space].tables,
	                                      own_address(number), access);
	const struct ref_mode *mode = own_mode(world, at->space);
	uint64_t low;
	int level;

	if (walk.fault)
		return ~0ull;
	level = mode ? walk.rights.level + 1 : 1;
	low = mode && mode->format == REF_2LEVEL && level == 2
	              ? (1ull << 22) - 1
	              : (1ull << (12 + 9 * (level - 1))) - 1;
	return (walk.gpa ^ gpa) & ~low ? ~0ull : (own_address(number) & ~low) | (gpa & low);
}

/* The same by what the processor has cached. */
static uint64_t by_tlb(const struct own_world *world, unsigned int number, uint64_t gpa)
{
	const struct own_asid *at = &world->asid[world->now];

	for (unsigned int i = 0; i < at->tlb[number].count; i++) {
		const struct own_seen *seen = &at->tlb[number].entry[i].seen;
		uint64_t low = (1ull << (12 + 9 * (seen->level - 1))) - 1;

		if (seen->write && !((seen->hpa ^ gpa) & ~low))
			return (own_address(number) & ~low) | (gpa & low);
	}
	return ~0ull;
}

static bool store_by_mapping(struct own_world *world, const struct op *op, uint64_t gpa,
                             unsigned int size, uint64_t value)
{
	struct own_asid *at = &world->asid[world->now];
	struct ref_access access = {.write = true, .user = op->cpu & 2, .ac = true};
	unsigned int count = own_addresses(world, at->space);

	if (!at->running)
		own_load(world, world->now, at->space, false);
	for (unsigned int i = 0; i < count; i++) {
		unsigned int number = (i + op->value) % count;
		uint64_t address = op->cpu & 1 ? by_tlb(world, number, gpa) : ~0ull, to;

		if (address == ~0ull)
			address = by_tables(world, number, gpa, access);
		if (address == ~0ull)
			continue;
		to = own_do_access(world, address, access);
		if (to == ~0ull)
			continue;
		world->stores++;
		ram_write(&world->rig->ram, to, size, value);
		return true;
	}
	return false;
}

/* L1 turns paging off for the store, and goes back to what it did. */
static void store_without_paging(struct own_world *world, uint64_t gpa, unsigned int size,
                                 uint64_t value)
{
	unsigned int asid = world->now, space = world->asid[asid].space;

	own_load(world, 0, OWN_DIRECT, false);
	ram_write(&world->rig->ram, own_do_access(world, gpa, (struct ref_access){.write = true}),
	          size, value);
	own_load(world, asid, space, false);
}

void own_store(struct own_world *world, const struct op *op, uint64_t gpa, unsigned int size,
               uint64_t value)
{
	if (ram_page_number(gpa) < 0 || store_by_mapping(world, op, gpa, size, value))
		return;
	if (gpa < RAM_HIGH_GPA && !(op->cpu & 0x40)) {
		store_without_paging(world, gpa, size, value);
		return;
	}
	/* L0 itself, as when it writes a VMCB back. */
	mmu_note_write(&world->rig->mmu, gpa);
	ram_write(&world->rig->ram, gpa, size, value);
}
