/*
 * L0's configuration: key=value words from a loader's command line, from nestling.cfg or from the
 * EFI load options. Built into the core and into the EFI program. docs/boot.md tells the words.
 */
#ifndef BOOT_CONFIG_H
#define BOOT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv/log.h"

enum config_la57 { LA57_AUTO, LA57_ON, LA57_OFF };
enum config_npt { NPT_AUTO, NPT_ON, NPT_OFF };

enum config_screen { SCREEN_AUTO, SCREEN_KEEP, SCREEN_OFF };

enum { CONFIG_PATH_SIZE = 256, CONFIG_CMDLINE_SIZE = 1024 };

struct config {
	enum config_la57 la57;
	enum config_npt npt;
	enum log_level log;
	enum config_screen screen;
	bool serial_given;
	uint16_t serial_port; /* 0: off */
	bool hotkey;
	bool untried;          /* svm=all */
	bool open_msrs;        /* msr=open */
	bool bare;             /* L1 gets the machine itself, without SVM under it */
	bool no_iommu;         /* iommu=off */
	unsigned int barriers; /* of enum in svm/features.h: auto, on, off */
	uint64_t pool_bytes;   /* for shadow pages; 0: not given, so the default */

	/* For the EFI program only: elsewhere the loader's module lines name these files. */
	char l1[CONFIG_PATH_SIZE], cmdline[CONFIG_CMDLINE_SIZE];
	bool l1_given, cmdline_given;
	bool files_given;                     /* initrd= or module=, which config_next_file() has */
	char everything[CONFIG_CMDLINE_SIZE]; /* the images to run one after the other */
	bool everything_given;
	char chain[CONFIG_PATH_SIZE]; /* what is started with Nestling below: a file, auto or menu
	                               */
	bool chain_given;
	uint32_t limit; /* seconds that each of them may take; 0: not given */
	uint32_t menu;  /* seconds that a choice is waited for with chain=; 0: not given */
};

/* A module of L1's: initrd=FILE or module="FILE WORDS". */
struct config_file {
	const char *key;
	char path[CONFIG_PATH_SIZE], words[CONFIG_CMDLINE_SIZE];
};

/*
 * Reads words of the form key=value: la57=auto|on|off, npt=auto|on|off, log=quiet|info|debug,
 * screen=auto|keep|off, serial=com1|com2|0xPORT|off, hotkey=on|off, svm=tried|all, msr=strict|open,
 * barriers=auto|on|off, iommu=auto|off, bare=off|on, pool=NUMBER with the suffix K, M or G,
 * l1=PATH, cmdline=TEXT, everything=IMAGE,IMAGE..., limit=SECONDS, chain=PATH|auto|menu,
 * menu=SECONDS, and any number of initrd=PATH and module="PATH WORDS". Blanks and newlines separate
 * words; double quotes in a value hold blanks; a word that begins with # and the rest of its line
 * are a comment. Returns false, and one line in error that names the word, when it does not know or
 * like a word.
 */
bool config_parse(const char *words, struct config *config, char *error, size_t error_size);

/*
 * The next of L1's modules, in the order of the words. *at is the words at first, which
 * config_parse() has to have taken, and is moved on. Returns false when there is none left.
 */
bool config_next_file(const char **at, struct config_file *file);

#endif
