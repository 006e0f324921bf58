/*
 * boot/efi/report.c, run_state.c and tap_read.c: what is found after a reset, whatever it is, and
 * what is made of it. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/report.h"
#include "boot/efi/run_state.h"
#include "boot/efi/tap_read.h"

enum { RUN = 77, STEP = 4, WHOSE = 5 };

static unsigned char *region;
static struct report_text text;

static struct report_header *header(void)
{
	return (struct report_header *)region;
}

/* As an image does it. */
static void write_text(const char *words)
{
	size_t length = strlen(words);

	for (size_t i = 0; i < length; i++)
		region[REPORT_TEXT_AT + header()->length + i] = (unsigned char)words[i];
	header()->checksum = report_sum(header()->checksum, words, length);
	header()->length += (uint32_t)length;
}

static int new_region(void **state)
{
	(void)state;
	region = malloc(REPORT_REGION); /* the sanitizer guards its end */
	assert_non_null(region);
	memset(region, 0xa5, REPORT_REGION);
	return 0;
}

static int old_region(void **state)
{
	(void)state;
	free(region);
	return 0;
}

static enum report_found found(void)
{
	return report_find(region, RUN, STEP, &text);
}

static void reports(void **state)
{
	(void)state;
	assert_int_equal(found(), REPORT_LOST);
	report_begin(region, RUN, STEP, false);
	assert_int_equal(found(), REPORT_UNFINISHED);
	assert_int_equal(text.length, 0);
	write_text("ok 1 - a\n");
	write_text("1..1\n");
	assert_int_equal(found(), REPORT_UNFINISHED);
	assert_int_equal(text.length, 14);
	assert_memory_equal(text.at, "ok 1 - a\n1..1\n", 14);
	header()->end = REPORT_GOOD;
	assert_int_equal(found(), REPORT_ENDED_GOOD);
	header()->end = REPORT_BAD;
	assert_int_equal(found(), REPORT_ENDED_BAD);
	assert_int_equal(report_find(region, RUN, STEP + 1, &text), REPORT_LOST);
	assert_int_equal(text.length, 0);
	assert_int_equal(report_find(region, RUN + 1, STEP, &text), REPORT_LOST);
	report_begin(region, RUN, STEP, false);
	assert_int_equal(found(), REPORT_UNFINISHED);
	assert_int_equal(text.length, 0);
}

static void damage(void **state)
{
	(void)state;
	report_begin(region, RUN, STEP, false);
	write_text("ok 1 - a\n");
	region[REPORT_TEXT_AT + 3] = 0;
	assert_int_equal(found(), REPORT_DAMAGED);
	assert_int_equal(text.length, 3);
	header()->length = UINT32_MAX; /* beyond the region */
	assert_int_equal(found(), REPORT_DAMAGED);
	assert_int_equal(text.length, 3);
	report_begin(region, RUN, STEP, false);
	header()->end = REPORT_BAD + 1;
	assert_int_equal(found(), REPORT_DAMAGED);
	header()->magic ^= 1;
	assert_int_equal(found(), REPORT_LOST);
	/* A full one reaches the kept one and no further. */
	report_begin(region, RUN, STEP, false);
	memset(region + REPORT_TEXT_AT, 'x', REPORT_TEXT_ROOM);
	header()->length = REPORT_TEXT_ROOM;
	header()->checksum =
		report_sum(REPORT_SUM_OF_NOTHING, region + REPORT_TEXT_AT, REPORT_TEXT_ROOM);
	assert_int_equal(found(), REPORT_UNFINISHED);
	assert_int_equal(text.length, REPORT_TEXT_ROOM);
	header()->length++;
	assert_int_equal(found(), REPORT_DAMAGED);
	assert_int_equal(text.length, REPORT_TEXT_ROOM);
}

