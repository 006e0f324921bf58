/*
 * Files beside the EFI program, on the volume that the firmware started it from. Names are UTF-8
 * in here and UTF-16 for the firmware. Relies on boot/efi/efi_program.h.
 */
#include "boot/efi/efi_program.h"
#include "boot/efi/text.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	FILE_INFO_BYTES = sizeof(EFI_FILE_INFO) + 2 * EFI_PATH_SIZE,
	READ_BYTES = 1 << 20, /* at a time: some firmware fails on larger reads */
};

/* The path of a device path's file nodes, which may be split at any directory, in UTF-8. */
static bool read_file_path(const EFI_DEVICE_PATH *node, char *path)
{
	CHAR16 wide[EFI_PATH_SIZE];
	struct text text = {(const uint8_t *)wide, 0, TEXT_UTF16};
	size_t used = 0, where;

	for (; !IsDevicePathEnd(node); node = NextDevicePathNode(node)) {
		const uint8_t *from = (const uint8_t *)node + sizeof(*node);
		size_t chars = (DevicePathNodeLength(node) - sizeof(*node)) / sizeof(CHAR16);

		if (DevicePathType(node) != MEDIA_DEVICE_PATH ||
		    DevicePathSubType(node) != MEDIA_FILEPATH_DP)
			continue;
		for (size_t i = 0; i < chars; i++) {
			/* Nodes need not be aligned, so the text is read by bytes. */
			CHAR16 c = (CHAR16)(from[2 * i] | from[2 * i + 1] << 8);

			if (!c)
				break;
			if (used + 2 > EFI_PATH_SIZE)
				return false;
			if (i == 0 && c != '\\' && used && wide[used - 1] != '\\')
				wide[used++] = '\\';
			wide[used++] = c == '/' ? '\\' : c;
		}
		if (used >= EFI_PATH_SIZE)
			return false;
	}
	text.size = used * sizeof(CHAR16);
	return !text_decode(&text, path, EFI_PATH_BYTES, &where);
}

static EFI_STATUS open_file(const struct efi_home *home, const char *path, EFI_FILE **file)
{
	CHAR16 full[2 * EFI_PATH_SIZE];
	size_t used = 0;

	full[0] = 0;
	if (*path != '/' && *path != '\\') {
		if (!text_to_utf16(home->directory, full, EFI_PATH_SIZE))
			return EFI_INVALID_PARAMETER;
		while (full[used])
			used++;
	}
	if (!text_to_utf16(path, full + used, EFI_PATH_SIZE))
		return EFI_INVALID_PARAMETER;
	for (; full[used]; used++)
		full[used] = full[used] == '/' ? '\\' : full[used];
	return home->volume->Open(home->volume, file, full, EFI_FILE_MODE_READ, 0);
}

static EFI_STATUS open_volume(EFI_HANDLE device, EFI_FILE **volume)
{
	EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_FILE_IO_INTERFACE *file_system;
	EFI_STATUS status;

	status = efi->BootServices->HandleProtocol(device, &guid, (void **)&file_system);
	if (EFI_ERROR(status))
		return status;
	return file_system->OpenVolume(file_system, volume);
}

static bool has_program(const struct efi_home *home)
{
	EFI_FILE *file;

	if (EFI_ERROR(open_file(home, home->name, &file)))
		return false;
	file->Close(file);
	return true;
}

/*
 * GRUB may have read the program from a file system that the firmware does not know (a CD's), and
 * names the device of its root, wherever the file was: then the volume is the first one that has
 * the same file.
 */
static EFI_STATUS find_volume(struct efi_home *home)
{
	EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	struct efi_home candidate = *home;
	EFI_HANDLE *devices;
	UINTN count;
	EFI_STATUS status;

	status = efi->BootServices->LocateHandleBuffer(ByProtocol, &guid, NULL, &count, &devices);
	if (EFI_ERROR(status))
		return status;
	for (UINTN i = 0; i < count; i++) {
		if (EFI_ERROR(open_volume(devices[i], &candidate.volume)))
			continue;
		if (has_program(&candidate)) {
			home->volume = candidate.volume;
			home->device = devices[i];
			return EFI_SUCCESS;
		}
		candidate.volume->Close(candidate.volume);
	}
	return EFI_NOT_FOUND;
}

EFI_STATUS efi_find_home(EFI_LOADED_IMAGE *image, struct efi_home *home)
{
	char path[EFI_PATH_BYTES];
	size_t directory = 0;

	if (!image->FilePath || !read_file_path(image->FilePath, path))
		return EFI_INVALID_PARAMETER;
	for (size_t i = 0; path[i]; i++)
		if (path[i] == '\\')
			directory = i + 1;
	memcpy(home->name, path + directory, strlen(path + directory) + 1);
	memcpy(home->directory, path, directory);
	if (!directory)
		home->directory[directory++] = '\\';
	home->directory[directory] = '\0';
	home->device = image->DeviceHandle;
	if (!EFI_ERROR(open_volume(home->device, &home->volume))) {
		if (has_program(home))
			return EFI_SUCCESS;
		home->volume->Close(home->volume);
	}
	return find_volume(home);
}

static EFI_STATUS file_size(EFI_FILE *file, UINT64 *size)
{
	EFI_GUID info_guid = EFI_FILE_INFO_ID;
	_Alignas(EFI_FILE_INFO) UINT8 buffer[FILE_INFO_BYTES];
	EFI_FILE_INFO *info = (EFI_FILE_INFO *)buffer;
	UINTN bytes = sizeof(buffer);
	EFI_STATUS status = file->GetInfo(file, &info_guid, &bytes, buffer);

	if (EFI_ERROR(status))
		return status;
	if (info->Attribute & EFI_FILE_DIRECTORY)
		return EFI_INVALID_PARAMETER;
	*size = info->FileSize;
	return EFI_SUCCESS;
}

static EFI_STATUS read_all(EFI_FILE *file, UINT8 *to, UINT64 size)
{
	while (size) {
		UINTN bytes = size < READ_BYTES ? size : READ_BYTES;
		EFI_STATUS status = file->Read(file, &bytes, to);

		if (EFI_ERROR(status))
			return status;
		if (!bytes)
			return EFI_END_OF_FILE;
		to += bytes;
		size -= bytes;
	}
	return EFI_SUCCESS;
}

EFI_STATUS efi_read_file(const struct efi_home *home, const char *path, void **base, UINT64 *size)
{
	EFI_FILE *file;
	EFI_STATUS status = open_file(home, path, &file);

	if (EFI_ERROR(status))
		return status;
	status = file_size(file, size);
	if (!EFI_ERROR(status)) {
		*base = *size < SIZE_4G ? efi_allocate_low(EfiLoaderData, *size) : NULL;
		status = *base ? read_all(file, *base, *size) : EFI_OUT_OF_RESOURCES;
	}
	file->Close(file);
	return status;
}
