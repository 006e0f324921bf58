/*
 * boot/efi/text.c: what editors and firmware write, and what is no text. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/text.h"

/* A string's bytes without the NUL that the compiler adds. */
#define BYTES(string) (string), sizeof(string) - 1

static char out[64];
static size_t where;

/* The bytes in memory of their own, whose ends the sanitizer guards. */
static void *copy_of(const char *bytes, size_t size)
{
	void *copy = malloc(size + 1); /* malloc(0) may be NULL */

	assert_non_null(copy);
	memcpy((char *)copy + 1, bytes, size);
	return copy;
}

static const char *decode_file(const char *bytes, size_t size)
{
	char *copy = copy_of(bytes, size);
	struct text text = text_of_file(copy + 1, size);
	const char *error = text_decode(&text, out, sizeof(out), &where);

	free(copy);
	return error;
}

static void file(const char *bytes, size_t size, const char *expected)
{
	const char *error = decode_file(bytes, size);

	if (error)
		fail_msg("%s", error);
	assert_string_equal(out, expected);
}

static void broken(const char *bytes, size_t size, const char *error, size_t character)
{
	assert_string_equal(decode_file(bytes, size), error);
	assert_int_equal(where, character);
}

static bool decode_options(const char *bytes, size_t size)
{
	char *copy = copy_of(bytes, size);
	struct text text;
	bool is_text = text_of_options(copy + 1, size, &text);

	out[0] = '\0';
	if (is_text && text_decode(&text, out, sizeof(out), &where))
		strcpy(out, "broken");
	free(copy);
	return is_text;
}

static void options(const char *bytes, size_t size, const char *expected)
{
	assert_true(decode_options(bytes, size));
	assert_string_equal(out, expected);
}

