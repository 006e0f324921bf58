/*
 * Reads TAP. Relies on hv/string.h.
 */
#include "boot/efi/tap_read.h"

#include "hv/string.h"

enum { NUMBERS_MAX = 0xffff, SHOWN_BYTES = 160, DECIMAL = 10 };

struct line {
	const char *at;
	size_t length;
};

bool tap_begins(const char *line, size_t length, const char *with)
{
	size_t bytes = strlen(with);

	return length >= bytes && !memcmp(line, with, bytes);
}

static bool begins(const struct line *line, const char *with)
{
	return tap_begins(line->at, line->length, with);
}

/* The offset of the text in the line, or the line's length. */
static size_t find(const struct line *line, const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i + length <= line->length; i++)
		if (!memcmp(line->at + i, text, length))
			return i;
	return line->length;
}

bool tap_failed(const char *line, size_t length)
{
	const struct line text = {line, length};

	return begins(&text, "not ok ") && find(&text, " # TODO ") == length;
}

size_t tap_line_length(const char *text, size_t left)
{
	size_t length = 0;

	while (length < left && text[length] != '\n')
		length++;
	return length + (length < left);
}

static bool is_tap(const struct line *line)
{
	return begins(line, "ok ") || begins(line, "not ok ") || begins(line, "1..") ||
	       begins(line, "Bail out!") || begins(line, "TAP version");
}

static bool is_end(char c)
{
	return c == '\n' || c == '\r';
}

/* The next line of TAP from text on, which moves behind it; false at the end. */
static bool next_line(struct report_text *text, struct line *line)
{
	while (text->length) {
		size_t length = tap_line_length(text->at, text->length);

		*line = (struct line){text->at, length};
		text->at += length;
		text->length -= length;
		while (line->length && is_end(line->at[line->length - 1]))
			line->length--;
		if (is_tap(line))
			return true;
	}
	*line = (struct line){"(nothing)", strlen("(nothing)")};
	return false;
}

static uint32_t number_at(const struct line *line, size_t at)
{
	uint32_t number = 0;

	for (; at < line->length && line->at[at] >= '0' && line->at[at] <= '9'; at++) {
		number = number * DECIMAL + (uint32_t)(line->at[at] - '0');
		if (number > NUMBERS_MAX)
			return NUMBERS_MAX;
	}
	return number;
}

struct counts {
	uint32_t points, failed, plans, plan;
	bool bailed;
};

static void count_line(const struct line *line, struct counts *counts)
{
	if (begins(line, "1..")) {
		counts->plans++;
		counts->plan = number_at(line, strlen("1.."));
	} else if (begins(line, "Bail out!")) {
		counts->bailed = true;
	} else if (begins(line, "ok ")) {
		counts->points++;
	} else if (begins(line, "not ok ")) {
		counts->points++;
		counts->failed += tap_failed(line->at, line->length);
	}
}

static uint16_t in_range(uint32_t number)
{
	return (uint16_t)(number < NUMBERS_MAX ? number : NUMBERS_MAX);
}

static enum run_verdict verdict_of(enum report_found found, const struct counts *counts)
{
	switch (found) {
	case REPORT_LOST:
		return RUN_LOST;
	case REPORT_ENDED_GOOD:
		return counts->plans == 1 && counts->plan && counts->plan == counts->points &&
		                       !counts->failed && !counts->bailed
		               ? RUN_GOOD
		               : RUN_BAD;
	case REPORT_ENDED_BAD:
		return counts->plans == 1 && !counts->plan && !counts->points && !counts->bailed
		               ? RUN_SKIPPED
		               : RUN_BAD;
	default:
		return RUN_UNFINISHED;
	}
}

void tap_judge(enum report_found found, const struct report_text *text, struct run_result *result)
{
	struct counts counts = {0, 0, 0, 0, false};
	struct report_text left = *text;
	struct line line;

	while (next_line(&left, &line))
		count_line(&line, &counts);
	*result = (struct run_result){
		.verdict = (uint8_t)verdict_of(found, &counts),
		.points = in_range(counts.points),
		.failed = in_range(counts.failed),
	};
}

static bool equal(const struct line *a, const struct line *b)
{
	return a->length == b->length && !memcmp(a->at, b->at, a->length);
}

/* Both without what only an exception of the bare machine's has: its failure and its reason. */
static bool same(const struct line *bare, const struct line *nested)
{
	struct line plain = *bare;

	if (equal(bare, nested))
		return true;
	plain.length = find(bare, " # TODO ");
	if (plain.length == bare->length)
		return false;
	if (begins(&plain, "not ")) {
		plain.at += strlen("not ");
		plain.length -= strlen("not ");
	}
	return equal(&plain, nested);
}

static void show(struct out *out, const char *who, const struct line *line)
{
	char text[2 * SHOWN_BYTES + 1];
	size_t length = line->length < SHOWN_BYTES ? line->length : SHOWN_BYTES;
	int at_line = 0;

	text[report_clean(line->at, length, text, &at_line)] = '\0';
	out_print(out, "  %s %s\n", who, text);
}

uint32_t tap_compare(const struct report_text *bare, const struct report_text *nested,
                     struct out *out)
{
	struct report_text left = *bare, right = *nested;
	uint32_t differences = 0;

	for (;;) {
		struct line a, b;
		bool more = next_line(&left, &a);

		more |= next_line(&right, &b);
		if (!more)
			return differences;
		if (same(&a, &b) || ++differences > TAP_DIFFERENCES_SHOWN)
			continue;
		show(out, "bare:    ", &a);
		show(out, "Nestling:", &b);
	}
}
