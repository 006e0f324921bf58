/*
 * The reference walk. Bit numbers are those of the APM's figures 5-9 to 5-29. Relies on
 * tests/model/ref_walk.h.
 */
#include "tests/model/ref_walk.h"

static bool bit(uint64_t value, unsigned int number)
{
	return value >> number & 1;
}

/* Are any of the bits high..low of the value set? */
static bool any(uint64_t value, unsigned int high, unsigned int low)
{
	for (unsigned int i = low; i <= high; i++) {
		if (bit(value, i))
			return true;
	}
	return false;
}

static uint64_t field(uint64_t value, unsigned int high, unsigned int low)
{
	return value << (63 - high) >> (63 - high + low) << low;
}

unsigned int ref_entry_size(const struct ref_mode *mode)
{
	return mode->format == REF_2LEVEL ? 4 : 8;
}

struct ref_state ref_start(const struct ref_mode *mode, uint64_t cr3)
{
	struct ref_state state = {.write = true, .user = true, .execute = true};

	switch (mode->format) {
	case REF_2LEVEL:
		state.level = 2;
		state.table = field(cr3, 31, 12);
		break;
	case REF_PAE:
		state.level = 3;
		state.table = field(cr3, 31, 5);
		break;
	case REF_4LEVEL:
		state.level = 4;
		state.table = field(cr3, mode->phys_bits - 1, 12);
		break;
	case REF_5LEVEL:
		state.level = 5;
		state.table = field(cr3, mode->phys_bits - 1, 12);
		break;
	}
	return state;
}

bool ref_in_range(const struct ref_mode *mode, uint64_t address)
{
	switch (mode->format) {
	case REF_2LEVEL:
	case REF_PAE:
		return !any(address, 63, 32);
	case REF_4LEVEL:
		return !any(address, 63, 48);
	default:
		return !any(address, 63, 57);
	}
}

uint64_t ref_entry_gpa(const struct ref_mode *mode, const struct ref_state *state, uint64_t address)
{
	if (mode->format == REF_2LEVEL)
		return state->table + 4 * (state->level == 2 ? field(address, 31, 22) >> 22
		                                             : field(address, 21, 12) >> 12);
	switch (state->level) {
	case 1:
		return state->table + 8 * (field(address, 20, 12) >> 12);
	case 2:
		return state->table + 8 * (field(address, 29, 21) >> 21);
	case 3:
		if (mode->format == REF_PAE)
			return state->table + 8 * (field(address, 31, 30) >> 30);
		return state->table + 8 * (field(address, 38, 30) >> 30);
	case 4:
		return state->table + 8 * (field(address, 47, 39) >> 39);
	default:
		return state->table + 8 * (field(address, 56, 48) >> 48);
	}
}

/* 2-level: PTEs have no reserved bits, nor PDEs that point to tables. */
static bool reserved_2level(const struct ref_mode *mode, int level, uint64_t entry)
{
	if (level == 1 || !mode->pse || !bit(entry, 7))
		return false;
	if (bit(entry, 21))
		return true;
	/* Bits 20:13 are bits 39:32 of the address. */
	for (unsigned int i = 13; i <= 20; i++) {
		if (bit(entry, i) && i - 13 + 32 >= mode->phys_bits)
			return true;
	}
	return false;
}

static bool reserved_address(const struct ref_mode *mode, uint64_t entry)
{
	return mode->phys_bits < 52 && any(entry, 51, mode->phys_bits);
}

static bool reserved_pae(const struct ref_mode *mode, int level, uint64_t entry)
{
	if (reserved_address(mode, entry))
		return true;
	if (level == 3)
		return any(entry, 63, 52) || any(entry, 8, 6) || any(entry, 2, 1) ||
		       (bit(entry, 5) && !mode->pdpte_a);
	if (any(entry, 62, 52) || (bit(entry, 63) && !mode->nx))
		return true;
	return level == 2 && bit(entry, 7) && any(entry, 20, 13);
}

static bool reserved_long(const struct ref_mode *mode, int level, uint64_t entry)
{
	if (reserved_address(mode, entry) || (bit(entry, 63) && !mode->nx))
		return true;
	if (level >= 4)
		return any(entry, 8, 7);
	if (level == 3 && bit(entry, 7))
		return !mode->gigabyte_pages || any(entry, 29, 13);
	return level == 2 && bit(entry, 7) && any(entry, 20, 13);
}

static bool reserved(const struct ref_mode *mode, int level, uint64_t entry)
{
	switch (mode->format) {
	case REF_2LEVEL:
		return reserved_2level(mode, level, entry);
	case REF_PAE:
		return reserved_pae(mode, level, entry);
	default:
		return reserved_long(mode, level, entry);
	}
}

