/*
 * The image's command line, as multiboot brings it: the first word is the program's name. Words
 * that the library knows: filter=GLOB, after=GLOB. Relies on nothing.
 */
#ifndef GUEST_CMDLINE_H
#define GUEST_CMDLINE_H

#include <stdbool.h>
#include <stdint.h>

/* Copies the command line out of the loader's structure, wherever that is. Call it first. */
void cmdline_init(uint32_t magic, uint32_t information);

/* The value of the word "key=value", or NULL. The text stays valid until the next call. */
const char *cmdline_value(const char *key);

/* The number that it begins with, or what to take otherwise: there is none. */
uint32_t cmdline_number(const char *key, uint32_t otherwise);

/* Does text match the pattern, in which * stands for any characters and ? for one? */
bool glob_match(const char *pattern, const char *text);

#endif
