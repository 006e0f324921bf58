/*
 * The keyboard controller. Relies on keyboard.h.
 */
#include "guest/lib/keyboard.h"
#include "hv/x86.h"

enum {
	PORT_DATA = 0x60,
	PORT_STATUS = 0x64,
	STATUS_FULL = 1 << 0,
	STATUS_MOUSE = 1 << 5, /* the byte is a mouse's */
	NO_CONTROLLER = 0xff,
	RELEASED = 1 << 7,  /* and what is no key's code */
	QUIET_POLLS = 2000, /* under Nestling each is an exit, for A20's sake */
};

bool keyboard_is_there(void)
{
	return inb(PORT_STATUS) != NO_CONTROLLER;
}

/* The code of a key that is pressed, or 0. */
static uint8_t pressed(void)
{
	uint8_t status = inb(PORT_STATUS), code;

	if (!(status & STATUS_FULL))
		return 0;
	code = inb(PORT_DATA);
	return status & STATUS_MOUSE || code & RELEASED ? 0 : code;
}

void keyboard_wait(void)
{
	/* What was typed before, and the release of the key that chose the image. */
	for (unsigned int i = 0; i < QUIET_POLLS; i++)
		pressed();
	while (!pressed())
		cpu_relax();
}
