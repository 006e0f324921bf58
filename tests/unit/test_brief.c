/*
 * boot/efi/brief.c: what of a report goes into the firmware's variables, and what is read from
 * them, whatever is there. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/brief.h"

enum { RUN = 5, STEP = 3 };

static struct brief made, joined;
static struct brief_piece pieces[BRIEF_PIECES];
static size_t sizes[BRIEF_PIECES];
static char report[1 << 16];

static bool make(enum report_found found)
{
	struct report_text text = {report, strlen(report)};

	return brief_make(found, &text, &made);
}

static void is(const char *text)
{
	assert_int_equal(made.length, strlen(text));
	assert_memory_equal(made.text, text, made.length);
}

static void cut(void)
{
	for (unsigned int i = 0; i < brief_pieces(&made); i++)
		sizes[i] = brief_cut(&made, RUN, STEP, i, &pieces[i]);
}

/* As the EFI program does. */
static bool join(void)
{
	bool more = true;

	for (unsigned int i = 0; more && i < BRIEF_PIECES; i++)
		if (!brief_join(&pieces[i], sizes[i], RUN, STEP, i, &joined, &more))
			return false;
	return !more;
}

static void survives(void)
{
	cut();
	assert_true(join());
	assert_int_equal(joined.length, made.length);
	assert_memory_equal(joined.text, made.text, made.length);
	assert_memory_equal(&joined.result, &made.result, sizeof(made.result));
}

static void what_counts(void **state)
{
	(void)state;
	strcpy(report, "TAP version 13\n# a\nok 1 - a\n1..1\n");
	assert_false(make(REPORT_LOST));
	assert_true(make(REPORT_ENDED_GOOD));
	is("");
	assert_int_equal(made.result.verdict, RUN_GOOD);
	assert_int_equal(brief_pieces(&made), 1);
	survives();
	strcpy(report,
	       "not ok 1 - a\r\n# why\r\n# more\r\nok 2 - b\n# seen\nnot ok 3 - c # TODO qemu: d\n"
	       "# of it\nnot ok 4 - e\n# not ok\nBail out! f\n# g\n");
	assert_true(make(REPORT_ENDED_BAD));
	is("not ok 1 - a\r\n# why\r\n# more\r\nnot ok 4 - e\n# not ok\nBail out! f\n");
	assert_int_equal(made.result.points, 4);
	assert_int_equal(made.result.failed, 2);
	survives();
	strcpy(report, "1..0 # SKIP no SVM\n");
	assert_true(make(REPORT_ENDED_BAD));
	is("1..0 # SKIP no SVM\n");
	assert_int_equal(made.result.verdict, RUN_SKIPPED);
	survives();
	strcpy(report, "not ok 1"); /* without an end */
	assert_true(make(REPORT_UNFINISHED));
	is("not ok 1");
	survives();
}

/* Too much: whole lines, in order, and the count of the others. */
static void too_much(void **state)
{
	size_t used = 0;
	unsigned int lines = 0, kept = 0, left = 0;

	(void)state;
	for (; used < 3 * BRIEF_TEXT; lines++)
		used += (size_t)sprintf(report + used, "not ok %u - %*s\n", lines + 1,
		                        (int)(lines % 97), "x");
	sprintf(report + used, "1..%u\n", lines);
	assert_true(make(REPORT_ENDED_BAD));
	assert_int_equal(brief_pieces(&made), BRIEF_PIECES);
	assert_true(made.length <= BRIEF_TEXT && made.length > BRIEF_TEXT - 200);
	for (uint32_t i = 0; i < made.length; i++)
		kept += made.text[i] == '\n';
	kept--;
	made.text[made.length - 1] = '\0';
	assert_int_equal(sscanf(strrchr(made.text, '\n'), "\n# more lines than fit: %u", &left), 1);
	made.text[made.length - 1] = '\n';
	assert_int_equal(kept + left, lines);
	assert_memory_equal(made.text, report, strrchr(made.text, '#') - made.text);
	survives();
	/* One line that is longer than all. */
	memset(report, 'x', 2 * BRIEF_TEXT);
	memcpy(report, "not ok 1 - ", 11);
	report[2 * BRIEF_TEXT] = '\0';
	assert_true(make(REPORT_ENDED_BAD));
	is("# more lines than fit: 1\n");
	/* Nor does a shorter one behind it: it would stand below another point. */
	memcpy(report + 2 * BRIEF_TEXT, "\n# why\n", 8);
	assert_true(make(REPORT_ENDED_BAD));
	is("# more lines than fit: 2\n");
	/* Lines that fill it to the last byte of a piece, and of all. */
	for (unsigned int bytes = BRIEF_PIECE_TEXT - 1; bytes <= BRIEF_PIECE_TEXT + 1; bytes++) {
		memset(report, 'x', bytes);
		memcpy(report, "not ok 1 - ", 11);
		report[bytes] = '\0';
		assert_true(make(REPORT_ENDED_BAD));
		assert_int_equal(made.length, bytes);
		assert_int_equal(brief_pieces(&made), bytes > BRIEF_PIECE_TEXT ? 2 : 1);
		survives();
	}
}

