/*
 * The two kinds of screens: cells that are drawn one by one. Relies on page.h and
 * hv/framebuffer.h.
 */
#ifndef GUEST_SCREEN_OUTPUT_H
#define GUEST_SCREEN_OUTPUT_H

#include "guest/lib/page.h"
#include "hv/framebuffer.h"

#include <stdint.h>

struct screen_output {
	unsigned int columns, rows;
	/* Around whatever is drawn. */
	void (*open)(void);
	void (*close)(void);
	/* All of the screen is empty. */
	void (*clear)(void);
	/* Draws one cell; a large one is as two by two, and column counts such. */
	void (*put)(unsigned int column, unsigned int row, char c, const struct page_row *of);
};

/* For a framebuffer that framebuffer_error() has nothing against. */
const struct screen_output *screen_pixels(const struct framebuffer *framebuffer);

/* VGA's text, which must be shown. */
const struct screen_output *screen_text(void);

#endif
