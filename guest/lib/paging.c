/*
 * Page tables of every format. Relies on struct pt_format: no code here knows a format.
 */
#include "guest/lib/paging.h"
#include "guest/lib/tap.h"
#include "hv/string.h"
#include "hv/x86.h"

#define TABLE PT_RWU

const struct pt_format pt_2level = {
	.name = "2level",
	.levels = 2,
	.entry_bytes = 4,
	.nx = false,
	.level = {[1] = {12, 10, true, 0}, [2] = {22, 10, false, TABLE}},
};
const struct pt_format pt_pse = {
	.name = "pse",
	.levels = 2,
	.entry_bytes = 4,
	.nx = false,
	.level = {[1] = {12, 10, true, 0}, [2] = {22, 10, true, TABLE}},
};
/* A PDPTE has neither W nor U: those bits are reserved (APM 5.2.3). */
const struct pt_format pt_pae = {
	.name = "pae",
	.levels = 3,
	.entry_bytes = 8,
	.nx = true,
	.level = {[1] = {12, 9, true, 0},
                  [2] = {21, 9, true, TABLE},
                  [3] = {30, 2, false, PT_PRESENT}},
};
const struct pt_format pt_4level = {
	.name = "4level",
	.levels = 4,
	.entry_bytes = 8,
	.nx = true,
	.level = {[1] = {12, 9, true, 0},
                  [2] = {21, 9, true, TABLE},
                  [3] = {30, 9, true, TABLE},
                  [4] = {39, 9, false, TABLE}},
};
const struct pt_format pt_5level = {
	.name = "5level",
	.levels = 5,
	.entry_bytes = 8,
	.nx = true,
	.level = {[1] = {12, 9, true, 0},
                  [2] = {21, 9, true, TABLE},
                  [3] = {30, 9, true, TABLE},
                  [4] = {39, 9, false, TABLE},
                  [5] = {48, 9, false, TABLE}},
};

static uint64_t address_bits(const struct pt_format *format)
{
	return format->entry_bytes == 4 ? 0xfffff000u : 0x000ffffffffff000ull;
}

static void *seen(const struct pt *pt, uint64_t address)
{
	return (void *)((uintptr_t)address + pt->window);
}

static uint64_t entry_read(const struct pt_format *format, const void *entry)
{
	return format->entry_bytes == 4 ? *(const volatile uint32_t *)entry
	                                : *(const volatile uint64_t *)entry;
}

static void entry_write(const struct pt_format *format, void *entry, uint64_t value)
{
	if (format->entry_bytes == 4)
		*(volatile uint32_t *)entry = (uint32_t)value;
	else
		*(volatile uint64_t *)entry = value;
}

static uint64_t new_table(struct pt *pt)
{
	uint64_t table = pt->next;

	if (table >= pt->end)
		run_failed("# no memory for another %s table\n", pt->format->name);
	pt->next += PAGE_SIZE;
	memset(seen(pt, table), 0, PAGE_SIZE);
	return table;
}

void pt_init(struct pt *pt, const struct pt_format *format, uint64_t first, uint64_t end,
             uintptr_t window)
{
	pt->format = format;
	pt->next = first;
	pt->end = end;
	pt->window = window;
	pt->root = new_table(pt);
}

uint64_t pt_page_size(const struct pt_format *format, unsigned int level)
{
	return 1ull << format->level[level].shift;
}

static uint64_t entry_at(const struct pt *pt, uint64_t table, uint64_t address, unsigned int level)
{
	const struct pt_level *l = &pt->format->level[level];
	uint64_t index = address >> l->shift & ((1u << l->bits) - 1);

	return table + index * pt->format->entry_bytes;
}

/* Finds the entry, 0 if a table is missing on the way. */
static uint64_t find(const struct pt *pt, uint64_t address, unsigned int level)
{
	uint64_t table = pt->root;

	for (unsigned int l = pt->format->levels; l > level; l--) {
		uint64_t value = entry_read(pt->format, seen(pt, entry_at(pt, table, address, l)));

		if (!(value & PT_PRESENT) || (pt->format->level[l].large && (value & PT_LARGE)))
			return 0;
		table = value & address_bits(pt->format);
	}
	return entry_at(pt, table, address, level);
}

void *pt_entry(const struct pt *pt, uint64_t address, unsigned int level)
{
	uint64_t at = find(pt, address, level);

	return at ? seen(pt, at) : NULL;
}

uint64_t pt_entry_address(const struct pt *pt, uint64_t address, unsigned int level)
{
	uint64_t at = find(pt, address, level);

	if (!at)
		run_failed("# no %s table of level %u for 0x%llx\n", pt->format->name, level,
		           (unsigned long long)address);
	return at;
}

uint64_t pt_get(const struct pt *pt, uint64_t address, unsigned int level)
{
	return entry_read(pt->format, seen(pt, pt_entry_address(pt, address, level)));
}

void pt_set(struct pt *pt, uint64_t address, unsigned int level, uint64_t value)
{
	entry_write(pt->format, seen(pt, pt_entry_address(pt, address, level)), value);
}

void pt_map(struct pt *pt, uint64_t address, uint64_t to, unsigned int level, uint64_t flags)
{
	const struct pt_format *format = pt->format;
	uint64_t table = pt->root;

	/* One walk, without find(): each L2 has thousands of entries. */
	for (unsigned int l = format->levels; l > level; l--) {
		void *entry = seen(pt, entry_at(pt, table, address, l));
		uint64_t value = entry_read(format, entry);

		if (!(value & PT_PRESENT)) {
			value = new_table(pt) | format->level[l].table_flags;
			entry_write(format, entry, value);
		} else if (format->level[l].large && (value & PT_LARGE)) {
			run_failed("# a %s page of level %u is in the way of 0x%llx\n",
			           format->name, l, (unsigned long long)address);
		}
		table = value & address_bits(format);
	}
	entry_write(format, seen(pt, entry_at(pt, table, address, level)),
	            to | flags | (level > 1 ? PT_LARGE : 0));
}

void pt_map_range(struct pt *pt, uint64_t address, uint64_t to, uint64_t bytes,
                  unsigned int max_level, uint64_t flags)
{
	uint64_t end = address + bytes;

	while (address < end) {
		unsigned int level = max_level;
		uint64_t size;

		for (;; level--) {
			size = pt_page_size(pt->format, level);
			if (level == 1 || (pt->format->level[level].large &&
			                   !((address | to) & (size - 1)) && end - address >= size))
				break;
		}
		pt_map(pt, address, to, level, flags);
		address += size;
		to += size;
	}
}
