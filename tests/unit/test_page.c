/*
 * guest/lib/page.c and about.c: what a person sees of an image's run, at several sizes of the
 * screen and at every end. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "guest/lib/about.h"
#include "guest/lib/page.h"

static struct page page;
static char screen[PAGE_ROWS * 2][PAGE_COLUMNS + 1];
static struct page_row row;

/* The page's rows, as a screen of that size has them. */
static void draw(unsigned int columns, unsigned int rows)
{
	memset(screen, 0, sizeof(screen));
	for (unsigned int i = 0; i < rows; i++) {
		page_row(&page, i, columns, rows, &row);
		assert_true(strlen(row.text) <= columns);
		memcpy(screen[i], row.text, sizeof(screen[i]));
		if (row.large) { /* it fits in, and its second row is left alone */
			assert_true(2 * strlen(row.text) <= columns);
			assert_true(i + 1 < rows);
			page_row(&page, ++i, columns, rows, &row);
			assert_true(row.covered);
			assert_string_equal(row.text, "");
		} else {
			assert_false(row.covered);
		}
	}
}

static int setup(void **state)
{
	(void)state;
	page = (struct page){
		.image = "svm",
		.version = "1234abc",
		.bits = 64,
		.processor = "AMD Ryzen 7",
		.svm = "revision 1, 16 ASIDs, nested paging, vGIF",
		.under = "bare",
		.groups = 100,
		.serial = true,
	};
	return 0;
}

static void begin(void **state)
{
	(void)state;
	draw(80, 25);
	assert_string_equal(screen[0],
	                    " Nestling: svm, 64-bit"
	                    "                                                  1234abc ");
	assert_string_equal(screen[2], " Processor  AMD Ryzen 7");
	assert_string_equal(screen[3], " SVM        revision 1, 16 ASIDs, nested paging, vGIF");
	assert_string_equal(screen[5], " Runs       bare");
	assert_string_equal(
		screen[7],
		" Groups     [................................................] 0 of 100");
	assert_string_equal(screen[8], " Now        it begins");
	assert_string_equal(screen[9], " Points     0: 0 good");
	for (unsigned int i = 10; i < 25; i++)
		assert_string_equal(screen[i], "");
}

static void progress(void **state)
{
	(void)state;
	page.groups_begun = 51;
	strcpy(page.group, "pae.fault");
	page.points = 1147;
	page.skipped = 3;
	page.known = 12;
	draw(80, 25);
	assert_string_equal(
		screen[7],
		" Groups     [########################........................] 50 of 100");
	assert_string_equal(screen[8], " Now        pae.fault");
	assert_string_equal(screen[9],
	                    " Points     1,147: 1,147 good (3 skipped, 12 known to differ here)");

	/* An image that has more groups than it said. */
	page.groups_begun = 200;
	draw(80, 25);
	assert_non_null(strstr(screen[7], "#.] 199 of 200"));
	page.groups = page.groups_begun = 0;
	draw(80, 25);
	assert_non_null(strstr(screen[7], "..] 0 of 0"));
}

static void good_end(void **state)
{
	(void)state;
	page.groups_begun = 100;
	page.points = 1234567;
	page.end = PAGE_DONE;
	page.key = true;
	draw(80, 25);
	assert_string_equal(
		screen[7],
		" Groups     [################################################] 100 of 100");
	assert_string_equal(screen[8], " Ended      all groups have run");
	assert_string_equal(screen[21], " 1,234,567 points: 1,234,567 good");
	assert_string_equal(
		screen[24],
		" COM1 has the whole report. A key restarts the machine (or its reset button).");
	page_row(&page, 21, 80, 25, &row);
	assert_int_equal(row.style, PAGE_GOOD);
	assert_true(row.large);

	page.serial = page.key = false;
	draw(80, 25);
	assert_string_equal(screen[24], " There is no COM1: this is the report. ");
}

