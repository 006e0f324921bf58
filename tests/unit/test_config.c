/*
 * boot/config.c: every key, every way to get a word wrong. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/config.h"

static struct config config;
static char error[256];

static void good(const char *words)
{
	memset(&config, 0xff, sizeof(config));
	if (!config_parse(words, &config, error, sizeof(error)))
		fail_msg("\"%s\": %s", words, error);
	assert_string_equal(error, "");
}

static void bad(const char *words, const char *message)
{
	assert_false(config_parse(words, &config, error, sizeof(error)));
	assert_string_equal(error, message);
}

static void defaults(void **state)
{
	(void)state;
	good("");
	assert_int_equal(config.la57, LA57_AUTO);
	assert_int_equal(config.npt, NPT_AUTO);
	assert_int_equal(config.log, LOG_INFO);
	assert_int_equal(config.pool_bytes, 0);
	assert_string_equal(config.l1, "");
	assert_string_equal(config.cmdline, "");
	assert_false(config.l1_given || config.files_given || config.cmdline_given);
	good(" \t\r\n ");
	good("# nothing but a comment");
}

static void choices(void **state)
{
	(void)state;
	good("la57=on log=quiet");
	assert_int_equal(config.la57, LA57_ON);
	assert_int_equal(config.log, LOG_QUIET);
	good("la57=off log=debug");
	assert_int_equal(config.la57, LA57_OFF);
	assert_int_equal(config.log, LOG_DEBUG);
	good("la57=auto log=info");
	assert_int_equal(config.la57, LA57_AUTO);
	assert_int_equal(config.log, LOG_INFO);
	good("npt=on");
	assert_int_equal(config.npt, NPT_ON);
	assert_int_equal(config.la57, LA57_AUTO);
	good("npt=off la57=on");
	assert_int_equal(config.npt, NPT_OFF);
	assert_int_equal(config.la57, LA57_ON);
	good("la57=off npt=auto");
	assert_int_equal(config.npt, NPT_AUTO);
	assert_int_equal(config.la57, LA57_OFF);
}

static void screen_and_serial(void **state)
{
	static const char hint[] = ": use com1, com2, off or a port, for instance serial=0x3e8";
	static const char *const none[] = {
		"",    "on",     "COM1",    "com3",        "3f8",  "0x",    "0x0",
		"0xg", "0xfff9", "0x10000", "0x1000003f8", "0x-1", "0x3f8x"};
	char words[32], message[160];

	(void)state;
	good("");
	assert_int_equal(config.screen, SCREEN_AUTO);
	assert_false(config.serial_given);
	good("screen=keep serial=com2");
	assert_int_equal(config.screen, SCREEN_KEEP);
	assert_true(config.serial_given);
	assert_int_equal(config.serial_port, 0x2f8);
	good("screen=off serial=off");
	assert_int_equal(config.screen, SCREEN_OFF);
	assert_true(config.serial_given);
	assert_int_equal(config.serial_port, 0);
	good("screen=auto serial=com1");
	assert_int_equal(config.screen, SCREEN_AUTO);
	assert_int_equal(config.serial_port, 0x3f8);
	good("serial=0x3e8");
	assert_int_equal(config.serial_port, 0x3e8);
	good("serial=0XFfF8");
	assert_int_equal(config.serial_port, 0xfff8);
	bad("screen=on", "bad value in configuration word \"screen=on\": use auto, keep or off");
	for (unsigned int i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		snprintf(words, sizeof(words), "serial=%s", none[i]);
		snprintf(message, sizeof(message), "bad value in configuration word \"%s\"%s",
		         words, hint);
		bad(words, message);
	}
}

static void hotkey(void **state)
{
	(void)state;
	good("");
	assert_false(config.hotkey);
	good("hotkey=on");
	assert_true(config.hotkey);
	good("hotkey=off");
	assert_false(config.hotkey);
	bad("hotkey=auto", "bad value in configuration word \"hotkey=auto\": use on or off");
}

static void barriers(void **state)
{
	(void)state;
	good("");
	assert_int_equal(config.barriers, 0);
	good("barriers=on");
	assert_int_equal(config.barriers, 1);
	good("barriers=off");
	assert_int_equal(config.barriers, 2);
	bad("barriers=all",
	    "bad value in configuration word \"barriers=all\": use auto, on or off");
}

static void registers(void **state)
{
	(void)state;
	good("");
	assert_false(config.open_msrs);
	good("msr=open");
	assert_true(config.open_msrs);
	good("msr=strict");
	assert_false(config.open_msrs);
	bad("msr=all", "bad value in configuration word \"msr=all\": use strict or open");
}

static void everything(void **state)
{
	(void)state;
	good("");
	assert_false(config.bare || config.everything_given);
	assert_int_equal(config.limit, 0);
	good("bare=on everything=pae.elf,long.elf+levels=5 limit=65535");
	assert_true(config.bare && config.everything_given);
	assert_string_equal(config.everything, "pae.elf,long.elf+levels=5");
	assert_int_equal(config.limit, 65535);
	good("bare=off limit=1");
	assert_false(config.bare);
	bad("bare=auto", "bad value in configuration word \"bare=auto\": use on or off");
	good("chain=auto menu=5");
	assert_int_equal(config.menu, 5);
	assert_true(config.chain_given);
	bad("menu=0", "bad value in configuration word \"menu=0\": use seconds, 1 to 65535");
	bad("limit=0", "bad value in configuration word \"limit=0\": use seconds, 1 to 65535");
	bad("limit=65536",
	    "bad value in configuration word \"limit=65536\": use seconds, 1 to 65535");
	bad("limit=1m", "bad value in configuration word \"limit=1m\": use seconds, 1 to 65535");
}

static void sizes(void **state)
{
	(void)state;
	good("pool=512K");
	assert_int_equal(config.pool_bytes, 512 << 10);
	good("pool=16M");
	assert_int_equal(config.pool_bytes, 16 << 20);
	good("pool=3G");
	assert_int_equal(config.pool_bytes, 3ull << 30);
}

static void texts(void **state)
{
	(void)state;
	good("l1=pae.elf initrd=\\EFI\\x.img cmdline=\"a=b  c # d\" la57=\"on\"");
	assert_string_equal(config.l1, "pae.elf");
	assert_string_equal(config.cmdline, "a=b  c # d");
	assert_int_equal(config.la57, LA57_ON);
	assert_true(config.l1_given && config.files_given && config.cmdline_given);
	good("cmdline=");
	assert_true(config.cmdline_given);
	assert_false(config.l1_given);
	good("l1=dir#1/a cmdline=x\" y\"z");
	assert_string_equal(config.l1, "dir#1/a");
	assert_string_equal(config.cmdline, "x yz");
}

static void files(void **state)
{
	(void)state;
	good("# la57=what\r\nla57=off # pool=1\n\tl1=x\n#");
	assert_int_equal(config.la57, LA57_OFF);
	assert_string_equal(config.l1, "x");
	assert_int_equal(config.pool_bytes, 0);
}

static void next_is(const char **at, const char *key, const char *path, const char *words)
{
	static struct config_file file;

	assert_true(config_next_file(at, &file));
	assert_string_equal(file.key, key);
	assert_string_equal(file.path, path);
	assert_string_equal(file.words, words);
}

/* initrd= and module= may be there as often as wanted, and keep their order. */
static void many_files(void **state)
{
	static struct config_file file;
	const char *words = "initrd=a module=\"b  x=y \\z\" la57=on # module=no\n"
			    "l1=x module=c initrd=\"d e\" cmdline=\"module=f\" module=\" g\"";
	const char *at = words;

	(void)state;
	bad(words,
	    "bad value in configuration word \"module=\" g\"\": begin it with a file's name, "
	    "255 bytes at most");
	words = "initrd=a module=\"b  x=y \\z\" la57=on # module=no\n"
		"l1=x module=c initrd=\"d e\" cmdline=\"module=f\" module=c module=g#\n";
	good(words);
	assert_true(config.files_given);
	at = words;
	next_is(&at, "initrd", "a", "");
	next_is(&at, "module", "b", "x=y \\z");
	next_is(&at, "module", "c", "");
	next_is(&at, "initrd", "d e", "");
	next_is(&at, "module", "c", "");
	next_is(&at, "module", "g#", "");
	assert_false(config_next_file(&at, &file));
	assert_false(config_next_file(&at, &file));
	at = "l1=module cmdline=module=a";
	good(at);
	assert_false(config.files_given);
	assert_false(config_next_file(&at, &file));
	bad("module=", "bad value in configuration word \"module=\": begin it with a file's name, "
	               "255 bytes at most");
	bad("initrd=", "bad value in configuration word \"initrd=\": name a file");
}

