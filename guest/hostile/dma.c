/*
 * DMA to memory that is a hypervisor's, by devices that L1 programs. What is a hypervisor's is told
 * apart by its place: a reserved range of whole 2 MiB below the end of memory. Relies on
 * guest/hostile/dma_device.h.
 */
#include "guest/hostile/dma_device.h"
#include "guest/hostile/hostile.h"
#include "guest/lib/memory_map.h"
#include "guest/lib/report.h"
#include "hv/pci.h"

enum {
	WORDS = DMA_PAGE / sizeof(uint32_t),

	FUNCTIONS = 1 << 16,
	CLASS_SHIFT = 16,
	CLASS_IOMMU = 0x0806,
	CONFIGURATION = 256,  /* bytes */
	IOMMU_DEVICES = 0x00, /* registers */
	IOMMU_CONTROL = 0x18,
};
#define SENTINEL      0x5e27a11eu
#define IOMMU_OF_QEMU 0xfed80000u /* its configuration tells another base */

static volatile uint32_t here[WORDS] __attribute__((aligned(DMA_PAGE)));
static volatile uint32_t back[WORDS] __attribute__((aligned(DMA_PAGE)));

static void fill(volatile uint32_t *page, uint32_t value)
{
	for (unsigned int i = 0; i < WORDS; i++)
		page[i] = value;
}

/* How many of the words that came back have that value. */
static unsigned int words_of(uint32_t value)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < WORDS; i++)
		count += back[i] == value;
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
		uint64_t pages = (range->end - range->start) / DMA_PAGE;

		if (range->usable || range->start < SIZE_2M || range->end > end ||
		    (range->start | range->end) % SIZE_2M ||
		    report_is_in(range->start, range->end - range->start))
			continue;
		if (n < pages)
			return range->start + n * DMA_PAGE;
		n -= pages;
	}
	return 0;
}

/* A page of L1's own with that value in it goes there and comes back: addresses are what they were.
 */
static bool copies_own(const struct dma_device *device, uint32_t value)
{
	fill(here, value);
	fill(back, ~value);
	check("is copied", device->copy((uintptr_t)back, (uintptr_t)here), true);
	return check("words that came back", words_of(value), device->bytes / sizeof(uint32_t));
}

/* All that L1 can try at an IOMMU which the firmware did not tell of: registers, configuration. */
static void attack_iommus(void)
{
	volatile uint32_t *registers = (volatile uint32_t *)(uintptr_t)IOMMU_OF_QEMU;

	for (unsigned int function = 0; function < FUNCTIONS; function++) {
		if (pci_read(function, PCI_CLASS) >> CLASS_SHIFT != CLASS_IOMMU)
			continue;
		pt_map_range(&l1_tables, IOMMU_OF_QEMU, IOMMU_OF_QEMU, DMA_PAGE, 1, PT_RW | PT_PCD);
		registers[IOMMU_CONTROL / sizeof(*registers)] = 0;
		registers[IOMMU_DEVICES / sizeof(*registers)] = 0;
		registers[IOMMU_DEVICES / sizeof(*registers) + 1] = 0;
		for (unsigned int i = 0; i < CONFIGURATION; i += sizeof(uint32_t))
			pci_write(function, i, 0);
	}
}

/* What cannot be read is zeros, or what the device had: how many pages are more than that? */
static uint64_t pages_read(const struct dma_device *device)
{
	uint64_t gpa, n, open = 0;

	copies_own(device, 0);
	for (n = 0; (gpa = hypervisors_page(n * device->stride)); n++) {
		fill(back, 0);
		device->copy((uintptr_t)back, gpa);
		open += words_of(0) != WORDS;
	}
	say("# %u pages were tried\n", (unsigned int)n);
	return open;
}

static void write_all(const struct dma_device *device)
{
	uint64_t gpa;

	fill(here, SENTINEL);
	for (uint64_t n = 0; (gpa = hypervisors_page(n)); n += device->stride)
		device->copy(gpa, (uintptr_t)here);
}

static void attack(const struct dma_device *device)
{
	const char *missing;

	if (!tap_group("hostile", device->group))
		return;
	point("a device reads and writes L1's memory");
	missing = device->find(); /* first, so that it is the same bare */
	if (!missing && !hypervisors_page(0))
		missing = "no memory is a hypervisor's";
	if (missing) {
		point_skip(missing);
		return;
	}
	if (!copies_own(device, SENTINEL)) {
		point_end();
		return;
	}
	point("it reads no page of the hypervisor's");
	attack_iommus();
	if (!check("pages that can be read", pages_read(device), 0)) {
		point("and writes none");
		point_fail("# nothing is written: that would be the end\n");
		point_end();
		return;
	}
	point("and writes none");
	write_all(device);
	check("L1's own comes back", copies_own(device, SENTINEL), true);
	hostile_all_answer(1);
}

void hostile_dma(void)
{
	static const struct dma_device *const devices[] = {&dma_ahci, &dma_edu, &dma_e1000,
	                                                   &dma_virtio};

	for (unsigned int i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		attack(devices[i]);
}
