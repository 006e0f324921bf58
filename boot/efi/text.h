/*
 * Text as editors and firmware have it: 8-bit (UTF-8), UTF-16 of either byte order, with or without
 * a mark; in here it is UTF-8. Relies on nothing of EFI's, so that it is tried on the host.
 */
#ifndef BOOT_EFI_TEXT_H
#define BOOT_EFI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum text_kind { TEXT_UTF8, TEXT_UTF16, TEXT_UTF16_SWAPPED };

struct text {
	const uint8_t *bytes;
	size_t size;
	enum text_kind kind;
};

/* A file's text without its mark, and without a last Ctrl-Z, as some editors leave it. */
struct text text_of_file(const void *bytes, size_t size);

/*
 * Load options, up to the NUL that may end them: UTF-16, as UEFI has it, or 8-bit text, as some who
 * write boot entries do. Returns false when they are no text: firmware and boot managers put data
 * of their own there. What is not all printable ASCII counts as text if it holds a "=".
 */
bool text_of_options(const void *bytes, size_t size, struct text *text);

/*
 * Writes it as UTF-8 with a NUL. A zero character becomes a "?". Returns NULL, or what is wrong,
 * and in *where the number of the character, from 1 on, at which it is.
 */
const char *text_decode(const struct text *text, char *to, size_t room, size_t *where);

/* UTF-8, as text_decode() wrote it, to UTF-16 with a NUL. Returns false when there is no room. */
bool text_to_utf16(const char *from, uint16_t *to, size_t room);

/* FAT's names are the same whatever the case of their letters. */
static inline char text_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

#endif
