/*
 * Talking on the firmware's console and asking it for memory. Relies on hv/print.h.
 */
#include <stdarg.h>

#include "boot/efi/efi_program.h"
#include "boot/efi/text.h"
#include "hv/print.h"
#include "hv/x86.h"

static void say(const CHAR16 *before, const char *format, va_list args)
{
	char text[512];
	CHAR16 wide[sizeof(text) + 2];

	vsnprint(text, sizeof(text), format, args);
	efi->ConOut->OutputString(efi->ConOut, (CHAR16 *)before);
	if (text_to_utf16(text, wide, sizeof(wide) / sizeof(wide[0])))
		efi->ConOut->OutputString(efi->ConOut, wide);
	efi->ConOut->OutputString(efi->ConOut, (CHAR16 *)L"\r\n");
}

void efi_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(L"nestling: error: ", format, args);
	va_end(args);
}

void efi_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(L"nestling: ", format, args);
	va_end(args);
}

const char *efi_status_text(EFI_STATUS status)
{
	switch (status) {
	case EFI_NOT_FOUND:
		return "there is no such file";
	case EFI_OUT_OF_RESOURCES:
		return "not enough memory below 4 GiB";
	case EFI_DEVICE_ERROR:
		return "the device reports an error";
	case EFI_VOLUME_CORRUPTED:
		return "the file system is damaged";
	case EFI_ACCESS_DENIED:
		return "the firmware denies access";
	case EFI_INVALID_PARAMETER:
		return "the name is too long or not that of a file";
	case EFI_END_OF_FILE:
		return "the file ends before its size says";
	case EFI_VOLUME_FULL:
		return "the volume is full";
	case EFI_WRITE_PROTECTED:
		return "the volume is write-protected";
	default:
		return "the firmware reports an error";
	}
}

void *efi_allocate_low(EFI_MEMORY_TYPE type, UINT64 bytes)
{
	EFI_PHYSICAL_ADDRESS address = SIZE_4G - 1;
	UINTN pages = bytes ? (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT : 1;

	if (EFI_ERROR(efi->BootServices->AllocatePages(AllocateMaxAddress, type, pages, &address)))
		return NULL;
	return (void *)address;
}
