/*
 * The processor's walk of L0's nested tables. Relies on tests/model/host_walk.h.
 */
#include "tests/model/host_walk.h"

#include <stddef.h>

enum { ACCESSED = 1 << 5, PAE_LEVELS = 3, PAE_ADDRESS_BITS = 32 };

/* Of PDPTEs only P, PWT, PCD and an address mean anything; APM vol. 2, section 5.3.3. */
static const uint64_t pdpte_reserved = 0xfff00000000001e6;

static const uint64_t frame_bits = 0x000ffffffffff000ull;

struct host_point host_start(const struct host_tables *tables, uint64_t root)
{
	return (struct host_point){tables->levels, root, true, true};
}

/* An entry of a PAE root: it has no rights, nor A. */
static bool is_pdpte(const struct host_tables *tables, int level)
{
	return level == PAE_LEVELS && tables->levels == PAE_LEVELS;
}

/* Reserved bits of an entry at a level. Nestling's tables may have none of the ignored ones. */
static bool broken(const struct host_tables *tables, int level, uint64_t entry)
{
	bool page = entry >> 7 & 1;

	if (is_pdpte(tables, level))
		return entry & pdpte_reserved;
	if (level == 1 || !page)
		return level >= 4 && (entry >> 8 & 1);
	if (level >= 4 || (level == 3 && !tables->gigabyte_pages))
		return true;
	/* The low bits of the frame, besides PAT, must be zero. */
	return entry & ((1ull << (level == 2 ? 21 : 30)) - 1) & ~0x1fffull;
}

struct host_result host_walk(const struct host_tables *tables, struct host_point from,
                             uint64_t address)
{
	struct host_result result = {.status = HOST_MISSING};
	struct host_point at = from;

	if (address >> (tables->levels == PAE_LEVELS ? PAE_ADDRESS_BITS : 12 + 9 * tables->levels))
		return result;
	while (at.level > 0) { /* the last one ends in a return */
		unsigned int shift = 12 + 9 * (unsigned int)(at.level - 1);
		uint64_t *table = tables->table(tables->context, at.hpa);
		uint64_t entry;

		result.point[result.points++] = at;
		if (!table) {
			result.status = HOST_BROKEN;
			return result;
		}
		entry = table[address >> shift & 511];
		if (!(entry & 1))
			return result;
		if (broken(tables, at.level, entry)) {
			result.status = HOST_BROKEN;
			return result;
		}
		if (is_pdpte(tables, at.level)) {
			at.hpa = entry & frame_bits;
			at.level--;
			continue;
		}
		if (!(entry & 4)) /* nested walks are the user's */
			return result;
		at.write = at.write && (entry & 2);
		at.execute = at.execute && !(entry >> 63);
		if (at.level == 1 || (entry & 0x80)) {
			uint64_t low = (1ull << shift) - 1;
			unsigned int pat_bit = at.level == 1 ? 7 : 12;

			result.status = HOST_OK;
			result.hpa = (entry & frame_bits & ~low) | (address & low);
			result.write = at.write;
			result.execute = at.execute;
			result.level = at.level;
			result.leaf = &table[address >> shift & 511];
			result.pat = (entry >> pat_bit & 1) * 4u + (unsigned int)(entry >> 3 & 3);
			return result;
		}
		result.upper = result.above;
		result.above = &table[address >> shift & 511];
		if (!tables->look)
			*result.above |= ACCESSED;
		at.hpa = entry & frame_bits;
		at.level--;
	}
	return result;
}
