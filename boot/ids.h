/*
 * Lists of APIC ids, as long as a machine has processors: sorted, each id once. Relies on nothing.
 */
#ifndef BOOT_IDS_H
#define BOOT_IDS_H

#include <stdbool.h>
#include <stdint.h>

/* Sorts the ids and leaves each once. Returns how many are left. */
unsigned int ids_sort(uint32_t *ids, unsigned int count);

/* Is it in the sorted list? */
bool ids_have(const uint32_t *ids, unsigned int count, uint32_t id);

#endif
