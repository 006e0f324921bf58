/*
 * Instructions that exited: their length and operands where the processor does not tell. Fetches
 * through the guest's own paging. Relies on mmu/walk.h.
 */
#ifndef SVM_DECODE_DECODE_H
#define SVM_DECODE_DECODE_H

#include "svm/decode/operand.h"

enum { INSTRUCTION_MAX = 15 };

/*
 * The instruction at the guest's CS:RIP, which must be one that can exit with this code; until the
 * next call. NULL if it is not (any more): another processor changed code or tables, and the guest
 * is to try again; or L0 cannot read it: svm/event/event.h has not_decoded() for that.
 */
#ifdef NESTLING_HOST_TEST
const struct instruction *decode(struct vcpu *vcpu, uint64_t exit_code);
#else
static inline const struct instruction *decode(struct vcpu *vcpu, uint64_t exit_code);
#endif

/* By address: instructions that stand near each other have places far from each other. */
static inline uint32_t decode_place(uint64_t rip)
{
	return low32(rip) * 0x9e3779b1u >> (32 - DECODE_CACHE_BITS);
}

static inline struct decode_cache *decode_cache_at(struct vcpu *vcpu, uint32_t place)
{
	struct decode_cache *cache = &vcpu->decode.cache[vcpu->guest_mode][place];

	__asm__("" : "+r"(cache)); /* gcc would work it out again for each field */
	return cache;
}

/* What is known of the instruction at the guest's RIP: of two that meet one is beside. NULL: none.
 */
static inline __attribute__((always_inline)) struct decode_cache *
decode_cache_for(struct vcpu *vcpu)
{
	uint64_t rip = vcpu->vmcb->save.rip;
	uint32_t place = decode_place(rip);
	struct decode_cache *cache = decode_cache_at(vcpu, place);

	if (__builtin_expect(cache->rip == rip, true))
		return cache;
	cache = decode_cache_at(vcpu, place ^ 1);
	return cache->rip == rip ? cache : NULL;
}

static inline bool still_says(const struct table_word *word)
{
	return *word->at == word->value;
}

_Static_assert(DECODE_WORDS_L1 == 4, "decode_still_true() looks at four without a loop");

/*
 * Is all that led to the result still what it was? Then so is the result; but look at cache->more.
 * In 64-bit code CS has no base, and paging is on.
 */
static inline __attribute__((always_inline)) bool
decode_still_true(const struct decode_cache *cache, const struct vcpu *vcpu, uint64_t exit_code)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	uint32_t word;

	if (cache->cr3 != save->cr3 || cache->exit_code != exit_code || cache->cr4 != save->cr4 ||
	    cache->efer != save->efer || cache->cs_attributes != save->cs.attributes)
		return false;
	if (!still_says(&cache->from[0]) || !still_says(&cache->from[1]) ||
	    !still_says(&cache->from[2]) || !still_says(&cache->from[3]))
		return false;
	__builtin_memcpy(&word, cache->code, sizeof(word));
	return word == cache->word;
}

/* decode() where more of this entry of the cache is to be compared; where none is the answer. */
const struct instruction *decode_by_rest(struct vcpu *vcpu, uint64_t exit_code,
                                         struct decode_cache *cache);
const struct instruction *decode_anew(struct vcpu *vcpu, uint64_t exit_code);

static inline __attribute__((always_inline)) const struct instruction *
decode_inline(struct vcpu *vcpu, uint64_t exit_code)
{
	struct decode_cache *cache = decode_cache_for(vcpu);

	if (__builtin_expect(!cache || !decode_still_true(cache, vcpu, exit_code), false))
		return decode_anew(vcpu, exit_code);
	if (__builtin_expect(cache->more, false))
		return decode_by_rest(vcpu, exit_code, cache);
	return &cache->instruction;
}

#ifndef NESTLING_HOST_TEST
static inline __attribute__((always_inline)) const struct instruction *decode(struct vcpu *vcpu,
                                                                              uint64_t exit_code)
{
	return decode_inline(vcpu, exit_code);
}
#endif

/* CLTS, which exits as a write of CR0. */
bool decode_clts(struct vcpu *vcpu, unsigned int *length);

/* LMSW, SMSW, INVLPG: of opcode 0F 01, told apart by ModRM.reg. */
struct group7 {
	struct operand operand;
	unsigned int length;
	bool other_operand_size; /* 66h */
};

enum { GROUP7_SMSW = 4, GROUP7_LMSW = 6, GROUP7_INVLPG = 7 };

bool decode_group7(struct vcpu *vcpu, unsigned int number, struct group7 *group7);

/* Where the guest's CS:RIP is. */
uint64_t linear_rip(const struct vmcb_save *save);

/*
 * Where L0 sees the INSTRUCTION_MAX bytes at the guest's CS:RIP, when they can be had without a
 * walk, or with a short one. NULL: fetch() has to do. They may change at any time: copy them.
 */
const uint8_t *code_at_rip(struct vcpu *vcpu);

/*
 * Reads the guest's memory at a linear address, through its paging; less than wanted where it is
 * not mapped. For L2 that goes through L1's nested tables, too.
 */
unsigned int fetch(struct vcpu *vcpu, uint64_t linear, uint8_t *to, unsigned int bytes);

#endif
