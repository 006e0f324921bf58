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
 * The protocols differ in registers and selectors only; but one enters in real mode, by CS:IP.
 */
struct l1_entry {
	bool real_mode;
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
 * Loads boot->modules[0] with the others as its modules. map is L1's memory map, L0's own memory
 * being reserved in it already; what loading adds for L1 to see (information structures) is
 * reserved in it, too. staged is where the modules lie: L1 is told that it is free, but nothing is
 * loaded there.
 *
 * A file that has headers of both multiboot protocols is loaded by multiboot1: that is what
 * QEMU's -kernel does, and L1 shall not see a difference.
 *
 * L1's own line begins with the program's name (boot/multiboot.h). A multiboot1 L1 gets the
 * line as it is, as from QEMU; multiboot2 and Linux ones get it without the name, as from GRUB 2.
 *
 * A multiboot1 L1 finds ACPI by searching, as there is nothing in its information. Where the root
 * pointer lies in a place that it does not search (UEFI), a copy of it is put into the first KiB of
 * the information structures, and the BIOS data area's word at 0x40e, which names the segment of
 * the extended BIOS data area, is set to that, if page 0 is usable memory.
 */
enum load_error load_l1(struct memmap *map, const struct mem_range *staged,
                        const struct boot_info *boot, struct load_result *result);

#endif
