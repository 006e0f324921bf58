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

/* Two bits choose the index at levels 1 to 3, one at 4 and 5. */
uint64_t world_address(const struct world *world, unsigned int root, const struct op *op)
{
	static const uint64_t low[] = {0, 1, 5, 511}, middle[] = {0, 1, 2, 511},
			      high[] = {0, 1, 3, 2};
	uint64_t n = op->address;
	uint64_t address = low[n & 3] << 12 | middle[n >> 2 & 3] << 21 | high[n >> 4 & 3] << 30;
	enum ref_format format = world_mode(world, root)->format;

	if (format >= REF_4LEVEL && (n & 0x40))
		address |= 511ull << 39;
	if (format == REF_5LEVEL && (n & 0x80))
		address |= 0x100ull << 48;
	if (op->how == 77) /* what the format cannot translate */
		address |= format == REF_5LEVEL   ? 1ull << 57
		           : format == REF_4LEVEL ? 1ull << 48
		                                  : 1ull << 32;
	return address | (op->value & 0xf) << 8;
}

uint64_t world_frame(const struct world *world, unsigned int value, unsigned int shift)
{
	/* One GiB of large pages, and ranges of small and of 2 MiB pages; see rig_map(). */
	static const uint64_t frames[] = {4ull << 30,
	                                  (5ull << 30) + (2 << 20),
	                                  3ull << 30,
	                                  (3ull << 30) + (2 << 20),
	                                  (3ull << 30) + (6 << 20),
	                                  0x00200000,
	                                  (7ull << 30) + (2 << 20) + 0x5000,
	                                  0x00200000}; /* guest memory itself */
	uint64_t frame = frames[value & 7] + ((value >> 3 & 7) << 12);

	if (world->mode[0].phys_bits == 52 && (value & 0x40))
		frame |= 1ull << 51;
	return frame >> shift << shift;
}

static unsigned int shift_of(const struct ref_mode *mode, int level)
{
	return mode->format == REF_2LEVEL && level == 2 ? 22 : 12 + 9 * (unsigned int)(level - 1);
}

static uint64_t pointing_entry(const struct ref_mode *mode, int level, unsigned int value)
{
	uint64_t gpa =
		ram_page_gpa(value % (mode->format >= REF_4LEVEL ? RAM_PAGES : RAM_LOW_PAGES));
	uint64_t flags = 0x27;

	if (mode->format == REF_PAE && level == 3)
		return gpa | 1;
	if ((value & 0xe0) == 0x20)
		flags &= ~2ull;
	if ((value & 0xe0) == 0x40)
		flags &= ~0x20ull;
	if ((value & 0xf0) == 0x60)
		flags &= ~4ull;
	if ((value & 0xf0) == 0x80 && mode->nx && mode->format != REF_2LEVEL)
		flags |= 1ull << 63;
	return gpa | flags;
}

static uint64_t mapping_entry(const struct world *world, const struct ref_mode *mode, int level,
                              unsigned int value, unsigned int how)
{
	unsigned int shift = shift_of(mode, level);
	uint64_t frame = world_frame(world, value, shift), flags = 0x67;

	if (mode->format == REF_2LEVEL)
		frame = shift == 12 ? (uint32_t)frame
		                    : (uint32_t)frame | (frame >> 32 & 0xff) << 13;
	if (level > 1)
		flags |= 0x80;
	if (how & 0x20)
		flags ^= 0x40;
	if ((how & 0xc0) == 0x40)
		flags ^= 2;
	if ((how & 0xc0) == 0x80 && mode->nx && mode->format != REF_2LEVEL)
		flags |= 1ull << 63;
	if ((value & 0x81) == 0x81) /* another memory type */
		flags |= level == 1 ? 0x88 : 0x1008;
	return frame | flags;
}

