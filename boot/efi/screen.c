/*
 * The screen that the firmware has set up (UEFI 2.10, 12.9), as boot_info tells it. Relies on
 * boot/efi/efi_program.h.
 */
#include "boot/efi/efi_program.h"
#include "hv/string.h"

#include <stdbool.h>

typedef EFI_GRAPHICS_OUTPUT_PROTOCOL gop;

static bool shows_pixels(const gop *output)
{
	return output->Mode && output->Mode->Info &&
	       output->Mode->Info->PixelFormat < PixelBltOnly && output->Mode->FrameBufferBase;
}

/* The first one that shows its pixels, else the first one at all; NULL without one. */
static const gop *find_any(void)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	const gop *first = NULL;
	EFI_HANDLE *handles;
	UINTN count;

	if (EFI_ERROR(efi->BootServices->LocateHandleBuffer(ByProtocol, &guid, NULL, &count,
	                                                    &handles)))
		return NULL;
	for (UINTN i = 0; i < count; i++) {
		void *output;

		if (EFI_ERROR(efi->BootServices->HandleProtocol(handles[i], &guid, &output)))
			continue;
		if (shows_pixels(output))
			return output;
		first = first ? first : output;
	}
	return first;
}

/*
 * The one of the console, unless that is of many screens at once, as EDK2's is where there is more
 * than one graphics card: such a one can draw, but has no pixels of its own.
 */
static const gop *find_output(void)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	void *output;

	if (efi->ConsoleOutHandle &&
	    !EFI_ERROR(efi->BootServices->HandleProtocol(efi->ConsoleOutHandle, &guid, &output)) &&
	    shows_pixels(output))
		return output;
	return find_any();
}

static struct color_field field_of(UINT32 mask)
{
	struct color_field field = {0, 0};

	for (; mask && !(mask & 1); mask >>= 1)
		field.at++;
	for (; mask & 1; mask >>= 1)
		field.size++;
	return field;
}

/* A pixel is as large as the mask that reaches highest; of the two named formats, 32 bits. */
static uint8_t bits_of(const EFI_PIXEL_BITMASK *mask)
{
	UINT32 all = mask->RedMask | mask->GreenMask | mask->BlueMask | mask->ReservedMask;
	uint8_t bits = 0;

	for (; all; all >>= 1)
		bits++;
	return bits;
}

/* One that the console has made of a single card's is another protocol, with the card's pixels. */
static bool is_same(const gop *a, const gop *b)
{
	return a == b || (shows_pixels(a) && shows_pixels(b) &&
	                  a->Mode->FrameBufferBase == b->Mode->FrameBufferBase);
}

/* The card's of that output, which has it beside its own (UEFI 2.10, 12.9.2.4). */
static void find_edid(const gop *output, struct boot_info *info)
{
	EFI_GUID active = EFI_EDID_ACTIVE_PROTOCOL_GUID, guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_BOOT_SERVICES *services = efi->BootServices;
	EFI_HANDLE *handles;
	UINTN count;

	if (EFI_ERROR(services->LocateHandleBuffer(ByProtocol, &active, NULL, &count, &handles)))
		return;
	for (UINTN i = 0; i < count && !info->edid_bytes; i++) {
		void *of, *found;
		const EFI_EDID_ACTIVE_PROTOCOL *edid;

		if (EFI_ERROR(services->HandleProtocol(handles[i], &guid, &of)) ||
		    EFI_ERROR(services->HandleProtocol(handles[i], &active, &found)))
			continue;
		edid = found;
		if (!is_same(of, output) || edid->SizeOfEdid < BOOT_EDID_SIZE || !edid->Edid)
			continue;
		memcpy(info->edid, edid->Edid, BOOT_EDID_SIZE);
		info->edid_bytes = BOOT_EDID_SIZE;
	}
}

void efi_find_screen(struct boot_info *info)
{
	static const EFI_PIXEL_BITMASK named[] = {
		[PixelRedGreenBlueReserved8BitPerColor] = {0xff, 0xff00, 0xff0000, 0xff000000},
		[PixelBlueGreenRedReserved8BitPerColor] = {0xff0000, 0xff00, 0xff, 0xff000000},
	};
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;
	const EFI_PIXEL_BITMASK *mask;
	const gop *output = find_output();

	if (!output || !output->Mode || !output->Mode->Info)
		return;
	mode = output->Mode->Info;
	find_edid(output, info);
	info->screen_kind = SCREEN_BLT;
	if (!shows_pixels(output))
		return;
	mask = mode->PixelFormat == PixelBitMask ? &mode->PixelInformation
	                                         : &named[mode->PixelFormat];
	info->screen_kind = SCREEN_PIXELS;
	info->screen = (struct framebuffer){
		.base = output->Mode->FrameBufferBase,
		.pitch = mode->PixelsPerScanLine * ((bits_of(mask) + 7u) / 8),
		.width = mode->HorizontalResolution,
		.height = mode->VerticalResolution,
		.bits = bits_of(mask),
		.red = field_of(mask->RedMask),
		.green = field_of(mask->GreenMask),
		.blue = field_of(mask->BlueMask),
	};
}
