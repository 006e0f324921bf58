/*
 * What the parts of the loader share: boot/load.c dispatches to one of the protocols
 * (load_multiboot.c, load_linux.c), which use load_image.c, multiboot_out.c and the helpers in
 * load.c.
 */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include <stdbool.h>

#include "boot/load.h"

struct loader {
	struct memmap *map;      /* as L1 is told */
	struct memmap *free_map; /* map without what must not be written to (any more) */
	const struct boot_module *modules;
	size_t module_count;
	uint64_t rsdp;
	const uint8_t *file; /* modules[0] */
	uint64_t file_size;
	struct load_result *result;

	uint64_t info_base, info_size, info_used; /* information structures: gpa, bytes */
	uint32_t module_base[BOOT_MAX_MODULES];   /* gpa of L1's modules, from [1] on */
};

/* Writes the message and returns the error. */
enum load_error load_fail(struct loader *loader, enum load_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

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

/* The line without its first word. */
const char *load_arguments(const char *line);

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

/* A multiboot header that was found: its place in the file. */
struct found_header {
	bool found;
	uint64_t offset;
};

struct found_header multiboot1_find(const struct loader *loader);
struct found_header multiboot2_find(const struct loader *loader);
bool linux_is_kernel(const struct loader *loader);

enum load_error multiboot1_load(struct loader *loader, uint64_t header_offset);
enum load_error multiboot2_load(struct loader *loader, uint64_t header_offset);
enum load_error linux_load(struct loader *loader);

/*
 * Builds the information for L1 in memory that load_reserve_info got, which has to have as many
 * bytes as multiboot_out_size() says. They return its gpa. load_base: NULL, or where a relocatable
 * image was put.
 */
uint64_t multiboot_out_size(const struct loader *loader);
uint32_t multiboot1_out(struct loader *loader);
uint32_t multiboot2_out(struct loader *loader, const uint32_t *load_base);

#endif
