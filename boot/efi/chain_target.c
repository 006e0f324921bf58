/*
 * What chain= names, loaded by the firmware: a file of any volume, the one that this program came
 * from first. Relies on LoadImage() (UEFI 2.10, section 7.4).
 */
#include "boot/efi/chain.h"
#include "boot/efi/text.h"
#include "hv/string.h"

static EFI_GUID path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
static EFI_GUID volume_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;

UINTN chain_path_bytes(const EFI_DEVICE_PATH *path)
{
	const EFI_DEVICE_PATH *node = path;

	while (!IsDevicePathEnd(node))
		node = NextDevicePathNode(node);
	return (UINTN)((const UINT8 *)node - (const UINT8 *)path);
}

/* The file of a volume as the firmware wants it; NULL: no memory, or no such name. */
static EFI_DEVICE_PATH *file_path(EFI_DEVICE_PATH *device, const char *path)
{
	static const EFI_DEVICE_PATH end = {
		END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, {sizeof(end), 0}};
	EFI_DEVICE_PATH file = {MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP, {0, 0}};
	CHAR16 wide[2 * EFI_PATH_SIZE];
	UINTN length = 0, before = chain_path_bytes(device), bytes;
	UINT8 *all;

	if (!text_to_utf16(path, wide, 2 * EFI_PATH_SIZE))
		return NULL;
	for (; wide[length]; length++)
		wide[length] = wide[length] == '/' ? '\\' : wide[length];
	bytes = sizeof(file) + (length + 1) * sizeof(CHAR16);
	file.Length[0] = (UINT8)bytes;
	file.Length[1] = (UINT8)(bytes >> 8);
	if (EFI_ERROR(efi->BootServices->AllocatePool(EfiLoaderData, before + bytes + sizeof(end),
	                                              (void **)&all)))
		return NULL;
	memcpy(all, device, before);
	memcpy(all + before, &file, sizeof(file));
	memcpy(all + before + sizeof(file), wide, bytes - sizeof(file));
	memcpy(all + before + bytes, &end, sizeof(end));
	return (EFI_DEVICE_PATH *)all;
}

EFI_STATUS chain_load_file(EFI_HANDLE self, EFI_HANDLE device, const char *path, EFI_HANDLE *image)
{
	EFI_DEVICE_PATH *of_device, *full;
	EFI_STATUS status =
		efi->BootServices->HandleProtocol(device, &path_guid, (void **)&of_device);

	if (EFI_ERROR(status))
		return status;
	full = file_path(of_device, path);
	if (!full)
		return EFI_INVALID_PARAMETER;
	status = efi->BootServices->LoadImage(FALSE, self, full, NULL, 0, image);
	efi->BootServices->FreePool(full);
	return status;
}

void chain_set_options(EFI_HANDLE image, const void *bytes, UINTN size)
{
	EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	EFI_LOADED_IMAGE *loaded;
	void *copy;

	if (!size || EFI_ERROR(efi->BootServices->HandleProtocol(image, &guid, (void **)&loaded)) ||
	    EFI_ERROR(efi->BootServices->AllocatePool(EfiLoaderData, size, &copy)))
		return;
	memcpy(copy, bytes, size);
	loaded->LoadOptions = copy;
	loaded->LoadOptionsSize = (UINT32)size;
}

static bool same_text(const char *a, const char *b)
{
	while (*a && text_lower(*a) == text_lower(*b))
		a++, b++;
	return text_lower(*a) == text_lower(*b);
}

bool chain_same_file(const struct efi_home *a, const struct efi_home *b)
{
	return a->device == b->device && same_text(a->directory, b->directory) &&
	       same_text(a->name, b->name);
}

/* Is it this program's own file? To start that again would never end. */
static bool is_self(const struct efi_home *home, const char *path)
{
	size_t directory = strlen(home->directory);

	for (size_t i = 0;; i++) {
		char own = i < directory ? home->directory[i] : home->name[i - directory];
		char named = path[i] == '/' ? '\\' : path[i];

		if (text_lower(own) != text_lower(named))
			return false;
		if (!own)
			return true;
	}
}

/* On the volume of this program, then on each other. */
static EFI_STATUS load_anywhere(EFI_HANDLE self, const struct efi_home *home, const char *path,
                                EFI_HANDLE *image)
{
	EFI_STATUS status = EFI_NOT_FOUND, found;
	EFI_HANDLE *devices;
	UINTN count;

	if (!is_self(home, path))
		status = chain_load_file(self, home->device, path, image);
	if (status != EFI_NOT_FOUND)
		return status;
	found = efi->BootServices->LocateHandleBuffer(ByProtocol, &volume_guid, NULL, &count,
	                                              &devices);
	if (EFI_ERROR(found))
		return status;
	for (UINTN i = 0; i < count && status == EFI_NOT_FOUND; i++) {
		if (devices[i] != home->device)
			status = chain_load_file(self, devices[i], path, image);
	}
	efi->BootServices->FreePool(devices);
	return status;
}

static EFI_STATUS load_path(EFI_HANDLE self, const struct efi_home *home, const char *path,
                            EFI_HANDLE *image)
{
	char full[2 * EFI_PATH_BYTES] = "";
	size_t used = 0;

	if (*path != '\\' && *path != '/') {
		used = strlen(home->directory);
		memcpy(full, home->directory, used);
	}
	memcpy(full + used, path, strlen(path) + 1);
	return load_anywhere(self, home, full, image);
}

static const char *load_error(EFI_STATUS status)
{
	switch (status) {
	case EFI_NOT_FOUND:
		return "no volume that the firmware reads has it";
	case EFI_SECURITY_VIOLATION:
	case EFI_ACCESS_DENIED:
		return "the firmware does not allow it: turn Secure Boot off in its setup";
	case EFI_UNSUPPORTED:
	case EFI_LOAD_ERROR:
		return "it is no program for this firmware";
	default:
		return efi_status_text(status);
	}
}

static void give_words(EFI_HANDLE image, const struct config *config)
{
	CHAR16 wide[CONFIG_CMDLINE_SIZE];
	UINTN length = 0;

	if (!config->cmdline_given || !text_to_utf16(config->cmdline, wide, CONFIG_CMDLINE_SIZE))
		return;
	while (wide[length])
		length++;
	chain_set_options(image, wide, (length + 1) * sizeof(wide[0]));
}

EFI_STATUS chain_load(EFI_HANDLE self, const struct efi_home *home, const struct config *config,
                      EFI_HANDLE *image)
{
	EFI_STATUS status;

	*image = NULL;
	if (!strcmp(config->chain, "menu"))
		return EFI_SUCCESS;
	if (!strcmp(config->chain, "auto")) {
		status = chain_load_next(self, home, image);
		if (EFI_ERROR(status))
			efi_error("chain=auto: the firmware has no other boot option that can be "
			          "started: name a file, such as chain=\\EFI\\debian\\grubx64.efi");
	} else {
		status = load_path(self, home, config->chain, image);
		if (EFI_ERROR(status))
			efi_error("cannot start chain=%s: %s", config->chain, load_error(status));
	}
	if (!EFI_ERROR(status))
		give_words(*image, config);
	return status;
}
