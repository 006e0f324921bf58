/*
 * The EFI program: finds its configuration, loads L1 and its modules beside the core into memory
 * below 4 GiB, leaves the firmware and enters the core as a loader would. Every error up to there
 * is one line on the firmware's console, and a return to the firmware.
 */
#include "boot/efi/chain.h"
#include "boot/efi/efi_program.h"
#include "boot/efi/everything.h"
#include "boot/efi/text.h"

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

static bool same_name(const char *word, size_t length, const char *name)
{
	for (size_t i = 0; i < length; i++) {
		if (text_lower(word[i]) != text_lower(name[i]))
			return false;
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * UEFI's shell puts the program's name, as it was typed, before the words; boot entries and GRUB
 * do not, and their first word may be chain=\EFI\debian\grubx64.efi.
 */
static bool is_program(const char *word, size_t length, const char *name)
{
	for (size_t i = 0; i < length; i++)
		if (word[i] == '\\' || word[i] == '=')
			return word[i] == '\\';
	if (length > 4 && same_name(word + length - 4, 4, ".efi"))
		return true;
	return length && length + 4 == strlen(name) && same_name(word, length, name);
}

/* Whatever the text is, it becomes words in UTF-8, or one line says which character cannot. */
static EFI_STATUS decode(const struct text *text, const char *directory, const char *name,
                         char *words)
{
	size_t where;
	const char *wrong = text_decode(text, words, BOOT_CONFIG_SIZE, &where);

	if (!wrong)
		return EFI_SUCCESS;
	efi_error("character %lu of %s%s %s: %s", (unsigned long)where, directory, name, wrong,
	          where < BOOT_CONFIG_SIZE - 4 ? "save it as UTF-8 or UTF-16" : "shorten it");
	return EFI_INVALID_PARAMETER;
}

/*
 * The words of the load options, without the program's name. There may be none, or data that is no
 * text: then words is empty.
 */
static EFI_STATUS read_options(const EFI_LOADED_IMAGE *image, const char *name, char *words)
{
	size_t start = 0, end;
	struct text text;
	EFI_STATUS status;

	words[0] = '\0';
	if (!image->LoadOptions ||
	    !text_of_options(image->LoadOptions, image->LoadOptionsSize, &text))
		return EFI_SUCCESS;
	status = decode(&text, "", "the load options", words);
	if (EFI_ERROR(status))
		return status;
	while (is_blank(words[start]))
		start++;
	for (end = start; words[end] && !is_blank(words[end]);)
		end++;
	if (is_program(words + start, end - start, name))
		start = end;
	while (is_blank(words[start]))
		start++;
	memmove(words, words + start, strlen(words + start) + 1);
	return EFI_SUCCESS;
}

static EFI_STATUS read_words(EFI_LOADED_IMAGE *image, const struct efi_home *home, char *words)
{
	EFI_STATUS status = read_options(image, home->name, words);
	struct text text;
	UINT64 size;
	void *file;

	if (EFI_ERROR(status) || words[0])
		return status;
	status = efi_read_file(home, CONFIG_FILE, &file, &size);
	if (EFI_ERROR(status)) {
		efi_error("cannot read %s%s: %s; put a line such as l1=pae.elf into it",
		          home->directory, CONFIG_FILE, efi_status_text(status));
		return status;
	}
	text = text_of_file(file, size);
	return decode(&text, home->directory, CONFIG_FILE, words);
}

EFI_STATUS efi_load_module(const struct efi_home *home, const char *what, const char *path,
                           const char *words, struct boot_info *info)
{
	struct boot_module *module = &info->modules[info->module_count];
	size_t bytes = strlen(path) + 1 + strlen(words) + 1,
	       room = BOOT_TEXT_SIZE - info->text_used;
	EFI_STATUS status;
	void *base;

	if (info->module_count == BOOT_MAX_MODULES || bytes > room) {
		efi_error("%s=%s is too much: L1 and its modules are %d at most, and their names "
		          "and words have %d KiB",
		          what, path, BOOT_MAX_MODULES, BOOT_TEXT_SIZE >> 10);
		return EFI_OUT_OF_RESOURCES;
	}
	status = efi_read_file(home, path, &base, &module->size);
	if (EFI_ERROR(status)) {
		efi_error("cannot read the file of %s=%s: %s", what, path, efi_status_text(status));
		return status;
	}
	module->base = (uint64_t)base;
	module->line = info->text_used;
	snprint(info->text + info->text_used, room, "%s%s%s", path, *words ? " " : "", words);
	info->text_used += (uint32_t)bytes;
	info->module_count++;
	return EFI_SUCCESS;
}

/* What initrd= and module= name. */
static EFI_STATUS load_files(const struct efi_home *home, struct boot_info *info)
{
	static struct config_file file;
	const char *at = info->cmdline;
	EFI_STATUS status = EFI_SUCCESS;

	while (!EFI_ERROR(status) && config_next_file(&at, &file))
		status = efi_load_module(home, file.key, file.path, file.words, info);
	return status;
}

static struct config config;
static struct efi_home home;

/* What chain= starts is no L1 that is loaded here. */
static bool check_chain(void)
{
	if (!config.l1_given && !config.files_given && !config.everything_given && !config.limit &&
	    !config.bare)
		return true;
	efi_error(
		"chain= goes with neither l1=, initrd=, module=, everything=, limit= nor bare=on: "
		"leave them out");
	return false;
}

static EFI_STATUS prepare(EFI_LOADED_IMAGE *image, struct boot_info *info)
{
	const char *missing;
	char error[256];
	EFI_STATUS status;

	status = efi_find_home(image, &home);
	if (EFI_ERROR(status)) {
		efi_error("cannot find the directory of this program (%s): start it from a disk "
		          "that the firmware reads, such as a stick's FAT partition",
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
	if (config.chain_given)
		return check_chain() ? EFI_SUCCESS : EFI_INVALID_PARAMETER;
	if (config.menu) {
		efi_error("menu= goes with chain= only: leave it out");
		return EFI_INVALID_PARAMETER;
	}
	if (config.everything_given)
		return everything_prepare(&home, &config, info);
	missing = svm_missing(config.npt);
	if (missing) {
		efi_error("%s", missing);
		return EFI_UNSUPPORTED;
	}
	if (!config.l1_given) {
		efi_error("no L1 is named: put l1=FILE into %s%s", home.directory, CONFIG_FILE);
		return EFI_INVALID_PARAMETER;
	}
	status = efi_load_module(&home, "l1", config.l1, config.cmdline, info);
	return EFI_ERROR(status) ? status : load_files(&home, info);
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
	uint32_t entry;

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
	efi_tell(info);
	status = prepare(image, info);
	if (EFI_ERROR(status))
		return status;

	efi_find_screen(info);
	memcpy(core, efi_core, (size_t)(efi_core_end - efi_core));
	memcpy(page, efi_switch, (size_t)(efi_switch_end - efi_switch));
	entry = (uint32_t)(uint64_t)core + head->entry_offset;
	if (config.chain_given)
		return chain_boot(handle, &home, &config, info, &(struct chain_core){entry, page});
	status = efi_leave(handle, info);
	if (EFI_ERROR(status))
		return status;
	leave_long_mode = (void (*)(uint32_t, uint32_t, uint32_t))(void *)page;
	leave_long_mode(entry, (uint32_t)(uint64_t)info, (uint32_t)(uint64_t)page + PAGE_SIZE);
	__builtin_unreachable();
}
