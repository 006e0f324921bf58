/*
 * The screen that the firmware has set up (UEFI 2.10, 12.9), as boot_info tells it. Relies on
 * boot/efi/efi_program.h.
 */
#include "boot/efi/efi_program.h"

typedef EFI_GRAPHICS_OUTPUT_PROTOCOL gop;

/* The one of the console, else the first that there is; NULL without one. */
static gop *find_output(void)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	void *output;

	if (efi->ConsoleOutHandle &&
	    !EFI_ERROR(efi->BootServices->HandleProtocol(efi->ConsoleOutHandle, &guid, &output)))
		return output;
	return EFI_ERROR(efi->BootServices->LocateProtocol(&guid, NULL, &output)) ? NULL : output;
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
	if (mode->PixelFormat >= PixelBltOnly || !output->Mode->FrameBufferBase)
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
