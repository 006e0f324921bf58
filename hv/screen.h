/*
 * L0's text on the screen: a framebuffer, or VGA's text mode. What is shown comes from a buffer of
 * text, so that nothing is read back, and scrolling draws only what differs. Relies on
 * hv/framebuffer.h, hv/vga_text.h, hv/pci.h and, for the map of the framebuffer, on
 * hv/screen_map.h.
 */
#ifndef HV_SCREEN_H
#define HV_SCREEN_H

#include "hv/framebuffer.h"
#include "hv/pci.h"

#include <stdbool.h>
#include <stddef.h>

/* What is beyond it stays as it is: 1080 lines of the font, or 2160 of the doubled one. */
enum { SCREEN_COLUMNS_MAX = 240, SCREEN_ROWS_MAX = 80 };

/*
 * Text goes to this framebuffer from now on, which is without an error, and a part of the memory of
 * this device; it is cleared.
 */
void screen_use_pixels(const struct framebuffer *framebuffer, const struct pci_memory *memory);

/* Likewise to the VGA, which shows text. */
void screen_use_text(void);

/* To be called when L0's page tables are others. */
void screen_map(void);

/* Shows the text behind what is there; nothing without a screen. */
void screen_write(const char *text, size_t length);

/*
 * Takes the screen back from L1, if it still is where it was: it is empty, but for what
 * screen_write() brings from now on, as much of it as has room: what is said first stays. No other
 * processor may use PCI's ports meanwhile. False: what is written is not seen.
 */
bool screen_take_back(void);

/* Draws all of it once more. */
void screen_redraw(void);

#endif
