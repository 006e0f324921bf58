/*
 * The firmware's boot options (UEFI 2.10, sections 3.1.2 and 3.1.3), without those that this
 * program came by. Whatever stands in a variable is checked. Relies on boot/efi/chain.h.
 */
#include "boot/efi/chain.h"
#include "hv/string.h"

enum {
	OPTIONS_MOST = 256,
	OPTION_BYTES = 8192, /* no firmware keeps more */
	PARENTS_MOST = 16,   /* of this program: a boot manager, a shell, GRUB */
	ACTIVE = 1 << 0,
	CATEGORY = 0x1f00, /* 0: to be booted */
	LENGTH_AT = 4,
	TEXT_AT = 6,
};
#define FALLBACK "\\EFI\\BOOT\\BOOTX64.EFI" /* UEFI 2.10, section 3.5.1.1 */

static EFI_GUID global = EFI_GLOBAL_VARIABLE;
static EFI_GUID path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
static EFI_GUID volume_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static EFI_GUID image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;

struct option {
	_Alignas(UINT64) UINT8 path[OPTION_BYTES]; /* of a device; it ends within */
	UINTN path_bytes;
	UINT8 data[OPTION_BYTES];
	UINTN data_bytes;
};

static UINTN read_variable(const CHAR16 *name, void *to, UINTN room)
{
	UINTN size = room;

	return EFI_ERROR(
		       efi->RuntimeServices->GetVariable((CHAR16 *)name, &global, NULL, &size, to))
	               ? 0
	               : size;
}

/* Is there a node, and the end of all nodes within so many bytes? */
static bool is_path(const UINT8 *path, UINTN bytes)
{
	UINTN at = 0;

	while (bytes - at >= sizeof(EFI_DEVICE_PATH)) {
		const EFI_DEVICE_PATH *node = (const EFI_DEVICE_PATH *)(path + at);
		UINTN length = DevicePathNodeLength(node);

		if (length < sizeof(*node) || length > bytes - at)
			return false;
		if (IsDevicePathEnd(node))
			return at;
		at += length;
	}
	return false;
}

/* EFI_LOAD_OPTION: attributes, the path's length, text, path, data. */
static bool parse(const UINT8 *bytes, UINTN size, struct option *option)
{
	UINTN at = TEXT_AT, length;
	UINT32 attributes;

	if (size < TEXT_AT)
		return false;
	memcpy(&attributes, bytes, sizeof(attributes));
	if (!(attributes & ACTIVE) || (attributes & CATEGORY))
		return false;
	length = (UINTN)(bytes[LENGTH_AT] | bytes[LENGTH_AT + 1] << 8);
	while (size - at >= sizeof(CHAR16) && (bytes[at] || bytes[at + 1]))
		at += sizeof(CHAR16);
	if (size - at < sizeof(CHAR16) || size - at - sizeof(CHAR16) < length)
		return false;
	at += sizeof(CHAR16);
	memcpy(option->path, bytes + at, length);
	option->path_bytes = length;
	option->data_bytes = size - at - length;
	memcpy(option->data, bytes + at + length, option->data_bytes);
	return is_path(option->path, length);
}

static bool read_option(UINT16 number, struct option *option)
{
	static const char digits[] = "0123456789ABCDEF";
	static UINT8 bytes[OPTION_BYTES];
	CHAR16 name[] = L"Boot0000";

	for (unsigned int i = 0; i < 4; i++)
		name[4 + i] = (CHAR16)digits[number >> (12 - 4 * i) & 0xf];
	return parse(bytes, read_variable(name, bytes, sizeof(bytes)), option);
}

static bool has_file(const EFI_DEVICE_PATH *node)
{
	for (; !IsDevicePathEnd(node); node = NextDevicePathNode(node)) {
		if (DevicePathType(node) == MEDIA_DEVICE_PATH &&
		    DevicePathSubType(node) == MEDIA_FILEPATH_DP)
			return true;
	}
	return false;
}

/* Does the device's path have this node, that of a partition? */
static bool has_node(const EFI_DEVICE_PATH *path, const EFI_DEVICE_PATH *wanted)
{
	UINTN bytes = DevicePathNodeLength(wanted);

	for (; !IsDevicePathEnd(path); path = NextDevicePathNode(path)) {
		if ((UINTN)DevicePathNodeLength(path) == bytes && !memcmp(path, wanted, bytes))
			return true;
	}
	return false;
}

