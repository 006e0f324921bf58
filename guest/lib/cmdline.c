/*
 * The image's command line. Relies on the multiboot 1 information structure (section 3.3).
 */
#include "guest/lib/cmdline.h"
#include "hv/string.h"

enum {
	MULTIBOOT_LOADED = 0x2badb002,
	MULTIBOOT_HAS_CMDLINE = 1 << 2,
	LINE_BYTES = 1024,
};

/* The beginning of the information structure. */
struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

static char line[LINE_BYTES];
static char value[LINE_BYTES];

void cmdline_init(uint32_t magic, uint32_t information)
{
	const struct multiboot_info *info = (const void *)(uintptr_t)information;
	const char *from;

	if (magic != MULTIBOOT_LOADED || !(info->flags & MULTIBOOT_HAS_CMDLINE))
		return;
	from = (const char *)(uintptr_t)info->cmdline;
	for (unsigned int i = 0; i < LINE_BYTES - 1 && from[i]; i++)
		line[i] = from[i];
}

const char *cmdline_value(const char *key)
{
	size_t length = strlen(key);
	const char *word = strchr(line, ' ');

	while (word) {
		word++;
		if (!strncmp(word, key, length) && word[length] == '=') {
			const char *from = word + length + 1;
			unsigned int i = 0;

			for (; from[i] && from[i] != ' '; i++)
				value[i] = from[i];
			value[i] = '\0';
			return value;
		}
		word = strchr(word, ' ');
	}
	return NULL;
}

uint32_t cmdline_number(const char *key, uint32_t otherwise)
{
	const char *text = cmdline_value(key);
	uint32_t number = 0;

	if (!text || *text < '0' || *text > '9')
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint32_t)(*text - '0');
	return number;
}

bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
