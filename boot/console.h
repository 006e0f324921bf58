/*
 * Where L0 talks: which serial port, and whether there is a screen that it may write to. Relies on
 * hv/serial.h, hv/screen.h and boot/acpi_devices.h.
 */
#ifndef BOOT_CONSOLE_H
#define BOOT_CONSOLE_H

#include "boot/boot_info.h"
#include "boot/config.h"

/* Before anything is known: COM1, if a UART answers there. */
void console_begin(void);

/*
 * The screen that the loader or the firmware told of, or that a BIOS left in text mode. Nothing is
 * written to what is no display's memory, or also something else's: info then has none, and
 * console_choose() says it. With use = false it is only looked at.
 */
void console_find_screen(struct boot_info *info, bool use);

/*
 * The serial port by the words; without them the SPCR's, or COM1, if a UART answers there. Says
 * what cannot be used.
 */
void console_choose(const struct config *config, uint64_t rsdp);

#endif
