/*
 * The EFI program: finds its configuration, loads L1 and its initrd beside the core into memory
 * below 4 GiB, leaves the firmware and enters the core as a loader would. Every error up to there
 * is one line on the firmware's console, and a return to the firmware.
 */
#include "boot/efi/efi_program.h"

#include "boot/check_svm.h"
#include "boot/config.h"
#include "hv/print.h"
#include "hv/string.h"
#include "hv/x86.h"

#define CONFIG_FILE "nestling.cfg"

/* The head of the core's binary; boot/entry.asm. */
struct core_head {
	char signature[8];
	uint32_t bytes_in_memory;
	uint32_t entry_offset;
};

EFI_SYSTEM_TABLE *efi;

/* The length is told apart: a zero byte in a file becomes a letter that config_parse refuses. */
static void copy_words(char *to, const char *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = from[i] ? from[i] : '?';
	to[length] = '\0';
}

static bool same_name(const char *word, size_t length, const char *name)
{
	for (size_t i = 0; i < length; i++) {
		char a = word[i], b = name[i];

		if ((a >= 'A' && a <= 'Z' ? a + 32 : a) != (b >= 'A' && b <= 'Z' ? b + 32 : b))
			return false;
	}
	return true;
}

/*
 * UEFI's shell puts the program's name, as it was typed, before the words; boot entries and GRUB
 * do not.
 */
static bool is_program(const char *word, size_t length, const char *name)
{
	for (size_t i = 0; i < length; i++)
		if (word[i] == '\\')
			return true;
	if (length > 4 && same_name(word + length - 4, 4, ".efi"))
		return true;
	return length && length + 4 == strlen(name) && same_name(word, length, name);
}

/*
 * The words of the load options, without the program's name. False: there are none, or they are
 * no text (boot managers put binary data there).
 */
static bool read_options(const EFI_LOADED_IMAGE *image, const char *name, char *words)
{
	const CHAR16 *text = image->LoadOptions;
	size_t length = image->LoadOptionsSize / sizeof(*text);
	char line[BOOT_CMDLINE_SIZE];
	size_t start = 0, end;

	if (!text)
		return false;
	for (end = 0; end < length && text[end]; end++) {
		if (end + 1 == sizeof(line) || text[end] > '~' ||
		    (text[end] < ' ' && text[end] != '\t'))
			return false;
		line[end] = (char)text[end];
	}
	while (start < end && line[start] <= ' ')
		start++;
	for (length = start; length < end && line[length] > ' ';)
		length++;
	if (is_program(line + start, length - start, name))
		start = length;
	while (start < end && line[start] <= ' ')
		start++;
	copy_words(words, line + start, end - start);
	return start < end;
}

static EFI_STATUS read_words(EFI_LOADED_IMAGE *image, const struct efi_home *home, char *words)
{
	EFI_STATUS status;
	UINT64 size;
	void *file;

	if (read_options(image, home->name, words))
		return EFI_SUCCESS;
	status = efi_read_file(home, CONFIG_FILE, &file, &size);
	if (EFI_ERROR(status)) {
		efi_error("cannot read %s%s: %s; put a line such as l1=pae.elf into it",
		          home->directory, CONFIG_FILE, efi_status_text(status));
		return status;
	}
	if (size >= BOOT_CMDLINE_SIZE) {
		efi_error("%s%s has %lu bytes: shorten it to %d", home->directory, CONFIG_FILE,
		          (unsigned long)size, BOOT_CMDLINE_SIZE - 1);
		return EFI_BAD_BUFFER_SIZE;
	}
	copy_words(words, file, size);
	return EFI_SUCCESS;
}

static EFI_STATUS load_module(const struct efi_home *home, const char *what, const char *path,
                              const char *words, struct boot_info *info)
{
	struct boot_module *module = &info->modules[info->module_count];
	EFI_STATUS status;
	void *base;

	status = efi_read_file(home, path, &base, &module->size);
	if (EFI_ERROR(status)) {
		efi_error("cannot read the file of %s=%s: %s", what, path, efi_status_text(status));
		return status;
	}
	module->base = (uint64_t)base;
	snprint(module->cmdline, sizeof(module->cmdline), "%s%s%s", path, *words ? " " : "", words);
	info->module_count++;
	return EFI_SUCCESS;
}

