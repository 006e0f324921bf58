/*
 * What the firmware gave, for Linux. Relies on boot/linux_params.h.
 */
#include "boot/linux_params.h"
#include "boot/acpi.h"
#include "boot/efi_map.h"
#include "hv/phys.h"
#include "hv/string.h"

enum {
	VIDEO_VGA_TEXT = 0x01,
	VIDEO_VESA = 0x23, /* a linear framebuffer, counted in 64 KiB */
	VIDEO_EFI = 0x70,  /* counted in bytes */
	VESA_SHIFT = 16,
	WITH_64_BIT_BASE = 1 << 1,
	MODE_TEXT = 3, /* VGA's, 80 by 25 cells of 16 rows */
	CELL_ROWS = 16,
	MAP_GROWTH = 2, /* ranges that reserving the information itself can add */
	MAP_ALIGN = 8,
};

static void fill_text(const struct framebuffer *screen, struct screen_info *info)
{
	info->orig_video_mode = MODE_TEXT;
	info->orig_video_cols = (uint8_t)screen->width;
	info->orig_video_lines = (uint8_t)screen->height;
	info->orig_video_points = CELL_ROWS;
	info->orig_video_is_vga = VIDEO_VGA_TEXT;
	info->orig_y = (uint8_t)(screen->height - 1); /* what is on it scrolls up */
}

static void fill_pixels(const struct framebuffer *screen, bool efi, struct screen_info *info)
{
	uint64_t bytes = framebuffer_bytes(screen);
	unsigned int colors = screen->red.size + screen->green.size + screen->blue.size;

	/* The fields are that wide. */
	if (screen->pitch > UINT16_MAX || screen->width > UINT16_MAX || screen->height > UINT16_MAX)
		return;
	info->orig_video_is_vga = efi ? VIDEO_EFI : VIDEO_VESA;
	info->lfb_width = (uint16_t)screen->width;
	info->lfb_height = (uint16_t)screen->height;
	info->lfb_depth = screen->bits;
	info->lfb_base = (uint32_t)screen->base;
	info->ext_lfb_base = (uint32_t)(screen->base >> 32);
	info->capabilities = info->ext_lfb_base ? WITH_64_BIT_BASE : 0;
	info->lfb_size = (uint32_t)(efi ? bytes : (bytes + (1u << VESA_SHIFT) - 1) >> VESA_SHIFT);
	info->lfb_linelength = (uint16_t)screen->pitch;
	info->pages = 1;
	info->red_size = screen->red.size;
	info->red_pos = screen->red.at;
	info->green_size = screen->green.size;
	info->green_pos = screen->green.at;
	info->blue_size = screen->blue.size;
	info->blue_pos = screen->blue.at;
	/* What is left of 32 bits is at their top in each format that firmware has. */
	if (screen->bits > colors) {
		info->rsvd_size = (uint8_t)(screen->bits - colors);
		info->rsvd_pos = (uint8_t)colors;
	}
}

/* The place of a copy that stays: where rsdp points may be the loader's own memory. */
static uint64_t copy_rsdp(struct loader *loader)
{
	struct acpi_rsdp rsdp;
	size_t size = acpi_read_rsdp(loader->boot->rsdp, &rsdp);
	uint32_t at;

	if (!size)
		return 0;
	at = load_info(loader, sizeof(rsdp), 16);
	memcpy(phys(at), &rsdp, size);
	return at;
}

static bool can_use_efi(const struct boot_efi *efi, const struct setup_header *header)
{
	bool wide = header->xloadflags & KERNEL_64;

	return efi->system_table && efi->map_bytes && header->version >= PROTOCOL_XLOADFLAGS &&
	       wide == (bool)efi->wide;
}

static struct efi_info put_efi(struct loader *loader)
{
	const struct boot_efi *efi = &loader->boot->efi;
	uint32_t at = load_info(loader, 0, MAP_ALIGN);
	uint32_t bytes = efi_map_out(efi, loader->map, phys(at));

	load_info(loader, bytes, 1);
	return (struct efi_info){
		.signature = {'E', 'L', efi->wide ? '6' : '3', efi->wide ? '4' : '2'},
		.systab = (uint32_t)efi->system_table,
		.systab_hi = (uint32_t)(efi->system_table >> 32),
		.memdesc_size = efi->descriptor_bytes,
		.memdesc_version = efi->descriptor_version,
		.memmap = at,
		.memmap_size = bytes,
	};
}

uint64_t linux_firmware_size(const struct loader *loader, const struct setup_header *header)
{
	uint64_t size = sizeof(struct acpi_rsdp) + 2 * MAP_ALIGN;

	if (can_use_efi(&loader->boot->efi, header))
		size += efi_map_out_size(&loader->boot->efi, loader->map->count + MAP_GROWTH);
	return size;
}

void linux_fill_firmware(struct loader *loader, struct boot_params *params)
{
	const struct boot_info *boot = loader->boot;

	if (boot->screen_kind == SCREEN_TEXT)
		fill_text(&boot->screen, &params->screen);
	if (boot->screen_kind == SCREEN_PIXELS)
		fill_pixels(&boot->screen, boot->efi.system_table, &params->screen);
	memcpy(params->edid, boot->edid, boot->edid_bytes ? sizeof(params->edid) : 0);
	if (params->header.version >= PROTOCOL_RSDP)
		params->acpi_rsdp_addr = copy_rsdp(loader);
	if (can_use_efi(&boot->efi, &params->header))
		params->efi = put_efi(loader);
}
