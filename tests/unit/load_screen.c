/*
 * A screen and EFI's memory map in struct boot_info. Relies on tests/unit/load_rig.h.
 */
#include <string.h>

#include "boot/efi_map.h"
#include "tests/unit/load_rig.h"
#include "tests/unit/load_screen.h"

void put_screen(void)
{
	rig.boot.screen = (struct framebuffer){
		.base = 0x4080000000,
		.pitch = 4352,
		.width = 1024,
		.height = 768,
		.bits = 32,
		.red = {16, 8},
		.green = {8, 7},
		.blue = {1, 6},
	};
	rig.boot.screen_kind = SCREEN_PIXELS;
}

void put_text_screen(void)
{
	rig.boot.screen = (struct framebuffer){
		.base = 0xb8000, .pitch = 160, .width = 80, .height = 25, .bits = 16};
	rig.boot.screen_kind = SCREEN_TEXT;
}

static void put_descriptor(uint32_t type, uint64_t base, uint64_t end)
{
	const struct efi_descriptor d = {
		.type = type, .base = base, .pages = (end - base) >> 12, .attributes = 15};

	memcpy(rig.boot.efi.map + rig.boot.efi.map_bytes, &d, sizeof(d));
	rig.boot.efi.map_bytes += rig.boot.efi.descriptor_bytes;
}

void put_efi(bool wide, uint64_t left, uint64_t left_bytes)
{
	struct boot_efi *efi = &rig.boot.efi;

	memset(efi, 0, sizeof(*efi));
	efi->system_table = 0x7f3e0018;
	efi->wide = wide;
	efi->descriptor_bytes = 48;
	efi->descriptor_version = 1;
	put_descriptor(EFI_MEMORY_FREE, 0, RIG_LOWER_END);
	put_descriptor(EFI_MEMORY_FREE, RIG_UPPER, left);
	put_descriptor(EFI_MEMORY_BOOT_DATA, left, left + left_bytes);
	put_descriptor(EFI_MEMORY_FREE, left + left_bytes, RIG_MEMORY);
}