static void kept(void **state)
{
	(void)state;
	report_begin(region, RUN, STEP, false);
	write_text("bare\n");
	assert_int_equal(report_kept(region, RUN, STEP).length, 0);
	assert_int_equal(found(), REPORT_UNFINISHED);
	report_keep(region, &text, STEP);
	report_begin(region, RUN, STEP + 1, false);
	write_text("other\n");
	text = report_kept(region, RUN, STEP);
	assert_int_equal(text.length, 5);
	assert_memory_equal(text.at, "bare\n", 5);
	assert_int_equal(report_kept(region, RUN, STEP + 1).length, 0);
	assert_int_equal(report_kept(region, RUN + 1, STEP).length, 0);
	region[REPORT_KEPT_AT]++;
	assert_int_equal(report_kept(region, RUN, STEP).length, 0);
	region[REPORT_KEPT_AT]--;
	header()->kept_length = REPORT_TEXT_ROOM + 1;
	assert_int_equal(report_kept(region, RUN, STEP).length, 0);
	header()->kept_length = UINT32_MAX; /* beyond the region */
	assert_int_equal(report_kept(region, RUN, STEP).length, 0);
	header()->kept_length = 5;
	assert_int_equal(report_kept(region, RUN, STEP).length, 5);
	report_begin(region, RUN + 1, STEP, false); /* another run */
	assert_int_equal(report_kept(region, RUN + 1, STEP).length, 0);
}

static void clean(void **state)
{
	char to[64];
	int at_line = 1;

	(void)state;
	to[report_clean("== x\r\n=\xff\x1b[2J =\n", 15, to, &at_line)] = '\0';
	assert_string_equal(to, " == x\n =??[2J =\n");
	assert_true(at_line);
	to[report_clean("a", 1, to, &at_line)] = '\0';
	assert_false(at_line);
	to[report_clean("=", 1, to, &at_line)] = '\0';
	assert_string_equal(to, "=");
}

static struct run_result judged(enum report_found how, const char *words)
{
	struct report_text report = {words, strlen(words)};
	struct run_result result;

	tap_judge(how, &report, &result);
	return result;
}

static void verdicts(void **state)
{
	struct run_result result;

	(void)state;
	assert_int_equal(
		judged(REPORT_ENDED_GOOD, "TAP version 13\r\nok 1 - a\r\n1..1\r\n").verdict,
		RUN_GOOD);
	assert_int_equal(judged(REPORT_ENDED_GOOD, "ok 1 - a\n1..1").verdict, RUN_GOOD);
	assert_int_equal(judged(REPORT_ENDED_GOOD, "ok 1 - a\n1..2\n").verdict, RUN_BAD);
	assert_int_equal(judged(REPORT_ENDED_GOOD, "ok 1 - a\n").verdict, RUN_BAD);
	assert_int_equal(judged(REPORT_ENDED_GOOD, "ok 1\n1..1\n1..1\n").verdict, RUN_BAD);
	assert_int_equal(judged(REPORT_ENDED_GOOD, "ok 1\n1..1\nBail out! x\n").verdict, RUN_BAD);
	assert_int_equal(judged(REPORT_ENDED_GOOD, "not ok 1\n1..1\n").verdict, RUN_BAD);
	assert_int_equal(judged(REPORT_ENDED_GOOD, "not ok 1 # TODO qemu: x\n1..1\n").verdict,
	                 RUN_GOOD);
	assert_int_equal(judged(REPORT_ENDED_GOOD, "1..99999999999999999999\n").verdict, RUN_BAD);
	assert_int_equal(judged(REPORT_ENDED_BAD, "1..0 # SKIP no SVM\n").verdict, RUN_SKIPPED);
	assert_int_equal(judged(REPORT_ENDED_BAD, "").verdict, RUN_BAD);
	assert_int_equal(judged(REPORT_UNFINISHED, "ok 1\n1..1\n").verdict, RUN_UNFINISHED);
	assert_int_equal(judged(REPORT_DAMAGED, "ok 1\n1..1\n").verdict, RUN_UNFINISHED);
	assert_int_equal(judged(REPORT_LOST, "").verdict, RUN_LOST);
	result = judged(REPORT_ENDED_BAD,
	                "# ok 7\nok 1 - a\nnot ok 2 - b\n# why\nok 3 - c # SKIP x\n1..3\n");
	assert_int_equal(result.verdict, RUN_BAD);
	assert_int_equal(result.points, 3);
	assert_int_equal(result.failed, 1);
}

