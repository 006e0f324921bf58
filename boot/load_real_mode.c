/*
 * Loads as L1 what has Linux's setup header, but no 32-bit entry: iPXE's .lkrn, memdisk and Linux
 * before 2.6.22. It is entered in real mode, as the kernel's Documentation/arch/x86/boot.rst has
 * it, and asks the BIOS for memory: see boot/bios_memory.h. Relies on boot/linux_header.h.
 */
#include "boot/bios_memory.h"
#include "boot/linux_header.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

/* Its one segment: the code, the heap and the stack below its end, the command line. */
enum {
	CODE_LIMIT = 0x8000,
	STACK_END = 0xe000,
	SEGMENT_SIZE = 0x10000,
	HEAP_RESERVE = 0x200,  /* heap_end_ptr is the heap's end minus this */
	ENTRY_PARAGRAPHS = 32, /* behind the boot sector */
	CMDLINE_LIMIT = 255,   /* before the header told one */
};
#define INITRD_LIMIT 0x38000000ull /* before the header told one */

static enum load_error check(struct loader *loader, const struct kernel *kernel,
                             const char *cmdline)
{
	uint32_t limit = kernel->header.version < PROTOCOL_CMDLINE_SIZE
	                         ? CMDLINE_LIMIT
	                         : kernel->header.cmdline_size;

	if (!bios_is_there())
		return load_fail(loader, LOAD_FORMAT,
		                 "L1 is to be entered in real mode and needs a BIOS, which this "
		                 "machine has not: use a kernel with a 32-bit entry (Linux 2.6.22 "
		                 "or later)");
	if (kernel->offset > CODE_LIMIT)
		return load_fail(loader, LOAD_FORMAT,
		                 "L1's real-mode code has %llu bytes, and 32768 are the most: "
		                 "build it again",
		                 (unsigned long long)kernel->offset);
	if (strlen(cmdline) > limit || strlen(cmdline) >= SEGMENT_SIZE - STACK_END)
		return load_fail(loader, LOAD_FORMAT,
		                 "the command line has %u bytes, and this L1 takes %u: shorten it",
		                 (unsigned int)strlen(cmdline), (unsigned int)limit);
	return LOAD_OK;
}

static void fill_header(const struct kernel *kernel, uint32_t segment, uint8_t *code)
{
	struct setup_header header = kernel->header;

	header.type_of_loader = LOADER_UNDEFINED;
	header.ext_loader_ver = header.ext_loader_type = 0;
	header.vid_mode = VIDEO_NORMAL;
	header.heap_end_ptr = STACK_END - HEAP_RESERVE;
	header.loadflags |= CAN_USE_HEAP;
	header.cmd_line_ptr = segment + STACK_END;
	memcpy(code + HEADER_OFFSET, &header,
	       kernel->header_size < sizeof(header) ? kernel->header_size : sizeof(header));
}

enum load_error linux_load_real_mode(struct loader *loader, struct kernel *kernel,
                                     const char *cmdline)
{
	uint64_t limit = kernel->header.version < PROTOCOL_INITRD_MAX
	                         ? INITRD_LIMIT
	                         : (uint64_t)kernel->header.initrd_addr_max + 1;
	enum load_error error = check(loader, kernel, cmdline);
	uint32_t segment;

	loader->result->protocol = "real mode";
	if (!error)
		error = linux_place(loader, kernel, true);
	if (!error)
		error = load_reserve_info(loader, SEGMENT_SIZE);
	if (!error)
		error = linux_place_initrds(loader, &kernel->header, limit);
	if (error)
		return error;
	segment = load_info(loader, SEGMENT_SIZE, PAGE_SIZE);
	memcpy(phys(segment), loader->file, kernel->offset);
	fill_header(kernel, segment, phys(segment));
	memcpy(phys(segment + STACK_END), cmdline, strlen(cmdline) + 1);
	memcpy(phys(kernel->base), loader->file + kernel->offset, kernel->size);
	loader->result->entry = (struct l1_entry){
		.real_mode = true,
		.esp = STACK_END,
		.cs = (uint16_t)((segment >> 4) + ENTRY_PARAGRAPHS),
		.ds = (uint16_t)(segment >> 4),
	};
	return LOAD_OK;
}
