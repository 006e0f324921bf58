/*
 * Boot#### and BootNext (UEFI 2.10, sections 3.1.3 and 3.3). Relies on boot/efi/text.h and
 * hv/string.h.
 */
#include "boot/efi/boot_next.h"
#include "boot/efi/text.h"
#include "hv/string.h"

enum {
	OPTION_ACTIVE = 1 << 0,
	OUR_NUMBER = 0x4e53, /* no firmware counts so far */
	LIST_LENGTH_AT = 4,
	TEXT_AT = 6,
	OPTION_BYTES = 8192, /* no firmware keeps more */
	VISIBLE = EFI_VARIABLE_BOOTSERVICE_ACCESS | EFI_VARIABLE_RUNTIME_ACCESS,
	KEPT = VISIBLE | EFI_VARIABLE_NON_VOLATILE,
};
#define OUR_NAME L"Boot4E53"
#define OUR_TEXT L"Nestling: everything"

static EFI_GUID global = EFI_GLOBAL_VARIABLE;
static UINT8 option[OPTION_BYTES], there[OPTION_BYTES];

/* Characters before the NUL. */
static UINTN length_of(const CHAR16 *text)
{
	UINTN length = 0;

	while (text[length])
		length++;
	return length;
}

static bool add(UINTN *used, const void *from, UINTN bytes)
{
	if (bytes > sizeof(option) - *used)
		return false;
	memcpy(option + *used, from, bytes);
	*used += bytes;
	return true;
}

/* The nodes up to the end node, which is not added. */
static bool add_path(UINTN *used, const EFI_DEVICE_PATH *node)
{
	for (; !IsDevicePathEnd(node); node = NextDevicePathNode(node)) {
		UINTN bytes = DevicePathNodeLength(node);

		if (bytes < sizeof(*node) || !add(used, node, bytes))
			return false;
	}
	return true;
}

/* The program's file as a node of its own: the path that it was started by may be a loader's. */
static bool add_file(UINTN *used, const struct efi_home *home)
{
	static CHAR16 path[2 * EFI_PATH_SIZE];
	UINTN node_at = *used, length, bytes;
	EFI_DEVICE_PATH node = {MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP, {0, 0}};

	if (!text_to_utf16(home->directory, path, EFI_PATH_SIZE))
		return false;
	length = length_of(path);
	if (!text_to_utf16(home->name, path + length, EFI_PATH_SIZE))
		return false;
	if (!add(used, &node, sizeof(node)) ||
	    !add(used, path, (length_of(path) + 1) * sizeof(path[0])))
		return false;
	bytes = *used - node_at;
	node.Length[0] = (UINT8)bytes;
	node.Length[1] = (UINT8)(bytes >> 8);
	memcpy(option + node_at, &node, sizeof(node));
	return true;
}

/* EFI_LOAD_OPTION: attributes, the path's length, text, path, the words. Its size, or 0. */
static UINTN make_option(const struct efi_home *home, const char *words)
{
	static const EFI_DEVICE_PATH end = {
		END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, {sizeof(end), 0}};
	static CHAR16 wide[BOOT_CONFIG_SIZE];
	EFI_GUID guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
	UINTN used = TEXT_AT, path_at, path_bytes;
	UINT32 attributes = OPTION_ACTIVE;
	EFI_DEVICE_PATH *device;

	if (EFI_ERROR(efi->BootServices->HandleProtocol(home->device, &guid, (void **)&device)) ||
	    !text_to_utf16(words, wide, BOOT_CONFIG_SIZE))
		return 0;
	memcpy(option, &attributes, sizeof(attributes));
	add(&used, OUR_TEXT, sizeof(OUR_TEXT));
	path_at = used;
	if (!add_path(&used, device) || !add_file(&used, home) || !add(&used, &end, sizeof(end)))
		return 0;
	path_bytes = used - path_at;
	option[LIST_LENGTH_AT] = (UINT8)path_bytes;
	option[LIST_LENGTH_AT + 1] = (UINT8)(path_bytes >> 8);
	return add(&used, wide, (length_of(wide) + 1) * sizeof(wide[0])) ? used : 0;
}

/* The store wears: what is there already is not written again. */
static EFI_STATUS keep(CHAR16 *name, UINT8 *bytes, UINTN size)
{
	UINTN there_size = sizeof(there);

	if (!EFI_ERROR(
		    efi->RuntimeServices->GetVariable(name, &global, NULL, &there_size, there)) &&
	    there_size == size && !memcmp(there, bytes, size))
		return EFI_SUCCESS;
	return efi->RuntimeServices->SetVariable(name, &global, KEPT, size, bytes);
}

EFI_STATUS boot_next_set(const struct efi_home *home, const char *words)
{
	static UINT8 number[] = {OUR_NUMBER & 0xff, OUR_NUMBER >> 8};
	UINTN size = make_option(home, words);
	EFI_STATUS status = size ? keep(OUR_NAME, option, size) : EFI_UNSUPPORTED;

	return EFI_ERROR(status) ? status : keep(L"BootNext", number, sizeof(number));
}

static bool is_ours(CHAR16 *name)
{
	UINT16 number = 0;
	UINTN size = sizeof(number);

	return !EFI_ERROR(efi->RuntimeServices->GetVariable(name, &global, NULL, &size, &number)) &&
	       size == sizeof(number) && number == OUR_NUMBER;
}

bool boot_next_was_ours(void)
{
	return is_ours(L"BootCurrent");
}

/* Firmware that does not look at BootNext does not take it away, either. */
void boot_next_forget(void)
{
	if (is_ours(L"BootNext"))
		efi->RuntimeServices->SetVariable(L"BootNext", &global, KEPT, 0, NULL);
	efi->RuntimeServices->SetVariable(OUR_NAME, &global, KEPT, 0, NULL);
}