static void bad_ends(void **state)
{
	(void)state;
	page.points = 999;
	page_fails(&page, "pae.run", "L2 computes", "# eax: got 0x1, expected 0x2\n");
	page.end = PAGE_DONE;
	draw(80, 25);
	assert_string_equal(screen[9], " Points     999: 998 good, 1 failed");
	assert_string_equal(screen[11], " pae.run: L2 computes");
	assert_string_equal(screen[12], "   # eax: got 0x1, expected 0x2");
	assert_string_equal(screen[21], " 999 points: 1 failed");
	page_row(&page, 21, 80, 25, &row);
	assert_int_equal(row.style, PAGE_BAD);
	page_row(&page, 22, 80, 25, &row);
	assert_int_equal(row.style, PAGE_BAD);
	page_row(&page, 11, 80, 25, &row);
	assert_int_equal(row.style, PAGE_FAILURE);

	page.end = PAGE_STOPPED;
	draw(80, 25);
	assert_string_equal(screen[8], " Ended      L1 cannot go on");
	assert_string_equal(screen[21], " 999 points: 1 failed, and no end");

	setup(NULL);
	page.end = PAGE_SKIPPED;
	strcpy(page.reason, "the firmware has disabled SVM: VM_CR.SVMDIS is 1");
	draw(80, 25);
	assert_string_equal(screen[8], " Ended      nothing was tested");
	assert_string_equal(screen[21],
	                    " Not run: the firmware has disabled SVM: VM_CR.SVMDIS is 1");
	page_row(&page, 21, 80, 25, &row);
	assert_false(row.large);
	assert_int_equal(row.style, PAGE_BAD);
	page_row(&page, 21, 240, 67, &row);
	assert_string_equal(row.text, "");
	draw(240, 67);
	page_row(&page, 63, 240, 67, &row);
	assert_true(row.large);
}

static void many_failures(void **state)
{
	char name[16];

	(void)state;
	for (unsigned int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "point %u", i);
		page_fails(&page, "pae.run", name, i ? "" : "# one\n# two\n");
	}
	draw(80, 25); /* there is room for nine lines: eight are there */
	assert_string_equal(screen[11], " pae.run: point 0");
	assert_string_equal(screen[13], "   # two");
	assert_string_equal(screen[18], " pae.run: point 5");
	assert_string_equal(screen[19], "");

	page_fails(&page, "pae.run", "point 6", "");
	draw(80, 25);
	assert_string_equal(screen[19], " pae.run: point 6");
	page_fails(&page, "pae.run", "point 7", "# more\n");
	draw(80, 25);
	assert_string_equal(screen[18], " pae.run: point 5");
	assert_string_equal(screen[19], " and 2 more: COM1 has them");
	assert_string_equal(screen[20], "");
	page.serial = false;
	draw(80, 25);
	assert_string_equal(screen[19], " and 2 more");

	/* More than there is memory for, on a screen with more rows than that. */
	for (unsigned int i = 0; i < 2 * PAGE_FAILURE_LINES; i++)
		page_fails(&page, "pae.run", "again", "# a\n# b\n# c");
	assert_int_equal(page.failed, 8 + 2 * PAGE_FAILURE_LINES);
	assert_int_equal(page.failure_lines, PAGE_FAILURE_LINES);
	draw(240, PAGE_ROWS * 2);
	assert_non_null(strstr(screen[11 + PAGE_FAILURE_LINES], " and "));
	assert_string_equal(screen[12 + PAGE_FAILURE_LINES], "");
}

static void long_words(void **state)
{
	(void)state;
	memset(page.processor, 'p', sizeof(page.processor) - 1);
	memset(page.svm, 'x', sizeof(page.svm) - 1);
	for (size_t i = 6; i < sizeof(page.svm) - 1; i += 7)
		memcpy(page.svm + i - 1, ", ", 2);
	draw(80, 25);
	assert_int_equal(strlen(screen[3]), 75);
	assert_memory_equal(screen[3], " SVM        xxxxx, xxxxx, ", 26);
	assert_memory_equal(screen[4], "            xxxxx, ", 19);
	draw(40, 12);
	memset(page.svm, 'x', sizeof(page.svm) - 1); /* nowhere to break it */
	draw(80, 25);
	assert_int_equal(strlen(screen[3]), 80);
	assert_int_equal(strlen(screen[4]), 80);
}

