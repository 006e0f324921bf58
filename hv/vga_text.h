/*
 * VGA's text mode, where a BIOS has left it. Relies on hv/x86.h and hv/phys.h.
 */
#ifndef HV_VGA_TEXT_H
#define HV_VGA_TEXT_H

#include <stdbool.h>
#include <stdint.h>

enum { VGA_TEXT_COLUMNS = 80, VGA_TEXT_ROWS = 25 };
#define VGA_TEXT_BASE 0xb8000u /* hpa */

/* Does a VGA show text from VGA_TEXT_BASE now? False where there is none. */
bool vga_text_is_on(void);

/* Puts the character there, light grey on black; within the rows and columns above. */
void vga_text_put(unsigned int column, unsigned int row, char c);

#endif
