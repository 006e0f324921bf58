/*
 * boot/efi/chain_menu.c: which key means what, and that no key does not wait for ever. Relies on
 * cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/chain.h"

static const char *keys;   /* that are pressed; '.' is none for a while, '^' one without a letter */
static unsigned int early; /* of them before the line */
static unsigned int asked; /* for a key, since the last one */
static UINTN waited;       /* microseconds */
static char line[256];

static EFI_STATUS EFIAPI read_key(SIMPLE_INPUT_INTERFACE *from, EFI_INPUT_KEY *key)
{
	(void)from;
	if (!*keys || (!early && !line[0]) || (line[0] && asked++ < 3))
		return EFI_NOT_READY;
	asked = 0;
	if (early)
		early--;
	if (*keys == '.') {
		keys++;
		return EFI_NOT_READY;
	}
	key->ScanCode = 0;
	key->UnicodeChar = (CHAR16)(*keys == '^' ? 0 : *keys);
	keys++;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI stall(UINTN microseconds)
{
	waited += microseconds;
	return EFI_SUCCESS;
}

static SIMPLE_INPUT_INTERFACE input = {.ReadKeyStroke = read_key};
static EFI_BOOT_SERVICES boot_services = {.Stall = stall};
static EFI_SYSTEM_TABLE table = {.BootServices = &boot_services, .ConIn = &input};
EFI_SYSTEM_TABLE *efi = &table;

void efi_say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
}

static enum chain_choice ask(const char *pressed, unsigned int before)
{
	static struct config config = {.chain = "auto", .menu = 5};

	keys = pressed;
	early = before;
	asked = 0;
	waited = 0;
	line[0] = 0;
	return chain_ask(&config);
}

static void keys_mean(void **state)
{
	(void)state;
	assert_int_equal(ask("\r", 0), CHAIN_BELOW);
	assert_string_equal(line, "Return: chain=auto with Nestling below; w: without Nestling; "
	                          "f: back to the firmware. Return in 5 seconds");
	assert_true(waited < 1000000);
	assert_int_equal(ask("w", 0), CHAIN_WITHOUT);
	assert_int_equal(ask("W", 0), CHAIN_WITHOUT);
	assert_int_equal(ask("f", 0), CHAIN_BACK);
	assert_int_equal(ask("F", 0), CHAIN_BACK);
	assert_int_equal(ask("x.^f", 0), CHAIN_BACK); /* others are none */
}

static void time_runs_out(void **state)
{
	static char many[1000];

	(void)state;
	assert_int_equal(ask("", 0), CHAIN_BELOW);
	assert_int_equal(waited, 5000000);
	assert_int_equal(ask("xxx", 0), CHAIN_BELOW);
	assert_int_equal(waited, 5000000);
	/* What was pressed before is no answer; nor does a line that never ends hold it up. */
	assert_int_equal(ask("ffw", 3), CHAIN_BELOW);
	assert_int_equal(waited, 5000000);
	memset(many, 'x', sizeof(many) - 1);
	assert_int_equal(ask(many, sizeof(many)), CHAIN_BELOW);
	assert_int_equal(waited, 5000000);
}

static void no_keyboard(void **state)
{
	(void)state;
	table.ConIn = NULL;
	assert_int_equal(ask("f", 0), CHAIN_BELOW);
	assert_int_equal(waited, 0);
	assert_string_equal(line, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_mean),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(no_keyboard),
	};

	return cmocka_run_group_tests_name("efi_chain_menu", tests, NULL, NULL);
}
