/*
 * The walk of a guest's page tables. Relies on mmu/format.h.
 */
#include "mmu/walk.h"

#include <stddef.h>

enum { WALK_TRIES = 4 };

void *guest_table(const struct guest_memory *memory, uint64_t gpa)
{
	char *page = memory->page(memory->context, gpa & ~0xfffull);

	return page ? page + (gpa & 0xfff) : NULL;
}

/* Sets bits in an entry unless it is no longer what was read. */
static bool update_entry(void *at, unsigned int size, uint64_t was, uint64_t bits)
{
	uint32_t was32 = (uint32_t)was;

	if (!at)
		return true;
	if (size == 8)
		return __atomic_compare_exchange_n((uint64_t *)at, &was, was | bits, false,
		                                   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint32_t *)at, &was32, was32 | (uint32_t)bits, false,
	                                   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* The rights that a walk has gathered; W, U and NX of an entry limit those of all below. */
struct rights {
	bool write, user, execute;
};

static void limit_rights(struct rights *rights, uint64_t entry)
{
	rights->write &= !!(entry & PTE_W);
	rights->user &= !!(entry & PTE_U);
	rights->execute &= !(entry & PTE_NX);
}

/* APM vol. 2, section 5.6; for nested tables 15.25.5: all accesses are the user's. */
static bool allowed(const struct paging_mode *mode, const struct rights *rights, uint32_t access)
{
	bool user = (access & ACCESS_USER) || (mode->flags & MODE_NESTED);
	bool wp = user || (mode->flags & MODE_WP);

	if (user && !rights->user)
		return false;
	if ((access & ACCESS_WRITE) && !rights->write && wp)
		return false;
	if ((access & ACCESS_FETCH) && !rights->execute)
		return false;
	if (user || !rights->user)
		return true;
	if ((access & ACCESS_FETCH) && (mode->flags & MODE_SMEP))
		return false;
	return (access & ACCESS_FETCH) || !(access & ACCESS_SMAP_CHECK) ||
	       !(mode->flags & MODE_SMAP);
}

static enum walk_status fault(const struct paging_mode *mode, struct walk *walk, uint32_t access,
                              uint32_t why)
{
	walk->code = why;
	if (access & ACCESS_WRITE)
		walk->code |= FAULT_W;
	if ((access & ACCESS_USER) || (mode->flags & MODE_NESTED))
		walk->code |= FAULT_U;
	/* I/D is reported only where no-execute or SMEP can be the reason (APM 8.2.15). */
	if ((access & ACCESS_FETCH) && (mode->flags & (MODE_NX | MODE_SMEP)))
		walk->code |= FAULT_ID;
	return WALK_FAULT;
}

static enum walk_status walk_once(const struct guest_memory *memory, const struct paging_mode *mode,
                                  uint64_t root, uint64_t address, uint32_t access,
                                  struct walk *walk)
{
	const struct pt_format *format = mode->format;
	struct rights rights = {true, true, true};
	uint64_t table = root;

	for (int level = format->levels;; level--) {
		unsigned int index = guest_index(format, level, address);
		uint64_t bits = PTE_A, entry;
		void *at = NULL;
		bool leaf;

		if (in_registers(mode, level)) {
			entry = mode->pdptes[index];
		} else {
			at = guest_table(memory, table + index * format->entry_size);
			entry = table_entry(at, 0, format->entry_size);
		}
		walk->level = level;
		walk->table[level] = table;
		walk->entry[level] = entry;
		if (!(entry & PTE_P))
			return fault(mode, walk, access, 0);
		if (entry_reserved(mode, level, entry))
			return fault(mode, walk, access, FAULT_P | FAULT_RSV);
		leaf = entry_is_leaf(mode, level, entry);
		if (format->level[level].rights)
			limit_rights(&rights, entry);
		else
			bits = 0;
		if (leaf) {
			if (!allowed(mode, &rights, access))
				return fault(mode, walk, access, FAULT_P);
			if (access & ACCESS_WRITE)
				bits |= PTE_D;
		}
		if (bits & ~entry) {
			if (memory->written)
				memory->written(memory->context,
				                table + index * format->entry_size);
			if (!update_entry(at, format->entry_size, entry, bits))
				return WALK_RETRY;
			walk->entry[level] = entry | bits;
		}
		if (leaf) {
			uint64_t offset = address & ((1ull << level_shift(mode, level)) - 1);

			walk->gpa = leaf_frame(mode, level, entry) | offset;
			return WALK_OK;
		}
		table = entry & mode->address_mask;
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
		return fault(mode, walk, access, 0);
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
				: table_entry(guest_table(memory, table + index * size), 0, size);

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
