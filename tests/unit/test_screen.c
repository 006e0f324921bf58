/*
 * hv/screen.c: text that wraps and scrolls, on pixels and on a VGA; what is drawn is what differs;
 * and a panic gets the screen only where it still is. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/screen.c"

static bool screen_is_there(void)
{
	return screen.kind != KIND_NONE;
}

enum { WIDTH = 324, HEIGHT = 210, COLUMNS = 40, ROWS = 13 };

static uint32_t pixels[HEIGHT][WIDTH];
static char vga[VGA_TEXT_ROWS][VGA_TEXT_COLUMNS];
static unsigned int puts_to_vga, maps;
static bool text_is_on, moved;

volatile void *screen_map_pixels(uint64_t base, uint64_t bytes)
{
	assert_true(base == 0xe0000000);
	assert_int_equal(bytes, sizeof(pixels));
	maps++;
	return pixels;
}

bool pci_has_not_moved(const struct pci_memory *memory)
{
	assert_int_equal(memory->function, 0x10);
	return !moved;
}

bool vga_text_is_on(void)
{
	return text_is_on;
}

void vga_text_put(unsigned int column, unsigned int row, char c)
{
	assert_true(column < VGA_TEXT_COLUMNS && row < VGA_TEXT_ROWS);
	vga[row][column] = c;
	puts_to_vga++;
}

static void use_pixels(void)
{
	static const struct framebuffer framebuffer = {.base = 0xe0000000,
	                                               .pitch = sizeof(pixels[0]),
	                                               .width = WIDTH,
	                                               .height = HEIGHT,
	                                               .bits = 32,
	                                               .red = {16, 8},
	                                               .green = {8, 8},
	                                               .blue = {0, 8}};
	static const struct pci_memory memory = {.function = 0x10};

	memset(pixels, 0xaa, sizeof(pixels));
	screen_use_pixels(&framebuffer, &memory);
}

static int setup(void **state)
{
	(void)state;
	memset(&screen, 0, sizeof(screen));
	memset(vga, 0xee, sizeof(vga));
	puts_to_vga = maps = 0;
	text_is_on = true;
	moved = false;
	return 0;
}

static void say(const char *line)
{
	screen_write(line, strlen(line));
}

/* The text of a row of cells, by the font; what is no letter is a tilde. */
static const char *row_of_pixels(unsigned int row)
{
	static char line[COLUMNS + 1];

	for (unsigned int column = 0; column < COLUMNS; column++) {
		uint8_t shape[FONT_HEIGHT] = {0};

		for (unsigned int i = 0; i < FONT_WIDTH * FONT_HEIGHT; i++) {
			uint32_t pixel = pixels[row * FONT_HEIGHT + i / FONT_WIDTH]
					       [column * FONT_WIDTH + i % FONT_WIDTH];

			assert_true(pixel == GREY || pixel == BLACK);
			if (pixel == GREY)
				shape[i / FONT_WIDTH] |= (uint8_t)(0x80 >> i % FONT_WIDTH);
		}
		for (line[column] = FONT_LAST; line[column] > FONT_FIRST; line[column]--) {
			if (!memcmp(shape, font[line[column] - FONT_FIRST], FONT_HEIGHT))
				break;
		}
	}
	for (unsigned int end = COLUMNS; end && line[end - 1] == ' '; end--)
		line[end - 1] = '\0';
	return line;
}

static void nothing_without(void **state)
{
	(void)state;
	say("nobody reads it\n");
	screen_map();
	screen_redraw();
	assert_false(screen_is_there());
	assert_false(screen_take_back());
	assert_int_equal(maps + puts_to_vga, 0);
}

static void clears_all(void **state)
{
	(void)state;
	use_pixels();
	assert_true(screen_is_there());
	for (unsigned int i = 0; i < WIDTH * HEIGHT; i++)
		assert_int_equal(pixels[i / WIDTH][i % WIDTH], BLACK);
}

