/*
 * The structures of the two multiboot protocols, for L0 as the image that is loaded and as the
 * loader of L1. Sources: Multiboot Specification 0.6.96 and Multiboot2 Specification 2.0.
 * Relies on boot/boot_info.h.
 */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include <stdbool.h>

#include "boot/boot_info.h"

/* In EAX at entry. */
#define MULTIBOOT1_BOOT_MAGIC 0x2badb002u
#define MULTIBOOT2_BOOT_MAGIC 0x36d76289u

/* Multiboot1: the header in the image's first 8 KiB, aligned to 4. */
#define MULTIBOOT1_HEADER_MAGIC 0x1badb002u
enum {
	MULTIBOOT1_SEARCH = 8192,
	MULTIBOOT1_HEADER_ALIGN = 4,
	MULTIBOOT1_HEADER_SHORT = 12, /* bytes without the address fields */
	MULTIBOOT1_ALIGN_MODULES = 1 << 0,
	MULTIBOOT1_WANT_MEMORY = 1 << 1,
	MULTIBOOT1_WANT_VIDEO = 1 << 2,
	MULTIBOOT1_REQUIRED = 0xffff, /* flags that a loader must know or refuse */
	MULTIBOOT1_ADDRESSES = 1 << 16,
};

struct multiboot1_header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};
_Static_assert(offsetof(struct multiboot1_header, header_addr) == 12, "Multiboot 3.1.1");
_Static_assert(offsetof(struct multiboot1_header, entry_addr) == 28, "Multiboot 3.1.1");
_Static_assert(sizeof(struct multiboot1_header) == 32, "Multiboot 3.1.1");

/* Multiboot1: the information whose address is in EBX at entry. */
enum {
	MULTIBOOT1_INFO_MEMORY = 1 << 0,
	MULTIBOOT1_INFO_CMDLINE = 1 << 2,
	MULTIBOOT1_INFO_MODULES = 1 << 3,
	MULTIBOOT1_INFO_MMAP = 1 << 6,
	MULTIBOOT1_INFO_LOADER_NAME = 1 << 9,
	MULTIBOOT1_INFO_FRAMEBUFFER = 1 << 12,
};

enum {
	MULTIBOOT_FRAMEBUFFER_PALETTE = 0,
	MULTIBOOT_FRAMEBUFFER_RGB = 1,
	MULTIBOOT_FRAMEBUFFER_TEXT = 2,
};

struct multiboot1_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB from 0 and from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe_control_info, vbe_mode_info;
	uint16_t vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
	uint64_t framebuffer_addr;
	uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
	uint8_t framebuffer_bpp, framebuffer_type;
	/* Version 1 has the colours here; but in GRUB's own structure they are aligned to 4. */
	uint8_t framebuffer_gap[2];
	struct color_field red, green, blue;
};
_Static_assert(offsetof(struct multiboot1_info, cmdline) == 16, "Multiboot 3.3");
_Static_assert(offsetof(struct multiboot1_info, mods_count) == 20, "Multiboot 3.3");
_Static_assert(offsetof(struct multiboot1_info, mmap_length) == 44, "Multiboot 3.3");
_Static_assert(offsetof(struct multiboot1_info, boot_loader_name) == 64, "Multiboot 3.3");
_Static_assert(offsetof(struct multiboot1_info, framebuffer_addr) == 88, "Multiboot 3.3");
_Static_assert(offsetof(struct multiboot1_info, framebuffer_type) == 109, "Multiboot 3.3");
_Static_assert(offsetof(struct multiboot1_info, red) == 112, "as GRUB has it");
_Static_assert(offsetof(struct multiboot1_info, blue) == 116, "as GRUB has it");
_Static_assert(sizeof(struct multiboot1_info) == 120, "Multiboot 3.3");

struct multiboot1_module {
	uint32_t mod_start, mod_end, string, reserved;
};
_Static_assert(sizeof(struct multiboot1_module) == 16, "Multiboot 3.3");

struct multiboot1_mmap {
	uint32_t size; /* bytes of the entry that follow this field */
	uint64_t addr, len;
	uint32_t type;
} __attribute__((packed));
_Static_assert(offsetof(struct multiboot1_mmap, addr) == 4, "Multiboot 3.3");
_Static_assert(sizeof(struct multiboot1_mmap) == 24, "Multiboot 3.3");

