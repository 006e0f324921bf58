/*
 * The page's rows, from the top: title, machine, progress, failures, verdict, what to do. Relies on
 * page.h's idea that each is made from the state alone.
 */
#include "guest/lib/page.h"
#include "hv/print.h"
#include "hv/string.h"

enum {
	/* From the top. */
	ROW_TITLE = 0,
	ROW_PROCESSOR = 2,
	ROW_SVM = 3,
	ROW_SVM_MORE = 4,
	ROW_UNDER = 5,
	ROW_GROUPS = 7,
	ROW_NOW = 8,
	ROW_POINTS = 9,
	ROW_FAILURES = 11,
	/* From the bottom. */
	ROW_HINT = 1,
	ROW_VERDICT_COVERED = 3,
	ROW_VERDICT = 4,
	ROW_FAILURES_END = 5,

	LABEL = 12, /* columns of " Processor  " */
	BAR_MOST = 60,
	BAR_LEAST = 10,
	BAR_BESIDE = 20, /* brackets and numbers */
	NUMBER = 16,
};

/* A number as people read it: 1,147. */
static const char *number(unsigned int value, char to[NUMBER])
{
	if (value >= 1000000)
		snprint(to, NUMBER, "%u,%03u,%03u", value / 1000000, value / 1000 % 1000,
		        value % 1000);
	else if (value >= 1000)
		snprint(to, NUMBER, "%u,%03u", value / 1000, value % 1000);
	else
		snprint(to, NUMBER, "%u", value);
	return to;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Copies as much as there is room for; size counts the closing NUL. Returns its length. */
static size_t copy(char *to, size_t size, const char *from, size_t length)
{
	length = smaller(length, size - 1);
	memcpy(to, from, length);
	to[length] = '\0';
	return length;
}

void page_fails(struct page *page, const char *group, const char *point, const char *diagnostics)
{
	struct page_failure *failure;

	page->failed++;
	if (page->failure_lines == PAGE_FAILURE_LINES)
		return;
	failure = &page->failure[page->failure_lines++];
	failure->is_point = true;
	snprint(failure->text, sizeof(failure->text), "%s: %s", group, point);
	while (*diagnostics && page->failure_lines < PAGE_FAILURE_LINES) {
		const char *end = strchr(diagnostics, '\n');
		size_t length = end ? (size_t)(end - diagnostics) : strlen(diagnostics);

		failure = &page->failure[page->failure_lines++];
		failure->is_point = false;
		copy(failure->text, sizeof(failure->text), diagnostics, length);
		diagnostics += length + (end != NULL);
	}
}

static void title(const struct page *page, size_t columns, char *to)
{
	char left[PAGE_TEXT], right[PAGE_TEXT];
	size_t used, wanted;

	snprint(left, sizeof(left), " Nestling: %s, %u-bit", page->image, page->bits);
	snprint(right, sizeof(right), "%s ", page->version);
	used = copy(to, columns + 1, left, strlen(left));
	wanted = strlen(right);
	if (used + 1 + wanted > columns)
		return;
	memset(to + used, ' ', columns - wanted - used);
	copy(to + columns - wanted, wanted + 1, right, wanted);
}

/* Where the words go on in the next row: behind the last comma that the width has room for. */
static size_t broken_at(const char *words, size_t width)
{
	size_t at = width;

	if (strlen(words) <= width)
		return strlen(words);
	while (at && words[at] != ' ')
		at--;
	return at ? at + 1 : width;
}

static void labelled(const char *label, const char *text, size_t columns, char *to)
{
	snprint(to, columns + 1, " %-10s %s", label, text);
}

static void features(const struct page *page, bool more, size_t columns, char *to)
{
	size_t width = columns > LABEL ? columns - LABEL : 1, at = broken_at(page->svm, width);
	char first[PAGE_TEXT];

	if (more) {
		labelled("", page->svm + at, columns, to);
		return;
	}
	copy(first, sizeof(first), page->svm, at);
	labelled("SVM", first, columns, to);
}

static unsigned int groups_done(const struct page *page)
{
	return page->groups_begun - (page->groups_begun && page->end != PAGE_DONE);
}

static void bar(const struct page *page, size_t columns, char *to)
{
	unsigned int done = groups_done(page);
	unsigned int all = page->groups > page->groups_begun ? page->groups : page->groups_begun;
	size_t width =
		columns > LABEL + BAR_BESIDE + BAR_LEAST ? columns - LABEL - BAR_BESIDE : BAR_LEAST;
	char text[PAGE_TEXT];
	size_t filled;

	width = smaller(width, BAR_MOST);
	filled = all ? width * done / all : 0;
	text[0] = '[';
	memset(text + 1, '#', filled);
	memset(text + 1 + filled, '.', width - filled);
	snprint(text + 1 + width, sizeof(text) - 1 - width, "] %u of %u", done, all);
	labelled("Groups", text, columns, to);
}

static void now(const struct page *page, size_t columns, char *to)
{
	static const char *const ends[] = {
		[PAGE_DONE] = "all groups have run",
		[PAGE_SKIPPED] = "nothing was tested",
		[PAGE_STOPPED] = "L1 cannot go on",
	};

	if (page->end == PAGE_RUNS)
		labelled("Now", page->groups_begun ? page->group : "it begins", columns, to);
	else
		labelled("Ended", ends[page->end], columns, to);
}

static void counts(const struct page *page, size_t columns, char *to)
{
	char points[NUMBER], good[NUMBER], failed[NUMBER], text[PAGE_TEXT];
	int length;

	length = snprint(text, sizeof(text), "%s: %s good", number(page->points, points),
	                 number(page->points - page->failed, good));
	if (page->skipped || page->known)
		length += snprint(text + length, sizeof(text) - (size_t)length,
		                  " (%u skipped, %u known to differ here)", page->skipped,
		                  page->known);
	if (page->failed)
		snprint(text + length, sizeof(text) - (size_t)length, ", %s failed",
		        number(page->failed, failed));
	labelled("Points", text, columns, to);
}

/* How many of the first lines are of points that failed. */
static unsigned int told(const struct page *page, unsigned int lines)
{
	unsigned int points = 0;

	for (unsigned int i = 0; i < lines; i++)
		points += page->failure[i].is_point;
	return points;
}

/* A line of the failures, of as many as there is room for; the last tells of those without. */
static void failure(const struct page *page, unsigned int line, unsigned int room, size_t columns,
                    struct page_row *to)
{
	unsigned int shown = page->failure_lines;

	if (shown > room || told(page, shown) < page->failed)
		shown = (unsigned int)smaller(shown, room - 1);
	to->style = PAGE_FAILURE;
	if (line < shown)
		snprint(to->text, columns + 1, "%s%s", page->failure[line].is_point ? " " : "   ",
		        page->failure[line].text);
	else if (line == shown && told(page, shown) < page->failed)
		snprint(to->text, columns + 1, " and %u more%s", page->failed - told(page, shown),
		        page->serial ? ": COM1 has them" : "");
}

static void verdict(const struct page *page, size_t columns, struct page_row *to)
{
	char points[NUMBER], count[NUMBER], text[PAGE_TEXT];
	size_t length;

	if (page->end == PAGE_RUNS)
		return;
	to->style = page->end == PAGE_DONE && !page->failed ? PAGE_GOOD : PAGE_BAD;
	if (page->end == PAGE_SKIPPED)
		snprint(text, sizeof(text), "Not run: %s", page->reason);
	else if (page->failed)
		snprint(text, sizeof(text), "%s points: %s failed%s", number(page->points, points),
		        number(page->failed, count), page->end == PAGE_DONE ? "" : ", and no end");
	else
		snprint(text, sizeof(text), "%s points: %s good", number(page->points, points),
		        number(page->points, count));
	length = strlen(text);
	to->large = 2 * (length + 1) <= columns;
	snprint(to->text, columns + 1, " %s", text);
}

static void hint(const struct page *page, size_t columns, char *to)
{
	if (page->end == PAGE_RUNS)
		return;
	snprint(to, columns + 1, " %s%s",
	        page->serial ? "COM1 has the whole report. "
	                     : "There is no COM1: this is the report. ",
	        page->key ? "A key restarts the machine (or its reset button)." : "");
}

static void from_the_top(const struct page *page, unsigned int row, size_t columns,
                         struct page_row *to)
{
	switch (row) {
	case ROW_TITLE:
		to->style = PAGE_TITLE;
		title(page, columns, to->text);
		break;
	case ROW_PROCESSOR:
		labelled("Processor", page->processor, columns, to->text);
		break;
	case ROW_SVM:
	case ROW_SVM_MORE:
		features(page, row == ROW_SVM_MORE, columns, to->text);
		break;
	case ROW_UNDER:
		labelled("Runs", page->under, columns, to->text);
		break;
	case ROW_GROUPS:
		bar(page, columns, to->text);
		break;
	case ROW_NOW:
		now(page, columns, to->text);
		break;
	case ROW_POINTS:
		counts(page, columns, to->text);
		break;
	default:
		break;
	}
}

void page_row(const struct page *page, unsigned int row, unsigned int columns, unsigned int rows,
              struct page_row *to)
{
	unsigned int below = rows - row; /* the last row is 1 */

	columns = columns < PAGE_COLUMNS ? columns : PAGE_COLUMNS;
	memset(to, 0, sizeof(*to));
	if (below == ROW_HINT) {
		to->style = PAGE_NOTE;
		hint(page, columns, to->text);
	} else if (below == ROW_VERDICT || below == ROW_VERDICT_COVERED) {
		verdict(page, columns, to);
		to->covered = below == ROW_VERDICT_COVERED && to->large;
		if (below == ROW_VERDICT_COVERED)
			to->text[0] = '\0';
	} else if (row >= ROW_FAILURES) {
		if (below > ROW_FAILURES_END && rows > ROW_FAILURES + ROW_FAILURES_END)
			failure(page, row - ROW_FAILURES, rows - ROW_FAILURES - ROW_FAILURES_END,
			        columns, to);
	} else {
		from_the_top(page, row, columns, to);
	}
}
