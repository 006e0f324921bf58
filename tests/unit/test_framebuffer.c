/*
 * hv/framebuffer.c and hv/font.c: each depth, pitch and size of letters; nothing beside the cell
 * is touched, and nothing of what was there matters. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/font.h"
#include "hv/framebuffer.h"

enum { WIDTH = 333, HEIGHT = 201 };

static const struct framebuffer kinds[] = {
	{.base = 4,
         .pitch = 4 * WIDTH + 12,
         .width = WIDTH,
         .height = HEIGHT,
         .bits = 32,
         .red = {16, 8},
         .green = {8, 8},
         .blue = {0, 8}},
	{.base = 4,
         .pitch = 4 * WIDTH,
         .width = WIDTH,
         .height = HEIGHT,
         .bits = 32,
         .red = {0, 10},
         .green = {10, 10},
         .blue = {20, 10}},
	{.base = 4,
         .pitch = 3 * WIDTH + 2,
         .width = WIDTH,
         .height = HEIGHT,
         .bits = 24,
         .red = {0, 8},
         .green = {8, 8},
         .blue = {16, 8}},
	{.base = 4,
         .pitch = 2 * WIDTH + 2,
         .width = WIDTH,
         .height = HEIGHT,
         .bits = 16,
         .red = {11, 5},
         .green = {5, 6},
         .blue = {0, 5}},
	{.base = 4,
         .pitch = 2 * WIDTH + 6,
         .width = WIDTH,
         .height = HEIGHT,
         .bits = 15,
         .red = {10, 5},
         .green = {5, 5},
         .blue = {0, 5}},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static uint32_t bytes_of(const struct framebuffer *framebuffer)
{
	return (framebuffer->bits + 7u) / 8;
}

static uint32_t read_pixel(const struct framebuffer *framebuffer, const uint8_t *pixels, uint32_t x,
                           uint32_t y)
{
	uint32_t pixel = 0;

	memcpy(&pixel, pixels + (size_t)y * framebuffer->pitch + (size_t)x * bytes_of(framebuffer),
	       bytes_of(framebuffer));
	return pixel;
}

/* What the pixel of a screen should be, letter or not. */
static uint32_t expected(const struct letter *letter, uint32_t x, uint32_t y, uint32_t before)
{
	uint32_t column = (x - letter->x) / letter->scale, row = (y - letter->y) / letter->scale;

	if (x < letter->x || y < letter->y || column >= FONT_WIDTH || row >= FONT_HEIGHT)
		return before;
	return font[letter->c - FONT_FIRST][row] & 0x80 >> column ? letter->fore : letter->back;
}

static void check_letter(const struct framebuffer *framebuffer, const struct letter *letter,
                         uint8_t dirt)
{
	size_t bytes = framebuffer_bytes(framebuffer);
	uint8_t *pixels = malloc(bytes); /* its ends are the sanitizer's to guard */
	uint8_t *untouched = malloc(bytes);

	memset(pixels, dirt, bytes);
	memset(untouched, dirt, bytes);
	framebuffer_letter(framebuffer, pixels, letter);
	for (uint32_t y = 0; y < HEIGHT; y++) {
		for (uint32_t x = 0; x < WIDTH; x++)
			assert_int_equal(
				read_pixel(framebuffer, pixels, x, y),
				expected(letter, x, y, read_pixel(framebuffer, untouched, x, y)));
		assert_memory_equal(pixels + (size_t)y * framebuffer->pitch +
		                            (size_t)WIDTH * bytes_of(framebuffer),
		                    untouched,
		                    framebuffer->pitch - (size_t)WIDTH * bytes_of(framebuffer));
	}
	free(pixels);
	free(untouched);
}

static void letters_of_each_depth(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		const struct framebuffer *framebuffer = &kinds[kind];

		for (uint32_t scale = 1; scale <= 3; scale++) {
			struct letter letter = {
				.x = WIDTH - FONT_WIDTH * scale, /* the last pixels of all */
				.y = HEIGHT - FONT_HEIGHT * scale,
				.scale = scale,
				.fore = framebuffer_color(framebuffer, 0xffee11),
				.back = framebuffer_color(framebuffer, 0x112233),
				.c = 'R',
			};

			check_letter(framebuffer, &letter, 0);
			check_letter(framebuffer, &letter, 0xff);
			letter.x = letter.y = 1;
			check_letter(framebuffer, &letter, 0x5a);
		}
	}
}

/* A cell that is cut off, wraps around or has no size draws nothing. */
static void letters_beyond(void **state)
{
	static const struct letter beyond[] = {
		{.x = WIDTH - FONT_WIDTH + 1, .scale = 1},
		{.y = HEIGHT - FONT_HEIGHT + 1, .scale = 1},
		{.x = WIDTH - FONT_WIDTH, .scale = 2},
		{.x = WIDTH, .scale = 1},
		{.y = HEIGHT, .scale = 1},
		{.x = UINT32_MAX, .scale = 1},
		{.y = UINT32_MAX - 3, .scale = 1},
		{.scale = 0},
		{.scale = 1u << 28},
		{.scale = UINT32_MAX / 8},
	};
	size_t bytes = framebuffer_bytes(&kinds[0]);
	uint8_t *pixels = malloc(bytes);

	(void)state;
	memset(pixels, 0x33, bytes);
	for (unsigned int i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		struct letter letter = beyond[i];

		letter.c = 'R';
		framebuffer_letter(&kinds[0], pixels, &letter);
	}
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(pixels[i], 0x33);
	free(pixels);
}

