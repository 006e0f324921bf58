/*
 * Text in a buffer. Relies on hv/print.h.
 */
#include "boot/efi/out.h"

#include <stdarg.h>

#include "hv/print.h"

void out_print(struct out *out, const char *format, ...)
{
	size_t left = out->room - out->used;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprint(out->to + out->used, left, format, args);
	va_end(args);
	if ((size_t)length < left)
		out->used += (size_t)length;
	else if (left)
		out->used = out->room - 1;
}
