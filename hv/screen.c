/*
 * The buffer of text, and drawing it. Relies on its callers for one processor at a time.
 */
#include "hv/screen.h"
#include "hv/font.h"
#include "hv/screen_map.h"
#include "hv/string.h"
#include "hv/vga_text.h"

enum kind { KIND_NONE, KIND_PIXELS, KIND_TEXT };
enum { GREY = 0xc8c8c8, BLACK = 0x000000, NOTHING = 0 /* no cell shows this one */ };

static struct {
	enum kind kind;
	struct framebuffer framebuffer;
	struct pci_memory memory;
	volatile void *pixels;
	uint32_t scale, fore, back;
	unsigned int columns, rows;
	unsigned int column, row; /* where the next character goes */
	bool new_line;            /* on a line below */
	bool stays;               /* what finds no room any more is dropped, and nothing scrolls */
} screen;

static char text[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];  /* as it should be */
static char shown[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX]; /* as it is */

static void put(unsigned int column, unsigned int row, char c)
{
	if (screen.kind == KIND_TEXT) {
		vga_text_put(column, row, c);
		return;
	}
	framebuffer_letter(&screen.framebuffer, screen.pixels,
	                   &(struct letter){
				   .x = column * FONT_WIDTH * screen.scale,
				   .y = row * FONT_HEIGHT * screen.scale,
				   .scale = screen.scale,
				   .fore = screen.fore,
				   .back = screen.back,
				   .c = c,
			   });
}

static void show(void)
{
	for (unsigned int row = 0; row < screen.rows && screen.kind != KIND_NONE; row++) {
		for (unsigned int column = 0; column < screen.columns; column++) {
			if (shown[row][column] == text[row][column])
				continue;
			shown[row][column] = text[row][column];
			put(column, row, text[row][column]);
		}
	}
}

void screen_redraw(void)
{
	memset(shown, NOTHING, sizeof(shown));
	show();
}

static void clear(void)
{
	memset(text, ' ', sizeof(text));
	screen.column = screen.row = 0;
	screen.new_line = false;
	screen_redraw();
}

/* False: there is none. */
static bool next_line(void)
{
	bool last = screen.row + 1 >= screen.rows;

	if (last && screen.stays)
		return false;
	screen.column = 0;
	if (!last) {
		screen.row++;
		return true;
	}
	screen.row = screen.rows - 1;
	memmove(text[0], text[1], (screen.rows - 1) * sizeof(text[0]));
	memset(text[screen.rows - 1], ' ', sizeof(text[0]));
	return true;
}

/* Two may write at once when one has died (hv/log.c): the line may be any, but it is a cell's. */
static void put_next(char c)
{
	unsigned int column = screen.column, row = screen.row;

	if (column < screen.columns && row < screen.rows)
		text[row][column] = c >= FONT_FIRST && c <= FONT_LAST ? c : '?';
	screen.column = column + 1;
}

/* A newline takes effect with the next character: the last line is not lost to an empty one. */
void screen_write(const char *from, size_t length)
{
	for (size_t i = 0; i < length && screen.kind != KIND_NONE; i++) {
		bool ends = from[i] == '\n';
		bool wraps = screen.column >= screen.columns && !ends;

		if ((screen.new_line || wraps) && !next_line())
			break;
		screen.new_line = ends;
		if (!ends)
			put_next(from[i]);
	}
	show();
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

void screen_use_pixels(const struct framebuffer *framebuffer, const struct pci_memory *memory)
{
	screen.framebuffer = *framebuffer;
	screen.memory = *memory;
	screen.scale = framebuffer_scale(framebuffer);
	screen.fore = framebuffer_color(framebuffer, GREY);
	screen.back = framebuffer_color(framebuffer, BLACK);
	screen.columns =
		least(framebuffer->width / (FONT_WIDTH * screen.scale), SCREEN_COLUMNS_MAX);
	screen.rows = least(framebuffer->height / (FONT_HEIGHT * screen.scale), SCREEN_ROWS_MAX);
	screen.kind = KIND_PIXELS;
	screen_map();
	framebuffer_fill(framebuffer, screen.pixels, 0, 0, framebuffer->width, framebuffer->height,
	                 screen.back);
	clear();
}

void screen_use_text(void)
{
	screen.columns = VGA_TEXT_COLUMNS;
	screen.rows = VGA_TEXT_ROWS;
	screen.kind = KIND_TEXT;
	clear();
}

void screen_map(void)
{
	if (screen.kind == KIND_PIXELS)
		screen.pixels = screen_map_pixels(screen.framebuffer.base,
		                                  framebuffer_bytes(&screen.framebuffer));
}

bool screen_take_back(void)
{
	if (screen.kind == KIND_PIXELS && !pci_has_not_moved(&screen.memory))
		screen.kind = KIND_NONE;
	if (screen.kind == KIND_TEXT && !vga_text_is_on())
		screen.kind = KIND_NONE;
	if (screen.kind == KIND_NONE)
		return false;
	screen.stays = true;
	clear();
	return true;
}
