/*
 * What reads the two versions of Multiboot's information has in common; for boot/multiboot*.c only.
 * All return NULL or what is wrong. Relies on boot/multiboot.h.
 */
#ifndef BOOT_MULTIBOOT_READ_H
#define BOOT_MULTIBOOT_READ_H

#include "boot/multiboot.h"

/* No loader's information or map is larger; what says it is has a broken length. */
#define MULTIBOOT_INFO_MAX (16u << 20)

extern const char multiboot_damaged[], multiboot_many_modules[];

/* One more range, of a type of e820's; and what loaders tell that have no map, in KiB. */
const char *multiboot_add_range(struct boot_info *boot, uint64_t base, uint64_t size,
                                uint32_t type);
const char *multiboot_add_meminfo(struct boot_info *boot, uint32_t mem_lower, uint32_t mem_upper);

/* Copies the text at the hpa, which ends with a NUL or with size bytes, to BOOT_CMDLINE_SIZE. */
const char *multiboot_copy_text(char *to, uint64_t hpa, uint64_t size);

/* One more module, with the line of size bytes at an hpa. */
const char *multiboot_add_module(struct boot_info *boot, uint32_t start, uint32_t end, uint64_t hpa,
                                 uint64_t size);

/* Whether a loader's command lines begin with the program's name; by the loader's own. */
enum habit { NAME_FIRST, NO_NAME, UNKNOWN_HABIT };
enum habit multiboot_habit_of(const char *loader);

/* Makes L0's line and L1's what boot/multiboot.h says, when all modules are there. */
const char *multiboot_normalise(struct boot_info *boot, enum habit habit);

/* The whole information at the hpa. */
const char *multiboot1_read(uint64_t info_hpa, struct boot_info *boot);
const char *multiboot2_read(uint64_t info_hpa, struct boot_info *boot);

#endif
