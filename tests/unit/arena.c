/*
 * Physical memory for host tests. Relies on cmocka and, for the flat one, on mmap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "hv/phys.h"
#include "tests/unit/arena.h"

#define FLAT_SIZE ((4ull << 30) + (64ull << 20))

static uint8_t *memory;
static uint64_t memory_size;
static bool memory_is_flat;
static uint64_t random_state;

void arena_new(uint64_t size)
{
	arena_free();
	memory = calloc(1, size);
	assert_non_null(memory);
	memory_size = size;
}

void arena_new_flat(void)
{
	arena_free();
	memory = mmap(NULL, FLAT_SIZE, PROT_READ | PROT_WRITE,
	              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(memory != MAP_FAILED);
	memory_size = FLAT_SIZE;
	memory_is_flat = true;
}

void arena_free(void)
{
	if (memory_is_flat)
		munmap(memory, memory_size);
	else
		free(memory);
	memory = NULL;
	memory_size = 0;
	memory_is_flat = false;
}

void *phys(uint64_t hpa)
{
	if (hpa > memory_size) /* the end itself is a pointer, and no access yet */
		fail_msg("hpa 0x%llx is not memory", (unsigned long long)hpa);
	return memory + hpa;
}

void *at(uint64_t hpa)
{
	return phys(hpa);
}

void put8(uint64_t hpa, uint8_t value)
{
	memcpy(at(hpa), &value, sizeof(value));
}

void put16(uint64_t hpa, uint16_t value)
{
	memcpy(at(hpa), &value, sizeof(value));
}

void put32(uint64_t hpa, uint32_t value)
{
	memcpy(at(hpa), &value, sizeof(value));
}

void put64(uint64_t hpa, uint64_t value)
{
	memcpy(at(hpa), &value, sizeof(value));
}

void put_text(uint64_t hpa, const char *text)
{
	memcpy(at(hpa), text, strlen(text) + 1);
}

uint16_t get16(uint64_t hpa)
{
	uint16_t value;

	memcpy(&value, at(hpa), sizeof(value));
	return value;
}

uint32_t get32(uint64_t hpa)
{
	uint32_t value;

	memcpy(&value, at(hpa), sizeof(value));
	return value;
}

uint64_t get64(uint64_t hpa)
{
	uint64_t value;

	memcpy(&value, at(hpa), sizeof(value));
	return value;
}

void put_checksum(uint64_t hpa, uint64_t offset, uint64_t size)
{
	uint8_t *bytes = at(hpa), sum = 0;

	bytes[offset] = 0;
	for (uint64_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	bytes[offset] = (uint8_t)-sum;
}

void put_acpi_table(uint64_t hpa, const char *signature, uint32_t length)
{
	memcpy(at(hpa), signature, 4);
	put32(hpa + 4, length);
	put_checksum(hpa, 9, length);
}

void put_rsdp(uint64_t hpa, uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
	memset(at(hpa), 0, 36);
	memcpy(at(hpa), "RSD PTR ", 8);
	put8(hpa + 15, revision);
	put32(hpa + 16, rsdt);
	put_checksum(hpa, 8, 20);
	if (revision < 2)
		return;
	put32(hpa + 20, 36);
	put64(hpa + 24, xsdt);
	put_checksum(hpa, 32, 36);
}

void random_start(const char *test)
{
	const char *seed = getenv("SEED");

	random_state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	printf("# %s: SEED=%llu\n", test, (unsigned long long)random_state);
	random_state = random_state * 2 + 1;
}

uint32_t random_below(uint32_t limit)
{
	/* xorshift64*, Vigna 2016 */
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dull >> 32) % limit);
}