static char shown[1 << 15];

static uint32_t compared(const char *bare, const char *nested)
{
	struct report_text a = {bare, strlen(bare)}, b = {nested, strlen(nested)};
	struct out out = {shown, sizeof(shown), 0};

	shown[0] = '\0';
	return tap_compare(&a, &b, &out);
}

static void comparisons(void **state)
{
	char many[8192] = "";

	(void)state;
	assert_int_equal(compared("", ""), 0);
	assert_int_equal(compared("ok 1 - a\n# x\n1..1\n", "# y\r\nok 1 - a\r\n1..1\r\n"), 0);
	assert_string_equal(shown, "");
	assert_int_equal(compared("ok 1 - a\n", "not ok 1 - a\n"), 1);
	assert_string_equal(shown, "  bare:     ok 1 - a\n  Nestling: not ok 1 - a\n");
	assert_int_equal(compared("ok 1 - a\nok 2 - b\n", "ok 1 - a\n"), 1);
	assert_string_equal(shown, "  bare:     ok 2 - b\n  Nestling: (nothing)\n");
	assert_int_equal(compared("", "ok 1 - a\n"), 1);
	/* Nestling may do better than what is known to differ bare, and nothing else. */
	assert_int_equal(compared("not ok 1 - a # TODO qemu: x\n", "ok 1 - a\n"), 0);
	assert_int_equal(compared("ok 1 - a # TODO qemu: x\n", "ok 1 - a\n"), 0);
	assert_int_equal(compared("ok 1 - a\n", "ok 1 - a # TODO qemu: x\n"), 1);
	assert_int_equal(compared("not ok 1 - a\n", "ok 1 - a\n"), 1);
	for (int i = 0; i < 2 * TAP_DIFFERENCES_SHOWN; i++)
		strcat(many, "ok 1\n");
	assert_int_equal(compared(many, ""), 2 * TAP_DIFFERENCES_SHOWN);
	assert_int_equal(strlen(shown),
	                 TAP_DIFFERENCES_SHOWN *
	                         strlen("  bare:     ok 1\n  Nestling: (nothing)\n"));
	/* A line that is longer than what is shown, of what is no text. */
	memset(many, 0xff, sizeof(many));
	memcpy(many, "ok 1", 4);
	many[sizeof(many) - 1] = '\0';
	assert_int_equal(compared(many, "ok 1\n"), 1);
	assert_true(strlen(shown) < 300 && strstr(shown, "ok 1?????"));
}

static void lists(void **state)
{
	struct run_list list;
	char many[RUN_IMAGES_MAX * 2 + 3] = "a";

	(void)state;
	assert_true(run_list_read("pae.elf,startup64.elf+cpus=2+filter=*", &list));
	assert_int_equal(list.count, 2);
	assert_memory_equal(list.image[0].name, "pae.elf", list.image[0].length);
	assert_int_equal(list.image[0].length, 7);
	assert_int_equal(list.image[0].words_length, 0);
	assert_int_equal(list.image[1].length, 13);
	assert_memory_equal(list.image[1].words, "cpus=2+filter=*", 15);
	assert_int_equal(list.image[1].words_length, 15);
	assert_false(run_list_read("", &list));
	assert_false(run_list_read("a,", &list));
	assert_false(run_list_read(",a", &list));
	assert_false(run_list_read("a,+b", &list));
	assert_false(run_list_read(
		"0123456789012345678901234567890123456789012345678901234567890123", &list));
	for (int i = 1; i < RUN_IMAGES_MAX; i++)
		strcat(many, ",a");
	assert_true(run_list_read(many, &list));
	assert_int_equal(list.count, RUN_IMAGES_MAX);
	strcat(many, ",a");
	assert_false(run_list_read(many, &list));
}