/* Multiboot2: the header in the image's first 32 KiB, aligned to 8. */
#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6u
enum {
	MULTIBOOT2_SEARCH = 32768,
	MULTIBOOT2_ALIGN = 8, /* of the header, of the information and of each tag in both */
	MULTIBOOT2_ARCH_I386 = 0,
	MULTIBOOT2_OPTIONAL = 1 << 0, /* flag of a header tag: may be ignored */
};

enum multiboot2_header_tag_type {
	MULTIBOOT2_HEADER_END = 0,
	MULTIBOOT2_HEADER_REQUEST = 1,
	MULTIBOOT2_HEADER_ADDRESS = 2,
	MULTIBOOT2_HEADER_ENTRY = 3,
	MULTIBOOT2_HEADER_CONSOLE = 4,
	MULTIBOOT2_HEADER_FRAMEBUFFER = 5,
	MULTIBOOT2_HEADER_MODULE_ALIGN = 6,
	MULTIBOOT2_HEADER_EFI_BS = 7,
	MULTIBOOT2_HEADER_ENTRY_EFI32 = 8,
	MULTIBOOT2_HEADER_ENTRY_EFI64 = 9,
	MULTIBOOT2_HEADER_RELOCATABLE = 10,
};

struct multiboot2_header {
	uint32_t magic, architecture, header_length, checksum;
};
_Static_assert(sizeof(struct multiboot2_header) == 16, "Multiboot2 3.1.1");

struct multiboot2_header_tag {
	uint16_t type, flags;
	uint32_t size;
};
_Static_assert(sizeof(struct multiboot2_header_tag) == 8, "Multiboot2 3.1.3");

struct multiboot2_header_address {
	struct multiboot2_header_tag tag;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr;
};
_Static_assert(sizeof(struct multiboot2_header_address) == 24, "Multiboot2 3.1.5");

struct multiboot2_header_entry {
	struct multiboot2_header_tag tag;
	uint32_t entry_addr;
};
_Static_assert(sizeof(struct multiboot2_header_entry) == 12, "Multiboot2 3.1.6");

enum multiboot2_preference {
	MULTIBOOT2_PREFER_NONE = 0,
	MULTIBOOT2_PREFER_LOW = 1,
	MULTIBOOT2_PREFER_HIGH = 2,
};

struct multiboot2_header_relocatable {
	struct multiboot2_header_tag tag;
	uint32_t min_addr, max_addr, align, preference;
};
_Static_assert(sizeof(struct multiboot2_header_relocatable) == 24, "Multiboot2 3.1.13");

/* Multiboot2: the information whose address is in EBX at entry. */
enum multiboot2_tag_type {
	MULTIBOOT2_TAG_END = 0,
	MULTIBOOT2_TAG_CMDLINE = 1,
	MULTIBOOT2_TAG_LOADER_NAME = 2,
	MULTIBOOT2_TAG_MODULE = 3,
	MULTIBOOT2_TAG_MEMINFO = 4,
	MULTIBOOT2_TAG_MMAP = 6,
	MULTIBOOT2_TAG_FRAMEBUFFER = 8,
	MULTIBOOT2_TAG_EFI32 = 11,
	MULTIBOOT2_TAG_EFI64 = 12,
	MULTIBOOT2_TAG_SMBIOS = 13,
	MULTIBOOT2_TAG_ACPI_OLD = 14,
	MULTIBOOT2_TAG_ACPI_NEW = 15,
	MULTIBOOT2_TAG_NETWORK = 16,
	MULTIBOOT2_TAG_EFI_MMAP = 17,
	MULTIBOOT2_TAG_LOAD_BASE = 21,
	MULTIBOOT2_TAG_LAST = 21, /* the last that version 2.0 of the specification knows */
};

struct multiboot2_info {
	uint32_t total_size, reserved;
};
_Static_assert(sizeof(struct multiboot2_info) == 8, "Multiboot2 3.4");

struct multiboot2_tag {
	uint32_t type, size; /* size: without what aligns the next tag */
};
_Static_assert(sizeof(struct multiboot2_tag) == 8, "Multiboot2 3.4");

