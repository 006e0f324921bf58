/*
 * The letters of L0's screen and of the images'. Relies on nothing; builds for 32 and 64 bits.
 */
#ifndef HV_FONT_H
#define HV_FONT_H

#include <stdint.h>

enum { FONT_WIDTH = 8, FONT_HEIGHT = 16, FONT_FIRST = ' ', FONT_LAST = '~' };

/*
 * A byte for each row, from the top; bit 7 is the pixel on the left. No two letters are the same,
 * and the column on the right and the row at the bottom are empty: so a reader of pixels knows the
 * background of each cell (tests/system/read-screen.c).
 */
extern const uint8_t font[FONT_LAST - FONT_FIRST + 1][FONT_HEIGHT];

#endif
