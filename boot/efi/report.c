/*
 * Judges what is found in a report's region. Relies on hv/string.h.
 */
#include "boot/efi/report.h"
#include "hv/string.h"

static const char *text_at(const void *region, size_t offset)
{
	return (const char *)region + offset;
}

static int is_text(char c)
{
	return (c >= ' ' && c <= '~') || c == '\n' || c == '\t' || c == '\r';
}

static size_t looks_like_text(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && is_text(text[i]))
		i++;
	return i;
}

static size_t at_most(uint32_t length)
{
	return length < REPORT_TEXT_ROOM ? length : REPORT_TEXT_ROOM;
}

enum report_found report_find(const void *region, uint32_t run, uint32_t step,
                              struct report_text *text)
{
	struct report_header header;

	memcpy(&header, region, sizeof(header));
	*text = (struct report_text){text_at(region, REPORT_TEXT_AT), 0};
	if (header.magic != REPORT_MAGIC || header.run != run || header.step != step)
		return REPORT_LOST;
	text->length = at_most(header.length);
	if (header.length > REPORT_TEXT_ROOM || header.end > REPORT_BAD ||
	    report_sum(REPORT_SUM_OF_NOTHING, text->at, text->length) != header.checksum) {
		text->length = looks_like_text(text->at, text->length);
		return REPORT_DAMAGED;
	}
	if (header.end == REPORT_OPEN)
		return REPORT_UNFINISHED;
	return header.end == REPORT_GOOD ? REPORT_ENDED_GOOD : REPORT_ENDED_BAD;
}

struct report_text report_kept(const void *region, uint32_t run, uint32_t step)
{
	struct report_text text = {text_at(region, REPORT_KEPT_AT), 0};
	struct report_header header;

	memcpy(&header, region, sizeof(header));
	if (header.magic == REPORT_MAGIC && header.run == run && header.kept_step == step &&
	    header.kept_length <= REPORT_TEXT_ROOM &&
	    report_sum(REPORT_SUM_OF_NOTHING, text.at, header.kept_length) == header.kept_checksum)
		text.length = header.kept_length;
	return text;
}

void report_begin(void *region, uint32_t run, uint32_t step, bool resident)
{
	struct report_header *header = region;

	if (header->magic != REPORT_MAGIC || header->run != run)
		header->kept_length = 0;
	header->magic = REPORT_MAGIC;
	header->run = run;
	header->step = step;
	header->length = 0;
	header->checksum = REPORT_SUM_OF_NOTHING;
	header->end = REPORT_OPEN;
	header->resident = resident;
}

void report_keep(void *region, const struct report_text *text, uint32_t step)
{
	struct report_header *header = region;

	memmove((char *)region + REPORT_KEPT_AT, text->at, text->length);
	header->kept_step = step;
	header->kept_length = (uint32_t)text->length;
	header->kept_checksum = report_sum(REPORT_SUM_OF_NOTHING, text->at, text->length);
}

size_t report_clean(const char *from, size_t length, char *to, int *at_line)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		if (from[i] == '\r')
			continue;
		if (*at_line && from[i] == '=')
			to[used++] = ' ';
		*at_line = from[i] == '\n';
		to[used++] = is_text(from[i]) ? from[i] : '?';
	}
	return used;
}
