/*
 * libFuzzer's way into configuration text: as it comes from a command line, from a file of the EFI
 * program's and from load options. Relies on boot/config.h and boot/efi/text.h.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/boot_info.h"
#include "boot/config.h"
#include "boot/efi/text.h"
#include "tests/fuzz/boot_fuzz.h"

/* Each is named by a word of its own, so they come to an end. */
static void check_files(const char *words)
{
	static struct config_file file;
	const char *at = words;

	while (config_next_file(&at, &file)) {
		check(at > words && at <= words + strlen(words));
		check(file.path[0] && memchr(file.path, 0, sizeof(file.path)));
		check(memchr(file.words, 0, sizeof(file.words)));
	}
}

static void parse(const char *words)
{
	static struct config config;
	char error[256];

	memset(&config, 0xff, sizeof(config));
	if (config_parse(words, &config, error, sizeof(error))) {
		check(!error[0]);
		check(memchr(config.l1, 0, sizeof(config.l1)) &&
		      memchr(config.cmdline, 0, sizeof(config.cmdline)));
		check_files(words);
		return;
	}
	for (const char *c = error; *c; c++)
		check(*c >= ' ' && *c <= '~');
	check(strlen(error) > 20);
}

static void decode(const struct text *text)
{
	static char words[BOOT_CMDLINE_SIZE];
	static uint16_t wide[BOOT_CMDLINE_SIZE];
	const char *wrong;
	size_t where;

	wrong = text_decode(text, words, sizeof(words), &where);
	check(memchr(words, 0, sizeof(words)));
	if (wrong) {
		check(where);
		return;
	}
	check(text_to_utf16(words, wide, BOOT_CMDLINE_SIZE));
	parse(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = calloc(1, size + 1);
	struct text text = text_of_file(data, size);

	check(line);
	memcpy(line, data, size);
	parse(line);
	decode(&text);
	if (text_of_options(data, size, &text))
		decode(&text);
	free(line);
	return 0;
}
