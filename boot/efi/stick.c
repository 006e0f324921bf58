/*
 * Files that are written. Relies on the firmware's file system (UEFI 2.10, section 13.5).
 */
#include "boot/efi/stick.h"

enum {
	WRITE_BYTES = 1 << 16, /* at a time */
};
#define END_OF_FILE UINT64_MAX /* what SetPosition() takes for it */

static EFI_STATUS open_file(const struct efi_home *home, const CHAR16 *name, UINT64 mode,
                            EFI_FILE **file)
{
	CHAR16 path[] = L"\\NESTLING.???"; /* some firmware takes no constant */

	for (UINTN i = 0; i < sizeof(path) / sizeof(path[0]); i++)
		path[i] = name[i];
	return home->volume->Open(home->volume, file, path, mode, 0);
}

#define TEXT_NAME  L"\\" STICK_REPORT
#define STATE_NAME L"\\" STICK_STATE
#define TO_WRITE   (EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE | EFI_FILE_MODE_CREATE)

static EFI_STATUS write_all(EFI_FILE *file, const char *from, UINTN length)
{
	while (length) {
		UINTN bytes = length < WRITE_BYTES ? length : WRITE_BYTES;
		EFI_STATUS status = file->Write(file, &bytes, (void *)(UINTN)from);

		if (EFI_ERROR(status))
			return status;
		if (!bytes)
			return EFI_VOLUME_FULL;
		from += bytes;
		length -= bytes;
	}
	return file->Flush(file);
}

static EFI_STATUS write_at(const struct efi_home *home, const CHAR16 *name, UINT64 position,
                           const void *from, UINTN length)
{
	EFI_FILE *file;
	EFI_STATUS status = open_file(home, name, TO_WRITE, &file), closed;

	if (EFI_ERROR(status))
		return status;
	status = file->SetPosition(file, position);
	if (!EFI_ERROR(status))
		status = write_all(file, from, length);
	closed = file->Close(file);
	return EFI_ERROR(status) ? status : closed;
}

EFI_STATUS stick_append(const struct efi_home *home, const char *text, UINTN length)
{
	return write_at(home, TEXT_NAME, END_OF_FILE, text, length);
}

EFI_STATUS stick_write_state(const struct efi_home *home, const void *from, UINTN size)
{
	return write_at(home, STATE_NAME, 0, from, size);
}

EFI_STATUS stick_read_state(const struct efi_home *home, void *to, UINTN *size)
{
	EFI_FILE *file;
	EFI_STATUS status = open_file(home, STATE_NAME, EFI_FILE_MODE_READ, &file);

	if (EFI_ERROR(status))
		return status;
	status = file->Read(file, size, to);
	file->Close(file);
	return status;
}

void stick_delete_state(const struct efi_home *home)
{
	EFI_FILE *file;

	if (!EFI_ERROR(
		    open_file(home, STATE_NAME, EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE, &file)))
		file->Delete(file); /* closes it, too */
}
