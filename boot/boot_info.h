/*
 * What start() is told about the machine, whichever way it booted. Filled from multiboot
 * structures (boot/multiboot.c) or by the EFI program (boot/efi/), which is built apart: so the
 * layout is the same for 32 and 64 bits. Relies on hv/framebuffer.h.
 */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include "hv/framebuffer.h"

#include <stddef.h>
#include <stdint.h>

/* EAX at entry when the EFI program starts the core; EBX is the hpa of a struct boot_info. */
#define BOOT_INFO_MAGIC 0x4e53544cu

enum {
	BOOT_MAX_RANGES = 512,
	BOOT_MAX_MODULES = 1024,
	BOOT_CMDLINE_SIZE = 2048,    /* bytes with the closing NUL; Linux takes no more on x86 */
	BOOT_CONFIG_SIZE = 16 << 10, /* nestling.cfg may name many files */
	BOOT_EFI_MAP_SIZE = 64 << 10,
	BOOT_KEPT_SIZE = 4096,
	BOOT_TEXT_SIZE = 64 << 10, /* of all modules' command lines */
};

/* Types of memory ranges: those of e820 (ACPI 6, section 15). */
enum mem_type {
	MEM_HOTPLUG = 0, /* no memory yet, and none of e820's types; see boot/l1_ranges.h */
	MEM_USABLE = 1,
	MEM_RESERVED = 2,
	MEM_ACPI = 3,
	MEM_NVS = 4,
	MEM_BAD = 5,
	MEM_PERSISTENT = 7,
	MEM_PERSISTENT_OLD = 12,     /* of NVDIMMs before ACPI 6 */
	MEM_RUNTIME = INT32_MAX - 1, /* of EFI's runtime services: reserved, and memory */
	MEM_HOLE = INT32_MAX,        /* none, whatever firmware says; see boot/holes.h */
};

struct mem_range {
	uint64_t base, size; /* hpa, bytes */
	uint32_t type;       /* enum mem_type */
	uint32_t reserved;
};

struct boot_module {
	uint64_t base, size; /* hpa, bytes */
	uint32_t line; /* offset of its command line in text, less than BOOT_CMDLINE_SIZE bytes */
	uint32_t reserved;
};

/*
 * What the firmware's screen is, as far as the loader told. console_find_screen() leaves none of
 * the last three, nor what lies where no screen is.
 */
enum boot_screen {
	SCREEN_UNKNOWN,
	SCREEN_PIXELS,
	SCREEN_TEXT, /* VGA's: base, pitch and bits of a cell; width and height in cells, no colours
	              */
	SCREEN_PALETTE, /* pixels are numbers of colours */
	SCREEN_BROKEN,  /* what is told is cut short, or of a kind that nobody knows */
	SCREEN_BLT,     /* the firmware draws; it shows no framebuffer */
};

enum { BOOT_EDID_SIZE = 128 };

/* What EFI left; its runtime services are L1's. L0 calls none of them. */
struct boot_efi {
	uint64_t system_table; /* hpa; 0: there is no EFI */
	uint32_t wide;         /* of 64-bit firmware */
	uint32_t map_bytes;    /* whole descriptors; 0: the map is not known, or too large */
	uint32_t descriptor_bytes, descriptor_version;
	uint8_t map[BOOT_EFI_MAP_SIZE]; /* as boot services ended, boot/efi_map.h */
};

/* A segment as a processor has it, its rights and limit as LAR and LSL tell; none of a null one. */
struct boot_selector {
	uint16_t selector, reserved;
	uint32_t access, limit;
};

struct boot_table {
	uint16_t reserved[3], limit;
	uint64_t base;
};

/* What a processor was when it left the firmware for L0: boot/efi/become_l1.asm. */
struct boot_processor {
	uint64_t gpr[16]; /* numbered as in instructions */
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4;
	uint64_t efer, dr6, dr7, pat, fs_base, gs_base;
	struct boot_table gdtr, idtr;
	struct boot_selector es, cs, ss, ds;
	uint32_t apic_id;
	uint32_t has_left; /* 1: all of it is known, and it waits at the door */
	uint64_t stack[9]; /* of the way through it */
};

/* Where a processor enters L0, and with what in EBX. */
struct boot_door {
	uint32_t entry; /* 0: it is to wait; BOOT_DOOR_STAY: it goes back to the firmware */
	uint32_t argument;
};
#define BOOT_DOOR_STAY UINT32_MAX

/* L1 is the machine amid its firmware: chain=. */
struct boot_chain {
	uint64_t memory_base, memory_size; /* hpa, bytes: L0 takes of it what it needs */
	uint64_t processors;               /* hpa of a struct boot_processor for each */
	uint32_t count;
	uint32_t reserved;
	struct boot_door door;           /* of all but the first */
	uint64_t taken_base, taken_size; /* L0 says what it has taken */
};

enum boot_source { BOOT_MULTIBOOT1, BOOT_MULTIBOOT2, BOOT_EFI };

struct boot_info {
	uint32_t source; /* enum boot_source */
	uint32_t range_count;
	uint32_t module_count;
	uint32_t text_used;
	uint64_t rsdp; /* hpa of ACPI's root pointer in firmware memory; 0: not told */
	struct framebuffer screen;
	uint32_t screen_kind; /* enum boot_screen */
	uint32_t edid_bytes;  /* BOOT_EDID_SIZE, or 0: none is at hand */
	uint8_t edid[BOOT_EDID_SIZE];
	struct boot_efi efi;
	struct boot_chain chain;
	uint32_t kept_bytes;
	uint32_t reserved;
	uint8_t kept[BOOT_KEPT_SIZE]; /* tags of Multiboot 2 that L1 gets as they are, each aligned
	                               */
	char cmdline[BOOT_CONFIG_SIZE]; /* the configuration words, without the program's name */
	struct mem_range ranges[BOOT_MAX_RANGES]; /* any order; may overlap as firmware left it */
	struct boot_module modules[BOOT_MAX_MODULES]; /* [0] is L1, the rest are L1's modules */
	char text[BOOT_TEXT_SIZE];
};

_Static_assert(offsetof(struct boot_info, rsdp) == 16, "the same layout for 32 and 64 bits");
_Static_assert(offsetof(struct boot_processor, rip) == 128, "boot/efi/become_l1.asm");
_Static_assert(offsetof(struct boot_processor, efer) == 176, "boot/efi/become_l1.asm");
_Static_assert(offsetof(struct boot_processor, gdtr) == 224, "boot/efi/become_l1.asm");
_Static_assert(offsetof(struct boot_processor, es) == 256, "boot/efi/become_l1.asm");
_Static_assert(offsetof(struct boot_processor, has_left) == 308, "boot/efi/become_l1.asm");
_Static_assert(sizeof(struct boot_processor) == 384, "boot/efi/become_l1.asm");
_Static_assert(sizeof(struct mem_range) == 24, "the same layout for 32 and 64 bits");
_Static_assert(sizeof(struct boot_module) == 24, "the same layout for 32 and 64 bits");

#endif
