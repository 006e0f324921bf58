/*
 * Text that grows in a buffer; what does not fit is cut off. Relies on hv/print.h.
 */
#ifndef BOOT_EFI_OUT_H
#define BOOT_EFI_OUT_H

#include <stddef.h>

struct out {
	char *to;
	size_t room, used; /* there is always a NUL at used, if there is room at all */
};

void out_print(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
