/*
 * What an image's TAP says: how many points, and which of them differ between the bare machine and
 * Nestling. The texts are what a report held: anything. Relies on boot/efi/report.h and
 * boot/efi/out.h.
 */
#ifndef BOOT_EFI_TAP_READ_H
#define BOOT_EFI_TAP_READ_H

#include <stdint.h>

#include "boot/efi/out.h"
#include "boot/efi/report.h"
#include "boot/efi/run_state.h"

enum { TAP_DIFFERENCES_SHOWN = 40 };

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
