/*
 * Roots and entries of guests with their own paging. Half of what they map is memory that holds
 * tables. Relies on tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

/* Without paging every page of low memory has a number. */
uint64_t own_address(unsigned int space, unsigned int number)
{
	if (space == OWN_DIRECT && number < RAM_LOW_PAGES)
		return ram_page_gpa(number);
	return entries_address(number);
}

unsigned int own_addresses(const struct own_world *world, unsigned int space)
{
	const struct ref_mode *mode = own_mode(world, space);

	if (!mode || mode->format <= REF_PAE)
		return 64;
	return mode->format == REF_4LEVEL ? 128 : 256;
}

const struct ref_mode *own_mode(const struct own_world *world, unsigned int space)
{
	return space == OWN_DIRECT ? NULL : &world->mode[space % OWN_MODES];
}

struct guest_tables own_tables_of(const struct own_world *world, unsigned int space)
{
	struct guest_tables tables = own_direct();
	unsigned int root = space / OWN_MODES;

	if (space == OWN_DIRECT)
		return tables;
	tables = world->tables[space % OWN_MODES];
	tables.root = ram_page_gpa(2 * root);
	if (root == OWN_ROOTS - 1 && tables.mode.id >= PT_4LEVEL)
		tables.root = ram_page_gpa(RAM_LOW_PAGES + 1);
	if (tables.mode.id == PT_PAE && (root & 1))
		tables.root += 32 * root;
	return tables;
}

static void store(void *context, const struct op *op, uint64_t gpa, unsigned int size,
                  uint64_t value)
{
	own_store(context, op, gpa, size, value);
}

struct entries own_entries(struct own_world *world, const struct op *op)
{
	/* One GiB of large pages, ranges of small and of 2 MiB pages, tables; see rig_map(). */
	static const uint64_t frames[] = {4ull << 30,
	                                  (3ull << 30) + (2 << 20),
	                                  (7ull << 30) + (2 << 20) + 0x5000,
	                                  RAM_HIGH_GPA,
	                                  RAM_LOW_GPA,
	                                  RAM_LOW_GPA,
	                                  RAM_LOW_GPA + 0x8000,
	                                  RAM_LOW_GPA};
	static const uint8_t flags[] = {1, 1, 2, 2, 5, 6, 63, 0};
	unsigned int space = op->root % OWN_DIRECT;

	return (struct entries){.ram = &world->rig->ram,
	                        .mode = own_mode(world, space),
	                        .cr3 = own_tables_of(world, space).root,
	                        .other = own_tables_of(world, space ^ OWN_MODES).root,
	                        .frames = frames,
	                        .flags = flags,
	                        .store = store,
	                        .world = world};
}
