/*
 * COM1 (16550), polled. Relies on hv/x86.h.
 */
#include "hv/serial.h"
#include "hv/x86.h"

enum {
	COM1 = COM1_DATA,
	REG_DATA = 0,
	REG_INTERRUPTS = 1,
	REG_FIFO = 2,
	REG_LINE_CONTROL = 3,
	REG_MODEM_CONTROL = 4,
	REG_LINE_STATUS = 5,
	LINE_STATUS_CAN_SEND = 1 << 5,
	LINE_CONTROL_8N1 = 3,
	LINE_CONTROL_DIVISOR = 0x80,
	DIVISOR_115200 = 1,
	POLLS = 100000, /* a byte takes 87 us at this speed; a port that is not there reads as 0xff
	                 */
};

void serial_init(void)
{
	outb(COM1 + REG_INTERRUPTS, 0);
	outb(COM1 + REG_LINE_CONTROL, LINE_CONTROL_DIVISOR);
	outb(COM1 + REG_DATA, DIVISOR_115200);
	outb(COM1 + REG_INTERRUPTS, 0);
	outb(COM1 + REG_LINE_CONTROL, LINE_CONTROL_8N1);
	outb(COM1 + REG_FIFO, 7);
	outb(COM1 + REG_MODEM_CONTROL, 3);
}

static void serial_put(char c)
{
	for (int i = 0; i < POLLS; i++) {
		if (inb(COM1 + REG_LINE_STATUS) & LINE_STATUS_CAN_SEND)
			break;
	}
	outb(COM1 + REG_DATA, (uint8_t)c);
}

void serial_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			serial_put('\r');
		serial_put(text[i]);
	}
}

bool serial_shows_data(void)
{
	return !(inb(COM1 + REG_LINE_CONTROL) & LINE_CONTROL_DIVISOR);
}
