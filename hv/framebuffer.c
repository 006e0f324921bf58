/*
 * Drawing letters. Relies on hv/font.h.
 */
#include "hv/framebuffer.h"
#include "hv/font.h"

#include <stdbool.h>
#include <stddef.h>

enum {
	BITS_OF_BYTE = 8,
	RGB_MASK = 0xff,
	RED_AT = 16,
	GREEN_AT = 8,
	BLUE_AT = 0,
	BYTES_OF_24 = 3,
	PITCH_MAX = 4 * FRAMEBUFFER_SIDE_MAX,
};

static uint32_t pixel_bytes(const struct framebuffer *framebuffer)
{
	return (framebuffer->bits + BITS_OF_BYTE - 1u) / BITS_OF_BYTE;
}

static bool is_field(const struct framebuffer *framebuffer, struct color_field field)
{
	return field.size && field.size <= framebuffer->bits &&
	       field.at <= framebuffer->bits - field.size;
}

static bool are_sides(const struct framebuffer *framebuffer)
{
	return framebuffer->width >= FRAMEBUFFER_WIDTH_LEAST &&
	       framebuffer->width <= FRAMEBUFFER_SIDE_MAX &&
	       framebuffer->height >= FRAMEBUFFER_HEIGHT_LEAST &&
	       framebuffer->height <= FRAMEBUFFER_SIDE_MAX;
}

static bool is_pitch(const struct framebuffer *framebuffer)
{
	uint32_t bytes = pixel_bytes(framebuffer), pitch = framebuffer->pitch;

	return pitch >= framebuffer->width * bytes && pitch <= PITCH_MAX &&
	       !(pitch % (bytes == BYTES_OF_24 ? 1 : bytes));
}

const char *framebuffer_error(const struct framebuffer *framebuffer)
{
	unsigned int bits = framebuffer->bits;

	if (bits != 15 && bits != 16 && bits != 24 && bits != 32)
		return "has a number of bits per pixel that Nestling cannot draw";
	if (!is_field(framebuffer, framebuffer->red) ||
	    !is_field(framebuffer, framebuffer->green) || !is_field(framebuffer, framebuffer->blue))
		return "has colours that lie outside its pixels";
	if (!are_sides(framebuffer))
		return "has a size that no screen has";
	if (!is_pitch(framebuffer))
		return "has rows that overlap, are too far apart or begin amid a pixel";
	if (!framebuffer->base || framebuffer->base % sizeof(uint32_t) ||
	    framebuffer->base > UINT64_MAX - framebuffer_bytes(framebuffer))
		return "lies at an address that cannot be";
	return NULL;
}

unsigned int framebuffer_scale(const struct framebuffer *framebuffer)
{
	return framebuffer->width >= FRAMEBUFFER_WIDTH_LARGE ? 2 : 1;
}

static uint32_t scale_color(struct color_field field, uint32_t value)
{
	uint32_t scaled = field.size <= BITS_OF_BYTE ? value >> (BITS_OF_BYTE - field.size)
	                                             : value << (field.size - BITS_OF_BYTE);

	return scaled << field.at;
}

uint32_t framebuffer_color(const struct framebuffer *framebuffer, uint32_t rgb)
{
	return scale_color(framebuffer->red, rgb >> RED_AT & RGB_MASK) |
	       scale_color(framebuffer->green, rgb >> GREEN_AT & RGB_MASK) |
	       scale_color(framebuffer->blue, rgb >> BLUE_AT & RGB_MASK);
}

/* Where the pixels of one row begin, and how many bytes each of them has. */
struct row {
	volatile uint8_t *at;
	uint32_t bytes;
};

static struct row row_of(const struct framebuffer *framebuffer, volatile void *pixels, uint32_t x,
                         uint32_t y)
{
	uint32_t bytes = pixel_bytes(framebuffer);

	return (struct row){(volatile uint8_t *)pixels + (size_t)y * framebuffer->pitch +
	                            (size_t)x * bytes,
	                    bytes};
}

static void put_pixel(struct row *row, uint32_t pixel)
{
	switch (row->bytes) {
	case sizeof(uint32_t):
		*(volatile uint32_t *)row->at = pixel;
		break;
	case sizeof(uint16_t):
		*(volatile uint16_t *)row->at = (uint16_t)pixel;
		break;
	default:
		row->at[0] = (uint8_t)pixel;
		row->at[1] = (uint8_t)(pixel >> 8);
		row->at[2] = (uint8_t)(pixel >> 16);
		break;
	}
	row->at += row->bytes;
}

static void draw_row(struct row row, const struct letter *letter, uint8_t bits)
{
	for (unsigned int column = 0; column < FONT_WIDTH; column++) {
		bool on = bits << column & 1 << (FONT_WIDTH - 1);

		for (uint32_t i = 0; i < letter->scale; i++)
			put_pixel(&row, on ? letter->fore : letter->back);
	}
}

static bool is_on_screen(const struct framebuffer *framebuffer, const struct letter *letter)
{
	return letter->scale && letter->scale <= FRAMEBUFFER_SIDE_MAX / FONT_HEIGHT &&
	       letter->x < framebuffer->width && letter->y < framebuffer->height &&
	       FONT_WIDTH * letter->scale <= framebuffer->width - letter->x &&
	       FONT_HEIGHT * letter->scale <= framebuffer->height - letter->y;
}

void framebuffer_letter(const struct framebuffer *framebuffer, volatile void *pixels,
                        const struct letter *letter)
{
	bool known = letter->c >= FONT_FIRST && letter->c <= FONT_LAST;
	const uint8_t *shape = font[(known ? letter->c : '?') - FONT_FIRST];

	if (!is_on_screen(framebuffer, letter))
		return;
	for (uint32_t y = 0; y < FONT_HEIGHT * letter->scale; y++)
		draw_row(row_of(framebuffer, pixels, letter->x, letter->y + y), letter,
		         shape[y / letter->scale]);
}

static uint32_t clip(uint32_t from, uint32_t length, uint32_t side)
{
	if (from >= side)
		return 0;
	return length < side - from ? length : side - from;
}

void framebuffer_fill(const struct framebuffer *framebuffer, volatile void *pixels, uint32_t x,
                      uint32_t y, uint32_t width, uint32_t height, uint32_t pixel)
{
	uint32_t columns = clip(x, width, framebuffer->width);
	uint32_t rows = clip(y, height, framebuffer->height);

	for (uint32_t row = 0; row < rows; row++) {
		struct row to = row_of(framebuffer, pixels, x, y + row);

		for (uint32_t column = 0; column < columns; column++)
			put_pixel(&to, pixel);
	}
}
