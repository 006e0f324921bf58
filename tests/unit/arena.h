/*
 * Physical memory for host tests: phys() over memory whose ends the address sanitizer guards, or
 * over all of 4 GiB for tests with random addresses. Relies on cmocka.
 */
#ifndef TESTS_UNIT_ARENA_H
#define TESTS_UNIT_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory from 0 to size; a hpa outside fails the test. */
void arena_new(uint64_t size);

/* Zeroed memory from 0 to beyond 4 GiB, of which a test may touch a part. */
void arena_new_flat(void);
void arena_free(void);

void *at(uint64_t hpa);
void put8(uint64_t hpa, uint8_t value);
void put16(uint64_t hpa, uint16_t value);
void put32(uint64_t hpa, uint32_t value);
void put64(uint64_t hpa, uint64_t value);
void put_text(uint64_t hpa, const char *text);
uint16_t get16(uint64_t hpa);
uint32_t get32(uint64_t hpa);
uint64_t get64(uint64_t hpa);

/* Makes the byte at hpa + offset such that size bytes from hpa on have the sum 0. */
void put_checksum(uint64_t hpa, uint64_t offset, uint64_t size);

/* A table of ACPI's whose body is there already: its signature, length and checksum. */
void put_acpi_table(uint64_t hpa, const char *signature, uint32_t length);

/* A valid root pointer of revision 0 or 2. */
void put_rsdp(uint64_t hpa, uint8_t revision, uint32_t rsdt, uint64_t xsdt);

/* Random numbers that a printed seed repeats; the variable SEED sets it. */
void random_start(const char *test);
uint32_t random_below(uint32_t limit);

#endif
