/*
 * hv/serial.c: what is a UART and what is none, and which port is used. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static uint8_t fake_inb(uint16_t port);
static void fake_outb(uint16_t port, uint8_t value);
#define inb  fake_inb
#define outb fake_outb
#include "hv/serial.c"

/* What is at UART to UART + 7. The lines are the cable's, unless looped back. */
static enum { UART_16550, FLOATS_HIGH, FLOATS_LOW, KEEPS_LAST, LACKS_LOOP, IS_MEMORY } kind;
enum { UART = 0x3e8, LINES = 0xb0 };

static uint8_t registers[8], divisor, last;
static char sent[64];
static unsigned int sent_count, writes;

static uint8_t looped(uint8_t control)
{
	return (uint8_t)((control & 0x0c) << 4 | (control & 2) << 3 | (control & 1) << 5);
}

static uint8_t fake_inb(uint16_t port)
{
	unsigned int index = port - UART;

	assert_in_range(port, UART, UART + 7);
	switch (kind) {
	case FLOATS_HIGH:
		return 0xff;
	case FLOATS_LOW:
		return 0;
	case KEEPS_LAST:
		return last;
	case IS_MEMORY:
		return registers[index];
	default:
		break;
	}
	if (index == 5)
		return 0x60;
	if (index == 6)
		return kind == UART_16550 && registers[4] & 0x10 ? looped(registers[4]) : LINES;
	return registers[index];
}

static void fake_outb(uint16_t port, uint8_t value)
{
	unsigned int index = port - UART;

	assert_in_range(port, UART, UART + 7);
	writes++;
	last = value;
	if (index == 0 && registers[3] & 0x80)
		divisor = value;
	else if (index == 0)
		sent[sent_count++] = (char)value;
	else
		registers[index] = value;
}

static int setup(void **state)
{
	(void)state;
	memset(registers, 0, sizeof(registers));
	sent_count = writes = 0;
	kind = UART_16550;
	registers[4] = 0x0b;
	return 0;
}

static void answers(void **state)
{
	(void)state;
	assert_true(serial_answers(UART));
	assert_int_equal(registers[4], 0x0b); /* as it was */
	registers[3] = 0x80;
	assert_true(serial_answers(UART));
	assert_int_equal(sent_count, 0);
	for (kind = FLOATS_HIGH; kind <= IS_MEMORY; kind++)
		assert_false(serial_answers(UART));
}

static void is_used(void **state)
{
	(void)state;
	serial_use(UART);
	assert_int_equal(serial_port(), UART);
	assert_int_equal(divisor, 1);
	assert_int_equal(registers[3], 3);
	assert_true(serial_shows_data());
	registers[3] |= 0x80;
	assert_false(serial_shows_data());
	registers[3] = 3;
	sent_count = 0;
	serial_write("a\nb", 3);
	assert_memory_equal(sent, "a\r\nb", 4);
	assert_int_equal(sent_count, 4);
}

static void is_off(void **state)
{
	(void)state;
	serial_use(0);
	serial_write("lost", 4);
	assert_int_equal(serial_port(), 0);
	assert_int_equal(writes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers, setup),
		cmocka_unit_test_setup(is_used, setup),
		cmocka_unit_test_setup(is_off, setup),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
