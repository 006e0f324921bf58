/*
 * libFuzzer's way into L1's files: ELF and multiboot's headers, Linux's setup header. The input is
 * the file, which lies at the end of memory, where the sanitizer guards it; the first byte says
 * whether there is a second module and a BIOS. Relies on tests/unit/arena.h.
 */
#include <string.h>

#include "boot/bios_memory.h"
#include "boot/load.h"
#include "svm/features.h"
#include "tests/fuzz/boot_fuzz.h"
#include "tests/unit/arena.h"

#define MEMORY    0x1000000ull
#define LOWER_END 0x9f000ull
#define UPPER     0x100000ull
#define L0        0x800000ull
#define L0_SIZE   0x10000ull
#define STAGE     0xf00000ull
#define INITRD    STAGE
enum { CANARY = 0xc5, INITRD_SIZE = 0x2345, WITH_INITRD = 1 << 0, WITH_BIOS = 1 << 1 };

struct features features;

static void put_machine(struct memmap *map, uint8_t choices)
{
	static bool there;

	if (!there)
		arena_new(MEMORY);
	there = true;
	memset(at(0), 0, 0x1000);
	if (choices & WITH_BIOS) {
		put32(0x10 * 4, 0xc0001234);
		put32(0x13 * 4, 0xf000e3fe);
		put32(0x15 * 4, 0xf000f859);
		put16(0x413, LOWER_END >> 10);
	}
	memset(at(L0), CANARY, L0_SIZE);
	memset(at(LOWER_END), CANARY, UPPER - LOWER_END);
	map->count = 0;
	memmap_add(map, 0, LOWER_END, MEM_USABLE);
	memmap_add(map, LOWER_END, UPPER - LOWER_END, MEM_RESERVED);
	memmap_add(map, UPPER, MEMORY - UPPER, MEM_USABLE);
	memmap_add(map, L0, L0_SIZE, MEM_RESERVED);
}

static bool all_canaries(uint64_t base, uint64_t size)
{
	const uint8_t *bytes = at(base);

	return bytes[0] == CANARY && !memcmp(bytes, bytes + 1, size - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char lines[] = "l1 console=ttyS0 a=b\0i";
	static struct boot_info boot;
	struct boot_module *modules = boot.modules;
	static struct memmap map;
	static struct load_result result;
	const struct mem_range stage = {STAGE, MEMORY - STAGE, MEM_RESERVED, 0};
	enum load_error error;
	uint8_t choices;

	if (size < 2 || size > MEMORY - STAGE - INITRD_SIZE)
		return -1;
	choices = data[0];
	put_machine(&map, choices);
	modules[0].base = MEMORY - (size - 1);
	modules[0].size = size - 1;
	memcpy(at(modules[0].base), data + 1, size - 1);
	modules[1].base = INITRD;
	modules[1].size = INITRD_SIZE;
	memcpy(boot.text, lines, sizeof(lines));
	modules[1].line = sizeof(lines) - sizeof("i");
	boot.module_count = choices & WITH_INITRD ? 2 : 1;
	check(bios_memory_reserve(&map));
	error = load_l1(&map, &stage, &boot, &result);
	check_map(&map);
	check(all_canaries(L0, L0_SIZE) && all_canaries(LOWER_END, UPPER - LOWER_END));
	check(!memcmp(at(modules[0].base), data + 1, size - 1));
	if (error) {
		check(strlen(result.message) > 20 && !strchr(result.message, '\n'));
		return 0;
	}
	check(result.entry.real_mode || memmap_covers(&map, result.entry.eip, 1, MEM_USABLE));
	check(result.entry.eip < STAGE && result.entry.cs && result.entry.ds);
	check(bios_memory_hook(&map));
	return 0;
}
