/*
 * What Linux gets: boot_params, its "zero page", but for the setup header in it; the kernel's
 * Documentation/arch/x86/zero-page.rst and include/uapi/linux/screen_info.h. Relies on
 * boot/linux_header.h.
 */
#ifndef BOOT_LINUX_PARAMS_H
#define BOOT_LINUX_PARAMS_H

#include "boot/linux_header.h"

enum { E820_MAX = 128 };

struct e820_entry {
	uint64_t base, size;
	uint32_t type;
} __attribute__((packed));

struct screen_info {
	uint8_t orig_x, orig_y;
	uint16_t ext_mem_k, orig_video_page;
	uint8_t orig_video_mode, orig_video_cols, flags, unused2;
	uint16_t orig_video_ega_bx, unused3;
	uint8_t orig_video_lines, orig_video_is_vga;
	uint16_t orig_video_points;
	uint16_t lfb_width, lfb_height, lfb_depth;
	uint32_t lfb_base, lfb_size;
	uint16_t cl_magic, cl_offset, lfb_linelength;
	uint8_t red_size, red_pos, green_size, green_pos, blue_size, blue_pos, rsvd_size, rsvd_pos;
	uint16_t vesapm_seg, vesapm_off, pages, vesa_attributes;
	uint32_t capabilities, ext_lfb_base;
	uint8_t reserved[2];
} __attribute__((packed));
_Static_assert(offsetof(struct screen_info, orig_video_is_vga) == 0x0f, "screen_info.h");
_Static_assert(offsetof(struct screen_info, lfb_base) == 0x18, "screen_info.h");
_Static_assert(offsetof(struct screen_info, lfb_linelength) == 0x24, "screen_info.h");
_Static_assert(offsetof(struct screen_info, pages) == 0x32, "screen_info.h");
_Static_assert(offsetof(struct screen_info, ext_lfb_base) == 0x3a, "screen_info.h");
_Static_assert(sizeof(struct screen_info) == 0x40, "screen_info.h");

struct efi_info {
	char signature[4];
	uint32_t systab, memdesc_size, memdesc_version, memmap, memmap_size, systab_hi, memmap_hi;
};
_Static_assert(sizeof(struct efi_info) == 32, "bootparam.h");

struct boot_params {
	struct screen_info screen;
	uint8_t reserved1[0x070 - 0x040];
	uint64_t acpi_rsdp_addr;
	uint8_t reserved2[0x140 - 0x078];
	uint8_t edid[BOOT_EDID_SIZE];
	struct efi_info efi;
	uint8_t reserved3[0x1e8 - 0x1e0];
	uint8_t e820_entries;
	uint8_t reserved4[HEADER_OFFSET - 0x1e9];
	union {
		struct setup_header header;
		uint8_t header_bytes[HEADER_LIMIT - HEADER_OFFSET];
	};
	uint8_t reserved5[0x2d0 - HEADER_LIMIT];
	struct e820_entry e820[E820_MAX];
	uint8_t reserved6[0x1000 - 0xcd0];
} __attribute__((packed));
_Static_assert(offsetof(struct boot_params, acpi_rsdp_addr) == 0x070, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, edid) == 0x140, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, efi) == 0x1c0, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, e820_entries) == 0x1e8, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, header) == HEADER_OFFSET, "zero-page.rst");
_Static_assert(offsetof(struct boot_params, e820) == 0x2d0, "zero-page.rst");
_Static_assert(sizeof(struct boot_params) == 4096, "zero-page.rst");

/* Bytes of information that linux_fill_firmware() takes, for the kernel with this header. */
uint64_t linux_firmware_size(const struct loader *loader, const struct setup_header *header);

/*
 * The screen, its EDID, ACPI's root pointer, and EFI: the system table and the memory map, if the
 * kernel's width is the firmware's, for another cannot call it. To be called when the map that L1
 * is told is whole.
 */
void linux_fill_firmware(struct loader *loader, struct boot_params *params);

#endif
