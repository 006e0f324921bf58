/*
 * A small machine for tests of the loader. Relies on cmocka and tests/unit/arena.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"
#include "svm/features.h"
#include "tests/unit/arena.h"
#include "tests/unit/load_rig.h"

enum { CANARY = 0xc5 };

struct rig rig;
struct features features;
static uint8_t stage_copy[RIG_STAGE_SIZE];

void rig_map(void)
{
	rig.map.count = 0;
	assert_true(memmap_add(&rig.map, 0, RIG_LOWER_END, MEM_USABLE));
	assert_true(memmap_add(&rig.map, RIG_LOWER_END, RIG_UPPER - RIG_LOWER_END, MEM_RESERVED));
	assert_true(memmap_add(&rig.map, RIG_UPPER, RIG_MEMORY - RIG_UPPER, MEM_USABLE));
	assert_true(memmap_add(&rig.map, RIG_L0, RIG_L0_SIZE, MEM_RESERVED));
}

int rig_new(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	arena_new(RIG_MEMORY);
	rig_map();
	rig.staged = (struct mem_range){RIG_STAGE, RIG_STAGE_SIZE, MEM_RESERVED, 0};
	return 0;
}

int rig_free(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

void rig_set_line(uint32_t module, const char *line)
{
	size_t bytes = strlen(line) + 1;

	assert_true(bytes <= BOOT_TEXT_SIZE - rig.boot.text_used);
	rig.boot.modules[module].line = rig.boot.text_used;
	memcpy(rig.boot.text + rig.boot.text_used, line, bytes);
	rig.boot.text_used += (uint32_t)bytes;
}

uint32_t rig_add_module(uint64_t base, uint64_t size, const char *line)
{
	uint32_t index = rig.boot.module_count++;
	uint8_t *bytes = at(base);

	rig.boot.modules[index].base = base;
	rig.boot.modules[index].size = size;
	rig_set_line(index, line);
	for (uint64_t i = 0; index && i < size; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256 + index);
	return index;
}

bool rig_is_module(uint64_t gpa, uint32_t module)
{
	return !memcmp(at(gpa), at(rig.boot.modules[module].base), rig.boot.modules[module].size);
}

static bool all_canaries(uint64_t base, uint64_t size)
{
	const uint8_t *bytes = at(base);

	/* The first is one, and each is like the one before. */
	return bytes[0] == CANARY && !memcmp(bytes, bytes + 1, size - 1);
}

void rig_any(void)
{
	const uint64_t hole = 0xa0000, hole_size = 0x40000; /* the rest has firmware's tables */
	const struct load_result *result = &rig.result;

	memset(at(hole), CANARY, hole_size);
	memset(at(RIG_L0), CANARY, RIG_L0_SIZE);
	memcpy(stage_copy, at(RIG_STAGE), RIG_STAGE_SIZE);
	memset(&rig.result, 0xff, sizeof(rig.result));
	rig.error = load_l1(&rig.map, &rig.staged, &rig.boot, &rig.result);
	assert_true(all_canaries(hole, hole_size));
	assert_true(all_canaries(RIG_L0, RIG_L0_SIZE));
	assert_memory_equal(stage_copy, at(RIG_STAGE), RIG_STAGE_SIZE);
	if (rig.error) {
		assert_in_range(strlen(result->message), 20, sizeof(result->message) - 2);
		assert_null(strchr(result->message, '\n'));
		return;
	}
	assert_string_equal(result->message, "");
	assert_non_null(result->protocol);
	if (!result->entry.real_mode)
		assert_true(memmap_covers(&rig.map, result->entry.eip, 1, MEM_USABLE));
	assert_false(result->entry.eip >= RIG_STAGE);
	assert_true(result->entry.cs && result->entry.ds);
}

void rig_good(void)
{
	rig_any();
	if (rig.error)
		fail_msg("%s", rig.result.message);
}

void rig_bad(enum load_error error, const char *words)
{
	rig_map();
	rig_any();
	if (rig.error != error || !strstr(rig.result.message, words))
		fail_msg("error %d, not %d: %s", rig.error, error, rig.result.message);
}
