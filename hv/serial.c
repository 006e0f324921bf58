/*
 * A 16550, polled. Relies on hv/x86.h.
 */
#include "hv/serial.h"
#include "hv/x86.h"

enum {
	REG_DATA = 0,
	REG_INTERRUPTS = 1,
	REG_FIFO = 2,
	REG_LINE_CONTROL = 3,
	REG_MODEM_CONTROL = 4,
	REG_LINE_STATUS = 5,
	REG_MODEM_STATUS = 6,
	LINE_STATUS_CAN_SEND = 1 << 5,
	LINE_CONTROL_8N1 = 3,
	LINE_CONTROL_DIVISOR = 0x80,
	MODEM_CONTROL_ON = 3, /* DTR, RTS */
	MODEM_CONTROL_LOOP = 1 << 4,
	MODEM_STATUS_LINES = 0xf0,
	DIVISOR_115200 = 1,
	POLLS = 100000, /* a byte takes 87 us at this speed; a port that is not there reads as 0xff
	                 */
};

static uint16_t port = COM1_DATA;

static void write_register(unsigned int index, uint8_t value)
{
	outb((uint16_t)(port + index), value);
}

void serial_init(void)
{
	write_register(REG_INTERRUPTS, 0);
	write_register(REG_LINE_CONTROL, LINE_CONTROL_DIVISOR);
	write_register(REG_DATA, DIVISOR_115200);
	write_register(REG_INTERRUPTS, 0);
	write_register(REG_LINE_CONTROL, LINE_CONTROL_8N1);
	write_register(REG_FIFO, 7);
	write_register(REG_MODEM_CONTROL, MODEM_CONTROL_ON);
}

bool serial_answers(uint16_t at)
{
	/* What is sent, and where it comes back: RTS and OUT2 as CTS and DCD, DTR and OUT1 as DSR
	 * and RI. No bus that floats, or keeps what was written last, has both answers. */
	static const uint8_t lines[][2] = {{0x0a, 0x90}, {0x05, 0x60}};
	uint8_t before = inb((uint16_t)(at + REG_MODEM_CONTROL));
	bool answers = true;

	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		outb((uint16_t)(at + REG_MODEM_CONTROL), MODEM_CONTROL_LOOP | lines[i][0]);
		answers = answers && (inb((uint16_t)(at + REG_MODEM_STATUS)) &
		                      MODEM_STATUS_LINES) == lines[i][1];
	}
	outb((uint16_t)(at + REG_MODEM_CONTROL), before);
	return answers;
}

void serial_use(uint16_t at)
{
	port = at;
	if (port)
		serial_init();
}

uint16_t serial_port(void)
{
	return port;
}

static void serial_put(char c)
{
	for (int i = 0; i < POLLS; i++) {
		if (inb((uint16_t)(port + REG_LINE_STATUS)) & LINE_STATUS_CAN_SEND)
			break;
	}
	write_register(REG_DATA, (uint8_t)c);
}

void serial_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length && port; i++) {
		if (text[i] == '\n')
			serial_put('\r');
		serial_put(text[i]);
	}
}

bool serial_shows_data(void)
{
	return !(inb((uint16_t)(port + REG_LINE_CONTROL)) & LINE_CONTROL_DIVISOR);
}
