/*
 * Pages are of 1 GiB but around what is kept; 512 GiB would be allowed, and processors get them
 * wrong. Relies on hv/memory.h and hv/phys.h.
 */
#include "hv/iommu_tables.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/x86.h"

/* An entry of a page table; 2.2.3, table 17 and figure 8. */
#define PTE_PRESENT     (1ull << 0)
#define PTE_LEVEL_SHIFT 9 /* of the table that it leads to; 0: it is a page */
#define PTE_LEVEL       (7ull << PTE_LEVEL_SHIFT)
#define PTE_ADDRESS     0x000ffffffffff000ull
#define PTE_READ        (1ull << 61)
#define PTE_WRITE       (1ull << 62)
#define PTE_ALL         (PTE_PRESENT | PTE_READ | PTE_WRITE)

/* An entry of the device table has the root in its first word, as a page table has a table. */
#define DTE_VALID             (1ull << 0)
#define DTE_TRANSLATION_VALID (1ull << 1)
#define DTE_DOMAIN            1ull
#define DTE_SYSTEM_SHIFT      40 /* of the second word */
#define DTE_PASS_SHIFT        56 /* of the third */

enum {
	LEVELS = 4,
	GIANT = 3, /* the level whose pages have 1 GiB */
	LARGE = 2, /* ... 2 MiB */
	ENTRIES = 512,
	LEVEL_BITS = 9,
	PAGE_BITS = 12,
	DTE_WORDS = IOMMU_DEVICE_BYTES / sizeof(uint64_t),
	EDGES = 2, /* of a range: each may need a table of each of the two lower levels */
};

_Static_assert(PAGE_BITS + LEVELS * LEVEL_BITS == IOMMU_MAX_BITS, "levels reach all addresses");

static unsigned int shift_of(unsigned int level)
{
	return PAGE_BITS + (level - 1) * LEVEL_BITS;
}

/* Entries of the root that there are tables for. */
static unsigned int roots(unsigned int bits)
{
	unsigned int shift = shift_of(LEVELS);

	if (bits > IOMMU_MAX_BITS)
		bits = IOMMU_MAX_BITS;
	return bits > shift ? 1u << (bits - shift) : 1;
}

uint64_t iommu_tables_pages(unsigned int bits, unsigned int count, uint64_t bytes)
{
	uint64_t lower = count * 2ull * EDGES + (bytes >> shift_of(GIANT));

	return 1 + roots(bits) + lower + IOMMU_DEVICES_SIZE / PAGE_SIZE;
}

/* The table of this level that an entry leads to; what was one page is many then. */
static uint64_t *table_of(uint64_t *entry, unsigned int level)
{
	uint64_t *table, page = *entry & PTE_ADDRESS;

	if (*entry & PTE_LEVEL)
		return phys(page);
	table = heap_pages(1);
	for (unsigned int i = 0; i < ENTRIES; i++)
		table[i] = page | (uint64_t)i << shift_of(level) | PTE_ALL;
	*entry = hpa_of(table) | (uint64_t)level << PTE_LEVEL_SHIFT | PTE_ALL;
	return table;
}

/* Takes what begins there out, as much at once as can be. Returns how many bytes that was. */
static uint64_t take_out(uint64_t *root, uint64_t at, uint64_t end)
{
	uint64_t *table = root;

	for (unsigned int level = LEVELS;; level--) {
		uint64_t size = 1ull << shift_of(level);
		uint64_t *entry = &table[at >> shift_of(level) & (ENTRIES - 1)];

		if (level <= LARGE && at % size == 0 && end - at >= size) {
			*entry = 0;
			return size;
		}
		if (!*entry) /* it is out */
			return size - at % size;
		table = table_of(entry, level - 1);
	}
}

uint64_t iommu_pages_build(unsigned int bits, const struct iommu_range *kept, unsigned int count)
{
	uint64_t *root = heap_pages(1), last = 1ull << IOMMU_MAX_BITS;

	for (unsigned int i = 0; i < roots(bits); i++) {
		root[i] = (uint64_t)i << shift_of(LEVELS) | PTE_ALL;
		table_of(&root[i], GIANT);
	}
	for (unsigned int i = 0; i < count; i++) {
		uint64_t end = kept[i].end < last ? kept[i].end : last;

		for (uint64_t at = kept[i].base; at < end;)
			at += take_out(root, at, end);
	}
	return hpa_of(root);
}

uint64_t iommu_devices_build(uint64_t root)
{
	uint64_t *entry = heap_pages(IOMMU_DEVICES_SIZE / PAGE_SIZE), devices = hpa_of(entry);

	for (unsigned int i = 0; i < IOMMU_FUNCTIONS; i++, entry += DTE_WORDS) {
		entry[0] = root | (uint64_t)LEVELS << PTE_LEVEL_SHIFT | PTE_READ | PTE_WRITE |
		           DTE_VALID | DTE_TRANSLATION_VALID;
		entry[1] = DTE_DOMAIN;
	}
	return devices;
}

void iommu_devices_pass(uint64_t devices, uint16_t first, uint16_t last, uint8_t what)
{
	uint64_t *entry = phys(devices);
	uint64_t pass = what & (uint64_t)(IOMMU_PASS_INIT | IOMMU_PASS_EXTINT | IOMMU_PASS_NMI |
	                                  IOMMU_PASS_LINT0 | IOMMU_PASS_LINT1);

	for (unsigned int i = first; i <= last; i++) {
		entry[i * DTE_WORDS + 1] |= (uint64_t)(what & IOMMU_SYSTEM_MANAGEMENT) / 16
		                            << DTE_SYSTEM_SHIFT;
		entry[i * DTE_WORDS + 2] |= pass << DTE_PASS_SHIFT;
	}
}
