/*
 * Makes and reads what fits of a report. Relies on boot/efi/tap_read.h and hv/print.h.
 */
#include "boot/efi/brief.h"
#include "boot/efi/tap_read.h"
#include "hv/print.h"
#include "hv/string.h"

#define BRIEF_MAGIC 0x31464549524254ull /* "TBRIEF1" */
#define LEFT_OUT    "# more lines than fit: %u\n"

enum {
	HEAD = offsetof(struct brief_piece, text),
	SUMMED_FROM = offsetof(struct brief_piece, run),
	DIGITS = 10,
	/* For the last line, if it comes to that. */
	LAST_LINE = sizeof(LEFT_OUT) + DIGITS,
};

/* A point that failed, what is said of it behind, and what ends a run before its end. */
static bool counts(const char *line, size_t length, bool *of_failed)
{
	if (tap_begins(line, length, "#"))
		return *of_failed;
	*of_failed = tap_failed(line, length);
	return *of_failed || tap_begins(line, length, "Bail out!") ||
	       tap_begins(line, length, "1..0");
}

static void add(struct brief *brief, const char *line, size_t length)
{
	memcpy(brief->text + brief->length, line, length);
	brief->length += (uint32_t)length;
}

bool brief_make(enum report_found found, const struct report_text *report, struct brief *brief)
{
	const char *line = report->at, *end = line + report->length;
	bool of_failed = false;
	uint32_t left_out = 0;

	brief->length = 0;
	tap_judge(found, report, &brief->result);
	for (size_t length; line < end; line += length) {
		length = tap_line_length(line, (size_t)(end - line));
		if (!counts(line, length, &of_failed))
			continue;
		/* What is left out has no gaps: else a line would stand below another point. */
		if (left_out || length > BRIEF_TEXT - LAST_LINE - brief->length)
			left_out++;
		else
			add(brief, line, length);
	}
	if (left_out)
		brief->length += (uint32_t)snprint(brief->text + brief->length, LAST_LINE, LEFT_OUT,
		                                   left_out);
	return found != REPORT_LOST;
}

unsigned int brief_pieces(const struct brief *brief)
{
	unsigned int pieces = (brief->length + BRIEF_PIECE_TEXT - 1) / BRIEF_PIECE_TEXT;

	return pieces ? pieces : 1;
}

static uint32_t sum_of(const struct brief_piece *piece)
{
	return report_sum(REPORT_SUM_OF_NOTHING, &piece->run, HEAD - SUMMED_FROM + piece->length);
}

size_t brief_cut(const struct brief *brief, uint32_t run, uint32_t step, unsigned int index,
                 struct brief_piece *piece)
{
	uint32_t at = index * BRIEF_PIECE_TEXT, left = brief->length - at;

	memset(piece, 0, sizeof(*piece));
	piece->magic = BRIEF_MAGIC;
	piece->run = run;
	piece->step = step;
	piece->index = (uint8_t)index;
	piece->count = (uint8_t)brief_pieces(brief);
	piece->length = (uint16_t)(left < BRIEF_PIECE_TEXT ? left : BRIEF_PIECE_TEXT);
	piece->result = brief->result;
	memcpy(piece->text, brief->text + at, piece->length);
	piece->checksum = sum_of(piece);
	return HEAD + piece->length;
}

/* Only what an image's end can have made. */
static bool is_result(const struct run_result *result)
{
	return (result->verdict == RUN_GOOD || result->verdict == RUN_BAD ||
	        result->verdict == RUN_SKIPPED || result->verdict == RUN_UNFINISHED) &&
	       !result->compared && !result->differences && result->failed <= result->points;
}

static bool read_piece(const void *bytes, size_t size, struct brief_piece *piece)
{
	if (size < HEAD || size > sizeof(*piece))
		return false;
	memcpy(piece, bytes, size);
	return piece->magic == BRIEF_MAGIC && piece->length == size - HEAD &&
	       piece->checksum == sum_of(piece) && piece->count && piece->count <= BRIEF_PIECES &&
	       piece->index < piece->count && is_result(&piece->result) &&
	       /* Those before the last one are full. */
	       (piece->index + 1 == piece->count || piece->length == BRIEF_PIECE_TEXT);
}

bool brief_is_piece(const void *bytes, size_t size)
{
	struct brief_piece piece;

	return read_piece(bytes, size, &piece);
}

bool brief_join(const void *bytes, size_t size, uint32_t run, uint32_t step, unsigned int index,
                struct brief *brief, bool *more)
{
	struct brief_piece piece;

	if (!read_piece(bytes, size, &piece) || piece.run != run || piece.step != step ||
	    piece.index != index)
		return false;
	if (!index) {
		brief->length = 0;
		brief->result = piece.result;
	}
	if (memcmp(&brief->result, &piece.result, sizeof(piece.result)) ||
	    brief->length != index * (uint32_t)BRIEF_PIECE_TEXT)
		return false;
	add(brief, piece.text, piece.length);
	*more = index + 1u < piece.count;
	return true;
}
