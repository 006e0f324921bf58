/*
 * Memory and string functions for code without a C library: short rather than fast, except
 * memcpy and memset, which the processor does well by itself. Relies on nothing.
 */
#include "hv/string.h"

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *d = to;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(bytes) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	char *d = to;
	const char *s = from;

	if (d <= s || d >= s + bytes)
		return memcpy(to, from, bytes);
	while (bytes--)
		d[bytes] = s[bytes];
	return to;
}

void *memset(void *to, int value, size_t bytes)
{
	void *d = to;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(value) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const unsigned char *x = a, *y = b;

	for (; bytes; x++, y++, bytes--) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t bytes)
{
	for (; bytes; a++, b++, bytes--) {
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, (size_t)-1);
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++) {
		if (!*s)
			return NULL;
	}
	return (char *)s;
}