/* The root pointer of ACPI 2.0 where there is one, else that of 1.0; 0 without ACPI. */
static uint64_t find_rsdp(void)
{
	EFI_GUID acpi20 = ACPI_20_TABLE_GUID, acpi10 = ACPI_TABLE_GUID;
	uint64_t rsdp = 0;

	for (UINTN i = 0; i < efi->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *table = &efi->ConfigurationTable[i];

		if (!memcmp(&table->VendorGuid, &acpi20, sizeof(acpi20)))
			return (uint64_t)table->VendorTable;
		if (!memcmp(&table->VendorGuid, &acpi10, sizeof(acpi10)))
			rsdp = (uint64_t)table->VendorTable;
	}
	return rsdp;
}

static EFI_STATUS prepare(EFI_LOADED_IMAGE *image, struct boot_info *info)
{
	static struct config config;
	struct efi_home home;
	const char *missing;
	char error[256];
	EFI_STATUS status;

	status = efi_find_home(image, &home);
	if (EFI_ERROR(status)) {
		efi_error("cannot find the directory of this program (%s): start it from a disk "
		          "that the firmware reads",
		          efi_status_text(status));
		return status;
	}
	status = read_words(image, &home, info->cmdline);
	if (EFI_ERROR(status))
		return status;
	if (!config_parse(info->cmdline, &config, error, sizeof(error))) {
		efi_error("%s", error);
		return EFI_INVALID_PARAMETER;
	}
	missing = svm_missing(config.npt);
	if (missing) {
		efi_error("%s", missing);
		return EFI_UNSUPPORTED;
	}
	if (!config.l1_given) {
		efi_error("no L1 is named: put l1=FILE into %s%s", home.directory, CONFIG_FILE);
		return EFI_INVALID_PARAMETER;
	}
	status = load_module(&home, "l1", config.l1, config.cmdline, info);
	if (!EFI_ERROR(status) && config.initrd_given)
		status = load_module(&home, "initrd", config.initrd, "", info);
	return status;
}

/* GNU-EFI's start code calls it by the convention of the compiler, not of the firmware. */
EFI_STATUS efi_main(EFI_HANDLE handle, EFI_SYSTEM_TABLE *table)
{
	const struct core_head *head = (const struct core_head *)efi_core;
	EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	void (*leave_long_mode)(uint32_t entry, uint32_t info, uint32_t stack_top);
	EFI_LOADED_IMAGE *image;
	struct boot_info *info;
	EFI_STATUS status;
	UINT8 *core, *page;

	efi = table;
	status = efi->BootServices->HandleProtocol(handle, &loaded_image_guid, (void **)&image);
	if (EFI_ERROR(status)) {
		efi_error("the firmware does not tell where this program is: start it from a disk");
		return status;
	}
	info = efi_allocate_low(EfiLoaderData, sizeof(*info));
	core = efi_allocate_low(EfiLoaderData, head->bytes_in_memory);
	page = efi_allocate_low(EfiLoaderCode, PAGE_SIZE);
	if (!info || !core || !page) {
		efi_error("too little memory below 4 GiB: give the machine more memory");
		return EFI_OUT_OF_RESOURCES;
	}
	memset(info, 0, sizeof(*info));
	info->source = BOOT_EFI;
	info->rsdp = find_rsdp();
	status = prepare(image, info);
	if (EFI_ERROR(status))
		return status;

	memcpy(core, efi_core, (size_t)(efi_core_end - efi_core));
	memcpy(page, efi_switch, (size_t)(efi_switch_end - efi_switch));
	status = efi_leave(handle, info);
	if (EFI_ERROR(status))
		return status;
	leave_long_mode = (void (*)(uint32_t, uint32_t, uint32_t))(void *)page;
	leave_long_mode((uint32_t)(uint64_t)core + head->entry_offset, (uint32_t)(uint64_t)info,
	                (uint32_t)(uint64_t)page + PAGE_SIZE);
	__builtin_unreachable();
}
