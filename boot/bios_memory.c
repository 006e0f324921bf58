/*
 * The handler of INT 15h that stands before the BIOS's, and the table it answers from. Used by one
 * processor, while booting. Relies on boot/bios_int15.asm.
 */
#include "boot/bios_memory.h"
#include "hv/phys.h"
#include "hv/string.h"
#include "hv/x86.h"

#define VECTOR(number)  ((number)*4ull)
#define BASE_MEMORY_KIB 0x413ull /* 40:13 */
#define KIB             1024u
#define SIZE_16M        (16ull << 20)

enum {
	INT_VIDEO = 0x10,
	INT_DISK = 0x13,
	INT_SYSTEM = 0x15,
	BASE_LEAST_KIB = 256, /* of a machine that L0 runs on */
	BASE_MOST_KIB = 640,
	BASE_FLOOR = 0x10000, /* where the handler may be */
	GROWTH = 16,          /* ranges that loading L1 may add to the map */
	OLD_MOST_KIB = 63 * KIB,
	ALL_MOST_KIB = 0xffffff, /* 24 bits */
};

/* boot/bios_int15.asm; the entries follow, as E820h gives them out. */
struct int15_data {
	uint32_t old; /* the BIOS's vector */
	uint32_t count;
	uint16_t low_kib;     /* E801h: from 1 MiB to 16 MiB */
	uint16_t high_blocks; /* from 16 MiB on, in 64 KiB */
	uint32_t all_kib;     /* DA88h: from 1 MiB on */
	uint16_t old_kib;     /* 88h: the same */
	uint16_t reserved;
};
_Static_assert(offsetof(struct int15_data, all_kib) == 12, "boot/bios_int15.asm");
_Static_assert(sizeof(struct int15_data) == 20, "boot/bios_int15.asm");

struct int15_entry {
	uint64_t base, size;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct int15_entry) == 20, "ACPI 6.5, 15.1");

extern const uint8_t int15_begin[], int15_data[], int15_end[];

static uint64_t place, room; /* hpa and bytes; 0: there is no handler */

static uint32_t read_vector(unsigned int number)
{
	uint32_t vector;

	memcpy(&vector, phys(VECTOR(number)), sizeof(vector));
	return vector;
}

static uint16_t base_memory_kib(void)
{
	uint16_t kib;

	memcpy(&kib, phys(BASE_MEMORY_KIB), sizeof(kib));
	return kib;
}

/* A BIOS's handlers are in ROM or in what it keeps of base memory. */
static bool is_handler(uint32_t vector)
{
	uint64_t at = ((uint64_t)(vector >> 16) << 4) + (vector & 0xffff);

	return at >= (uint64_t)base_memory_kib() * KIB && at < SIZE_1M;
}

bool bios_is_there(void)
{
	uint16_t kib = base_memory_kib();

	return kib >= BASE_LEAST_KIB && kib <= BASE_MOST_KIB &&
	       is_handler(read_vector(INT_VIDEO)) && is_handler(read_vector(INT_DISK)) &&
	       is_handler(read_vector(INT_SYSTEM));
}

bool bios_memory_reserve(struct memmap *told)
{
	uint64_t entries = (told->count + GROWTH) * sizeof(struct int15_entry);

	place = 0;
	if (!bios_is_there())
		return true;
	room = ((uint64_t)(int15_end - int15_begin) + entries + KIB - 1) & ~(KIB - 1ull);
	place = memmap_find_high(told, room, KIB, BASE_FLOOR, (uint64_t)base_memory_kib() * KIB);
	return place && memmap_add(told, place, room, MEM_RESERVED);
}

/* What INT 12h tells: base memory up to the first that is not L1's; page 0 is the BIOS's anyway. */
static void shorten_base_memory(const struct memmap *told)
{
	uint16_t kib = (uint16_t)(memmap_usable_end(told, PAGE_SIZE) / KIB);

	memcpy(phys(BASE_MEMORY_KIB), &kib, sizeof(kib));
}

/* KiB of memory from the address on in one piece; units of a power of two of them, max at most. */
static uint32_t kib_from(const struct memmap *told, uint64_t from, unsigned int shift, uint32_t max)
{
	uint64_t kib = (memmap_usable_end(told, from) - from) >> 10 >> shift;

	return kib < max ? (uint32_t)kib : max;
}

bool bios_memory_hook(const struct memmap *told)
{
	uint64_t code = (uint64_t)(int15_end - int15_begin);
	struct int15_data data = {
		.old = read_vector(INT_SYSTEM),
		.count = told->count,
		.low_kib = (uint16_t)kib_from(told, SIZE_1M, 0, (SIZE_16M - SIZE_1M) / KIB),
		.high_blocks = (uint16_t)kib_from(told, SIZE_16M, 6, UINT16_MAX),
		.all_kib = kib_from(told, SIZE_1M, 0, ALL_MOST_KIB),
		.old_kib = (uint16_t)kib_from(told, SIZE_1M, 0, OLD_MOST_KIB),
	};
	uint32_t vector = (uint32_t)(place >> 4) << 16;

	if (!place)
		return true;
	if (code + told->count * sizeof(struct int15_entry) > room)
		return false;
	memcpy(phys(place), int15_begin, code);
	memcpy(phys(place + (uint64_t)(int15_data - int15_begin)), &data, sizeof(data));
	for (uint32_t i = 0; i < told->count; i++) {
		const struct mem_range *range = &told->range[i];
		struct int15_entry entry = {range->base, range->size, range->type};

		memcpy(phys(place + code + i * sizeof(entry)), &entry, sizeof(entry));
	}
	memcpy(phys(VECTOR(INT_SYSTEM)), &vector, sizeof(vector));
	shorten_base_memory(told);
	return true;
}
