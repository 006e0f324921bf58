/*
 * guest/lib/report.c: what an image writes is what the EFI program finds (boot/efi/report.c), up to
 * a full region. Relies on cmocka, and on memory below 4 GiB, as images have it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "boot/efi/report.h"
#include "guest/lib/cmdline.h"
#include "guest/lib/paging.h"
#include "guest/lib/report.h"

enum { RUN = 9, STEP = 2 };

static char *region;
static char word[16];
static uint64_t mapped_bytes;

/* The image's command line, of which only report= matters. */
const char *cmdline_value(const char *key)
{
	assert_string_equal(key, "report");
	return word[0] ? word : NULL;
}

void pt_map_range(struct pt *pt, uint64_t address, uint64_t to, uint64_t bytes,
                  unsigned int max_level, uint64_t flags)
{
	(void)pt;
	assert_int_equal(address, (uintptr_t)region);
	assert_int_equal(to, address);
	assert_int_equal(max_level, 2);
	assert_int_equal(flags, PT_RW);
	mapped_bytes += bytes;
}

static enum report_found found(struct report_text *text)
{
	return report_find(region, RUN, STEP, text);
}

static void without(void **state)
{
	struct report_text text;

	(void)state;
	memset(region, 0, REPORT_TEXT_AT);
	report_init(); /* no word */
	assert_false(report_is_in(0, UINT32_MAX));
	report_map(NULL);
	report_write("a", 1);
	report_end(true);
	snprintf(word, sizeof(word), "0x%lx", (unsigned long)(uintptr_t)region);
	report_init(); /* a word, but no region there */
	report_map(NULL);
	report_write("a", 1);
	report_end(true);
	assert_int_equal(mapped_bytes, 0);
	for (size_t i = 0; i < REPORT_TEXT_AT + 8; i++)
		assert_int_equal(region[i], 0);
	report_begin(region, RUN, STEP, false);
	snprintf(word, sizeof(word), "0x%lx", (unsigned long)(uintptr_t)region + 8);
	report_begin(region + 8, RUN, STEP, false);
	report_init(); /* not where a page begins */
	report_write("a", 1);
	assert_int_equal(report_find(region + 8, RUN, STEP, &text), REPORT_UNFINISHED);
	assert_int_equal(text.length, 0);
}

static void begin(void)
{
	report_begin(region, RUN, STEP, false);
	snprintf(word, sizeof(word), "0x%lx", (unsigned long)(uintptr_t)region);
	report_init();
}

static void with(void **state)
{
	struct report_text text;

	(void)state;
	begin();
	mapped_bytes = 0;
	report_map(NULL);
	assert_int_equal(mapped_bytes, REPORT_REGION);
	assert_true(report_is_in((uintptr_t)region + REPORT_REGION - 1, 1));
	assert_true(report_is_in((uintptr_t)region - 1, 2));
	assert_false(report_is_in((uintptr_t)region + REPORT_REGION, 4096));
	assert_false(report_is_in((uintptr_t)region - 4096, 4096));
	report_write("ok 1 - a\n", 9);
	assert_int_equal(found(&text), REPORT_UNFINISHED);
	report_write("", 0);
	report_write("1..1\n", 5);
	assert_int_equal(found(&text), REPORT_UNFINISHED);
	assert_int_equal(text.length, 14);
	assert_memory_equal(text.at, "ok 1 - a\n1..1\n", 14);
	report_end(true);
	assert_int_equal(found(&text), REPORT_ENDED_GOOD);
	begin();
	report_end(false);
	assert_int_equal(found(&text), REPORT_ENDED_BAD);
	report_leave(); /* there is no program to go to */
	assert_int_equal(found(&text), REPORT_ENDED_BAD);
}

/* What does not fit is dropped, what is kept of the report before stays, and the end is no good
 * one. */
static void full(void **state)
{
	static char piece[4000];
	struct report_text text;

	(void)state;
	begin();
	memset(piece, 'x', sizeof(piece));
	memset(region + REPORT_KEPT_AT, 'k', REPORT_REGION - REPORT_KEPT_AT);
	for (size_t i = 0; i <= REPORT_TEXT_ROOM / sizeof(piece); i++)
		report_write(piece, sizeof(piece));
	report_write(piece, 1);
	assert_int_equal(found(&text), REPORT_UNFINISHED);
	assert_int_equal(text.length, REPORT_TEXT_ROOM);
	assert_int_equal(region[REPORT_KEPT_AT - 1], 'x');
	assert_int_equal(region[REPORT_KEPT_AT], 'k');
	report_end(true);
	assert_int_equal(found(&text), REPORT_ENDED_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without),
		cmocka_unit_test(with),
		cmocka_unit_test(full),
	};

	region = mmap(NULL, REPORT_REGION, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (region == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
