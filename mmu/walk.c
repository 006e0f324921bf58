/*
 * The walk of a guest's page tables. Relies on mmu/walk_step.h.
 */
#include "mmu/walk.h"
#include "mmu/walk_step.h"

#include <stddef.h>

enum { WALK_TRIES = 4 };

void *guest_table(const struct guest_memory *memory, uint64_t gpa)
{
	char *page = memory->page(memory->context, gpa & ~0xfffull);

	return page ? page + (gpa & 0xfff) : NULL;
}

static enum walk_status walk_once(const struct guest_memory *memory, const struct paging_mode *mode,
                                  uint64_t root, uint64_t address, uint32_t access,
                                  struct walk *walk)
{
	unsigned int size = mode->format->entry_size;
	struct step step = {.rights = ~0ull};
	uint64_t table = root;

	for (int level = mode->format->levels;; level--) {
		unsigned int index = guest_index(mode->format, level, address);
		enum walk_status status;
		void *at = NULL;

		walk->rights = step.rights;
		if (in_registers(mode, level)) {
			step.entry = mode->pdptes[index];
		} else {
			at = guest_table(memory, table + index * size);
			step.entry = entry_or_ones(at, size);
		}
		status = walk_step(memory, mode, mode->flags & MODE_NESTED, level, at,
		                   table + index * size, size, access, &step);
		walk->level = level;
		walk->table[level] = table;
		walk->at[level] = at;
		walk->entry[level] = step.entry;
		walk->code = step.code;
		if (status != WALK_OK)
			return status;
		if (step.leaf) {
			uint64_t offset = address & ((1ull << level_shift(mode, level)) - 1);

			walk->gpa = leaf_frame(mode, level, step.entry) | offset;
			return WALK_OK;
		}
		table = step.entry & mode->address_mask;
	}
}

enum walk_status guest_walk(const struct guest_memory *memory, const struct paging_mode *mode,
                            uint64_t root, uint64_t address, uint32_t access, struct walk *walk)
{
	enum walk_status status = WALK_RETRY;

	walk->level = mode->format->levels;
	if (address >> mode->format->address_bits && (mode->flags & MODE_NESTED)) {
		walk->table[walk->level] = root;
		walk->entry[walk->level] = 0;
		walk->code = fault_code(mode, access, 0);
		return WALK_FAULT;
	}
	for (int i = 0; i < WALK_TRIES && status == WALK_RETRY; i++)
		status = walk_once(memory, mode, root, address, access, walk);
	return status;
}

uint32_t access_of_fault(uint64_t code, bool ac)
{
	uint32_t access =
		(code & FAULT_W ? ACCESS_WRITE : 0) | (code & FAULT_ID ? ACCESS_FETCH : 0);
	uint64_t denied = code & (FAULT_P | FAULT_W | FAULT_U | FAULT_RSV | FAULT_ID);

	if (code & FAULT_U)
		return access | ACCESS_USER;
	return access | (!ac || denied == FAULT_P ? ACCESS_SMAP_CHECK : 0);
}

bool guest_peek(const struct guest_memory *memory, const struct paging_mode *mode, uint64_t root,
                uint64_t address, uint64_t *gpa)
{
	const struct pt_format *format = mode->format;
	uint64_t table = root;

	for (int level = format->levels; level; level--) {
		unsigned int size = format->entry_size;
		unsigned int index = guest_index(format, level, address);
		uint64_t entry =
			in_registers(mode, level)
				? mode->pdptes[index]
				: entry_or_ones(guest_table(memory, table + index * size), size);

		if (!(entry & PTE_P))
			return false;
		if (entry_is_leaf(mode, level, entry)) {
			uint64_t offset = address & ((1ull << level_shift(mode, level)) - 1);

			*gpa = leaf_frame(mode, level, entry) | offset;
			return true;
		}
		table = entry & mode->address_mask;
	}
	return false;
}
