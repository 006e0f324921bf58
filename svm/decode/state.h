/*
 * What a vcpu remembers of instructions that exited.
 * Relies on mmu/format.h.
 */
#ifndef SVM_DECODE_STATE_H
#define SVM_DECODE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "mmu/format.h"

struct instruction {
	uint8_t length;
	uint8_t address_size; /* bytes: 2, 4 or 8 */
	uint8_t modrm;        /* of MOV to and from control registers, with REX in rex */
	uint8_t rex;
};

/* 8 bytes of a table of L1's or L2's, as they were. */
struct table_word {
	const uint64_t *at;
	_Alignas(8) uint64_t value;
};

/* What not all of a cache's entries need. */
enum decode_more {
	MORE_REGISTERS = 1 << 0, /* not 64-bit code: CR0.PG and CS's base count */
	MORE_WORDS = 1 << 1,     /* than DECODE_WORDS_L1, or L2's tables */
};

/* As many as lead from L2's RIP to its code, through 4 levels of its own and 4 nested ones each. */
enum { DECODE_WORDS = 24, DECODE_WORDS_L1 = 4, DECODE_CACHE_SIZE = 512 };

/*
 * A decoded instruction of L1's or L2's, and all that it was decoded from: registers, the entries
 * of the tables that led to it, and its bytes. Compared before use, so it cannot be stale.
 */
struct decode_cache {
	uint64_t rip, cr3, cr4, cs_base, exit_code;
	uint64_t efer; /* 0, which no guest runs with: nothing is remembered */
	const uint8_t *code;
	uint32_t word;
	uint32_t cr0; /* PG alone counts */
	uint16_t cs_attributes;
	uint8_t more;  /* of enum decode_more: what else has to be compared */
	uint8_t words; /* at least DECODE_WORDS_L1: some may be there only for the number */
	struct instruction instruction;
	uint64_t nested_ctl; /* of L2, and which tables that means */
	uint64_t nested_root, nested_key;
	struct table_word from[DECODE_WORDS];
} __attribute__((aligned(DECODE_CACHE_SIZE)));

enum { DECODE_CACHE_BITS = 6, DECODE_CACHES = 1 << DECODE_CACHE_BITS };

/* Twice each: of L1 and of L2. */
struct decode {
	bool unreadable;            /* the last fetch() ended where L0 reads nothing */
	struct paging_mode mode[2]; /* of its own paging, for instruction fetches */
	uint64_t key[2];
	struct decode_cache cache[2][DECODE_CACHES];
};

#endif
