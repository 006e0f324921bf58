/*
 * Reads text from a picture of the screen (QEMU's screendump, PPM) by the font that it was written
 * in: read-screen FILE [SCALE [X Y]]. Cells begin at X, Y, and are as large as framebuffer_scale()
 * has it unless told. Blanks at the end of a line and lines at the end are left out; a cell that
 * holds no letter is a Unicode replacement character. Relies on hv/font.h.
 */
#include "hv/font.h"
#include "hv/framebuffer.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIXEL = 3, MAXIMUM = 255 };

struct picture {
	unsigned int width, height;
	unsigned char *pixels;
};

static void die(const char *what)
{
	fprintf(stderr, "read-screen: %s\n", what);
	exit(2);
}

static struct picture read_picture(const char *name)
{
	FILE *file = fopen(name, "rb");
	struct picture picture;
	unsigned int maximum;
	size_t bytes;

	if (!file || fscanf(file, "P6 %u %u %u", &picture.width, &picture.height, &maximum) != 3 ||
	    maximum != MAXIMUM || picture.width > FRAMEBUFFER_SIDE_MAX ||
	    picture.height > FRAMEBUFFER_SIDE_MAX || fgetc(file) == EOF)
		die("there is no such file, or it is no PPM of 8 bits");
	bytes = (size_t)picture.width * picture.height * PIXEL;
	picture.pixels = malloc(bytes);
	if (!picture.pixels || fread(picture.pixels, 1, bytes, file) != bytes)
		die("the file is cut short");
	fclose(file);
	return picture;
}

static const unsigned char *pixel_at(const struct picture *picture, unsigned int x, unsigned int y)
{
	return picture->pixels + ((size_t)y * picture->width + x) * PIXEL;
}

/* Is all of the font's pixel either ground or one other colour, the same in all of the cell? */
static bool read_dot(const struct picture *picture, unsigned int x, unsigned int y,
                     unsigned int scale, const unsigned char *back, const unsigned char **fore,
                     bool *on)
{
	const unsigned char *first = pixel_at(picture, x, y);

	*on = memcmp(first, back, PIXEL) != 0;
	if (*on && !*fore)
		*fore = first;
	if (*on && memcmp(first, *fore, PIXEL) != 0)
		return false;
	for (unsigned int i = 0; i < scale * scale; i++) {
		if (memcmp(pixel_at(picture, x + i % scale, y + i / scale), first, PIXEL) != 0)
			return false;
	}
	return true;
}

static const char *read_cell(const struct picture *picture, unsigned int x, unsigned int y,
                             unsigned int scale)
{
	/* No letter has a pixel in its last column. */
	const unsigned char *back = pixel_at(picture, x + (FONT_WIDTH - 1) * scale, y);
	const unsigned char *fore = NULL;
	unsigned char shape[FONT_HEIGHT] = {0};
	static char letter[2];

	for (unsigned int row = 0; row < FONT_HEIGHT; row++) {
		for (unsigned int column = 0; column < FONT_WIDTH; column++) {
			bool on;

			if (!read_dot(picture, x + column * scale, y + row * scale, scale, back,
			              &fore, &on))
				return "\xef\xbf\xbd";
			shape[row] |= (unsigned char)(on << (FONT_WIDTH - 1 - column));
		}
	}
	for (letter[0] = FONT_FIRST; letter[0] <= FONT_LAST; letter[0]++) {
		if (!memcmp(shape, font[letter[0] - FONT_FIRST], FONT_HEIGHT))
			return letter;
	}
	return "\xef\xbf\xbd";
}

static void print_line(const struct picture *picture, unsigned int left, unsigned int y,
                       unsigned int scale, unsigned int *empty)
{
	unsigned int blanks = 0;
	bool begun = false;

	for (unsigned int x = left; x + FONT_WIDTH * scale <= picture->width;
	     x += FONT_WIDTH * scale) {
		const char *cell = read_cell(picture, x, y, scale);

		if (*cell == ' ') {
			blanks++;
			continue;
		}
		for (; !begun && *empty; --*empty)
			putchar('\n');
		begun = true;
		for (; blanks; blanks--)
			putchar(' ');
		fputs(cell, stdout);
	}
	if (begun)
		putchar('\n');
	else
		++*empty;
}

int main(int count, char **words)
{
	struct picture picture;
	unsigned int scale, left, top, empty = 0;

	if (count < 2)
		die("use: read-screen FILE [SCALE [X Y]]");
	picture = read_picture(words[1]);
	scale = framebuffer_scale(&(struct framebuffer){.width = picture.width});
	if (count > 2)
		scale = (unsigned int)strtoul(words[2], NULL, 10);
	left = count > 4 ? (unsigned int)strtoul(words[3], NULL, 10) : 0;
	top = count > 4 ? (unsigned int)strtoul(words[4], NULL, 10) : 0;
	if (!scale || scale > FRAMEBUFFER_SIDE_MAX / FONT_HEIGHT)
		die("SCALE is no size of letters");
	for (unsigned int y = top; y + FONT_HEIGHT * scale <= picture.height;
	     y += FONT_HEIGHT * scale)
		print_line(&picture, left, y, scale, &empty);
	free(picture.pixels);
	return 0;
}
