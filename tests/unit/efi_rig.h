/*
 * A firmware for boot/efi/chain*.c on the host: variables, volumes with files that can be loaded,
 * memory. Whatever it is given it reads to the end, so that the sanitizers see what is too short.
 */
#ifndef TESTS_UNIT_EFI_RIG_H
#define TESTS_UNIT_EFI_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/efi/efi_program.h"

/* HOME: Nestling's own; MAIN: a partition of a disk; STICK: a disk without any. */
enum rig_volume { RIG_HOME, RIG_MAIN, RIG_STICK, RIG_VOLUMES };

enum { RIG_SAID = 512, RIG_BYTES = 16384 };

struct rig {
	unsigned int loads, unloads;
	int pools, files;       /* taken, and not given back */
	char said[RIG_SAID];    /* by efi_error(); empty: nothing */
	EFI_STATUS load_status; /* of all that is no program; EFI_NOT_FOUND */
};
extern struct rig rig;

/* Forgets all, and installs the services. */
void rig_reset(void);

/* A variable; its name may be "Boot????" for all options that have none of their own. */
void rig_variable(const char *name, const void *bytes, size_t size);

/* The file is a program from now on. */
void rig_program(enum rig_volume volume, const char *path);

/* A program that runs, and what started it. Without a path it has come from no file. */
EFI_HANDLE rig_runs(enum rig_volume volume, const char *path, EFI_HANDLE parent);

EFI_HANDLE rig_handle(enum rig_volume volume);

/* The nodes of a volume's device path, without its end; returns how many bytes. */
size_t rig_device(enum rig_volume volume, uint8_t *to);

/* A node for a file; returns how many bytes. */
size_t rig_file(const char *path, uint8_t *to);
size_t rig_end(uint8_t *to);

/* "volume:path" of an image that was loaded. */
const char *rig_image(EFI_HANDLE image);

/* Its load options. */
size_t rig_options(EFI_HANDLE image, const void **bytes);

#endif
