/*
 * VGA's text mode. Every L1 maps low memory to itself, whatever its tables are like: what is drawn
 * are plain stores. Relies on hv/x86.h and hv/vga_text.h.
 */
#include "guest/lib/screen_output.h"
#include "hv/vga_text.h"
#include "hv/x86.h"

#define CELLS ((volatile uint16_t *)VGA_TEXT_BASE)

enum {
	PORT_CRTC = 0x3d4,
	CRTC_CURSOR_START = 0x0a,
	CURSOR_OFF = 1 << 5,
	ATTRIBUTE_SHIFT = 8,
};

static const uint8_t attributes[PAGE_STYLES] = {
	[PAGE_PLAIN] = 0x07,   [PAGE_TITLE] = 0x1f, [PAGE_NOTE] = 0x08,
	[PAGE_FAILURE] = 0x0c, [PAGE_GOOD] = 0x2f,  [PAGE_BAD] = 0x4f,
};

static struct screen_output output;

static void nothing(void)
{
}

static void put_cell(unsigned int column, unsigned int row, char c, enum page_style style)
{
	if (column < output.columns && row < output.rows)
		CELLS[row * output.columns + column] =
			(uint16_t)(attributes[style] << ATTRIBUTE_SHIFT | (uint8_t)c);
}

static void clear(void)
{
	for (unsigned int i = 0; i < output.columns * output.rows; i++)
		CELLS[i] = (uint16_t)(attributes[PAGE_PLAIN] << ATTRIBUTE_SHIFT | ' ');
	outb(PORT_CRTC, CRTC_CURSOR_START);
	outb(PORT_CRTC + 1, CURSOR_OFF);
}

/* There are no larger letters: they stand apart, above a band of their colour. */
static void put(unsigned int column, unsigned int row, char c, const struct page_row *of)
{
	if (!of->large) {
		put_cell(column, row, c, of->style);
		return;
	}
	put_cell(2 * column, row, c, of->style);
	put_cell(2 * column + 1, row, ' ', of->style);
	put_cell(2 * column, row + 1, ' ', of->style);
	put_cell(2 * column + 1, row + 1, ' ', of->style);
}

const struct screen_output *screen_text(void)
{
	output = (struct screen_output){VGA_TEXT_COLUMNS, VGA_TEXT_ROWS, nothing,
	                                nothing,          clear,         put};
	return &output;
}
