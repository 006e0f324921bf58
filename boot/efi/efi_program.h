/*
 * What the parts of the EFI program share: the firmware's tables, files, and the way out of the
 * firmware. Relies on GNU-EFI's headers; the functions call the firmware by its own convention.
 */
#ifndef BOOT_EFI_EFI_PROGRAM_H
#define BOOT_EFI_EFI_PROGRAM_H

#include <efi.h>

#include "boot/boot_info.h"

enum {
	EFI_PATH_SIZE = 256,                /* characters of a file's path with the closing NUL */
	EFI_PATH_BYTES = 3 * EFI_PATH_SIZE, /* in UTF-8, as all text in here */
};

extern EFI_SYSTEM_TABLE *efi;

/* The volume and the directory that the program was started from. */
struct efi_home {
	EFI_FILE *volume;
	EFI_HANDLE device;              /* the volume's */
	char directory[EFI_PATH_BYTES]; /* ends with a backslash */
	char name[EFI_PATH_BYTES];      /* the program's own file name */
};

/* One line on the firmware's console: "nestling: error: " and the text. */
void efi_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for what is no error: "nestling: " and the text. */
void efi_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The firmware's name of a status that file and memory services return. */
const char *efi_status_text(EFI_STATUS status);

/*
 * bytes of memory below 4 GiB, page aligned, which stay the caller's after ExitBootServices.
 * NULL when there is no room.
 */
void *efi_allocate_low(EFI_MEMORY_TYPE type, UINT64 bytes);

/*
 * Fills it from the firmware's graphics output (UEFI 2.10, 12.9); of several from the one that its
 * console is on, or the first if that shows no pixels. The mode stays as it is. EDID is that of the
 * same card, if the firmware has it.
 */
void efi_find_screen(struct boot_info *info);

/* Finds the volume and the directory of this program. */
EFI_STATUS efi_find_home(EFI_LOADED_IMAGE *image, struct efi_home *home);

/*
 * Reads a whole file into memory of efi_allocate_low. The path is relative to the program's
 * directory or begins with a slash or backslash. An empty file has a base and the size 0.
 */
EFI_STATUS efi_read_file(const struct efi_home *home, const char *path, void **base, UINT64 *size);

/* Writes the system table and ACPI's root pointer into info. */
void efi_tell(struct boot_info *info);

/*
 * Reads a file that is L1 or a module of L1's, and adds it to info with the path and the words as
 * its command line. what names it in the line that says what went wrong.
 */
EFI_STATUS efi_load_module(const struct efi_home *home, const char *what, const char *path,
                           const char *words, struct boot_info *info);

/*
 * Leaves the firmware: writes the memory map, as it is and as e820 has it, into info and calls
 * ExitBootServices, again when the map changed meanwhile. After success there is no console and no
 * firmware to return to.
 */
EFI_STATUS efi_leave(EFI_HANDLE image, struct boot_info *info);

/* boot/efi/switch.asm: the core, and the code that leaves long mode. */
extern const UINT8 efi_core[], efi_core_end[];
extern const UINT8 efi_switch[], efi_switch_end[];

#endif
