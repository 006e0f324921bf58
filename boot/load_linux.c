/*
 * Loads a Linux bzImage as L1 by the 32-bit boot protocol; the kernel's
 * Documentation/arch/x86/boot.rst and zero-page.rst. What the firmware gave is in linux_params.c.
 * Relies on boot/linux_params.h.
 */
#include "boot/linux_params.h"
#include "boot/load_format.h"
#include "hv/phys.h"
#include "hv/print.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/features.h"

enum {
	SECTOR = 512,
	DEFAULT_SETUP_SECTORS = 4,
	BOOT_FLAG = 0xaa55,
	JUMP_TARGET = 0x201, /* the header ends this byte's value behind 0x202 */
	JUMP_BASE = 0x202,
	PARAGRAPH = 16, /* bytes: the unit of syssize */
};

/* The protocol names the selectors: __BOOT_CS and __BOOT_DS, flat, 4 GiB. */
enum { BOOT_CS = 0x10, BOOT_DS = 0x18 };
static const uint64_t boot_gdt[] = {0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff};

static bool probe(const struct loader *loader, uint64_t *at)
{
	struct setup_header header;

	*at = HEADER_OFFSET;
	if (loader->file_size < HEADER_OFFSET + sizeof(header))
		return false;
	memcpy(&header, loader->file + HEADER_OFFSET, sizeof(header));
	return header.boot_flag == BOOT_FLAG && !memcmp(header.magic, "HdrS", 4);
}

static enum load_error truncated(struct loader *loader, uint64_t bytes)
{
	return load_fail(loader, LOAD_TRUNCATED,
	                 "the Linux kernel's file is truncated: it has %llu bytes and should have "
	                 "%llu: copy it again",
	                 (unsigned long long)loader->file_size, (unsigned long long)bytes);
}

static enum load_error read_header(struct loader *loader, struct kernel *kernel)
{
	struct setup_header *header = &kernel->header;
	uint64_t end = JUMP_BASE + loader->file[JUMP_TARGET], sectors, left;

	memset(kernel, 0, sizeof(*kernel));
	kernel->header_size = (end < HEADER_LIMIT ? end : HEADER_LIMIT) - HEADER_OFFSET;
	if (HEADER_OFFSET + kernel->header_size > loader->file_size)
		return load_fail(
			loader, LOAD_TRUNCATED,
			"the Linux kernel's file is truncated: it ends in the setup header: "
			"copy it again");
	/* What lies behind the header's end is code, and no field. */
	memcpy(header, loader->file + HEADER_OFFSET,
	       kernel->header_size < sizeof(*header) ? kernel->header_size : sizeof(*header));
	if (header->version < PROTOCOL_CMDLINE)
		return load_fail(loader, LOAD_FORMAT,
		                 "the Linux kernel has boot protocol %u.%02u, and 2.02 is the "
		                 "least: use Linux 2.4 or later",
		                 (unsigned int)header->version >> 8,
		                 (unsigned int)header->version & 0xff);
	if (!(header->loadflags & LOADED_HIGH))
		return load_fail(loader, LOAD_FORMAT,
		                 "the Linux kernel is a zImage: build a bzImage");
	if (PHYS_BITS_MOST < 64 && header->version >= PROTOCOL_XLOADFLAGS &&
	    (header->xloadflags & KERNEL_64))
		return load_fail_64bit(loader);
	sectors = header->setup_sects ? header->setup_sects : DEFAULT_SETUP_SECTORS;
	kernel->offset = (sectors + 1) * SECTOR;
	if (kernel->offset > loader->file_size)
		return truncated(loader, kernel->offset);
	left = loader->file_size - kernel->offset;
	kernel->size =
		header->version < PROTOCOL_SYSSIZE ? left : (uint64_t)header->syssize * PARAGRAPH;
	if (!kernel->size)
		return load_fail(loader, LOAD_FORMAT,
		                 "the Linux kernel's header says that there is no code: build it "
		                 "again");
	/* The last paragraph may be a part of one. */
	if (kernel->size >= left + PARAGRAPH)
		return truncated(loader, kernel->offset + kernel->size);
	if (kernel->size > left)
		kernel->size = left;
	return LOAD_OK;
}

/* Has it the first entry only? */
static bool needs_real_mode(const struct setup_header *header)
{
	/* Linux has had an alignment since 2.05; iPXE says 2.07 and has none, nor the entry. */
	return header->version < PROTOCOL_CMDLINE_SIZE || !header->kernel_alignment;
}

