/*
 * Two ports make one access: both are performed under a lock, so that what is judged is what is
 * written. Relies on hv/pci.h for their names.
 */
#include "svm/emulate/iommu_config.h"
#include "hv/iommu.h"
#include "hv/lock.h"
#include "hv/log.h"
#include "hv/pci.h"
#include "svm/apic/kept.h"
#include "svm/cpus/processors.h"
#include "svm/emulate/ports.h"

enum { DATA_PORTS = 4, FUNCTION_SHIFT = 8 };

static struct lock lock = {.wait = processors_wait};
static uint16_t functions[IOMMU_UNITS_MAX];
static unsigned int function_count;

static void tell(void)
{
	log_once(log_info, "L1 writes to an IOMMU's configuration: refused");
}

static bool is_kept(uint32_t address)
{
	for (unsigned int i = 0; (address & PCI_ENABLE) && i < function_count; i++) {
		if ((uint16_t)(address >> FUNCTION_SHIFT) == functions[i])
			return true;
	}
	return false;
}

/* What is narrower than the register, or beside it, does not reach it; PCI 3.0, 3.2.2.3.2. */
static bool write_address(struct port_access *access)
{
	lock_take(&lock);
	port_out(access);
	lock_release(&lock);
	iommu_tell_refused(); /* who sets devices up comes by here */
	return false;
}

static bool write_data(struct port_access *access)
{
	lock_take(&lock);
	if (is_kept(inl(PCI_PORT_ADDRESS)))
		tell();
	else
		port_out(access);
	lock_release(&lock);
	return false;
}

void iommu_config_keep_function(uint16_t function)
{
	static const struct port_watcher address = {.write = write_address};
	static const struct port_watcher data = {.write = write_data};

	if (!function_count) {
		ports_watch(PCI_PORT_ADDRESS, 1, &address);
		ports_watch(PCI_PORT_DATA, DATA_PORTS, &data);
	}
	if (function_count < IOMMU_UNITS_MAX)
		functions[function_count++] = function;
}

static bool store(uint64_t gpa, unsigned int size, uint32_t value)
{
	(void)gpa;
	(void)size;
	(void)value;
	tell();
	return true;
}

bool iommu_config_keep_page(uint64_t hpa)
{
	return kept_add(hpa, store);
}