static void map_page(struct ref_step *step, uint64_t frame, unsigned int shift, uint64_t entry,
                     uint64_t address)
{
	step->verdict = REF_PAGE;
	step->gpa = frame | field(address, shift - 1, 0);
	step->pat = bit(entry, shift == 12 ? 7 : 12) * 4u + bit(entry, 4) * 2u + bit(entry, 3);
}

struct ref_step ref_look(const struct ref_mode *mode, const struct ref_state *state,
                         uint64_t address, uint64_t entry)
{
	int level = state->level;
	bool pdpte = mode->format == REF_PAE && level == 3;
	struct ref_step step = {.verdict = REF_TABLE, .next = *state};

	if (!bit(entry, 0)) {
		step.verdict = REF_FAULT;
		return step;
	}
	if (reserved(mode, level, entry)) {
		step.verdict = REF_FAULT;
		step.why = 1 | 8; /* P, RSV */
		return step;
	}
	if (!pdpte) {
		step.accessed = 1 << 5;
		step.next.write = state->write && bit(entry, 1);
		step.next.user = state->user && bit(entry, 2);
		step.next.execute = state->execute && !(mode->nx && bit(entry, 63));
	}
	step.next.level = level - 1;
	step.next.table = field(entry, mode->format == REF_2LEVEL ? 31 : 51, 12);
	if (level == 1)
		map_page(&step, step.next.table, 12, entry, address);
	else if (level == 2 && bit(entry, 7) && mode->format == REF_2LEVEL && mode->pse)
		map_page(&step, field(entry, 31, 22) | field(entry, 20, 13) >> 13 << 32, 22, entry,
		         address);
	else if (level == 2 && bit(entry, 7) && mode->format != REF_2LEVEL)
		map_page(&step, field(entry, 51, 21), 21, entry, address);
	else if (level == 3 && bit(entry, 7) && mode->format >= REF_4LEVEL)
		map_page(&step, field(entry, 51, 30), 30, entry, address);
	return step;
}

bool ref_allows(const struct ref_mode *mode, const struct ref_state *rights,
                struct ref_access access)
{
	if (mode->nested) /* section 15.25.5: a user access, and CR0.WP does not count */
		return rights->user && (!access.write || rights->write) &&
		       (!access.fetch || rights->execute);
	if (access.fetch && !rights->execute)
		return false;
	if (access.user)
		return rights->user && (!access.write || rights->write);
	if (access.write && !rights->write && mode->wp)
		return false;
	if (rights->user && access.fetch && mode->smep)
		return false;
	return !(rights->user && !access.fetch && mode->smap && !access.ac);
}

uint32_t ref_code(const struct ref_mode *mode, struct ref_access access, uint32_t why)
{
	uint32_t code = why;

	if (access.write)
		code |= 2;
	if (access.user || mode->nested)
		code |= 4;
	if (access.fetch && ((mode->nx && mode->format != REF_2LEVEL) || mode->smep))
		code |= 16;
	return code;
}

struct ref_result ref_walk(const struct ref_mode *mode, uint64_t cr3, uint64_t address,
                           struct ref_access access,
                           uint64_t (*read)(void *context, uint64_t gpa, unsigned int size),
                           void *context)
{
	struct ref_state state = ref_start(mode, cr3);
	struct ref_result result = {.fault = true};

	result.code = ref_code(mode, access, 0);
	if (mode->nested && !ref_in_range(mode, address))
		return result;
	for (;;) {
		unsigned int n = result.entries++;
		uint64_t gpa = ref_entry_gpa(mode, &state, address);
		uint64_t entry = read(context, gpa, ref_entry_size(mode));
		struct ref_step step = ref_look(mode, &state, address, entry);

		result.entry[n].gpa = gpa;
		result.entry[n].value = entry;
		if (step.verdict == REF_FAULT) {
			result.code = ref_code(mode, access, step.why);
			return result;
		}
		if (step.verdict == REF_PAGE && !ref_allows(mode, &step.next, access)) {
			result.code = ref_code(mode, access, 1);
			return result;
		}
		result.entry[n].set = step.accessed & ~entry;
		if (step.verdict == REF_PAGE) {
			if (access.write && !bit(entry, 6))
				result.entry[n].set |= 1 << 6;
			result.fault = false;
			result.code = 0;
			result.gpa = step.gpa;
			result.pat = step.pat;
			result.rights = step.next;
			return result;
		}
		state = step.next;
	}
}