/* The gpa of the entry at a level, as far as the tables reach: the level may be a higher one. */
static uint64_t find_entry(struct world *world, unsigned int root, uint64_t address, int *level)
{
	const struct ref_mode *mode = world_mode(world, root);
	struct ref_state state = ref_start(mode, world_tables(world, root).root);

	for (;;) {
		uint64_t gpa = ref_entry_gpa(mode, &state, address);
		struct ref_step step =
			ref_look(mode, &state, address,
		                 ram_read(&world->rig->ram, gpa, ref_entry_size(mode)));

		if (state.level == *level || step.verdict != REF_TABLE) {
			*level = state.level;
			return gpa;
		}
		state = step.next;
	}
}

static int top_level(const struct ref_mode *mode)
{
	return ref_start(mode, 0).level;
}

void world_edit(struct world *world, const struct op *op)
{
	static const uint8_t flags[] = {1, 1, 5, 6, 63, 7, 0, 2};
	unsigned int root = world_root(world, op->root);
	const struct ref_mode *mode = world_mode(world, root);
	struct ram *ram = &world->rig->ram;
	unsigned int size = ref_entry_size(mode);
	int level = 1 + op->level % top_level(mode), other = level;
	uint64_t gpa = find_entry(world, root, world_address(world, root, op), &level);
	uint64_t entry = ram_read(ram, gpa, size);
	struct op elsewhere = *op;

	switch (op->how & 15) {
	case 0:
		entry = 0;
		break;
	case 1:
	case 2:
		entry = pointing_entry(mode, level, op->value);
		break;
	case 3:
	case 4:
	case 5:
		entry = mapping_entry(world, mode, level, op->value, op->how);
		break;
	case 6:
		entry ^= 1ull << op->value % (8 * size);
		break;
	case 7: /* what stands for another address, perhaps under another root */
	case 8:
		elsewhere.address = op->value;
		root = op->how & 0x20 ? root : root ^ 2;
		if (world_root(world, root) != root)
			break;
		gpa = find_entry(world, root, world_address(world, root, &elsewhere), &other);
		entry = ram_read(ram, gpa, size);
		gpa = find_entry(world, world_root(world, op->root),
		                 world_address(world, world_root(world, op->root), op), &level);
		if (other != level)
			return;
		break;
	case 9:
		entry = entry * 0x9e3779b97f4a7c15ull + op->value * 0x94d049bb133111ebull;
		break;
	default: /* one flag, what L1 does most */
		if (size == 4 && flags[op->value & 7] == 63)
			return;
		entry ^= 1ull << flags[op->value & 7];
		break;
	}
	world_write(world, op, gpa, size, entry);
}

void world_mend(struct world *world, const struct op *op)
{
	unsigned int root = world_root(world, op->root);
	const struct ref_mode *mode = world_mode(world, root);
	struct ref_state state = ref_start(mode, world_tables(world, root).root);
	uint64_t address = world_address(world, root, op);
	int leaf = op->level % 4 == 3 ? 3 : op->level % 4 == 2 ? 2 : 1;

	if ((leaf == 3 && (mode->format < REF_4LEVEL || !mode->gigabyte_pages)) ||
	    (leaf == 2 && mode->format == REF_2LEVEL && !mode->pse))
		leaf = 1;
	for (unsigned int value = op->value;; value += 3) {
		uint64_t gpa = ref_entry_gpa(mode, &state, address);
		uint64_t entry = ram_read(&world->rig->ram, gpa, ref_entry_size(mode));
		struct ref_step step = ref_look(mode, &state, address, entry);

		if (state.level == leaf || step.verdict == REF_PAGE) {
			if (step.verdict != REF_PAGE || (op->how & 1))
				world_write(world, op, gpa, ref_entry_size(mode),
				            mapping_entry(world, mode, state.level, value,
				                          op->how & 0xfe));
			return;
		}
		if (step.verdict == REF_FAULT) {
			entry = pointing_entry(mode, state.level, value & 0x1f);
			world_write(world, op, gpa, ref_entry_size(mode), entry);
			step = ref_look(mode, &state, address, entry);
		}
		state = step.next;
	}
}
