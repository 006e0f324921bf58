/*
 * Reading what firmware and boot loaders left in the first 4 GiB, all of which phys() of hv/phys.h
 * reaches until L0 has moved; then what boot/window_plan.h has. Relies on hv/phys.h and
 * hv/string.h.
 */
#ifndef BOOT_FIRMWARE_MEMORY_H
#define BOOT_FIRMWARE_MEMORY_H

#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

/* Do all bytes at the hpa lie there? */
static inline bool is_low(uint64_t hpa, uint64_t size)
{
	return hpa < SIZE_4G && size <= SIZE_4G - hpa;
}

/* The number of so many bytes, 8 at most, at a low hpa, aligned or not. */
static inline uint64_t read_low(uint64_t hpa, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, phys(hpa), size);
	return value;
}

/* The checksum of ACPI's and SMBIOS's structures: all bytes make 0. */
static inline bool sum_is_zero(const uint8_t *bytes, size_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *bytes++);
	return !sum;
}

#endif
