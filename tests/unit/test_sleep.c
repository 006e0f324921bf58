/*
 * svm/emulate/sleep.c: what asks for S2 or S3 at a port or in memory is dropped, and nothing moves
 * the register; all else passes as it is. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svm/vcpu.h"

static void fake_outb(uint16_t port, uint8_t value);
#define outb fake_outb
#include "svm/emulate/sleep.c"

enum { S1 = 1, S3 = 3, S5 = 5, NONE = 6, PM1A = 0x804, PM1B = 0x904 };
#define GAS 0xfed00128ull /* of a sleep control register */

static char written[128]; /* what ports and kept pages got, as text */
static unsigned int lines, watch_count;
static const struct port_watcher *watchers[0x10000];
static uint64_t kept[4], taken; /* pages; the page that is memory */
static unsigned int kept_count;
static kept_store *owner;

static void note(uint64_t at, uint32_t value)
{
	size_t end = strlen(written);

	snprintf(written + end, sizeof(written) - end, "%llx=%x ", (unsigned long long)at, value);
}

static void fake_outb(uint16_t port, uint8_t value)
{
	note(port, value);
}

bool kept_write(uint64_t gpa, unsigned int size, uint32_t value)
{
	if (size > 4)
		return false;
	note(gpa, value);
	return true;
}

bool kept_add(uint64_t hpa, kept_store *by)
{
	assert_int_not_equal(hpa >> 12, taken >> 12);
	kept[kept_count++] = hpa;
	owner = by;
	return true;
}

void ports_watch(uint16_t first, unsigned int count, const struct port_watcher *watcher)
{
	watch_count++;
	while (count--)
		watchers[first + count] = watcher;
}

void log_aloud(const char *format, ...)
{
	(void)format;
	lines++;
}

void log_info(const char *format, ...)
{
	(void)format;
	lines++;
}

void processors_wait(void)
{
	fail(); /* there is no other processor */
}

static bool is_free(uint64_t hpa)
{
	return hpa >> 12 != taken >> 12;
}

static const struct sleep_states known = {
	.registers = {{PM1A + 1, false, 0}, {PM1B + 1, false, 1}, {GAS, true, 0}},
	.count = 3,
	.bad = 1 << S3,
};

static int setup(void **state)
{
	(void)state;
	memset(watchers, 0, sizeof(watchers));
	watch_count = kept_count = lines = 0;
	taken = 0;
	written[0] = 0;
	sleep_refuse(&known, is_free);
	return 0;
}

static uint32_t pm1(unsigned int type)
{
	return 1 << 13 | type << 10 | 1;
}

static void out(bool passes, uint16_t port, uint8_t size, uint32_t value, uint16_t watched)
{
	struct port_access access = {port, size, value};
	unsigned int before = lines;

	assert_non_null(watchers[watched]);
	assert_int_equal(watchers[watched]->write(&access), passes);
	assert_int_equal(access.value, value);
	assert_int_equal(lines - before, !passes);
}

/* Every width, wherever it begins: only the byte with SLP_TYP and SLP_EN counts. */
static void ports(void **state)
{
	(void)state;
	for (uint8_t size = 1; size <= 4; size *= 2) {
		for (uint8_t before = 0; before < size; before++) {
			uint16_t port = (uint16_t)(PM1A + 1 - before);

			out(false, port, size, pm1(S3) >> 8 << 8 * before, PM1A + 1);
			out(true, port, size, pm1(S1) >> 8 << 8 * before, PM1A + 1);
			out(true, port, size, (uint32_t)(S3 << 2) << 8 * before, PM1A + 1);
			out(false, port, size, pm1(S3) >> 8 << 8 * before | ~(0xffu << 8 * before),
			    PM1A + 1);
		}
	}
	out(false, PM1B, 2, pm1(S3), PM1B + 1);
	out(true, PM1B, 2, pm1(NONE), PM1B + 1);
	assert_null(watchers[PM1A]);
	assert_string_equal(written, "");
}

static void stores(const char *expected, uint64_t gpa, unsigned int size, uint32_t value)
{
	written[0] = 0;
	assert_true(owner(gpa, size, value));
	assert_string_equal(written, expected);
}

/* A port's number and an hpa are two things. */
static void a_port_of_the_same_number(void **state)
{
	struct sleep_states states = known;

	(void)state;
	states.registers[2].at = PM1A + 3;
	sleep_refuse(&states, is_free);
	out(true, PM1A + 2, 2, pm1(S3), PM1A + 1);
	stores("", PM1A + 2, 2, pm1(S3));
	stores("804=2d01 ", PM1A, 2, pm1(S3) | 1 << 8);
}

static void only_good_values_pass_where_s5_is_known(void **state)
{
	struct sleep_states states = known;

	(void)state;
	states.bad = 0;
	states.s5_is_known = true;
	states.good[0] = 1 << S5;
	states.good[1] = 1 << S1;
	sleep_refuse(&states, is_free);
	for (unsigned int type = 0; type < 8; type++) {
		out(type == S5, PM1A, 2, pm1(type), PM1A + 1);
		out(type == S1, PM1B, 2, pm1(type), PM1B + 1);
	}
}

