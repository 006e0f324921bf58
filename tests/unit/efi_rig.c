/*
 * The firmware of tests/unit/efi_rig.h.
 */
#include "tests/unit/efi_rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIABLES = 64, NAME = 16, PROGRAMS = 16, IMAGES = 600, PATH = 512 };

static struct variable {
	char name[NAME];
	uint8_t bytes[RIG_BYTES];
	size_t size;
} variables[VARIABLES];

static struct program {
	enum rig_volume volume;
	char path[PATH];
} programs[PROGRAMS];

/* Of an image the device path's end is the file's. */
static struct image {
	EFI_LOADED_IMAGE loaded;
	uint8_t file[2 * PATH + 8];
	char text[PATH + 8];
} images[IMAGES];

struct rig rig;
static unsigned int variable_count, program_count, image_count;
static uint8_t devices[RIG_VOLUMES][64];

static EFI_BOOT_SERVICES boot_services;
static EFI_RUNTIME_SERVICES runtime_services;
static EFI_SYSTEM_TABLE table = {.BootServices = &boot_services,
                                 .RuntimeServices = &runtime_services};
EFI_SYSTEM_TABLE *efi = &table;

void efi_error(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(rig.said, sizeof(rig.said), format, list);
	va_end(list);
}

const char *efi_status_text(EFI_STATUS status)
{
	return status == EFI_OUT_OF_RESOURCES ? "out of resources" : "another error";
}

EFI_HANDLE rig_handle(enum rig_volume volume)
{
	return devices[volume];
}

size_t rig_device(enum rig_volume volume, uint8_t *to)
{
	static const uint8_t root[] = {ACPI_DEVICE_PATH, ACPI_DP, 12, 0, 0xd0, 0x41, 3, 10};
	uint8_t disk[] = {HARDWARE_DEVICE_PATH, HW_PCI_DP, 6, 0, (uint8_t)volume, 4};
	uint8_t partition[] = {MEDIA_DEVICE_PATH, MEDIA_HARDDRIVE_DP, 8, 0, 1, 2, 3,
	                       (uint8_t)volume};
	size_t size = 12;

	memset(to, 0, size);
	memcpy(to, root, sizeof(root));
	memcpy(to + size, disk, sizeof(disk));
	size += sizeof(disk);
	if (volume == RIG_STICK)
		return size;
	memcpy(to + size, partition, sizeof(partition));
	return size + sizeof(partition);
}

size_t rig_file(const char *path, uint8_t *to)
{
	size_t size = 4;

	for (size_t i = 0; i == 0 || path[i - 1]; i++) {
		to[size++] = (uint8_t)path[i];
		to[size++] = 0;
	}
	to[0] = MEDIA_DEVICE_PATH;
	to[1] = MEDIA_FILEPATH_DP;
	to[2] = (uint8_t)size;
	to[3] = (uint8_t)(size >> 8);
	return size;
}

size_t rig_end(uint8_t *to)
{
	static const uint8_t end[] = {END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, 4, 0};

	memcpy(to, end, sizeof(end));
	return sizeof(end);
}

void rig_variable(const char *name, const void *bytes, size_t size)
{
	struct variable *variable = &variables[variable_count++];

	if (variable_count > VARIABLES || size > RIG_BYTES)
		abort();
	snprintf(variable->name, NAME, "%s", name);
	memcpy(variable->bytes, bytes, size);
	variable->size = size;
}

static bool is_named(const char *name, const CHAR16 *wanted)
{
	size_t i = 0;

	while (name[i] && (name[i] == '?' || name[i] == (char)wanted[i]))
		i++;
	return !name[i] && !wanted[i];
}

static EFI_STATUS EFIAPI get_variable(CHAR16 *name, EFI_GUID *guid, UINT32 *attributes, UINTN *size,
                                      void *to)
{
	(void)guid, (void)attributes;
	for (unsigned int i = 0; i < variable_count; i++) {
		UINTN room = *size;

		if (!is_named(variables[i].name, name))
			continue;
		*size = variables[i].size;
		if (room < *size)
			return EFI_BUFFER_TOO_SMALL;
		memcpy(to, variables[i].bytes, *size);
		return EFI_SUCCESS;
	}
	return EFI_NOT_FOUND;
}

void rig_program(enum rig_volume volume, const char *path)
{
	if (program_count == PROGRAMS)
		abort();
	programs[program_count].volume = volume;
	snprintf(programs[program_count++].path, PATH, "%s", path);
}

static struct image *new_image(enum rig_volume volume, const char *path, EFI_HANDLE parent)
{
	static const char *const names[] = {"home", "main", "stick"};
	struct image *image = &images[image_count++];

	if (image_count > IMAGES)
		abort();
	snprintf(image->text, sizeof(image->text), "%s:%s", names[volume], path);
	rig_end(image->file + (*path ? rig_file(path, image->file) : 0));
	image->loaded.DeviceHandle = rig_handle(volume);
	image->loaded.FilePath = (EFI_DEVICE_PATH *)image->file;
	image->loaded.ParentHandle = parent;
	return image;
}

EFI_HANDLE rig_runs(enum rig_volume volume, const char *path, EFI_HANDLE parent)
{
	return new_image(volume, path, parent);
}