/* Every end on screens of every size, the smallest that can be drawn and larger than all. */
static void sizes(void **state)
{
	(void)state;
	strcpy(page.reason, "for a reason that is longer than some of the screens are wide");
	page.points = 77777;
	page_fails(&page, "group", "a point with a name that is long enough to be cut off",
	           "# a\n# b\n");
	for (page.end = PAGE_RUNS; page.end <= PAGE_STOPPED; page.end++) {
		for (unsigned int columns = 10; columns <= 400; columns += 6) {
			for (unsigned int rows = 8; rows <= 2 * PAGE_ROWS; rows += 3)
				draw(columns, rows);
		}
	}
	/* The least that is drawn, 320 by 200, has the verdict. */
	page.end = PAGE_DONE;
	draw(40, 12);
	assert_string_equal(screen[8], " 77,777 points: 1 failed");
}

static void machine(void **state)
{
	struct cpuid_regs leaf = {.eax = 0x101, .ebx = 16, .edx = 1 << 0 | 1 << 8 | 1u << 16};
	char text[64];

	(void)state;
	about_svm(&leaf, text, sizeof(text));
	assert_string_equal(text, "revision 1, 16 ASIDs, nested paging, vGIF");
	leaf.edx = ~0u;
	about_svm(&leaf, text, sizeof(text)); /* there is not room for all */
	assert_int_equal(strlen(text), sizeof(text) - 1);

	memset(&leaf, 0, sizeof(leaf));
	about_under(false, &leaf, NULL, text, sizeof(text));
	assert_string_equal(text, "bare");
	about_under(false, &leaf, "Bochs", text, sizeof(text));
	assert_string_equal(text, "bare, in Bochs");
	about_under(true, &leaf, NULL, text, sizeof(text));
	assert_string_equal(text, "on a hypervisor without a name");
	memcpy(&leaf.ebx, "TCGT", 4);
	memcpy(&leaf.ecx, "CGTC", 4);
	memcpy(&leaf.edx, "GTCG", 4);
	about_under(true, &leaf, "QEMU", text, sizeof(text));
	assert_string_equal(text, "bare, in QEMU");
	memcpy(&leaf.ebx, "Nest", 4);
	memcpy(&leaf.ecx, "ling", 4);
	memcpy(&leaf.edx, "Nest", 4);
	about_under(true, &leaf, NULL, text, sizeof(text));
	assert_string_equal(text, "on Nestling");
	about_under(true, &leaf, "QEMU", text, sizeof(text));
	assert_string_equal(text, "on Nestling, in QEMU");
	memcpy(&leaf.ebx, "KVMK", 4);
	memcpy(&leaf.ecx, "VMKV", 4);
	memcpy(&leaf.edx, "M\0\0\0", 4);
	about_under(true, &leaf, NULL, text, sizeof(text));
	assert_string_equal(text, "on KVM");
	memcpy(&leaf.edx, "\x01\xff-x", 4);
	about_under(true, &leaf, NULL, text, sizeof(text));
	assert_string_equal(text, "on KVMKVMKV?"
	                          "?-x");
	about_processor(text, sizeof(text));
	assert_true(strlen(text) > 0 && text[0] != ' ' && text[strlen(text) - 1] != ' ');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(begin, setup),
		cmocka_unit_test_setup(progress, setup),
		cmocka_unit_test_setup(good_end, setup),
		cmocka_unit_test_setup(bad_ends, setup),
		cmocka_unit_test_setup(many_failures, setup),
		cmocka_unit_test_setup(long_words, setup),
		cmocka_unit_test_setup(sizes, setup),
		cmocka_unit_test_setup(machine, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
