/*
 * The formats that L1's file may have. Relies on boot/loader.h.
 */
#ifndef BOOT_LOAD_FORMAT_H
#define BOOT_LOAD_FORMAT_H

#include "boot/loader.h"

struct load_format {
	/* Is the file of this format? header: the place of its header in the file. */
	bool (*probe)(const struct loader *loader, uint64_t *header);
	/* Loads it. What it says is checked here. */
	enum load_error (*load)(struct loader *loader, uint64_t header);
};

extern const struct load_format multiboot1_format, multiboot2_format; /* load_multiboot.c */
extern const struct load_format linux_format;                         /* load_linux.c */

#endif
