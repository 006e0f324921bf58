/* Relies on svm/memory/l1_memory.h and svm/emulate/iommu_config.h for what L1 may not touch. */
#include "boot/dma.h"
#include "boot/acpi_devices.h"
#include "boot/ivrs.h"
#include "hv/iommu.h"
#include "hv/iommu_tables.h"
#include "hv/log.h"
#include "hv/x86.h"
#include "svm/emulate/iommu_config.h"
#include "svm/features.h"
#include "svm/memory/l1_memory.h"

enum {
	LAYOUT_PIECES = 2,
	KEPT_MAX = LAYOUT_PIECES + IOMMU_UNITS_MAX,
	/* A device's message has 8 bits for the processor, and all ones are all: APM Volume
	   2, 16.5. */
	MESSAGE_ID_MAX = 254,
};

static struct iommu_unit units[IOMMU_UNITS_MAX];
static uint64_t sizes[IOMMU_UNITS_MAX]; /* bytes of their registers */
static unsigned int count;

/*
 * NULL, and the bytes of its registers; or what is wrong. L0 reaches what is below 4 GiB only;
 * registers are aligned as the specification has it, 3.2.
 */
static const char *unit_error(const struct iommu_unit *unit, uint64_t *size)
{
	if (!unit->base || unit->base % PAGE_SIZE || unit->base >= SIZE_4G - IOMMU_REGISTERS_MOST)
		return "is where Nestling cannot reach it";
	*size = iommu_registers_size(unit->base);
	return *size ? NULL : "does not answer";
}

static void tell_not_kept_out(const char *why)
{
	log_info("%s: devices are not kept out of Nestling's memory", why);
	count = 0;
}

void dma_find(uint64_t rsdp, void (*keep)(uint64_t base, uint64_t size))
{
	enum ivrs_result result = ivrs_units(rsdp, units, &count);

	if (result == IVRS_BROKEN)
		tell_not_kept_out("the IVRS is broken");
	if (result == IVRS_TOO_MANY)
		tell_not_kept_out("the IVRS names more IOMMUs than Nestling knows");
	for (unsigned int i = 0; i < count; i++) {
		const char *error = unit_error(&units[i], &sizes[i]);

		if (error) {
			log_info("the IOMMU at %llx %s", (unsigned long long)units[i].base, error);
			tell_not_kept_out("not all IOMMUs can be used");
			return;
		}
	}
	if (count)
		ivrs_memory(rsdp, keep);
}

uint64_t dma_pages(uint64_t bytes)
{
	return count ? iommu_tables_pages(features.phys_bits, LAYOUT_PIECES + count, bytes) +
	                       (uint64_t)count * IOMMU_UNIT_PAGES
	             : 0;
}

static void add_range(struct iommu_range *kept, unsigned int *used, uint64_t base, uint64_t size)
{
	if (size)
		kept[(*used)++] = (struct iommu_range){base, base + size};
}

static void pass(void *context, uint16_t first, uint16_t last, uint8_t what)
{
	iommu_devices_pass(*(const uint64_t *)context, first, last, what);
}

static uint64_t build_tables(uint64_t rsdp, const struct layout *layout)
{
	struct iommu_range kept[KEPT_MAX];
	unsigned int used = 0;
	uint64_t devices;

	add_range(kept, &used, layout->below.base, layout->below.size);
	add_range(kept, &used, layout->above.base, layout->above.size);
	for (unsigned int i = 0; i < count; i++)
		add_range(kept, &used, units[i].base, sizes[i]);
	devices = iommu_devices_build(iommu_pages_build(features.phys_bits, kept, used));
	ivrs_devices(rsdp, pass, &devices);
	return devices;
}

/* Its function's configuration: by ports for segment 0, and in memory. */
static void keep_configuration(uint64_t rsdp, const struct iommu_unit *unit,
                               bool (*is_free)(uint64_t hpa))
{
	uint64_t page = acpi_pci_page(rsdp, unit->segment, unit->function);

	if (page && !(is_free(page) && iommu_config_keep_page(page)))
		log_info("the IOMMU's configuration at %llx cannot be kept from L1",
		         (unsigned long long)page);
	if (!unit->segment)
		iommu_config_keep_function(unit->function);
}

void dma_keep_out(uint64_t rsdp, const struct layout *layout, bool (*is_free)(uint64_t hpa),
                  uint32_t highest_id)
{
	uint64_t devices;
	bool all = true;

	if (!count)
		return;
	devices = build_tables(rsdp, layout);
	for (unsigned int i = 0; i < count; i++) {
		uint64_t base = units[i].base;

		l1_memory_hide(base, sizes[i]);
		keep_configuration(rsdp, &units[i], is_free);
		if (iommu_start(&units[i], devices)) {
			log_debug("IOMMU at %llx, function %x of segment %x",
			          (unsigned long long)base, units[i].function, units[i].segment);
			continue;
		}
		log_info("the IOMMU at %llx does not do what it should: its devices are not kept "
		         "out of Nestling's memory",
		         (unsigned long long)base);
		all = false;
	}
	if (!ivrs_hide(rsdp))
		log_info("the IVRS cannot be hidden: L1 will look for IOMMUs that it cannot have");
	if (highest_id > MESSAGE_ID_MAX)
		log_info("without interrupt remapping L1's devices reach no processor whose APIC "
		         "id is above %u; VFIO has no IOMMU",
		         MESSAGE_ID_MAX);
	if (all)
		log_info("%u IOMMU%s: devices are kept out of Nestling's memory", count,
		         count > 1 ? "s" : "");
}
