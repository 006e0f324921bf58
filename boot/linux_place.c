/*
 * Where a bzImage and its initrd go, whichever way the kernel is entered. Relies on
 * boot/linux_header.h.
 */
#include "boot/linux_header.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	LEGACY_EXPANSION = 3, /* memory that kernels without init_size may take: GRUB's estimate */
	INITRD_ALIGN = 4,
};

/* One that may be moved: to where it prefers to be, or the first free place above. */
static enum load_error place_relocatable(struct loader *loader, struct kernel *kernel)
{
	uint64_t align = kernel->header.kernel_alignment, want = kernel->room_base;

	if (!align || align & (align - 1) || align > SIZE_1G)
		return load_fail(
			loader, LOAD_FORMAT,
			"the Linux kernel's header asks for the alignment 0x%llx, which is "
			"no power of two up to 1 GiB: build it again",
			(unsigned long long)align);
	/* It takes its room from the next multiple of the alignment on. */
	want = want % align ? want + align - want % align : want;
	if (want < SIZE_4G && kernel->room <= SIZE_4G - want &&
	    memmap_covers(loader->free_map, want, kernel->room, MEM_USABLE))
		kernel->room_base = want;
	else
		kernel->room_base =
			memmap_find_low(loader->free_map, kernel->room, align, want, SIZE_4G);
	if (!kernel->room_base)
		return load_fail(
			loader, LOAD_OCCUPIED,
			"the Linux kernel needs %llu KiB in one piece between 0x%llx and "
			"4 GiB, where %llu KiB are free: add memory",
			(unsigned long long)(kernel->room >> 10), (unsigned long long)want,
			(unsigned long long)(memmap_largest(loader->free_map, want, SIZE_4G) >>
		                             10));
	kernel->base = kernel->room_base;
	return load_take(loader, kernel->room_base, kernel->room);
}

/* One that may not: it is loaded at 1 MiB, and unpacks itself to where it was linked. */
static enum load_error place_fixed(struct loader *loader, struct kernel *kernel)
{
	enum load_error error;

	kernel->base = HIGH_ADDRESS;
	error = load_check_free(loader, kernel->base, kernel->size, "the Linux kernel");
	if (!error)
		error = load_check_free(loader, kernel->room_base, kernel->room,
		                        "the Linux kernel");
	if (!error)
		error = load_take(loader, kernel->base, kernel->size);
	if (!error)
		error = load_take(loader, kernel->room_base, kernel->room);
	return error;
}

enum load_error linux_place(struct loader *loader, struct kernel *kernel, bool fixed)
{
	const struct setup_header *header = &kernel->header;
	bool sized = header->version >= PROTOCOL_INIT_SIZE;

	kernel->room_base = sized ? header->pref_address : HIGH_ADDRESS;
	kernel->room = sized ? header->init_size : kernel->size * LEGACY_EXPANSION;
	if (kernel->room < kernel->size)
		kernel->room = kernel->size;
	return header->relocatable_kernel && !fixed ? place_relocatable(loader, kernel)
	                                            : place_fixed(loader, kernel);
}

static uint64_t initrd_start(uint64_t end_of_last)
{
	return (end_of_last + INITRD_ALIGN - 1) & ~(INITRD_ALIGN - 1ull);
}

/* Bytes of all modules, each aligned. */
static uint64_t initrds_size(const struct boot_info *boot)
{
	uint64_t size = 0;

	for (uint32_t i = 1; i < boot->module_count; i++)
		size = initrd_start(size) + boot->modules[i].size;
	return size;
}

static void copy_initrds(const struct boot_info *boot, uint8_t *to)
{
	uint64_t end = 0;

	for (uint32_t i = 1; i < boot->module_count; i++) {
		const struct boot_module *module = &boot->modules[i];
		uint64_t start = initrd_start(end);

		memset(to + end, 0, start - end);
		memcpy(to + start, phys(module->base), module->size);
		end = start + module->size;
	}
}

enum load_error linux_place_initrds(struct loader *loader, struct setup_header *header,
                                    uint64_t limit)
{
	uint64_t size = initrds_size(loader->boot), at;
	enum load_error error;

	header->ramdisk_image = header->ramdisk_size = 0;
	if (!size)
		return LOAD_OK;
	at = memmap_find_high(loader->free_map, size, PAGE_SIZE, HIGH_ADDRESS, limit);
	if (!at)
		return load_fail(loader, LOAD_NO_MEMORY,
		                 "the initrd needs %llu KiB in one piece below 0x%llx, where %llu "
		                 "KiB are free: add memory",
		                 (unsigned long long)(size >> 10) + 1, (unsigned long long)limit,
		                 (unsigned long long)(memmap_largest(loader->free_map, HIGH_ADDRESS,
		                                                     limit) >>
		                                      10));
	error = load_take(loader, at, size);
	if (error)
		return error;
	copy_initrds(loader->boot, phys(at));
	header->ramdisk_image = (uint32_t)at;
	header->ramdisk_size = (uint32_t)size;
	return LOAD_OK;
}