static void states(void **state)
{
	static struct run_state a, b;
	struct run_result good = {.verdict = RUN_GOOD, .points = 7};

	(void)state;
	run_state_new(&a, WHOSE, RUN, 2);
	assert_int_equal(a.count, 4);
	run_state_seal(&a);
	assert_true(run_state_read(&a, sizeof(a), WHOSE, 2, &b));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_false(run_state_read(&a, sizeof(a) - 1, WHOSE, 2, &b));
	assert_false(run_state_read(&a, sizeof(a), WHOSE + 1, 2, &b));
	assert_false(run_state_read(&a, sizeof(a), WHOSE, 3, &b));
	for (uint32_t i = 0; i < a.count; i++) {
		assert_int_equal(run_step_is_bare(a.step), i % 2 == 0);
		assert_int_equal(run_step_image(a.step), i / 2);
		a.begun = 1;
		run_state_done(&a, &good);
		assert_int_equal(a.begun, 0);
		assert_int_equal(a.result[i].points, 7);
	}
	run_state_done(&a, &good); /* there is no more */
	assert_int_equal(a.step, 4);
	assert_int_equal(a.result[4].verdict, RUN_NOT_YET);
	assert_false(run_state_read(&a, sizeof(a), WHOSE, 2, &b)); /* not sealed */
	run_state_seal(&a);
	assert_true(run_state_read(&a, sizeof(a), WHOSE, 2, &b));
}

/* Sealed well, and yet out of bounds. */
static void bad_states(void **state)
{
	static struct run_state a, b;

	(void)state;
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		run_state_new(&a, WHOSE, RUN, 2);                                                  \
		change;                                                                            \
		run_state_seal(&a);                                                                \
		assert_false(run_state_read(&a, sizeof(a), WHOSE, 2, &b));                         \
	} while (0)
	REFUSED(a.step = 5);
	REFUSED(a.step = UINT32_MAX);
	REFUSED(a.begun = 2);
	REFUSED((a.step = 4, a.begun = 1));
	REFUSED(a.count = 5);
	REFUSED(a.magic++);
	REFUSED(a.result[3].verdict = RUN_VERDICTS);
	run_state_new(&a, WHOSE, RUN, RUN_IMAGES_MAX + 1);
	run_state_seal(&a);
	assert_false(run_state_read(&a, sizeof(a), WHOSE, RUN_IMAGES_MAX + 1, &b));
}

static void later(void **state)
{
	static struct run_state a, b;

	(void)state;
	run_state_new(&a, WHOSE, RUN, 2);
	b = a;
	assert_ptr_equal(run_state_later(&a, &b), &a);
	b.begun = 1;
	assert_ptr_equal(run_state_later(&a, &b), &b);
	a.step = 1;
	assert_ptr_equal(run_state_later(&a, &b), &a);
	b.step = 2;
	assert_ptr_equal(run_state_later(&a, &b), &b);
	b.run++;
	assert_ptr_equal(run_state_later(&a, &b), &a);
	for (int i = 0; i < RUN_VERDICTS; i++)
		assert_string_not_equal(run_verdict_text((uint8_t)i), "?");
	assert_string_equal(run_verdict_text(RUN_VERDICTS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reports, new_region, old_region),
		cmocka_unit_test_setup_teardown(damage, new_region, old_region),
		cmocka_unit_test_setup_teardown(kept, new_region, old_region),
		cmocka_unit_test(clean),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(lists),
		cmocka_unit_test(states),
		cmocka_unit_test(bad_states),
		cmocka_unit_test(later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
