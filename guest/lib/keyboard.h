/*
 * The keyboard, polled. USB keyboards: what the firmware makes of them. Relies on hv/x86.h.
 */
#ifndef GUEST_KEYBOARD_H
#define GUEST_KEYBOARD_H

#include <stdbool.h>

/* Is there a keyboard controller? */
bool keyboard_is_there(void);

/* Waits until a key is pressed that was not before. */
void keyboard_wait(void);

#endif