static void wraps(void **state)
{
	(void)state;
	use_pixels();
	say("one\n");
	say("0123456789012345678901234567890123456789"); /* a whole row */
	say("\nthree \x80\n");
	say("0123456789012345678901234567890123456789x\n\nend");
	assert_string_equal(row_of_pixels(0), "one");
	assert_string_equal(row_of_pixels(1), "0123456789012345678901234567890123456789");
	assert_string_equal(row_of_pixels(2), "three ?");
	assert_string_equal(row_of_pixels(3), "0123456789012345678901234567890123456789");
	assert_string_equal(row_of_pixels(4), "x");
	assert_string_equal(row_of_pixels(5), "");
	assert_string_equal(row_of_pixels(6), "end");
}

static void scrolls(void **state)
{
	char line[16];

	(void)state;
	use_pixels();
	for (unsigned int i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "line %u\n", i);
		say(line);
	}
	for (unsigned int row = 0; row < ROWS; row++) {
		snprintf(line, sizeof(line), "line %u", 100 - ROWS + row);
		assert_string_equal(row_of_pixels(row), line);
	}
}

static void draws_what_differs(void **state)
{
	(void)state;
	screen_use_text();
	puts_to_vga = 0;
	say("abc\n");
	assert_int_equal(puts_to_vga, 3);
	for (unsigned int i = 1; i < VGA_TEXT_ROWS; i++)
		say("abd\n");
	puts_to_vga = 0;
	say("abd\n"); /* scrolls one row up: one c becomes a d */
	assert_int_equal(puts_to_vga, 1);
	assert_memory_equal(vga[0], "abd ", 4);
	puts_to_vga = 0;
	screen_redraw();
	assert_int_equal(puts_to_vga, VGA_TEXT_ROWS * VGA_TEXT_COLUMNS);
}

/* Who dies beside one that hangs amid a line does not wait for ever: then two write at once. */
static void stays_within(void **state)
{
	(void)state;
	use_pixels();
	screen.column = COLUMNS + 1;
	screen.row = ROWS;
	say("xyz");
	assert_true(screen.column <= COLUMNS);
	assert_true(screen.row < ROWS);
	assert_memory_equal(text[ROWS - 1], "xyz ", 4);
}

/* L1 has drawn everywhere; what a panic says first stays. */
static void is_taken_back(void **state)
{
	(void)state;
	use_pixels();
	say("of the boot\n");
	memset(pixels, 0x55, sizeof(pixels));
	assert_true(screen_take_back());
	say("panic\n");
	for (unsigned int i = 0; i < 50; i++)
		say("more\n");
	assert_string_equal(row_of_pixels(0), "panic");
	assert_string_equal(row_of_pixels(ROWS - 1), "more");
	memset(pixels, 0x55, sizeof(pixels));
	screen_redraw();
	assert_string_equal(row_of_pixels(0), "panic");
}

static void is_not_taken_back(void **state)
{
	(void)state;
	use_pixels();
	memset(pixels, 0x55, sizeof(pixels));
	moved = true;
	assert_false(screen_take_back());
	say("panic\n");
	screen_redraw();
	for (unsigned int i = 0; i < WIDTH * HEIGHT; i++)
		assert_int_equal(pixels[i / WIDTH][i % WIDTH], 0x55555555);

	screen_use_text();
	puts_to_vga = 0;
	text_is_on = false;
	assert_false(screen_take_back());
	say("panic\n");
	assert_int_equal(puts_to_vga, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_without, setup),
		cmocka_unit_test_setup(clears_all, setup),
		cmocka_unit_test_setup(wraps, setup),
		cmocka_unit_test_setup(scrolls, setup),
		cmocka_unit_test_setup(draws_what_differs, setup),
		cmocka_unit_test_setup(stays_within, setup),
		cmocka_unit_test_setup(is_taken_back, setup),
		cmocka_unit_test_setup(is_not_taken_back, setup),
	};

	return cmocka_run_group_tests_name("screen", tests, NULL, NULL);
}