static void unknown_words(void **state)
{
	(void)state;
	bad("foo=1", "unknown configuration word \"foo=1\": see docs/boot.md");
	bad("la57=on la5=on", "unknown configuration word \"la5=on\": see docs/boot.md");
	bad("la577=on", "unknown configuration word \"la577=on\": see docs/boot.md");
	bad("=on", "unknown configuration word \"=on\": see docs/boot.md");
	bad("nptt=on", "unknown configuration word \"nptt=on\": see docs/boot.md");
	bad("npt", "there is no key=value in configuration word \"npt\": see docs/boot.md");
	bad("\tquiet log=info", "there is no key=value in configuration word \"quiet\": see "
	                        "docs/boot.md");
	bad("\"la57=on\"", "there is no key=value in configuration word \"\"la57=on\"\": see "
	                   "docs/boot.md");
	bad("foo=\"a b\" c", "unknown configuration word \"foo=\"a b\"\": see docs/boot.md");
}

static void bad_values(void **state)
{
	static const char *const pools[] = {"pool=",
	                                    "pool=16",
	                                    "pool=M",
	                                    "pool=16m",
	                                    "pool=16MB",
	                                    "pool=0M",
	                                    "pool=-1M",
	                                    "pool=0x10M",
	                                    "pool=99999999999999999999K",
	                                    "pool=18000000000G"};
	char message[256];

	(void)state;
	bad("la57=", "bad value in configuration word \"la57=\": use auto, on or off");
	bad("la57=yes", "bad value in configuration word \"la57=yes\": use auto, on or off");
	bad("la57=onx", "bad value in configuration word \"la57=onx\": use auto, on or off");
	bad("npt=", "bad value in configuration word \"npt=\": use auto, on or off");
	bad("npt=1", "bad value in configuration word \"npt=1\": use auto, on or off");
	bad("npt=of", "bad value in configuration word \"npt=of\": use auto, on or off");
	bad("npt=off=on", "bad value in configuration word \"npt=off=on\": use auto, on or off");
	bad("log=all", "bad value in configuration word \"log=all\": use quiet, info or debug");
	bad("l1=", "bad value in configuration word \"l1=\": name a file");
	bad("initrd=\"\"", "bad value in configuration word \"initrd=\"\"\": name a file");
	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
		snprintf(message, sizeof(message),
		         "bad value in configuration word \"%s\": use a number of K, M or G, for "
		         "instance pool=16M",
		         pools[i]);
		bad(pools[i], message);
	}
}

