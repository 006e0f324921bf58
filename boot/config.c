/*
 * Parses L0's configuration. Relies on hv/print.h and hv/string.h.
 */
#include "boot/config.h"
#include "hv/print.h"
#include "hv/serial.h"
#include "hv/string.h"

enum { SHOWN_SIZE = 64, LIMIT_MOST = 0x10000 };

struct parser {
	const char *word; /* where the word begins, for messages */
	const char *at;   /* what is read next */
	char *error;
	size_t error_size;
	unsigned int seen; /* a bit for each of keys[] */
	unsigned int key;  /* the word's, of keys[] */
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

static bool read_screen(struct parser *parser, struct config *config)
{
	static const char *const names[] = {"auto", "keep", "off", NULL};
	unsigned int choice = 0;

	if (!read_choice(parser, names, &choice, ": use auto, keep or off"))
		return false;
	config->screen = (enum config_screen)choice;
	return true;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 'a' ^ 'A';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 0x and digits up to the last port that has eight registers from there on; 0: it is none. */
static uint16_t port_of(const char *text)
{
	uint32_t port = 0;

	if (text[0] != '0' || (text[1] | ('a' ^ 'A')) != 'x')
		return 0;
	for (text += 2; *text; text++) {
		if (digit_of(*text) < 0)
			return 0;
		port = port << 4 | (uint32_t)digit_of(*text);
		if (port > UINT16_MAX + 1 - SERIAL_PORTS)
			return 0;
	}
	return (uint16_t)port;
}

static bool read_serial(struct parser *parser, struct config *config)
{
	static const struct {
		const char *name;
		uint16_t port;
	} names[] = {{"com1", COM1_DATA}, {"com2", COM2_DATA}, {"off", 0}};
	char value[16];

	if (!read_value(parser, value, sizeof(value)))
		return false;
	config->serial_given = true;
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(value, names[i].name)) {
			config->serial_port = names[i].port;
			return true;
		}
	}
	config->serial_port = port_of(value);
	return config->serial_port ||
	       complain(parser, "bad value in",
	                ": use com1, com2, off or a port, for instance serial=0x3e8");
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

static bool read_bare(struct parser *parser, struct config *config)
{
	static const char *const names[] = {"off", "on", NULL};

	return read_flag(parser, names, &config->bare, ": use on or off");
}

static bool read_iommu(struct parser *parser, struct config *config)
{
	static const char *const names[] = {"auto", "off", NULL};

	return read_flag(parser, names, &config->no_iommu, ": use auto or off");
}

static bool read_barriers(struct parser *parser, struct config *config)
{
	return read_auto_on_off(parser, &config->barriers);
}

/* Reads digits; what follows them, or a digit where it is more than any value may be. */
static const char *read_digits(const char *c, uint64_t *number)
{
	for (*number = 0; *c >= '0' && *c <= '9' && *number <= UINT32_MAX; c++)
		*number = *number * 10 + (uint64_t)(*c - '0');
	return c;
}

static bool read_pool(struct parser *parser, struct config *config)
{
	static const char hint[] = ": use a number of K, M or G, for instance pool=16M";
	const char *c;
	char value[24];
	uint64_t number;
	unsigned int shift;

	if (!read_value(parser, value, sizeof(value)))
		return false;
	c = read_digits(value, &number);
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

/* Splits what module= names: the path up to the first blank, the words behind it. */
static bool split_file(char *value, struct config_file *file)
{
	size_t length = 0, skip;

	while (value[length] && !is_blank(value[length]))
		length++;
	if (!length || length >= sizeof(file->path))
		return false;
	for (skip = length; is_blank(value[skip]);)
		skip++;
	memcpy(file->path, value, length);
	file->path[length] = '\0';
	memcpy(file->words, value + skip, strlen(value + skip) + 1);
	return true;
}

/* What initrd= and module= name is checked here, and kept by config_next_file() only. */
static struct config_file file_read;

static bool read_initrd(struct parser *parser, struct config *config)
{
	file_read.words[0] = '\0';
	return read_path(parser, file_read.path, &config->files_given);
}

static bool read_module(struct parser *parser, struct config *config)
{
	static char value[CONFIG_CMDLINE_SIZE];

	if (!read_text(parser, value, sizeof(value), &config->files_given))
		return false;
	return split_file(value, &file_read) ||
	       complain(parser, "bad value in", ": begin it with a file's name, 255 bytes at most");
}

static bool read_cmdline(struct parser *parser, struct config *config)
{
	return read_text(parser, config->cmdline, sizeof(config->cmdline), &config->cmdline_given);
}

static bool read_everything(struct parser *parser, struct config *config)
{
	return read_text(parser, config->everything, sizeof(config->everything),
	                 &config->everything_given);
}

static bool read_seconds(struct parser *parser, uint32_t *seconds)
{
	uint64_t number;
	char value[8];

	if (!read_value(parser, value, sizeof(value)))
		return false;
	if (*read_digits(value, &number) || !number || number >= LIMIT_MOST)
		return complain(parser, "bad value in", ": use seconds, 1 to 65535");
	*seconds = (uint32_t)number;
	return true;
}

static bool read_limit(struct parser *parser, struct config *config)
{
	return read_seconds(parser, &config->limit);
}

static bool read_menu(struct parser *parser, struct config *config)
{
	return read_seconds(parser, &config->menu);
}

static bool read_chain(struct parser *parser, struct config *config)
{
	return read_path(parser, config->chain, &config->chain_given);
}

static const struct {
	const char *name;
	bool (*read)(struct parser *parser, struct config *config);
} keys[] = {
	{"la57", read_la57},     {"npt", read_npt},
	{"log", read_log},       {"pool", read_pool},
	{"l1", read_l1},         {"initrd", read_initrd},
	{"module", read_module}, {"cmdline", read_cmdline},
	{"hotkey", read_hotkey}, {"svm", read_svm},
	{"msr", read_msr},       {"barriers", read_barriers},
	{"bare", read_bare},     {"everything", read_everything},
	{"limit", read_limit},   {"screen", read_screen},
	{"serial", read_serial}, {"iommu", read_iommu},
	{"chain", read_chain},   {"menu", read_menu},
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* May it be given more than once: does it name a module? */
static bool is_file(unsigned int key)
{
	return keys[key].read == read_initrd || keys[key].read == read_module;
}

/* The index of the key that the word begins with; beyond keys[] when it is none of them. */
static unsigned int find_key(const char *word, size_t length)
{
	unsigned int i = 0;

	while (i < KEYS && (strlen(keys[i].name) != length || strncmp(keys[i].name, word, length)))
		i++;
	return i;
}

static bool read_word(struct parser *parser, struct config *config)
{
	const char *end = parser->word;
	unsigned int key;

	while (*end && *end != '=' && *end != '"' && !is_blank(*end))
		end++;
	if (*end != '=')
		return complain(parser, "there is no key=value in", ": see docs/boot.md");
	key = find_key(parser->word, (size_t)(end - parser->word));
	if (key == KEYS)
		return complain(parser, "unknown", ": see docs/boot.md");
	if (parser->seen & 1u << key && !is_file(key))
		return complain(parser, "given before is the key of", ": give each key once");
	parser->seen |= 1u << key;
	parser->key = key;
	parser->at = end + 1;
	return keys[key].read(parser, config);
}

/* Goes to the next word, over blanks and comments. Returns false when there is none. */
static bool next_word(struct parser *parser)
{
	for (;;) {
		while (is_blank(*parser->at))
			parser->at++;
		parser->word = parser->at;
		if (*parser->at != '#')
			return *parser->at;
		while (*parser->at && *parser->at != '\n')
			parser->at++;
	}
}

bool config_parse(const char *words, struct config *config, char *error, size_t error_size)
{
	struct parser parser = {.at = words, .error = error, .error_size = error_size};

	memset(config, 0, sizeof(*config));
	config->log = LOG_INFO;
	if (error_size)
		error[0] = '\0';
	while (next_word(&parser)) {
		if (!read_word(&parser, config))
			return false;
	}
	return true;
}

bool config_next_file(const char **at, struct config_file *file)
{
	static struct config unused;
	struct parser parser = {.at = *at};
	bool found = false;

	while (!found && next_word(&parser) && read_word(&parser, &unused)) {
		parser.seen = 0;
		found = is_file(parser.key);
	}
	*at = parser.at;
	*file = file_read;
	file->key = keys[parser.key].name;
	return found;
}
