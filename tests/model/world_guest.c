/*
 * Roots, addresses and entries of a script's guests. Relies on tests/model/world.h.
 */
#include "tests/model/world.h"

unsigned int world_root(const struct world *world, unsigned int number)
{
	number %= WORLD_ROOTS;
	/* A 2-level root has no more gpas than pages: no two numbers may mean the same. */
	return world->mode[number & 1].format == REF_2LEVEL ? number % RAM_LOW_PAGES : number;
}

const struct ref_mode *world_mode(const struct world *world, unsigned int root)
{
	return &world->mode[root & 1];
}

struct guest_tables world_tables(const struct world *world, unsigned int root)
{
	struct guest_tables tables = world->tables[root & 1];

	tables.root = ram_page_gpa(root);
	if (tables.mode.id == PT_PAE)
		tables.root = ram_page_gpa(root % RAM_LOW_PAGES) + 32 * (root / RAM_LOW_PAGES);
	return tables;
}

uint64_t world_address(const struct world *world, unsigned int root, const struct op *op)
{
	enum ref_format format = world_mode(world, root)->format;
	unsigned int number = op->address;
	uint64_t address;

	if (format < REF_5LEVEL)
		number &= format == REF_4LEVEL ? 0x7fu : 0x3fu;
	address = entries_address(number) | (op->value & 0xf) << 8;
	if (op->how == 77) /* what the format cannot translate */
		address |= format == REF_5LEVEL   ? 1ull << 57
		           : format == REF_4LEVEL ? 1ull << 48
		                                  : 1ull << 32;
	return address;
}

/* One GiB of large pages, and ranges of small and of 2 MiB pages; see rig_map(). */
static const uint64_t frames[] = {4ull << 30,
                                  (5ull << 30) + (2 << 20),
                                  3ull << 30,
                                  (3ull << 30) + (2 << 20),
                                  (3ull << 30) + (6 << 20),
                                  0x00200000,
                                  (7ull << 30) + (2 << 20) + 0x5000,
                                  0x00200000}; /* guest memory itself */
/* All in that GiB, which L0 has in a row; and guest memory. */
static const uint64_t near[] = {4ull << 30,
                                (4ull << 30) + (2 << 20),
                                (4ull << 30) + 0x8000,
                                (4ull << 30) + (6 << 20) + 0x10000,
                                (4ull << 30) + (2 << 20),
                                0x00200000,
                                (4ull << 30) + 0x40000,
                                0x00200000};

uint64_t world_frame(const struct world *world, unsigned int value, unsigned int shift)
{
	return entries_frame(&world->mode[0], world->near ? near : frames, value, shift);
}

static void store(void *context, const struct op *op, uint64_t gpa, unsigned int size,
                  uint64_t value)
{
	world_write(context, op, gpa, size, value);
}

struct entries world_entries(struct world *world, const struct op *op)
{
	static const uint8_t flags[] = {1, 1, 5, 6, 63, 7, 0, 2};
	unsigned int root = world_root(world, op->root), other = world_root(world, root ^ 2);

	if (world_mode(world, other) != world_mode(world, root))
		other = root;
	return (struct entries){.ram = &world->rig->ram,
	                        .mode = world_mode(world, root),
	                        .cr3 = world_tables(world, root).root,
	                        .other = world_tables(world, other).root,
	                        .frames = world->near ? near : frames,
	                        .flags = flags,
	                        .store = store,
	                        .world = world};
}
