/*
 * Formatted output into memory, for code without a C library. Relies on hv/string.h.
 */
#include "hv/print.h"
#include "hv/string.h"

#include <stdbool.h>
#include <stdint.h>

struct sink {
	char *to;
	size_t size, length;
};

static void put(struct sink *sink, char c)
{
	if (sink->length + 1 < sink->size)
		sink->to[sink->length] = c;
	sink->length++;
}

struct field {
	unsigned int width;
	bool zero, left;
};

static void put_field(struct sink *sink, const struct field *field, const char *text, size_t length)
{
	size_t pad = field->width > length ? field->width - length : 0;
	size_t i = 0;

	if (field->zero && length && text[0] == '-') {
		put(sink, '-');
		i = 1;
	}
	if (!field->left) {
		while (pad) {
			put(sink, field->zero ? '0' : ' ');
			pad--;
		}
	}
	for (; i < length; i++)
		put(sink, text[i]);
	while (pad--)
		put(sink, ' ');
}

/* Division of 64 bits by 16, without the compiler's helper functions that a 32-bit build lacks. */
static uint64_t divide(uint64_t value, uint32_t base, uint32_t *rest)
{
	uint64_t quotient = 0;
	uint32_t remainder = 0;

	for (int bit = 63; bit >= 0; bit--) {
		remainder = remainder << 1 | (uint32_t)(value >> bit & 1);
		if (remainder >= base) {
			remainder -= base;
			quotient |= 1ull << bit;
		}
	}
	*rest = remainder;
	return quotient;
}

static void put_number(struct sink *sink, const struct field *field, uint64_t value, uint32_t base,
                       bool negative)
{
	char digits[24];
	size_t at = sizeof(digits);
	uint32_t digit;

	do {
		value = divide(value, base, &digit);
		digits[--at] = "0123456789abcdef"[digit];
	} while (value);
	if (negative)
		digits[--at] = '-';
	put_field(sink, field, digits + at, sizeof(digits) - at);
}

static uint64_t take_unsigned(va_list *args, int longs)
{
	if (longs >= 2)
		return va_arg(*args, unsigned long long);
	if (longs == 1)
		return va_arg(*args, unsigned long);
	return va_arg(*args, unsigned int);
}

static int64_t take_signed(va_list *args, int longs)
{
	if (longs >= 2)
		return va_arg(*args, long long);
	if (longs == 1)
		return va_arg(*args, long);
	return va_arg(*args, int);
}

int vsnprint(char *to, size_t size, const char *format, va_list arguments)
{
	struct sink sink = {to, size, 0};
	va_list args;

	va_copy(args, arguments);
	for (; *format; format++) {
		struct field field = {0, false, false};
		int longs = 0;

		if (*format != '%') {
			put(&sink, *format);
			continue;
		}
		format++;
		for (; *format == '0' || *format == '-'; format++) {
			field.zero |= *format == '0';
			field.left |= *format == '-';
		}
		for (; *format >= '0' && *format <= '9'; format++)
			field.width = field.width * 10 + (unsigned int)(*format - '0');
		for (; *format == 'l' || *format == 'z'; format++)
			longs++;

		switch (*format) {
		case 's': {
			const char *text = va_arg(args, const char *);

			text = text ? text : "(null)";
			put_field(&sink, &field, text, strlen(text));
			break;
		}
		case 'c': {
			char c = (char)va_arg(args, int);

			put_field(&sink, &field, &c, 1);
			break;
		}
		case 'd': {
			int64_t value = take_signed(&args, longs);
			uint64_t size_of_it = value < 0 ? -(uint64_t)value : (uint64_t)value;

			put_number(&sink, &field, size_of_it, 10, value < 0);
			break;
		}
		case 'u':
			put_number(&sink, &field, take_unsigned(&args, longs), 10, false);
			break;
		case 'x':
			put_number(&sink, &field, take_unsigned(&args, longs), 16, false);
			break;
		case 'p':
			put_number(&sink, &field, (uintptr_t)va_arg(args, void *), 16, false);
			break;
		case '\0':
			format--;
			break;
		default:
			put(&sink, *format);
			break;
		}
	}
	va_end(args);
	if (size)
		to[sink.length < size ? sink.length : size - 1] = '\0';
	return (int)sink.length;
}

int snprint(char *to, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprint(to, size, format, args);
	va_end(args);
	return length;
}