static enum load_error fill_e820(struct loader *loader, struct boot_params *params)
{
	if (loader->map->count > E820_MAX)
		return load_fail(
			loader, LOAD_NO_MEMORY,
			"the memory map has %u ranges, and Linux takes %u: use a multiboot "
			"L1 on this machine",
			(unsigned int)loader->map->count, (unsigned int)E820_MAX);
	for (uint32_t i = 0; i < loader->map->count; i++) {
		const struct mem_range *range = &loader->map->range[i];

		params->e820[i] = (struct e820_entry){range->base, range->size, range->type};
	}
	params->e820_entries = (uint8_t)loader->map->count;
	return LOAD_OK;
}

/*
 * Linux on an AMD processor believes no leaf of CPUID, and measures the TSC by the PIT, which is
 * too slow where one hypervisor emulates it for the other; this parameter it takes. It comes first,
 * so that the user's own counts. A kernel that does not know it hands it to init, as others.
 */
static const char *with_frequency(const struct kernel *kernel, const char *cmdline)
{
	static char line[2048]; /* as much as Linux takes */
	size_t length;

	if (!features.tsc_khz)
		return cmdline;
	length = (size_t)snprint(line, sizeof(line), "tsc_early_khz=%u %s", features.tsc_khz,
	                         cmdline);
	return length < sizeof(line) && length <= kernel->header.cmdline_size ? line : cmdline;
}

static enum load_error fill_params(struct loader *loader, const struct kernel *kernel,
                                   const char *cmdline, struct boot_params *params)
{
	struct setup_header *header = &params->header;

	memcpy(params->header_bytes, loader->file + HEADER_OFFSET, kernel->header_size);
	header->type_of_loader = LOADER_UNDEFINED;
	header->ext_loader_ver = header->ext_loader_type = 0;
	header->vid_mode = VIDEO_NORMAL;
	header->code32_start = (uint32_t)kernel->base;
	header->cmd_line_ptr = load_info_string(loader, cmdline);
	header->setup_data = 0;
	linux_fill_firmware(loader, params);
	return fill_e820(loader, params);
}

static enum load_error load(struct loader *loader, uint64_t at)
{
	const char *cmdline = load_arguments(load_line(loader, 0));
	struct boot_params *boot_params;
	struct kernel kernel;
	enum load_error error;
	uint32_t params, gdt;

	(void)at; /* always the same place */
	loader->result->protocol = "Linux";
	error = read_header(loader, &kernel);
	if (error)
		return error;
	if (needs_real_mode(&kernel.header))
		return linux_load_real_mode(loader, &kernel, cmdline);
	if (strlen(cmdline) > kernel.header.cmdline_size)
		return load_fail(loader, LOAD_FORMAT,
		                 "the command line has %u bytes, and this Linux kernel takes %u: "
		                 "shorten it",
		                 (unsigned int)strlen(cmdline),
		                 (unsigned int)kernel.header.cmdline_size);
	cmdline = with_frequency(&kernel, cmdline);
	error = linux_place(loader, &kernel, false);
	if (!error)
		error = load_reserve_info(loader,
		                          sizeof(struct boot_params) + sizeof(boot_gdt) +
		                                  linux_firmware_size(loader, &kernel.header) +
		                                  strlen(cmdline) + 64);
	if (error)
		return error;
	params = load_info(loader, sizeof(struct boot_params), PAGE_SIZE);
	gdt = load_info(loader, sizeof(boot_gdt), sizeof(boot_gdt[0]));
	memcpy(phys(gdt), boot_gdt, sizeof(boot_gdt));
	boot_params = phys(params);
	error = fill_params(loader, &kernel, cmdline, boot_params);
	if (!error)
		error = linux_place_initrds(loader, &boot_params->header,
		                            (uint64_t)kernel.header.initrd_addr_max + 1);
	if (error)
		return error;
	memcpy(phys(kernel.base), loader->file + kernel.offset, kernel.size);
	loader->result->entry = (struct l1_entry){
		.eip = (uint32_t)kernel.base,
		.esi = params,
		.cs = BOOT_CS,
		.ds = BOOT_DS,
		.gdt_base = gdt,
		.gdt_limit = sizeof(boot_gdt) - 1,
	};
	return LOAD_OK;
}

const struct load_format linux_format = {.probe = probe, .load = load};