static void missing_quotes(void **state)
{
	(void)state;
	bad("cmdline=\"a b", "the closing quote is missing in configuration word "
	                     "\"cmdline=\"a b\": add a \"");
	bad("la57=\"on", "the closing quote is missing in configuration word \"la57=\"on\": add a "
	                 "\"");
}

static void twice(void **state)
{
	(void)state;
	bad("la57=on log=info la57=on",
	    "given before is the key of configuration word \"la57=on\": give each key once");
	bad("npt=off npt=off",
	    "given before is the key of configuration word \"npt=off\": give each key once");
	bad("cmdline= cmdline=",
	    "given before is the key of configuration word \"cmdline=\": give each key once");
}

static void fill(char *words, const char *key, size_t length)
{
	strcpy(words, key);
	words += strlen(key);
	memset(words, 'x', length);
	words[length] = '\0';
}

static void long_values(void **state)
{
	char words[2048];

	(void)state;
	fill(words, "l1=", CONFIG_PATH_SIZE - 1);
	good(words);
	assert_int_equal(strlen(config.l1), CONFIG_PATH_SIZE - 1);
	fill(words, "l1=", CONFIG_PATH_SIZE);
	assert_false(config_parse(words, &config, error, sizeof(error)));
	assert_non_null(strstr(error, "the value is too long in configuration word \"l1=xxx"));
	assert_non_null(strstr(error, "...\""));
	fill(words, "cmdline=", CONFIG_CMDLINE_SIZE - 1);
	good(words);
	fill(words, "cmdline=", CONFIG_CMDLINE_SIZE);
	assert_false(config_parse(words, &config, error, sizeof(error)));
	fill(words, "module=", CONFIG_PATH_SIZE - 1);
	good(words);
	strcat(words, "x");
	assert_false(config_parse(words, &config, error, sizeof(error)));
	words[100] = ' ';
	assert_false(config_parse(words, &config, error, sizeof(error)));
	fill(words, "module=\"a ", CONFIG_CMDLINE_SIZE - 3);
	strcat(words, "\"");
	good(words);
	fill(words, "module=\"a ", CONFIG_CMDLINE_SIZE - 2);
	strcat(words, "\"");
	assert_false(config_parse(words, &config, error, sizeof(error)));
	fill(words, "la57=", 200);
	assert_false(config_parse(words, &config, error, sizeof(error)));
}

static void harmless_messages(void **state)
{
	char small[8];

	(void)state;
	bad("f\033[o=\x80", "unknown configuration word \"f?[o=?\": see docs/boot.md");
	assert_false(config_parse("foo=1", &config, small, sizeof(small)));
	assert_string_equal(small, "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(choices),
		cmocka_unit_test(barriers),
		cmocka_unit_test(registers),
		cmocka_unit_test(hotkey),
		cmocka_unit_test(everything),
		cmocka_unit_test(sizes),
		cmocka_unit_test(texts),
		cmocka_unit_test(files),
		cmocka_unit_test(many_files),
		cmocka_unit_test(unknown_words),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(missing_quotes),
		cmocka_unit_test(twice),
		cmocka_unit_test(long_values),
		cmocka_unit_test(harmless_messages),
		cmocka_unit_test(screen_and_serial),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
