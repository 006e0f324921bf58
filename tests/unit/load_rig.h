/*
 * A small machine for tests of the loader: 16 MiB with the holes of a PC, L0's own memory and the
 * staged modules. Relies on tests/unit/arena.h.
 */
#ifndef TESTS_UNIT_LOAD_RIG_H
#define TESTS_UNIT_LOAD_RIG_H

#include "boot/load.h"

#define RIG_MEMORY     0x1000000ull
#define RIG_LOWER_END  0x9f000ull /* behind it: reserved up to 1 MiB */
#define RIG_UPPER      0x100000ull
#define RIG_L0         0xc00000ull
#define RIG_L0_SIZE    0x100000ull
#define RIG_STAGE      0xe00000ull /* usable as L1 is told, up to the end of memory */
#define RIG_STAGE_SIZE 0x200000ull
#define RIG_INITRD     (RIG_STAGE + 0x100000ull)
#define RIG_INITRD2    (RIG_STAGE + 0x1c0000ull)

struct rig {
	struct memmap map;
	struct mem_range staged;
	struct boot_info boot;
	struct load_result result;
	enum load_error error;
};
extern struct rig rig;

/* Setup and teardown of cmocka. */
int rig_new(void **state);
int rig_free(void **state);

/* The map again, as it was before loading changed it. */
void rig_map(void);

/* A module with a pattern of bytes in the stage; returns its index. */
uint32_t rig_add_module(uint64_t base, uint64_t size, const char *line);

/* Another command line for a module. */
void rig_set_line(uint32_t module, const char *line);

/* Whether gpa holds what the module holds. */
bool rig_is_module(uint64_t gpa, uint32_t module);

/* Loads, and fails the test where it should not work; what L1 must not touch is checked, too. */
void rig_good(void);

/* Loads, and expects this error and the words in its message. */
void rig_bad(enum load_error error, const char *words);

/* Loads anything; checks only what must hold for any file. */
void rig_any(void);

#endif
