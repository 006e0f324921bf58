/*
 * Loading L1: what QEMU's -kernel takes (multiboot1 and 2 ELF, Linux bzImage), put into L1's
 * memory with the entry state that its protocol asks for. Relies on boot/memmap.h and on
 * phys() of hv/phys.h.
 */
#ifndef BOOT_LOAD_H
#define BOOT_LOAD_H

#include "boot/boot_info.h"
#include "boot/memmap.h"

enum load_error {
	LOAD_OK,
	LOAD_MISSING,   /* there is no module to load */
	LOAD_TRUNCATED, /* the file ends before what its headers name */
	LOAD_FORMAT,    /* none of the known formats, or a contradictory header */
	LOAD_OCCUPIED,  /* it wants to load where memory is not free */
	LOAD_NO_MEMORY, /* no room for its modules or for information structures */
};

/*
 * The processor's state when L1 begins: 32-bit protected mode, flat segments, paging off, IF=0.
 * The protocols differ in registers and selectors only.
 */
struct l1_entry {
	uint32_t eip, esp;
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
	uint16_t cs, ds;   /* selectors; ds stands for SS, ES, FS and GS, too */
	uint32_t gdt_base; /* gpa of a table that holds both, 0: the protocol promises none */
	uint16_t gdt_limit;
};

struct load_result {
	struct l1_entry entry;
	const char *protocol; /* for the log */
	char message[200];    /* what is wrong and what to do, one line without newline */
};

/*
 * Loads modules[0] with the others as its modules. map is L1's memory map, L0's own memory and
 * the staged modules being reserved in it already; what loading adds for L1 to see (information
 * structures) is reserved in it, too. rsdp is the hpa of ACPI's root pointer or 0.
 */
enum load_error load_l1(struct memmap *map, const struct boot_module *modules, size_t module_count,
                        uint64_t rsdp, struct load_result *result);

#endif
