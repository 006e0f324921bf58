/* Relies on hv/x86.h and hv/phys.h. */
#include "hv/vga_text.h"
#include "hv/phys.h"
#include "hv/x86.h"

/* IBM's VGA: the graphics controller's register 6, "miscellaneous". */
enum {
	PORT_INDEX = 0x3ce,
	PORT_VALUE = 0x3cf,
	REG_MISCELLANEOUS = 6,
	GRAPHICS_MODE = 1 << 0,
	MEMORY_MAP = 3 << 2,
	MEMORY_AT_B8000 = 3 << 2,
	GREY_ON_BLACK = 0x07,
};

bool vga_text_is_on(void)
{
	uint8_t index = inb(PORT_INDEX), value;

	outb(PORT_INDEX, REG_MISCELLANEOUS);
	value = inb(PORT_VALUE);
	outb(PORT_INDEX, index);
	return !(value & GRAPHICS_MODE) && (value & MEMORY_MAP) == MEMORY_AT_B8000;
}

void vga_text_put(unsigned int column, unsigned int row, char c)
{
	volatile uint16_t *cells = phys(VGA_TEXT_BASE);

	cells[row * VGA_TEXT_COLUMNS + column] = (uint16_t)(GREY_ON_BLACK << 8 | (uint8_t)c);
}
