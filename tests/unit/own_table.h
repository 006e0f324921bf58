/*
 * What the tests of the write protection of tables share: a guest of tests/unit/own_test.h with one
 * page mapped, and stores by which L1 may write the table that maps it.
 */
#ifndef TESTS_UNIT_OWN_TABLE_H
#define TESTS_UNIT_OWN_TABLE_H

#include "tests/unit/own_test.h"

#define ADDRESS 0x40201000ull
#define DATA    0x40208000ull
#define FRAME_A 0x80000000ull
#define FRAME_B (FRAME_A + 0x5000)
#define FAR     0x8000000000ull

/* The state is a struct own_bench. That ADDRESS leads to FRAME_A was written after MOV CR3. */
int own_table_start(void **state);
int own_table_start_pae(void **state);
/* Fails when an invariant does not hold. */
int own_table_end(void **state);

/* The gpa of the guest's last table for an address. */
uint64_t table_of(struct own_bench *b, uint64_t address);
/* Where the guest has a page of low memory mapped. */
uint64_t window(uint64_t gpa);

/* Does what is loaded let the processor write there without a fault? */
bool writable(const struct own_bench *b, uint64_t address);
/* A write there, with the faults that it takes; fails when it may not be. */
void write_to(struct own_bench *b, uint64_t address);

#define TEST(name) cmocka_unit_test_setup_teardown(name, own_table_start, own_table_end)
#define TEST_PAE(name)                                                                             \
	{                                                                                          \
#name ", PAE", name, own_table_start_pae, own_table_end, NULL                      \
	}

#endif
