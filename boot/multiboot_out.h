/*
 * The information that L1 gets, in both versions of multiboot. Relies on boot/loader.h.
 */
#ifndef BOOT_MULTIBOOT_OUT_H
#define BOOT_MULTIBOOT_OUT_H

#include "boot/loader.h"

/*
 * Builds the information for L1 in memory that load_reserve_info got, which has to have as many
 * bytes as multiboot1_out_size() or multiboot2_out_size() says. They return its gpa. load_base:
 * NULL, or where a relocatable image was put.
 */
uint64_t multiboot1_out_size(const struct loader *loader);
uint64_t multiboot2_out_size(const struct loader *loader);
uint32_t multiboot1_out(struct loader *loader);
uint32_t multiboot2_out(struct loader *loader, const uint32_t *load_base);

#endif
