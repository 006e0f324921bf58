/*
 * What an image's TAP says: how many points, and which of them differ between the bare machine and
 * Nestling. The texts are what a report held: anything. Relies on boot/efi/report.h and
 * boot/efi/out.h.
 */
#ifndef BOOT_EFI_TAP_READ_H
#define BOOT_EFI_TAP_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/efi/out.h"
#include "boot/efi/report.h"
#include "boot/efi/run_state.h"

enum { TAP_DIFFERENCES_SHOWN = 40 };

/* Of one line, with its end or without it: does it begin so; is it a point that failed, unmarked?
 */
bool tap_begins(const char *line, size_t length, const char *with);
bool tap_failed(const char *line, size_t length);

/* The bytes of the first line of so many, with its end. */
size_t tap_line_length(const char *text, size_t left);

/* The verdict on a report, and its points. One that ended good must be whole, too. */
void tap_judge(enum report_found found, const struct report_text *text, struct run_result *result);

/*
 * Compares line by line, as the system tests do: where an emulator or a machine that is known to
 * differ from the manual is marked "# TODO" bare, Nestling may do as the manual says. Writes up to
 * TAP_DIFFERENCES_SHOWN pairs of lines and returns how many differ.
 */
uint32_t tap_compare(const struct report_text *bare, const struct report_text *nested,
                     struct out *out);

#endif
