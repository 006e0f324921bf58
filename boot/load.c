/*
 * Finds out what L1's file is, and has it loaded. Used by one processor, while booting. Relies on
 * boot/load_format.h for what each format does.
 */
#include "boot/efi_map.h"
#include "boot/load.h"
#include "boot/load_format.h"
#include "boot/load_image.h"
#include "hv/phys.h"
#include "hv/string.h"

static struct memmap free_map, told_map;
static struct loader loader; /* with a word for each module: too much for the stack */

/* The first one that knows the file has it. */
static const struct load_format *const formats[] = {
	&multiboot1_format,
	&multiboot2_format,
	&linux_format,
};

static enum load_error unknown_format(void)
{
	static const uint8_t gzip[] = {0x1f, 0x8b};

	if (loader.file_size >= sizeof(gzip) && !memcmp(loader.file, gzip, sizeof(gzip)))
		return load_fail(&loader, LOAD_FORMAT,
		                 "L1's file is compressed by gzip: unpack it first");
	if (image_is_elf(&loader))
		return load_fail(&loader, LOAD_FORMAT,
		                 "L1's file is an ELF without a multiboot header in its first "
		                 "8 KiB (multiboot2: 32 KiB): link one in");
	return load_fail(&loader, LOAD_FORMAT,
	                 "L1's file has no known format: use a multiboot ELF or a Linux bzImage");
}

static enum load_error load_any(void)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		uint64_t header;

		if (formats[i]->probe(&loader, &header))
			return formats[i]->load(&loader, header);
	}
	return unknown_format();
}

/*
 * Loads it, with boot services' memory spared or not: what EFI left there is worth having, but L1
 * comes first. The map is the caller's again where it does not work.
 */
static enum load_error load_sparing(const struct mem_range *staged, bool spare)
{
	enum load_error error;

	told_map = *loader.map;
	free_map = *loader.map;
	if (spare && !efi_map_spare(&loader.boot->efi, &free_map))
		return LOAD_NO_MEMORY;
	memset(loader.result, 0, sizeof(*loader.result));
	error = load_take(&loader, staged->base, staged->size);
	if (!error)
		error = load_any();
	if (error)
		*loader.map = told_map;
	return error;
}

enum load_error load_l1(struct memmap *map, const struct mem_range *staged,
                        const struct boot_info *boot, struct load_result *result)
{
	const struct boot_module *file = &boot->modules[0];
	enum load_error error;

	memset(&loader, 0, sizeof(loader));
	memset(result, 0, sizeof(*result));
	loader.map = map;
	loader.free_map = &free_map;
	loader.boot = boot;
	loader.result = result;
	if (!boot->module_count)
		return load_fail(&loader, LOAD_MISSING,
		                 "there is no L1 to run: name it in a module line (GRUB: module2, "
		                 "QEMU: -initrd) or by l1= for the EFI program");
	if (!file->size)
		return load_fail(&loader, LOAD_TRUNCATED, "L1's file is empty: build it again");
	loader.file = phys(file->base);
	loader.file_size = file->size;
	error = load_sparing(staged, true);
	if (error == LOAD_OCCUPIED || error == LOAD_NO_MEMORY)
		error = load_sparing(staged, false);
	return error;
}
