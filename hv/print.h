/*
 * Formatted output into memory: the subset of snprintf that L0 and the L1 images use.
 * Relies on hv/string.h.
 */
#ifndef HV_PRINT_H
#define HV_PRINT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes at most size bytes, the closing NUL included, and returns the length of the whole text,
 * as the C library does. Knows %s %c %d %u %x %p %%, the lengths l, ll and z, a width, and the
 * flags 0 and -.
 */
int vsnprint(char *to, size_t size, const char *format, va_list args);
int snprint(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
