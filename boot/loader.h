/*
 * What the formats of L1's file share while one is loaded: where it is to go, and what is left of
 * memory. Relies on boot/load.h for what the caller gets.
 */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include <stdbool.h>

#include "boot/load.h"

struct loader {
	struct memmap *map;      /* as L1 is told */
	struct memmap *free_map; /* map without what must not be written to (any more) */
	const struct boot_info *boot;
	const uint8_t *file; /* boot->modules[0] */
	uint64_t file_size;
	struct load_result *result;

	uint64_t info_base, info_size, info_used; /* information structures: gpa, bytes */
	uint32_t module_base[BOOT_MAX_MODULES];   /* gpa of L1's modules, from [1] on */
};

/* Writes the message and returns the error. */
enum load_error load_fail(struct loader *loader, enum load_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* L1's file wants long mode, which 32-bit L0 does not show. */
enum load_error load_fail_64bit(struct loader *loader);

/* Takes [base, base + size) out of the free memory. */
enum load_error load_take(struct loader *loader, uint64_t base, uint64_t size);

/* Checks that [base, base + size) lies below 4 GiB and is free; what names it in the message. */
enum load_error load_check_free(struct loader *loader, uint64_t base, uint64_t size,
                                const char *what);

/*
 * Finds zeroed memory for information structures, at least size bytes, below 640 KiB and not
 * below 64 KiB, where L1 may put what starts other processors. L1 is told that it is reserved.
 */
enum load_error load_reserve_info(struct loader *loader, uint64_t size);

/* The gpa of size bytes of it, aligned to a power of two. The caller asked for enough. */
uint32_t load_info(struct loader *loader, uint64_t size, uint64_t align);

/* Copies a string there. */
uint32_t load_info_string(struct loader *loader, const char *text);

/* Copies L1's modules to the pages from gpa after on, or wherever there is room below 4 GiB. */
enum load_error load_modules(struct loader *loader, uint64_t after);

/* The command line of a module; L1's own is that of module 0. */
const char *load_line(const struct loader *loader, uint32_t module);

/* The line without its first word. */
const char *load_arguments(const char *line);

#endif