static void memory(void **state)
{
	(void)state;
	assert_int_equal(kept_count, 2);
	assert_int_equal(kept[0], GAS);
	assert_int_equal(kept[1] & ~0xfffull, 0xfed80000);
	/* Of the sleep control register. */
	stores("", GAS, 1, 0x20 | S3 << 2);
	stores("", GAS - 3, 4, (0x20u | S3 << 2) << 24);
	stores("fed00128=34 ", GAS, 1, 0x20 | S5 << 2);
	stores("fed00128=c ", GAS, 1, S3 << 2);
	stores("fed00124=2c ", GAS - 4, 4, 0x20 | S3 << 2);
	stores("fed00129=2c ", GAS + 1, 1, 0x20 | S3 << 2);
	/* PM1 control of the FCH. */
	stores("", 0xfed80804, 2, pm1(S3));
	stores("", 0xfed80804, 4, pm1(S3));
	stores("", 0xfed80805, 1, pm1(S3) >> 8);
	stores("", 0xfed80802, 4, pm1(S3) << 16);
	stores("fed80804=3401 ", 0xfed80804, 2, pm1(S5));
	stores("fed80800=2c2c2c2c ", 0xfed80800, 4, 0x2c2c2c2c);
	stores("fed80806=2c2c ", 0xfed80806, 2, 0x2c2c);
	stores("fed80b00=81 ", 0xfed80b00, 4, 0x81);
	assert_false(owner(0xfed80b00, 8, 0));
}

static void a_page_that_is_memory(void **state)
{
	(void)state;
	taken = GAS;
	kept_count = lines = 0;
	sleep_refuse(&known, is_free);
	assert_int_equal(kept_count, 1);
	assert_int_equal(lines, 1);
	taken = 0xfed80000;
	kept_count = 0;
	sleep_refuse(&known, is_free);
	assert_int_equal(kept_count, 1);
	assert_int_equal(kept[0], GAS);
}

/* That is said; else somebody would believe that S3 is refused. */
static void nothing_is_known(void **state)
{
	struct sleep_states states = {.count = 0, .bad = 1 << S3};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		watch_count = kept_count = lines = 0;
		sleep_refuse(&states, is_free);
		assert_int_equal(watch_count + kept_count, 0);
		assert_int_equal(lines, 1);
		states = known;
		states.bad = 0;
	}
}

/* By whatever way a PM register is written: those that lead elsewhere keep their value. */
static bool is_held(unsigned int reg)
{
	return (reg >= 0x22 && reg <= 0x27) || reg == 0x62 || reg == 0x63;
}

static void out_pm(const char *expected, uint16_t port, uint8_t size, uint32_t value)
{
	struct port_access access = {port, size, value};

	written[0] = 0;
	assert_false(watchers[0xcd6]->write(&access));
	assert_string_equal(written, expected);
	assert_ptr_equal(watchers[0xcd6], watchers[0xcd7]);
}

static void nothing_moves_the_register(void **state)
{
	char text[64];

	(void)state;
	for (unsigned int reg = 0; reg < 0x100; reg++) {
		snprintf(text, sizeof(text), "cd6=%x ", reg);
		out_pm(text, 0xcd6, 1, reg);
		snprintf(text, sizeof(text), "cd6=%x cd7=55 ", reg);
		out_pm(is_held(reg) ? "" : text, 0xcd7, 1, 0x55);
		snprintf(text, sizeof(text), "fed80%x=55 ", 0x300 + reg);
		stores(is_held(reg) ? "" : text, 0xfed80300 + reg, 1, 0x55);
	}
	/* Wider ones, which reach them from beside. */
	stores("", 0xfed80320, 4, 0x04000800);
	stores("", 0xfed80361, 2, 0x0800);
	stores("fed80360=800 ", 0xfed80360, 2, 0x800);
	stores("fed80364=800 ", 0xfed80364, 4, 0x800);
	stores("fed80422=800 ", 0xfed80422, 2, 0x800);
	out_pm("cd6=62 ", 0xcd6, 2, 0x5562);
	out_pm("cd6=10 cd6=10 cd7=55 ", 0xcd6, 2, 0x5510);
	out_pm("cd4=1 cd5=2 cd6=63 ", 0xcd4, 4, 0x05630201);
	out_pm("cd8=2 ", 0xcd7, 2, 0x0201);
}

/* The log says so once; this one is the first. */
static void that_is_logged(void **state)
{
	(void)state;
	lines = 0;
	stores("", 0xfed80362, 2, 0x900);
	stores("", 0xfed80362, 2, 0x900);
	assert_int_equal(lines, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(that_is_logged, setup),
		cmocka_unit_test_setup(ports, setup),
		cmocka_unit_test_setup(a_port_of_the_same_number, setup),
		cmocka_unit_test_setup(only_good_values_pass_where_s5_is_known, setup),
		cmocka_unit_test_setup(memory, setup),
		cmocka_unit_test_setup(a_page_that_is_memory, setup),
		cmocka_unit_test_setup(nothing_is_known, setup),
		cmocka_unit_test_setup(nothing_moves_the_register, setup),
	};

	return cmocka_run_group_tests_name("sleep", tests, NULL, NULL);
}