static void letters_that_the_font_lacks(void **state)
{
	static const char lacks[] = {0, '\n', 0x1f, 0x7f, (char)0x80, (char)0xff};
	size_t bytes = framebuffer_bytes(&kinds[3]);
	uint8_t *pixels = calloc(1, bytes), *mark = calloc(1, bytes);
	struct letter letter = {.scale = 1, .fore = 0xffff, .c = '?'};

	(void)state;
	framebuffer_letter(&kinds[3], mark, &letter);
	for (unsigned int i = 0; i < sizeof(lacks); i++) {
		memset(pixels, 0, bytes);
		letter.c = lacks[i];
		framebuffer_letter(&kinds[3], pixels, &letter);
		assert_memory_equal(pixels, mark, bytes);
	}
	free(pixels);
	free(mark);
}

static void colors(void **state)
{
	static const uint32_t of_each[KINDS][3] = {
		/* ff8001, white, black */
		{0xff8001, 0xffffff, 0}, {1u << 22 | 0x200u << 10 | 0x3fc, 0x3fcff3fc, 0},
		{0x0180ff, 0xffffff, 0}, {0xfc00, 0xffff, 0},
		{0x7e00, 0x7fff, 0},
	};

	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		assert_int_equal(framebuffer_color(&kinds[kind], 0xff8001), of_each[kind][0]);
		assert_int_equal(framebuffer_color(&kinds[kind], 0xffffff), of_each[kind][1]);
		assert_int_equal(framebuffer_color(&kinds[kind], 0), of_each[kind][2]);
	}
}

static void fill(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		const struct framebuffer *framebuffer = &kinds[kind];
		uint8_t *pixels = calloc(1, framebuffer_bytes(framebuffer));
		uint32_t pixel = framebuffer_color(framebuffer, 0x123456);

		framebuffer_fill(framebuffer, pixels, 3, 5, 7, 9, pixel);
		framebuffer_fill(framebuffer, pixels, WIDTH - 2, HEIGHT - 3, UINT32_MAX, UINT32_MAX,
		                 pixel);
		framebuffer_fill(framebuffer, pixels, WIDTH, 0, 1, 1, pixel);
		framebuffer_fill(framebuffer, pixels, 0, HEIGHT, 1, 1, pixel);
		for (uint32_t y = 0; y < HEIGHT; y++) {
			for (uint32_t x = 0; x < WIDTH; x++) {
				bool in = (x >= 3 && x < 10 && y >= 5 && y < 14) ||
				          (x >= WIDTH - 2 && y >= HEIGHT - 3);

				assert_int_equal(read_pixel(framebuffer, pixels, x, y),
				                 in ? pixel : 0);
			}
		}
		free(pixels);
	}
}

/* With one field changed. */
#define WITH(change)                                                                               \
	do {                                                                                       \
		struct framebuffer f = kinds[0];                                                   \
                                                                                                   \
		change;                                                                            \
		assert_non_null(framebuffer_error(&f));                                            \
	} while (0)

static void what_is_none(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < KINDS; kind++)
		assert_null(framebuffer_error(&kinds[kind]));
	for (unsigned int bits = 0; bits < 256; bits++) {
		struct framebuffer f = kinds[0];

		f.bits = (uint8_t)bits;
		if (bits != 24 && bits != 32)
			assert_non_null(framebuffer_error(&f));
	}
	WITH(f.red.size = 0);
	WITH(f.green.size = 33);
	WITH(f.blue.at = 25);
	WITH(f.blue.at = 255);
	WITH(f.width = 319);
	WITH(f.height = 0);
	WITH(f.width = UINT32_MAX);
	WITH(f.height = FRAMEBUFFER_SIDE_MAX + 1);
	WITH(f.pitch = 4 * WIDTH - 4);
	WITH(f.pitch = 4 * WIDTH + 2);
	WITH(f.pitch = 0);
	WITH(f.pitch = UINT32_MAX - 3);
	WITH(f.width = 0x40000000); /* times 4 is 0 */
	WITH(f.base = 0);
	WITH(f.base = 2);
	WITH(f.base = UINT64_MAX - 3);
}

static void size_of_letters(void **state)
{
	(void)state;
	assert_int_equal(framebuffer_scale(&(struct framebuffer){.width = 640}), 1);
	assert_int_equal(framebuffer_scale(&(struct framebuffer){.width = 1920}), 1);
	assert_int_equal(framebuffer_scale(&(struct framebuffer){.width = 2560}), 2);
	assert_int_equal(framebuffer_scale(&(struct framebuffer){.width = 3840}), 2);
}

/* What hv/font.h promises to who reads pixels. */
static void the_font(void **state)
{
	(void)state;
	for (int c = FONT_FIRST; c <= FONT_LAST; c++) {
		const uint8_t *shape = font[c - FONT_FIRST];
		bool empty = true;

		for (int row = 0; row < FONT_HEIGHT; row++) {
			assert_int_equal(shape[row] & 1, 0);
			empty = empty && !shape[row];
		}
		assert_int_equal(shape[FONT_HEIGHT - 1], 0);
		assert_int_equal(empty, c == ' ');
		for (int other = FONT_FIRST; other < c; other++)
			assert_memory_not_equal(shape, font[other - FONT_FIRST], FONT_HEIGHT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_of_each_depth),
		cmocka_unit_test(letters_beyond),
		cmocka_unit_test(letters_that_the_font_lacks),
		cmocka_unit_test(colors),
		cmocka_unit_test(fill),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(size_of_letters),
		cmocka_unit_test(the_font),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
