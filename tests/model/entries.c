/*
 * What bytes of a script mean for guests' tables. Relies on tests/model/entries.h.
 */
#include "tests/model/entries.h"

enum { NX = 63 };

uint64_t entries_address(unsigned int number)
{
	static const uint64_t low[] = {0, 1, 5, 511}, middle[] = {0, 1, 2, 511},
			      high[] = {0, 1, 3, 2};
	uint64_t address =
		low[number & 3] << 12 | middle[number >> 2 & 3] << 21 | high[number >> 4 & 3] << 30;

	return address | (number & 0x40 ? 511ull << 39 : 0) | (number & 0x80 ? 1ull << 56 : 0);
}

uint64_t entries_frame(const struct ref_mode *mode, const uint64_t *frames, unsigned int value,
                       unsigned int shift)
{
	uint64_t frame = frames[value & 7] + ((value >> 3 & 7) << 12);

	if (mode->phys_bits == 52 && (value & 0xc7) == 0xc0)
		frame |= 1ull << 51;
	return frame >> shift << shift;
}

static unsigned int shift_of(const struct ref_mode *mode, int level)
{
	return mode->format == REF_2LEVEL && level == 2 ? 22 : 12 + 9 * (unsigned int)(level - 1);
}

static bool has_nx(const struct ref_mode *mode)
{
	return mode->nx && mode->format != REF_2LEVEL;
}

/* To a table: any page of guest memory, most of the time with all rights. */
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
	if ((value & 0xf0) == 0x80 && has_nx(mode))
		flags |= 1ull << NX;
	return gpa | flags;
}

/* U is changed only where supervisors are not the same as nobody. */
static uint64_t changed_rights(const struct ref_mode *mode, uint64_t flags, unsigned int how)
{
	if ((how & 0xc0) == 0x40)
		flags ^= 2;
	if ((how & 0xc0) == 0x80 && !mode->nested)
		flags ^= 4;
	if ((mode->nested ? (how & 0xc0) == 0x80 : (how & 0xd0) == 0xd0) && has_nx(mode))
		flags |= 1ull << NX;
	return flags;
}

static uint64_t mapping_entry(const struct entries *entries, int level, unsigned int value,
                              unsigned int how)
{
	const struct ref_mode *mode = entries->mode;
	unsigned int shift = shift_of(mode, level);
	uint64_t frame = entries_frame(mode, entries->frames, value, shift), flags = 0x67;

	if (mode->format == REF_2LEVEL)
		frame = shift == 12 ? (uint32_t)frame
		                    : (uint32_t)frame | (frame >> 32 & 0xff) << 13;
	if (level > 1)
		flags |= 0x80;
	if (how & 0x20)
		flags ^= 0x40;
	flags = changed_rights(mode, flags, how);
	if ((value & 0x83) == 0x81) /* another memory type */
		flags |= level == 1 ? 0x88 : 0x1008;
	return frame | flags;
}

static uint64_t read_entry(const struct entries *entries, uint64_t gpa)
{
	return ram_read(entries->ram, gpa, ref_entry_size(entries->mode));
}

static void store(const struct entries *entries, const struct op *op, uint64_t gpa, uint64_t entry)
{
	entries->store(entries->world, op, gpa, ref_entry_size(entries->mode), entry);
}

/* The gpa of the entry at a level, as far as the tables reach: the level may be a higher one. */
static uint64_t find_entry(const struct entries *entries, uint64_t cr3, uint64_t address,
                           int *level)
{
	struct ref_state state = ref_start(entries->mode, cr3);

	for (;;) {
		uint64_t gpa = ref_entry_gpa(entries->mode, &state, address);
		struct ref_step step =
			ref_look(entries->mode, &state, address, read_entry(entries, gpa));

		if (state.level == *level || step.verdict != REF_TABLE) {
			*level = state.level;
			return gpa;
		}
		state = step.next;
	}
}

static int level_of(const struct entries *entries, const struct op *op)
{
	return 1 + op->level % ref_start(entries->mode, 0).level;
}

uint64_t entries_find(const struct entries *entries, const struct op *op)
{
	int level = level_of(entries, op);

	return find_entry(entries, entries->cr3, entries_address(op->address), &level);
}

void entries_edit(const struct entries *entries, const struct op *op)
{
	const struct ref_mode *mode = entries->mode;
	unsigned int size = ref_entry_size(mode);
	int level = level_of(entries, op), other = level;
	uint64_t gpa = find_entry(entries, entries->cr3, entries_address(op->address), &level);
	uint64_t entry = read_entry(entries, gpa), from;

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
		entry = mapping_entry(entries, level, op->value, op->how);
		break;
	case 6:
		entry ^= 1ull << op->value % (8 * size);
		break;
	case 7: /* what stands for another address, perhaps under another root */
		from = find_entry(entries, op->how & 0x20 ? entries->cr3 : entries->other,
		                  entries_address(op->value), &other);
		if (other != level)
			return;
		entry = read_entry(entries, from);
		break;
	case 8: /* a page beside it */
	case 10:
	case 11:
		entry ^= (op->value & 63ull) << 12;
		break;
	case 9:
		entry = entry * 0x9e3779b97f4a7c15ull + op->value * 0x94d049bb133111ebull;
		break;
	default: /* one flag, what guests do most */
		if (size == 4 && entries->flags[op->value & 7] == NX)
			return;
		entry ^= 1ull << entries->flags[op->value & 7];
		break;
	}
	store(entries, op, gpa, entry);
}

/* The level at which the address is to have its leaf. */
static int leaf_level(const struct ref_mode *mode, unsigned int wish)
{
	int level = wish % 4 == 3 ? 3 : wish % 4 == 2 ? 2 : 1;

	if ((level == 3 && (mode->format < REF_4LEVEL || !mode->gigabyte_pages)) ||
	    (level == 2 && mode->format == REF_2LEVEL && !mode->pse))
		level = 1;
	return level;
}

void entries_mend(const struct entries *entries, const struct op *op)
{
	const struct ref_mode *mode = entries->mode;
	struct ref_state state = ref_start(mode, entries->cr3);
	uint64_t address = entries_address(op->address);
	int leaf = leaf_level(mode, op->level);

	for (unsigned int value = op->value;; value += 3) {
		uint64_t gpa = ref_entry_gpa(mode, &state, address);
		struct ref_step step = ref_look(mode, &state, address, read_entry(entries, gpa));

		if (state.level == leaf || step.verdict == REF_PAGE) {
			if (step.verdict != REF_PAGE || (op->how & 1))
				store(entries, op, gpa,
				      mapping_entry(entries, state.level, value, op->how & 0xfe));
			return;
		}
		if (step.verdict == REF_FAULT) {
			store(entries, op, gpa, pointing_entry(mode, state.level, value & 0x1f));
			step = ref_look(mode, &state, address, read_entry(entries, gpa));
			if (step.verdict != REF_TABLE)
				return; /* the store went elsewhere, or there is no memory */
		}
		state = step.next;
	}
}
