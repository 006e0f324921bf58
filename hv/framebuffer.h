/*
 * Letters in a framebuffer of 15 to 32 bits per pixel. Pure: no processor, no memory but what it is
 * given; builds for 32 and 64 bits, for L0 and for the images. Nothing is ever read back, for that
 * is slow where the memory is uncached or write-combining. Relies on hv/font.h.
 *
 * An image uses it so: it fills a struct framebuffer from its multiboot information, asks
 * framebuffer_error() whether that can be drawn into, maps [base, base + framebuffer_bytes()), and
 * calls framebuffer_letter() for each cell with the address at which it sees the base. Colours are
 * 0xRRGGBB; framebuffer_color() makes a pixel of one, once.
 */
#ifndef HV_FRAMEBUFFER_H
#define HV_FRAMEBUFFER_H

#include <stdint.h>

enum {
	FRAMEBUFFER_SIDE_MAX = 16384, /* pixels; no screen has more */
	FRAMEBUFFER_WIDTH_LEAST = 320,
	FRAMEBUFFER_HEIGHT_LEAST = 200,
	FRAMEBUFFER_WIDTH_LARGE = 2560, /* from here on letters are doubled */
};

/* Where one colour is in a pixel. */
struct color_field {
	uint8_t at, size; /* bits */
};

/* The same layout for 32 and 64 bits: it is a part of struct boot_info. */
struct framebuffer {
	uint64_t base;          /* hpa */
	uint32_t pitch;         /* bytes from a row to the next */
	uint32_t width, height; /* pixels */
	uint8_t bits;           /* per pixel: 15, 16, 24 or 32 */
	struct color_field red, green, blue;
	uint8_t reserved[5];
};
_Static_assert(sizeof(struct framebuffer) == 32, "the same layout for 32 and 64 bits");

/* NULL: it can be drawn into. Else what is wrong with it, to follow "the screen ". */
const char *framebuffer_error(const struct framebuffer *framebuffer);

/* Bytes from its base that are drawn into. For one without an error, as all below. */
static inline uint64_t framebuffer_bytes(const struct framebuffer *framebuffer)
{
	return (uint64_t)framebuffer->pitch * framebuffer->height;
}

/* How many pixels high and wide a font's pixel should be, to be legible: 1 or 2. */
unsigned int framebuffer_scale(const struct framebuffer *framebuffer);

/* The pixel of a colour 0xRRGGBB. */
uint32_t framebuffer_color(const struct framebuffer *framebuffer, uint32_t rgb);

/* A cell's letter, scale and pixels of framebuffer_color(). */
struct letter {
	uint32_t x, y; /* pixels: the cell's upper left corner */
	uint32_t scale;
	uint32_t fore, back;
	char c; /* what the font has not is a question mark */
};

/*
 * Draws all of the cell, FONT_WIDTH * scale by FONT_HEIGHT * scale pixels; nothing of one that is
 * not all on the screen. pixels: where the base is seen.
 */
void framebuffer_letter(const struct framebuffer *framebuffer, volatile void *pixels,
                        const struct letter *letter);

/* Fills a rectangle with a pixel of framebuffer_color(); what is beyond the screen is left out. */
void framebuffer_fill(const struct framebuffer *framebuffer, volatile void *pixels, uint32_t x,
                      uint32_t y, uint32_t width, uint32_t height, uint32_t pixel);

#endif
