/*
 * What the fuzzers of boot/ have in common. Relies on tests/unit/arena.h.
 */
#ifndef TESTS_FUZZ_BOOT_FUZZ_H
#define TESTS_FUZZ_BOOT_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/memmap.h"

/* libFuzzer's way in, defined once for each fuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts, so that libFuzzer keeps the input. */
void check(bool holds);

/* The flat arena, made at the first call: what was put there stays. */
void flat_once(void);

/* Is the map one: sorted, without overlap? */
void check_map(const struct memmap *map);

#endif
