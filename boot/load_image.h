/*
 * Executables as segments: ELF32, ELF64 and multiboot's address fields. Relies on boot/loader.h.
 */
#ifndef BOOT_LOAD_IMAGE_H
#define BOOT_LOAD_IMAGE_H

#include "boot/loader.h"

/* An executable: ELF, or what a header's address fields describe. */
struct image {
	uint32_t count; /* of segments; of an ELF's program headers */
	uint64_t table; /* where these are in the file; 0: there is one segment, flat */
	uint32_t entry_size;
	bool wide; /* ELF64 */
	struct segment {
		uint64_t offset, file_size;     /* in the file */
		uint64_t virtual, base, memory; /* ELF's p_vaddr; gpa; bytes in memory */
	} flat;
	uint64_t entry;     /* as the file says; then, by image_check, gpa before the shift */
	uint64_t shift;     /* added to all gpas when a relocatable image is moved, modulo 2^64 */
	uint64_t low, high; /* by image_check: bounds in memory, before the shift */
};

/* Is the file an ELF? */
bool image_is_elf(const struct loader *loader);

/* Reads the ELF header. */
enum load_error image_open_elf(struct loader *loader, struct image *image);

/*
 * Sets the one segment that a multiboot header's address fields describe (Multiboot 3.1.3).
 * header_offset is the header's place in the file.
 */
enum load_error image_open_flat(struct loader *loader, struct image *image, uint64_t header_offset,
                                const uint32_t addresses[4], uint32_t entry);

/*
 * Checks all segments but for where memory is free, and finds bounds and entry. With an entry
 * other than NULL that one, a gpa, counts in place of the file's.
 */
enum load_error image_check(struct loader *loader, struct image *image, const uint32_t *entry);

/* Checks that memory is free at the image's place, takes it and loads the image. */
enum load_error image_take(struct loader *loader, const struct image *image);
void image_copy(struct loader *loader, const struct image *image);

#endif
