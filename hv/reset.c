/*
 * Resetting the machine. Relies on hv/log.h to say why.
 */
#include "hv/reset.h"
#include "hv/log.h"
#include "hv/x86.h"

/* Ports that reset a machine: the reset control register of chipsets, the keyboard controller. */
enum { PORT_RESET = 0xcf9, RESET_FULL = 0x0e, PORT_KEYBOARD = 0x64, KEYBOARD_RESET = 0xfe };

void reset_machine(const char *why)
{
	log_set_serial(true);
	log_info("%s: resetting the machine", why);
	open_gif(); /* the firmware may have a hand in it, by SMIs */
	outb(PORT_RESET, RESET_FULL);
	outb(PORT_KEYBOARD, KEYBOARD_RESET);
	for (;;)
		cpu_relax();
}
