/*
 * DMA to memory that is a hypervisor's, by a disk that L1 programs: one behind AHCI whose model is
 * NESTLING, since it is written to. What is a hypervisor's is told apart by its place: a reserved
 * range of whole 2 MiB below the end of memory. Relies on guest/hostile/ahci.h.
 */
#include "guest/hostile/ahci.h"
#include "guest/hostile/hostile.h"
#include "guest/lib/memory_map.h"
#include "hv/pci.h"

enum {
	WORDS = AHCI_PAGE / sizeof(uint32_t),
	BLOCK_OF_SENTINELS = 0, /* pages of the disk */
	BLOCK_OF_OTHERS = 1,

	FUNCTIONS = 1 << 16,
	CLASS_SHIFT = 16,
	CLASS_IOMMU = 0x0806,
	CONFIGURATION = 256,  /* bytes */
	IOMMU_DEVICES = 0x00, /* registers */
	IOMMU_CONTROL = 0x18,
};
#define SENTINEL      0x5e27a11eu
#define IOMMU_OF_QEMU 0xfed80000u /* its configuration tells another base */

static volatile uint32_t page[WORDS] __attribute__((aligned(AHCI_PAGE)));

static void fill(uint32_t value)
{
	for (unsigned int i = 0; i < WORDS; i++)
		page[i] = value;
}

static unsigned int words_of(uint32_t value)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < WORDS; i++)
		count += page[i] == value;
	return count;
}

static uint64_t memory_end(void)
{
	const struct memory_range *range;
	uint64_t end = 0;

	for (unsigned int n = 0; (range = memory_range(n)); n++) {
		if (range->usable && range->end > end)
			end = range->end;
	}
	return end;
}

/* The n-th page of a hypervisor's, from 0; 0: there are no more. */
static uint64_t hypervisors_page(uint64_t n)
{
	const struct memory_range *range;
	uint64_t end = memory_end();

	for (unsigned int i = 0; (range = memory_range(i)); i++) {
		uint64_t pages = (range->end - range->start) / AHCI_PAGE;

		if (range->usable || range->start < SIZE_2M || range->end > end ||
		    (range->start | range->end) % SIZE_2M)
			continue;
		if (n < pages)
			return range->start + n * AHCI_PAGE;
		n -= pages;
	}
	return 0;
}

/* A page of L1's own goes to the disk and comes back: addresses are what they were. */
static bool copies_own(void)
{
	fill(SENTINEL);
	check("is read", ahci_copy((uintptr_t)page, BLOCK_OF_SENTINELS, AHCI_TO_DISK), true);
	fill(0);
	check("is written", ahci_copy((uintptr_t)page, BLOCK_OF_SENTINELS, AHCI_TO_MEMORY), true);
	return check("words that came back", words_of(SENTINEL), WORDS);
}

/* All that L1 can try at an IOMMU which the firmware did not tell of: registers, configuration. */
static void attack_iommus(void)
{
	volatile uint32_t *registers = (volatile uint32_t *)(uintptr_t)IOMMU_OF_QEMU;

	for (unsigned int function = 0; function < FUNCTIONS; function++) {
		if (pci_read(function, PCI_CLASS) >> CLASS_SHIFT != CLASS_IOMMU)
			continue;
		pt_map_range(&l1_tables, IOMMU_OF_QEMU, IOMMU_OF_QEMU, AHCI_PAGE, 1,
		             PT_RW | PT_PCD);
		registers[IOMMU_CONTROL / sizeof(*registers)] = 0;
		registers[IOMMU_DEVICES / sizeof(*registers)] = 0;
		registers[IOMMU_DEVICES / sizeof(*registers) + 1] = 0;
		for (unsigned int i = 0; i < CONFIGURATION; i += sizeof(uint32_t))
			pci_write(function, i, 0);
	}
}

/* What cannot be read is zeros: how many pages are more than that? */
static uint64_t pages_read(void)
{
	uint64_t gpa, n, open = 0;

	for (n = 0; (gpa = hypervisors_page(n)); n++) {
		fill(SENTINEL);
		ahci_copy(gpa, BLOCK_OF_OTHERS, AHCI_TO_DISK);
		if (!ahci_copy((uintptr_t)page, BLOCK_OF_OTHERS, AHCI_TO_MEMORY))
			break;
		open += words_of(0) != WORDS;
	}
	say("# %u pages were tried\n", (unsigned int)n);
	return open;
}

static void write_all(void)
{
	uint64_t gpa;

	for (uint64_t n = 0; (gpa = hypervisors_page(n)); n++)
		ahci_copy(gpa, BLOCK_OF_SENTINELS, AHCI_TO_MEMORY);
}

void hostile_dma(void)
{
	const char *missing;

	if (!tap_group("hostile", "dma"))
		return;
	point("a device reads and writes L1's memory");
	missing = ahci_find("NESTLING"); /* first, so that it is the same bare */
	if (!missing && !hypervisors_page(0))
		missing = "no memory is a hypervisor's";
	if (missing) {
		point_skip(missing);
		return;
	}
	if (!copies_own()) {
		point_end();
		return;
	}
	point("it reads no page of the hypervisor's");
	attack_iommus();
	if (!check("pages that can be read", pages_read(), 0)) {
		point("and writes none");
		point_fail("# nothing is written: that would be the end\n");
		point_end();
		return;
	}
	point("and writes none");
	write_all();
	check("L1's own comes back", copies_own(), true);
	hostile_all_answer(1);
}