/* The text of all nodes that are left; false: not all are a file's. */
static bool file_of(const uint8_t *node, char *to)
{
	size_t used = 0;
	bool good = true;

	while (!IsDevicePathEnd((const EFI_DEVICE_PATH *)node)) {
		size_t bytes = (size_t)(node[2] | node[3] << 8);

		for (size_t i = 4; i + 1 < bytes; i += 2)
			if (node[i] && used < PATH - 1)
				to[used++] = (char)node[i];
		good = good && node[0] == MEDIA_DEVICE_PATH && node[1] == MEDIA_FILEPATH_DP;
		node += bytes;
	}
	to[used] = 0;
	return good;
}

static EFI_STATUS EFIAPI load_image(BOOLEAN policy, EFI_HANDLE parent, EFI_DEVICE_PATH *path,
                                    void *source, UINTN size, EFI_HANDLE *to)
{
	char text[PATH];

	(void)policy, (void)source, (void)size;
	file_of((const uint8_t *)path, text);
	for (unsigned int i = 0; i < program_count; i++) {
		uint8_t device[64];
		size_t bytes = rig_device(programs[i].volume, device);
		const uint8_t *at = (const uint8_t *)path;

		/* Node by node, as what is there may be shorter. */
		for (size_t used = 0; used < bytes;) {
			size_t length = (size_t)(device[used + 2] | device[used + 3] << 8);

			if ((size_t)(at[2] | at[3] << 8) != length ||
			    memcmp(at, device + used, length) != 0)
				break;
			used += length;
			at += length;
			if (used == bytes && file_of(at, text) && !strcmp(text, programs[i].path)) {
				rig.loads++;
				*to = new_image(programs[i].volume, text, parent);
				return EFI_SUCCESS;
			}
		}
	}
	return rig.load_status;
}

static EFI_STATUS EFIAPI unload_image(EFI_HANDLE image)
{
	(void)image;
	rig.unloads++;
	return EFI_SUCCESS;
}

static bool is_volume(EFI_HANDLE handle)
{
	return handle == devices[RIG_HOME] || handle == devices[RIG_MAIN] ||
	       handle == devices[RIG_STICK];
}

static EFI_STATUS EFIAPI close_file(EFI_FILE *file)
{
	(void)file;
	rig.files--;
	return EFI_SUCCESS;
}

/* A directory is opened as such, whatever it is called. */
static EFI_STATUS EFIAPI open_file(EFI_FILE *root, EFI_FILE **to, CHAR16 *path, UINT64 mode,
                                   UINT64 attributes)
{
	(void)path, (void)mode, (void)attributes;
	*to = root;
	rig.files++;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI open_volume(EFI_FILE_IO_INTERFACE *volume, EFI_FILE **to)
{
	static EFI_FILE root = {.Open = open_file, .Close = close_file};

	(void)volume;
	*to = &root;
	rig.files++;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, void **to)
{
	static EFI_FILE_IO_INTERFACE volume = {.OpenVolume = open_volume};
	static const EFI_GUID path = EFI_DEVICE_PATH_PROTOCOL_GUID;
	static const EFI_GUID image = EFI_LOADED_IMAGE_PROTOCOL_GUID;

	if (!handle || is_volume(handle) == !memcmp(guid, &image, sizeof(image)))
		return EFI_UNSUPPORTED;
	if (!is_volume(handle))
		*to = &((struct image *)handle)->loaded;
	else
		*to = memcmp(guid, &path, sizeof(path)) ? (void *)&volume : handle;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI allocate_pool(EFI_MEMORY_TYPE type, UINTN size, void **to)
{
	(void)type;
	*to = malloc(size);
	rig.pools++;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pool(void *at)
{
	free(at);
	rig.pools--;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI locate(EFI_LOCATE_SEARCH_TYPE type, EFI_GUID *guid, void *key,
                                UINTN *count, EFI_HANDLE **to)
{
	(void)type, (void)guid, (void)key;
	*count = RIG_VOLUMES;
	allocate_pool(EfiLoaderData, RIG_VOLUMES * sizeof(**to), (void **)to);
	for (unsigned int i = 0; i < RIG_VOLUMES; i++)
		(*to)[i] = rig_handle(i);
	return EFI_SUCCESS;
}

const char *rig_image(EFI_HANDLE image)
{
	return ((struct image *)image)->text;
}

size_t rig_options(EFI_HANDLE image, const void **bytes)
{
	*bytes = ((struct image *)image)->loaded.LoadOptions;
	return ((struct image *)image)->loaded.LoadOptionsSize;
}

void rig_reset(void)
{
	for (unsigned int i = 0; i < image_count; i++)
		free(images[i].loaded.LoadOptions);
	memset(images, 0, image_count * sizeof(*images));
	variable_count = program_count = image_count = 0;
	rig = (struct rig){.load_status = EFI_NOT_FOUND};
	for (unsigned int i = 0; i < RIG_VOLUMES; i++)
		rig_end(devices[i] + rig_device(i, devices[i]));
	runtime_services.GetVariable = get_variable;
	boot_services.LoadImage = load_image;
	boot_services.UnloadImage = unload_image;
	boot_services.HandleProtocol = handle_protocol;
	boot_services.AllocatePool = allocate_pool;
	boot_services.FreePool = free_pool;
	boot_services.LocateHandleBuffer = locate;
}
