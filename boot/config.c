/*
 * Parses L0's configuration. Relies on hv/print.h and hv/string.h.
 */
#include "boot/config.h"
#include "hv/print.h"
#include "hv/string.h"

enum { SHOWN_SIZE = 64 };

struct parser {
	const char *word; /* where the word begins, for messages */
	const char *at;   /* what is read next */
	char *error;
	size_t error_size;
	unsigned int seen; /* a bit for each of keys[] */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Says what is wrong with the word, which is shown as far as a line can hold it. */
static bool complain(const struct parser *parser, const char *before, const char *after)
{
	char shown[SHOWN_SIZE];
	bool quoted = false;
	size_t length = 0;

	for (const char *c = parser->word; *c && (quoted || !is_blank(*c)); c++) {
		if (*c == '"')
			quoted = !quoted;
		if (length == sizeof(shown) - 4) {
			memcpy(shown + length, "...", 3);
			length += 3;
			break;
		}
		shown[length++] = *c >= ' ' && *c <= '~' ? *c : '?';
	}
	shown[length] = '\0';
	snprint(parser->error, parser->error_size, "%s configuration word \"%s\"%s", before, shown,
	        after);
	return false;
}

/* Reads a value without its quotes up to the blank that ends it. */
static bool read_value(struct parser *parser, char *to, size_t size)
{
	bool quoted = false;
	size_t length = 0;

	for (; *parser->at && (quoted || !is_blank(*parser->at)); parser->at++) {
		if (*parser->at == '"') {
			quoted = !quoted;
			continue;
		}
		if (length + 1 == size)
			return complain(parser, "the value is too long in",
			                ": shorten it, see docs/boot.md");
		to[length++] = *parser->at;
	}
	if (quoted)
		return complain(parser, "the closing quote is missing in", ": add a \"");
	to[length] = '\0';
	return true;
}

/* The value's index in a list of names that ends with NULL. */
static bool read_choice(struct parser *parser, const char *const *names, unsigned int *choice,
                        const char *hint)
{
	char value[16];

	if (!read_value(parser, value, sizeof(value)))
		return false;
	for (unsigned int i = 0; names[i]; i++) {
		if (!strcmp(value, names[i])) {
			*choice = i;
			return true;
		}
	}
	return complain(parser, "bad value in", hint);
}

static bool read_auto_on_off(struct parser *parser, unsigned int *choice)
{
	static const char *const names[] = {"auto", "on", "off", NULL};

	return read_choice(parser, names, choice, ": use auto, on or off");
}

static bool read_la57(struct parser *parser, struct config *config)
{
	unsigned int choice = 0;

	if (!read_auto_on_off(parser, &choice))
		return false;
	config->la57 = (enum config_la57)choice;
	return true;
}

static bool read_npt(struct parser *parser, struct config *config)
{
	unsigned int choice = 0;

	if (!read_auto_on_off(parser, &choice))
		return false;
	config->npt = (enum config_npt)choice;
	return true;
}

static bool read_log(struct parser *parser, struct config *config)
{
	static const char *const names[] = {"quiet", "info", "debug", NULL};
	unsigned int choice = 0;

	if (!read_choice(parser, names, &choice, ": use quiet, info or debug"))
		return false;
	config->log = (enum log_level)choice;
	return true;
}

/* The second of two names. */
static bool read_flag(struct parser *parser, const char *const *names, bool *flag, const char *hint)
{
	unsigned int choice = 0;

	if (!read_choice(parser, names, &choice, hint))
		return false;
	*flag = choice;
	return true;
}

static bool read_hotkey(struct parser *parser, struct config *config)
{
	static const char *const names[] = {"off", "on", NULL};

	return read_flag(parser, names, &config->hotkey, ": use on or off");
}

static bool read_svm(struct parser *parser, struct config *config)
{
	static const char *const names[] = {"tried", "all", NULL};

	return read_flag(parser, names, &config->untried, ": use tried or all");
}

static bool read_msr(struct parser *parser, struct config *config)
{
	static const char *const names[] = {"strict", "open", NULL};

	return read_flag(parser, names, &config->open_msrs, ": use strict or open");
}

static bool read_barriers(struct parser *parser, struct config *config)
{
	return read_auto_on_off(parser, &config->barriers);
}

static bool read_pool(struct parser *parser, struct config *config)
{
	static const char hint[] = ": use a number of K, M or G, for instance pool=16M";
	const char *c;
	char value[24];
	uint64_t number = 0;
	unsigned int shift;

	if (!read_value(parser, value, sizeof(value)))
		return false;
	for (c = value; *c >= '0' && *c <= '9'; c++) {
		if (number > UINT32_MAX) /* more than any machine has, and no overflow later */
			return complain(parser, "bad value in", hint);
		number = number * 10 + (uint64_t)(*c - '0');
	}
	switch (*c) {
	case 'K':
		shift = 10;
		break;
	case 'M':
		shift = 20;
		break;
	case 'G':
		shift = 30;
		break;
	default:
		return complain(parser, "bad value in", hint);
	}
	if (c[1] || !number || number > UINT64_MAX >> shift)
		return complain(parser, "bad value in", hint);
	config->pool_bytes = number << shift;
	return true;
}

static bool read_text(struct parser *parser, char *to, size_t size, bool *given)
{
	*given = true;
	return read_value(parser, to, size);
}

/* A file's name cannot be empty; an empty command line is one. */
static bool read_path(struct parser *parser, char *to, bool *given)
{
	if (!read_text(parser, to, CONFIG_PATH_SIZE, given))
		return false;
	return to[0] || complain(parser, "bad value in", ": name a file");
}

static bool read_l1(struct parser *parser, struct config *config)
{
	return read_path(parser, config->l1, &config->l1_given);
}

static bool read_initrd(struct parser *parser, struct config *config)
{
	return read_path(parser, config->initrd, &config->initrd_given);
}

static bool read_cmdline(struct parser *parser, struct config *config)
{
	return read_text(parser, config->cmdline, sizeof(config->cmdline), &config->cmdline_given);
}

static const struct {
	const char *name;
	bool (*read)(struct parser *parser, struct config *config);
} keys[] = {
	{"la57", read_la57},
	{"npt", read_npt},
	{"log", read_log},
	{"pool", read_pool},
	{"l1", read_l1},
	{"initrd", read_initrd},
	{"cmdline", read_cmdline},
	{"hotkey", read_hotkey},
	{"svm", read_svm},
	{"msr", read_msr},
	{"barriers", read_barriers},
};

static bool read_word(struct parser *parser, struct config *config)
{
	const char *end = parser->word;
	size_t length;

	while (*end && *end != '=' && *end != '"' && !is_blank(*end))
		end++;
	if (*end != '=')
		return complain(parser, "there is no key=value in", ": see docs/boot.md");
	length = (size_t)(end - parser->word);
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strlen(keys[i].name) != length ||
		    strncmp(keys[i].name, parser->word, length) != 0)
			continue;
		if (parser->seen & 1u << i)
			return complain(parser, "given before is the key of",
			                ": give each key once");
		parser->seen |= 1u << i;
		parser->at = end + 1;
		return keys[i].read(parser, config);
	}
	return complain(parser, "unknown", ": see docs/boot.md");
}

bool config_parse(const char *words, struct config *config, char *error, size_t error_size)
{
	struct parser parser = {.at = words, .error = error, .error_size = error_size};

	memset(config, 0, sizeof(*config));
	config->log = LOG_INFO;
	if (error_size)
		error[0] = '\0';
	for (;;) {
		while (is_blank(*parser.at))
			parser.at++;
		if (!*parser.at)
			return true;
		if (*parser.at == '#') {
			while (*parser.at && *parser.at != '\n')
				parser.at++;
			continue;
		}
		parser.word = parser.at;
		if (!read_word(&parser, config))
			return false;
	}
}
