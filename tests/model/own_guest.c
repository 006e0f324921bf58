/*
 * Roots, addresses and entries of guests with their own paging. Half of what they map is memory
 * that holds tables. Relies on tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

/* Two bits choose the index at levels 1 to 3, one at 4 and 5. */
uint64_t own_address(unsigned int number)
{
	static const uint64_t low[] = {0, 1, 5, 511}, middle[] = {0, 1, 2, 511},
			      high[] = {0, 1, 3, 2};
	uint64_t address =
		low[number & 3] << 12 | middle[number >> 2 & 3] << 21 | high[number >> 4 & 3] << 30;

	return address | (number & 0x40 ? 511ull << 39 : 0) | (number & 0x80 ? 1ull << 56 : 0);
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

static uint64_t frame_of(const struct own_world *world, unsigned int mode, unsigned int value,
                         unsigned int shift)
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
	uint64_t frame = frames[value & 7] + ((value >> 3 & 7) << 12);

	if (world->mode[mode].phys_bits == 52 && (value & 0xc7) == 0xc0)
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

static uint64_t mapping_entry(const struct own_world *world, unsigned int number, int level,
                              unsigned int value, unsigned int how)
{
	const struct ref_mode *mode = &world->mode[number];
	unsigned int shift = shift_of(mode, level);
	uint64_t frame = frame_of(world, number, value, shift), flags = 0x67;

	if (mode->format == REF_2LEVEL)
		frame = shift == 12 ? (uint32_t)frame
		                    : (uint32_t)frame | (frame >> 32 & 0xff) << 13;
	if (level > 1)
		flags |= 0x80;
	if (how & 0x20)
		flags ^= 0x40;
	if ((how & 0xc0) == 0x40)
		flags ^= 2;
	if ((how & 0xc0) == 0x80)
		flags ^= 4;
	if ((how & 0xd0) == 0xd0 && mode->nx && mode->format != REF_2LEVEL)
		flags |= 1ull << 63;
	if ((value & 0x83) == 0x81) /* another memory type */
		flags |= level == 1 ? 0x88 : 0x1008;
	return frame | flags;
}

static uint64_t read_entry(struct own_world *world, const struct ref_mode *mode, uint64_t gpa)
{
	return ram_read(&world->rig->ram, gpa, ref_entry_size(mode));
}

/* The gpa of the entry at a level, as far as the tables reach: the level may be a higher one. */
static uint64_t find_entry(struct own_world *world, unsigned int space, uint64_t address,
                           int *level)
{
	const struct ref_mode *mode = own_mode(world, space);
	struct ref_state state = ref_start(mode, own_tables_of(world, space).root);

	for (;;) {
		uint64_t gpa = ref_entry_gpa(mode, &state, address);
		struct ref_step step =
			ref_look(mode, &state, address, read_entry(world, mode, gpa));

		if (state.level == *level || step.verdict != REF_TABLE) {
			*level = state.level;
			return gpa;
		}
		state = step.next;
	}
}

void own_edit(struct own_world *world, const struct op *op)
{
	static const uint8_t flags[] = {1, 1, 2, 2, 5, 6, 63, 0};
	unsigned int space = op->root % OWN_DIRECT;
	const struct ref_mode *mode = own_mode(world, space);
	uint64_t address = own_address(op->address);
	unsigned int size = ref_entry_size(mode);
	int level = 1 + op->level % ref_start(mode, 0).level, other = level;
	uint64_t gpa = find_entry(world, space, address, &level), from;
	uint64_t entry = read_entry(world, mode, gpa);

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
		entry = mapping_entry(world, space % OWN_MODES, level, op->value, op->how);
		break;
	case 6:
		entry ^= 1ull << op->value % (8 * size);
		break;
	case 7: /* what stands for another address, perhaps under another root */
	case 8:
		from = find_entry(world, op->how & 0x20 ? space : space ^ OWN_MODES,
		                  own_address(op->value), &other);
		if (other != level)
			return;
		entry = read_entry(world, mode, from);
		break;
	case 9:
		entry = entry * 0x9e3779b97f4a7c15ull + op->value * 0x94d049bb133111ebull;
		break;
	default: /* one flag, what guests do most */
		if (size == 4 && flags[op->value & 7] == 63)
			return;
		entry ^= 1ull << flags[op->value & 7];
		break;
	}
	own_store(world, op, gpa, size, entry);
}

void own_mend(struct own_world *world, const struct op *op)
{
	unsigned int space = op->root % OWN_DIRECT;
	const struct ref_mode *mode = own_mode(world, space);
	struct ref_state state = ref_start(mode, own_tables_of(world, space).root);
	uint64_t address = own_address(op->address);
	int leaf = op->level % 4 == 3 ? 3 : op->level % 4 == 2 ? 2 : 1;

	if ((leaf == 3 && (mode->format < REF_4LEVEL || !mode->gigabyte_pages)) ||
	    (leaf == 2 && mode->format == REF_2LEVEL && !mode->pse))
		leaf = 1;
	for (unsigned int value = op->value;; value += 3) {
		uint64_t gpa = ref_entry_gpa(mode, &state, address);
		uint64_t entry = read_entry(world, mode, gpa);
		struct ref_step step = ref_look(mode, &state, address, entry);

		if (state.level == leaf || step.verdict == REF_PAGE) {
			if (step.verdict != REF_PAGE || (op->how & 1))
				own_store(world, op, gpa, ref_entry_size(mode),
				          mapping_entry(world, space % OWN_MODES, state.level,
				                        value, op->how & 0xfe));
			return;
		}
		if (step.verdict == REF_FAULT) {
			own_store(world, op, gpa, ref_entry_size(mode),
			          pointing_entry(mode, state.level, value & 0x1f));
			step = ref_look(mode, &state, address, read_entry(world, mode, gpa));
			if (step.verdict != REF_TABLE)
				return; /* the store went elsewhere, or there is no memory */
		}
		state = step.next;
	}
}