/* A short path begins at the partition: the file of the volume that is on it. */
static EFI_STATUS load_of_partition(EFI_HANDLE self, EFI_DEVICE_PATH *device,
                                    const EFI_DEVICE_PATH *option, EFI_HANDLE *image)
{
	const UINT8 *rest = (const UINT8 *)NextDevicePathNode(option);
	UINTN before = chain_path_bytes(device);
	UINTN behind = chain_path_bytes((const EFI_DEVICE_PATH *)rest) + sizeof(EFI_DEVICE_PATH);
	EFI_STATUS status;
	UINT8 *all;

	status = efi->BootServices->AllocatePool(EfiLoaderData, before + behind, (void **)&all);
	if (EFI_ERROR(status))
		return status;
	memcpy(all, device, before);
	memcpy(all + before, rest, behind);
	status = efi->BootServices->LoadImage(FALSE, self, (EFI_DEVICE_PATH *)all, NULL, 0, image);
	efi->BootServices->FreePool(all);
	return status;
}

/* The volume may be the one that the option means: by its partition, or as one of its device. */
static EFI_STATUS load_of_volume(EFI_HANDLE self, EFI_HANDLE volume, const EFI_DEVICE_PATH *option,
                                 EFI_HANDLE *image)
{
	EFI_DEVICE_PATH *device;

	if (EFI_ERROR(efi->BootServices->HandleProtocol(volume, &path_guid, (void **)&device)))
		return EFI_NOT_FOUND;
	if (has_file(option)) {
		if (DevicePathType(option) == MEDIA_DEVICE_PATH && has_node(device, option))
			return load_of_partition(self, device, option, image);
	} else if (chain_path_bytes(device) >= chain_path_bytes(option) &&
	           !memcmp(device, option, chain_path_bytes(option))) {
		return chain_load_file(self, volume, FALLBACK, image);
	}
	return EFI_NOT_FOUND;
}

static EFI_STATUS load_option(EFI_HANDLE self, const struct efi_home *home,
                              const struct option *option, EFI_HANDLE *image)
{
	EFI_DEVICE_PATH *path = (EFI_DEVICE_PATH *)(UINTN)option->path;
	EFI_STATUS status = efi->BootServices->LoadImage(TRUE, self, path, NULL, 0, image);
	EFI_HANDLE *volumes;
	UINTN count;

	if (!EFI_ERROR(status) || EFI_ERROR(efi->BootServices->LocateHandleBuffer(
					  ByProtocol, &volume_guid, NULL, &count, &volumes)))
		return status;
	for (UINTN i = 0; EFI_ERROR(status) && i < count; i++) {
		if (has_file(path) || volumes[i] != home->device)
			status = load_of_volume(self, volumes[i], path, image);
	}
	efi->BootServices->FreePool(volumes);
	return status;
}

/* Where an image has come from, in one form for all; false: from no file. */
static bool find_file(EFI_HANDLE image, struct efi_home *file, EFI_HANDLE *parent)
{
	EFI_LOADED_IMAGE *loaded;

	if (EFI_ERROR(efi->BootServices->HandleProtocol(image, &image_guid, (void **)&loaded)))
		return false;
	if (parent)
		*parent = loaded->ParentHandle;
	if (EFI_ERROR(efi_find_home(loaded, file)))
		return false;
	file->volume->Close(file->volume);
	return file->name[0];
}

/*
 * Is it this program, or one that has started it, such as the stick's GRUB? Firmware may have more
 * than one option that leads there, and to follow such a one would never end.
 */
static bool is_running(EFI_HANDLE self, EFI_HANDLE image)
{
	static struct efi_home wanted, file;

	if (!find_file(image, &wanted, NULL))
		return false;
	for (unsigned int i = 0; self && i < PARENTS_MOST; i++) {
		EFI_HANDLE parent = NULL;

		if (find_file(self, &file, &parent) && chain_same_file(&file, &wanted))
			return true;
		self = parent;
	}
	return false;
}

static bool load_other(EFI_HANDLE self, const struct efi_home *home, const struct option *option,
                       EFI_HANDLE *image)
{
	if (EFI_ERROR(load_option(self, home, option, image)))
		return false;
	if (!is_running(self, *image))
		return true;
	efi->BootServices->UnloadImage(*image);
	*image = NULL;
	return false;
}

EFI_STATUS chain_load_next(EFI_HANDLE self, const struct efi_home *home, EFI_HANDLE *image)
{
	static struct option option;
	static UINT16 order[OPTIONS_MOST];
	UINTN count = read_variable(L"BootOrder", order, sizeof(order)) / sizeof(order[0]);
	UINT16 current;
	bool known = read_variable(L"BootCurrent", &current, sizeof(current)) == sizeof(current);

	for (UINTN i = 0; i < count; i++) {
		if ((known && order[i] == current) || !read_option(order[i], &option) ||
		    !load_other(self, home, &option, image))
			continue;
		chain_set_options(*image, option.data, option.data_bytes);
		return EFI_SUCCESS;
	}
	return EFI_NOT_FOUND;
}
