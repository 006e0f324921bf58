/*
 * What the image says, kept where it outlives a warm reset, for the command line's report=ADDRESS:
 * the EFI program made the region there (boot/efi/report.h) and looks into it after the reset.
 * Relies on cmdline.h; without the word nothing here does anything.
 */
#ifndef GUEST_REPORT_H
#define GUEST_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pt;

/* Finds the region; an address that has none is not written to. */
void report_init(void);

/* Maps it for L1, address for address: in all tables that are current when a point ends. */
void report_map(struct pt *tables);

/* Is it somewhere in these bytes? The memory map calls it reserved, as it does others' memory. */
bool report_is_in(uint64_t gpa, uint64_t bytes);

/* Adds text; what no longer fits is dropped, and the report ends as a bad one then. */
void report_write(const char *text, size_t length);

/* Notes how the image ended. */
void report_end(bool success);

/*
 * Does not return where the region has a program to end with, which resets the machine
 * (boot/efi/resident/resident.h).
 */
void report_leave(void);

#endif