struct multiboot2_module {
	struct multiboot2_tag tag;
	uint32_t mod_start, mod_end; /* the string follows */
};
_Static_assert(sizeof(struct multiboot2_module) == 16, "Multiboot2 3.6.6");

struct multiboot2_meminfo {
	struct multiboot2_tag tag;
	uint32_t mem_lower, mem_upper; /* KiB from 0 and from 1 MiB */
};
_Static_assert(sizeof(struct multiboot2_meminfo) == 16, "Multiboot2 3.6.4");

struct multiboot2_mmap {
	struct multiboot2_tag tag;
	uint32_t entry_size, entry_version; /* the entries follow */
};
_Static_assert(sizeof(struct multiboot2_mmap) == 16, "Multiboot2 3.6.8");

struct multiboot2_mmap_entry {
	uint64_t base_addr, length;
	uint32_t type, reserved;
};
_Static_assert(sizeof(struct multiboot2_mmap_entry) == 24, "Multiboot2 3.6.8");

struct multiboot2_framebuffer {
	struct multiboot2_tag tag;
	uint64_t addr;
	uint32_t pitch, width, height;
	uint8_t bpp, type;
	uint16_t reserved;
	struct color_field red, green, blue; /* of MULTIBOOT_FRAMEBUFFER_RGB only */
};
_Static_assert(offsetof(struct multiboot2_framebuffer, addr) == 8, "Multiboot2 3.6.12");
_Static_assert(offsetof(struct multiboot2_framebuffer, type) == 29, "Multiboot2 3.6.12");
_Static_assert(offsetof(struct multiboot2_framebuffer, red) == 32, "Multiboot2 3.6.12");
enum { MULTIBOOT2_FRAMEBUFFER_RGB_SIZE = 38, MULTIBOOT2_FRAMEBUFFER_TEXT_SIZE = 32 };

struct multiboot2_smbios {
	struct multiboot2_tag tag;
	uint8_t major, minor, reserved[6]; /* the entry point follows */
};
_Static_assert(sizeof(struct multiboot2_smbios) == 16, "Multiboot2 3.6.14");

struct multiboot2_efi_mmap {
	struct multiboot2_tag tag;
	uint32_t descriptor_size, descriptor_version; /* the map follows */
};
_Static_assert(sizeof(struct multiboot2_efi_mmap) == 16, "Multiboot2 3.6.17");

struct multiboot2_load_base {
	struct multiboot2_tag tag;
	uint32_t load_base_addr;
};
_Static_assert(sizeof(struct multiboot2_load_base) == 12, "Multiboot2 3.6.22");

/* Adds a tag in two parts to boot->kept. Returns false when there is no room. */
bool boot_keep(struct boot_info *boot, const void *head, uint32_t head_bytes, const void *rest,
               uint32_t rest_bytes);

/* Is there one of this type? */
bool boot_kept(const struct boot_info *boot, uint32_t type);

/*
 * Fills *boot from what a multiboot loader left: magic is EAX at entry, info_hpa EBX. Returns NULL,
 * or one line that says what is wrong. Everything is copied but for the modules themselves, and
 * for the root pointer of ACPI where only the loader's copy of it is known: boot->rsdp then lies in
 * the information, which must stay until load_l1() has run.
 *
 * Loaders differ in whether a command line begins with the program's name. QEMU and GRUB Legacy
 * put it there; GRUB 2 and Limine pass what follows the file's name, so that people write the name
 * by hand, as they do for Xen: "module2 /pae.elf pae.elf words". Of others nobody knows. What comes
 * out is always the same:
 * - boot->cmdline has no name. Under GRUB 2 and Limine a first word is one only if its last
 *   component begins with "nestling" and it has no "="; under unknown loaders if it has no "=", as
 *   each of L0's words has one; under the others it always is one.
 * - L1's line, that of module 0, has one. But for QEMU and GRUB Legacy "l1" is put before an empty
 *   line, and before one whose first word holds a "=" and so cannot be a name.
 * - the other modules' lines stay as the loader gave them.
 */
const char *boot_info_from_multiboot(uint32_t magic, uint64_t info_hpa, struct boot_info *boot);

#endif