/* Sums the piece that a test changed. */
static void seal(unsigned int i)
{
	pieces[i].checksum = report_sum(REPORT_SUM_OF_NOTHING, &pieces[i].run,
	                                sizes[i] - offsetof(struct brief_piece, run));
}

static void two_pieces(void)
{
	memset(report, 'x', BRIEF_PIECE_TEXT + 20);
	memcpy(report, "not ok 1 - ", 11);
	report[BRIEF_PIECE_TEXT + 20] = '\0';
	assert_true(make(REPORT_ENDED_BAD));
	cut();
	assert_true(join());
}

static void whatever_is_there(void **state)
{
	(void)state;
#define REFUSED(i, change)                                                                         \
	do {                                                                                       \
		two_pieces();                                                                      \
		change;                                                                            \
		assert_false(join());                                                              \
		two_pieces();                                                                      \
		change;                                                                            \
		seal(i);                                                                           \
		assert_false(join());                                                              \
	} while (0)
	REFUSED(0, pieces[0].magic++);
	REFUSED(0, pieces[0].run++);
	REFUSED(1, pieces[1].step++);
	REFUSED(0, pieces[0].index++);
	REFUSED(1, pieces[1].index--);
	REFUSED(0, pieces[0].count = 0);
	REFUSED(1, pieces[1].count = 1);
	REFUSED(1, pieces[1].count = BRIEF_PIECES + 1);
	REFUSED(0, pieces[0].length--);
	REFUSED(1, pieces[1].length++);
	REFUSED(1, pieces[1].length = UINT16_MAX);
	REFUSED(0, (sizes[0]--, pieces[0].length--)); /* not the last one, and not full */
	REFUSED(0, pieces[0].result.verdict = RUN_LOST);
	REFUSED(0, pieces[0].result.verdict = RUN_VERDICTS);
	REFUSED(0, pieces[0].result.compared = 1);
	REFUSED(0, pieces[0].result.differences = 1);
	REFUSED(0, pieces[0].result.failed = pieces[0].result.points + 1);
	REFUSED(1, pieces[1].result.points++); /* of another report */
					       /* None of any report. */
#define NO_PIECE(change)                                                                           \
	do {                                                                                       \
		two_pieces();                                                                      \
		assert_true(brief_is_piece(&pieces[0], sizes[0]));                                 \
		change;                                                                            \
		seal(0);                                                                           \
		assert_false(brief_is_piece(&pieces[0], sizes[0]));                                \
	} while (0)
	NO_PIECE(pieces[0].result.failed = pieces[0].result.points + 1);
	NO_PIECE(pieces[0].result.verdict = RUN_NOT_YET);
	NO_PIECE(pieces[0].result.verdict = RUN_VERDICTS);
	NO_PIECE(pieces[0].result.compared = 1);
	NO_PIECE(pieces[0].result.differences = 1);
	NO_PIECE(pieces[0].index = pieces[0].count);
	NO_PIECE(pieces[0].count = 0);
	NO_PIECE(pieces[0].count = BRIEF_PIECES + 1);
	two_pieces();
	pieces[1].text[3]++;
	assert_false(join());
	for (size_t size = 0; size < offsetof(struct brief_piece, text); size++)
		assert_false(brief_is_piece(&pieces[0], size));
	assert_true(brief_is_piece(&pieces[0], sizes[0]));
	assert_false(brief_is_piece(&pieces[0], sizes[0] + 1));
	/* The second alone is none, whatever was joined before. */
	two_pieces();
	{
		bool more = true;

		joined.length = 0;
		assert_false(brief_join(&pieces[1], sizes[1], RUN, STEP, 1, &joined, &more));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_counts),
		cmocka_unit_test(too_much),
		cmocka_unit_test(whatever_is_there),
	};

	return cmocka_run_group_tests_name("brief", tests, NULL, NULL);
}
