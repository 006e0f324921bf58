/*
 * The screen that the firmware has set up (UEFI 2.10, 12.9), as boot_info tells it. Relies on
 * boot/efi/efi_program.h.
 */
#include "boot/efi/efi_program.h"

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
