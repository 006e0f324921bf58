/*
 * Text as editors and firmware have it, to UTF-8 and back. The Unicode Standard, section 3.9.
 * Relies on nothing.
 */
#include "boot/efi/text.h"

enum {
	MARK = 0xfeff,
	MARK_SWAPPED = 0xfffe,
	CTRL_Z = 0x1a,
	UNIT = 2, /* bytes of a unit of UTF-16 */
	BROKEN = 0xffffffff,
};

static uint32_t unit_at(const struct text *text, size_t at)
{
	const uint8_t *byte = text->bytes + at;

	if (text->kind == TEXT_UTF16_SWAPPED)
		return (uint32_t)byte[0] << 8 | byte[1];
	return (uint32_t)byte[1] << 8 | byte[0];
}

static bool is_high(uint32_t unit)
{
	return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(uint32_t unit)
{
	return unit >= 0xdc00 && unit < 0xe000;
}

static uint32_t next_utf16(const struct text *text, size_t *at)
{
	uint32_t first, second;

	if (text->size - *at < UNIT)
		return BROKEN;
	first = unit_at(text, *at);
	*at += UNIT;
	if (!is_high(first))
		return is_low(first) ? BROKEN : first;
	if (text->size - *at < UNIT)
		return BROKEN;
	second = unit_at(text, *at);
	*at += UNIT;
	return is_low(second) ? 0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00)) : BROKEN;
}

static uint32_t next_utf8(const struct text *text, size_t *at)
{
	/* The least that takes so many bytes: what could be shorter is broken. */
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = text->bytes[(*at)++];
	unsigned int bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t value = bytes == 1 ? first : first & (0xffu >> (bytes + 1));

	if ((first >= 0x80 && first < 0xc0) || first >= 0xf8 || text->size - *at < bytes - 1)
		return BROKEN;
	for (unsigned int i = 1; i < bytes; i++) {
		uint8_t byte = text->bytes[(*at)++];

		if ((byte & 0xc0) != 0x80)
			return BROKEN;
		value = value << 6 | (byte & 0x3f);
	}
	if (value < least[bytes] || value > 0x10ffff || is_high(value) || is_low(value))
		return BROKEN;
	return value;
}

static uint32_t next(const struct text *text, size_t *at)
{
	return text->kind == TEXT_UTF8 ? next_utf8(text, at) : next_utf16(text, at);
}

/* Returns the bytes that it takes. */
static size_t put_utf8(char *to, uint32_t value)
{
	size_t bytes = value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4;
	uint32_t head = bytes == 1 ? 0 : 0xf00u >> bytes & 0xff;

	for (size_t i = bytes; i-- > 1; value >>= 6)
		to[i] = (char)(0x80 | (value & 0x3f));
	to[0] = (char)(head | value);
	return bytes;
}

const char *text_decode(const struct text *text, char *to, size_t room, size_t *where)
{
	size_t at = 0, used = 0;

	*where = 0;
	to[0] = '\0';
	while (at < text->size) {
		uint32_t value = next(text, &at);

		++*where;
		if (value == BROKEN)
			return text->kind == TEXT_UTF8 ? "is no UTF-8" : "is no UTF-16";
		if (used + 4 >= room)
			return "is one too many";
		used += put_utf8(to + used, value ? value : '?');
		to[used] = '\0';
	}
	return NULL;
}

/* Without the mark that it begins with. */
static void skip_mark(struct text *text)
{
	size_t at = 0;

	if (text->size && next(text, &at) == MARK) {
		text->bytes += at;
		text->size -= at;
	}
}

struct text text_of_file(const void *bytes, size_t size)
{
	struct text text = {bytes, size, TEXT_UTF8};
	uint32_t first = size < UNIT ? 0 : unit_at(&text, 0);
	size_t last;

	/* An ASCII letter and a zero byte are UTF-16 without a mark. */
	if (first == MARK || (first && first < 0x80))
		text.kind = TEXT_UTF16;
	else if (first == MARK_SWAPPED || (first && !(first & 0xff)))
		text.kind = TEXT_UTF16_SWAPPED;
	skip_mark(&text);
	last = text.kind == TEXT_UTF8 ? 1 : UNIT;
	if (text.size >= last &&
	    (last == 1 ? text.bytes[text.size - 1] : unit_at(&text, text.size - last)) == CTRL_Z)
		text.size -= last;
	return text;
}

static bool is_printable(uint32_t value)
{
	return (value >= ' ' && value <= '~') || value == '\t' || value == '\r' || value == '\n';
}

/* Cuts the text off at its NUL; tells whether it is all ASCII, and whether it may have words. */
static void measure(struct text *text, bool *ascii, bool *words)
{
	size_t unit = text->kind == TEXT_UTF8 ? 1 : UNIT;

	*ascii = true;
	*words = false;
	for (size_t at = 0; text->size - at >= unit; at += unit) {
		uint32_t value = unit == 1 ? text->bytes[at] : unit_at(text, at);

		if (!value) {
			text->size = at;
			return;
		}
		*ascii = *ascii && is_printable(value);
		*words = *words || value == '=';
	}
}

bool text_of_options(const void *bytes, size_t size, struct text *text)
{
	struct text narrow = {bytes, size, TEXT_UTF8};
	bool ascii, words;

	*text = (struct text){bytes, size & ~(size_t)1, TEXT_UTF16};
	if (size >= UNIT && unit_at(text, 0) == MARK_SWAPPED)
		text->kind = TEXT_UTF16_SWAPPED;
	skip_mark(text);
	measure(text, &ascii, &words);
	if (ascii || words)
		return text->size;
	skip_mark(&narrow);
	measure(&narrow, &ascii, &words);
	*text = narrow;
	return ascii && words;
}

bool text_to_utf16(const char *from, uint16_t *to, size_t room)
{
	struct text text = {(const uint8_t *)from, 0, TEXT_UTF8};
	size_t at = 0, used = 0;

	while (from[text.size])
		text.size++;
	while (at < text.size) {
		uint32_t value = next(&text, &at);

		if (used + 2 >= room)
			return false;
		if (value > 0x10ffff)
			value = '?';
		if (value >= 0x10000) {
			to[used++] = (uint16_t)(0xd800 + ((value - 0x10000) >> 10));
			value = 0xdc00 + ((value - 0x10000) & 0x3ff);
		}
		to[used++] = (uint16_t)value;
	}
	to[used] = 0;
	return true;
}