static void files(void **state)
{
	(void)state;
	file(BYTES(""), "");
	file(BYTES("a"), "a");
	file(BYTES("l1=x\r\nnpt=off\n"), "l1=x\r\nnpt=off\n");
	file(BYTES("\xef\xbb\xbfl1=x"), "l1=x");
	file(BYTES("\xef\xbb\xbf"), "");
	file(BYTES("l1=gr\xc3\xb6\xc3\x9f"), "l1=gr\xc3\xb6\xc3\x9f");
	file(BYTES("\xff\xfel\0001\0=\0\xf6\0"), "l1=\xc3\xb6");
	file(BYTES("\xfe\xff\0l\0001\0=\0\xf6"), "l1=\xc3\xb6");
	file(BYTES("\xff\xfe"), "");
	file(BYTES("\xfe\xff"), "");
	file(BYTES("l\0001\0"), "l1");
	file(BYTES("\0l\0001"), "l1");
	file(BYTES("\xff\xfe\x20\x20\x2c\x4e\x3d\xd8\x00\xde"),
	     "\xe2\x80\xa0\xe4\xb8\xac\xf0\x9f\x98\x80");
	file(BYTES("\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"), "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
	file(BYTES("ab\0c"), "ab?c"); /* the words' parser will name it */
}

static void last_ctrl_z(void **state)
{
	(void)state;
	file(BYTES("l1=x\r\n\x1a"), "l1=x\r\n");
	file(BYTES("\x1a"), "");
	file(BYTES("\xef\xbb\xbf\x1a"), "");
	file(BYTES("\xff\xfel\0\x1a\0"), "l");
	file(BYTES("\xfe\xff\0l\0\x1a"), "l");
	file(BYTES("l1\x1ax"), "l1\x1ax");
}

static void names_what_is_broken(void **state)
{
	(void)state;
	broken(BYTES("l1=gr\xf6\xdf"), "is no UTF-8", 6); /* Latin-1 */
	broken(BYTES("a\x80"), "is no UTF-8", 2);
	broken(BYTES("a\xc3"), "is no UTF-8", 2);
	broken(BYTES("a\xe2\x80"), "is no UTF-8", 2);
	broken(BYTES("ab\xc1\xbf"), "is no UTF-8", 3);
	broken(BYTES("\xe0\x80\x80"), "is no UTF-8", 1);
	broken(BYTES("\xed\xa0\x80"), "is no UTF-8", 1);
	broken(BYTES("\xf4\x90\x80\x80"), "is no UTF-8", 1);
	broken(BYTES("\xf8\x88\x80\x80\x80"), "is no UTF-8", 1);
	broken(BYTES("\xff\xfe\x61\0\x62"), "is no UTF-16", 2);
	broken(BYTES("\xff\xfe\x61\0\x3d\xd8"), "is no UTF-16", 2);
	broken(BYTES("\xff\xfe\x3d\xd8\x61\0"), "is no UTF-16", 1);
	broken(BYTES("\xff\xfe\0\xdc"), "is no UTF-16", 1);
	broken("\xff\xfe", 1, "is no UTF-8", 1);
	memset(out, 'x', sizeof(out));
	broken(BYTES("0123456789012345678901234567890123456789012345678901234567890123"),
	       "is one too many", 61);
}

static void reads_options(void **state)
{
	(void)state;
	options(BYTES("n\0 \0a\0=\0b\0"), "n a=b");
	options(BYTES("n\0 \0a\0=\0b\0\0\0x\0"), "n a=b");
	options(BYTES("\xff\xfe"
	              "a\0=\0b\0\0\0"),
	        "a=b");
	options(BYTES("\xfe\xff\0a\0=\0b"), "a=b");
	options(BYTES("a\0\n\0\r\0\t\0"), "a\n\r\t");
	options(BYTES("l\0=\0\xf6\0"), "l=\xc3\xb6");
	options(BYTES("l\0=\0\x2c\x4e"), "l=\xe4\xb8\xac");
	options(BYTES("l\0=\0\x1b\0"), "l=\x1b");
	options(BYTES("l\0=\0x\0y"), "l=x"); /* half a character */
	options(BYTES("l\0=\0\x3d\xd8"), "broken");
	options(BYTES("l1=pae npt=off"), "l1=pae npt=off"); /* 8 bits */
	options(BYTES("l1=pae npt=on"), "l1=pae npt=on");
	options(BYTES("l1=pae npt=on\0more"), "l1=pae npt=on");
	options(BYTES("\xef\xbb\xbfl1=pae"), "l1=pae");
}

static void knows_what_is_no_text(void **state)
{
	(void)state;
	assert_false(decode_options(BYTES("")));
	assert_false(decode_options(BYTES("\0")));
	assert_false(decode_options(BYTES("\0\0=\0")));
	assert_false(decode_options(BYTES("\xff\xfe")));
	/* What firmware adds to entries that it made itself. */
	assert_false(decode_options(
		BYTES("\x4e\xac\x08\x81\x11\x9f\x59\x4d\x85\x0e\xe2\x1a\x52\x2c\x59\xb2")));
	assert_false(decode_options(BYTES("WINDOWS\0\1\0\0\0\x88\0\0\0")));
	assert_false(decode_options(BYTES("RC")));
}

static void goes_back(void **state)
{
	uint16_t wide[8];

	(void)state;
	assert_true(text_to_utf16("a\xc3\xb6\xe4\xb8\xac\xf0\x9f\x98\x80", wide, 8));
	assert_int_equal(wide[0], 'a');
	assert_int_equal(wide[1], 0xf6);
	assert_int_equal(wide[2], 0x4e2c);
	assert_int_equal(wide[3], 0xd83d);
	assert_int_equal(wide[4], 0xde00);
	assert_int_equal(wide[5], 0);
	assert_true(text_to_utf16("\xff", wide, 8));
	assert_int_equal(wide[0], '?');
	assert_true(text_to_utf16("abcdef", wide, 8));
	assert_false(text_to_utf16("abcdefg", wide, 8));
	assert_true(text_to_utf16("", wide, 8));
	assert_int_equal(wide[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(last_ctrl_z),
		cmocka_unit_test(names_what_is_broken),
		cmocka_unit_test(reads_options),
		cmocka_unit_test(knows_what_is_no_text),
		cmocka_unit_test(goes_back),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
