/*
 * Physical memory for host tests: phys() over memory whose ends the address sanitizer guards.
 * What lies outside reads as zeros when a test allows it, and else fails the test.
 */
#ifndef TESTS_UNIT_ARENA_H
#define TESTS_UNIT_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory from 0 to size. */
void arena_new(uint64_t size);
void arena_free(void);

/* Whether reads below 4 GiB outside the arena find zeros; writes there are fatal in any case. */
void arena_allow_outside(bool allow);

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

/* A valid root pointer of revision 0 or 2. */
void put_rsdp(uint64_t hpa, uint8_t revision, uint32_t rsdt, uint64_t xsdt);

/* Random numbers that a printed seed repeats; the variable SEED sets it. */
void random_start(const char *test);
uint32_t random_below(uint32_t limit);

#endif
