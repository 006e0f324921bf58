/*
 * What a person sees of a run: a page of text, made from what the run has told so far. Pure: it
 * knows no screen, and builds on the host. Relies on hv/print.h.
 */
#ifndef GUEST_PAGE_H
#define GUEST_PAGE_H

#include <stdbool.h>

enum {
	PAGE_COLUMNS = 256, /* what is to the right of it, or below, stays empty */
	PAGE_ROWS = 96,
	PAGE_NAME = 64,
	PAGE_TEXT = 256,
	PAGE_FAILURE_LINES = 64,
	PAGE_FAILURE_TEXT = 160,
};

enum page_style {
	PAGE_PLAIN,
	PAGE_TITLE,
	PAGE_NOTE,
	PAGE_FAILURE,
	PAGE_GOOD, /* the verdict */
	PAGE_BAD,
	PAGE_STYLES,
};

enum page_end {
	PAGE_RUNS,
	PAGE_DONE,
	PAGE_SKIPPED, /* nothing was tested, and why */
	PAGE_STOPPED, /* L1 could not go on */
};

/* One line of those that tell of failures. */
struct page_failure {
	bool is_point; /* it names the point; else it is a diagnostic of the point before */
	char text[PAGE_FAILURE_TEXT];
};

struct page {
	const char *image;   /* "svm" */
	const char *version; /* of the sources */
	unsigned int bits;   /* 32 or 64 */
	/* The processor's name; what it has of SVM; what is under the image. */
	char processor[PAGE_NAME], svm[PAGE_TEXT], under[PAGE_NAME];
	unsigned int groups, groups_begun;
	char group[PAGE_NAME]; /* the one that runs */
	unsigned int points, failed, skipped, known;
	struct page_failure failure[PAGE_FAILURE_LINES];
	unsigned int failure_lines;
	enum page_end end;
	char reason[PAGE_NAME * 2]; /* why nothing was tested */
	bool serial;                /* COM1 has the report */
	bool key;                   /* a key restarts the machine */
};

struct page_row {
	enum page_style style;
	/* Its letters are twice as wide and high, and cover the row below; there is room for that.
	 */
	bool large;
	bool covered; /* by a large one: nothing is to be drawn */
	char text[PAGE_COLUMNS + 1];
};

/*
 * Notes a point that failed, and what it said: lines that each end with a newline. What there is no
 * room for is only counted.
 */
void page_fails(struct page *page, const char *group, const char *point, const char *diagnostics);

/* The row of a screen that has so many columns and rows. */
void page_row(const struct page *page, unsigned int row, unsigned int columns, unsigned int rows,
              struct page_row *to);

#endif
