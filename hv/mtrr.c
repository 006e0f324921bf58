/*
 * The memory type range registers. Relies on hv/x86.h.
 */
#include "hv/mtrr.h"
#include "hv/x86.h"

enum {
	LEAF_FEATURES = 1,
	EDX_MTRR = 1 << 12,
	CAP_COUNT = 0xff,
	MASK_VALID = 1 << 11,
	MAX_RANGES = 16,
};
#define ONE_MIB 0x100000ull

/* A block that a variable range covers: all addresses equal to base under mask. */
static struct {
	uint64_t base, mask;
} variable[MAX_RANGES];

static unsigned int count;

void mtrr_read(void)
{
	unsigned int registers;

	count = 0;
	if (!(cpuid(LEAF_FEATURES, 0).edx & EDX_MTRR))
		return;
	registers = rdmsr(MSR_MTRR_CAP) & CAP_COUNT;
	for (unsigned int i = 0; i < registers && count < MAX_RANGES; i++) {
		uint64_t mask = rdmsr(MSR_MTRR_PHYS_MASK0 + 2 * i);

		if (!(mask & MASK_VALID))
			continue;
		variable[count].mask = mask & ~0xfffull;
		variable[count].base = rdmsr(MSR_MTRR_PHYS_BASE0 + 2 * i) & variable[count].mask;
		count++;
	}
}

bool mtrr_uniform(uint64_t base, uint64_t size)
{
	uint64_t within = size - 1;

	if (base < ONE_MIB)
		return false;
	for (unsigned int i = 0; i < count; i++) {
		bool may_match = !((base ^ variable[i].base) & variable[i].mask & ~within);

		/* The range decides by bits within the block: it covers a part of it only. */
		if (may_match && (variable[i].mask & within))
			return false;
	}
	return true;
}

bool mtrr_is_register(uint32_t msr)
{
	return (msr >= MSR_MTRR_PHYS_BASE0 && msr < MSR_MTRR_PHYS_BASE0 + 2 * MAX_RANGES) ||
	       msr == MSR_MTRR_FIX64K_00000 || msr == MSR_MTRR_FIX16K_80000 ||
	       msr == MSR_MTRR_FIX16K_A0000 ||
	       (msr >= MSR_MTRR_FIX4K_C0000 && msr <= MSR_MTRR_FIX4K_F8000) ||
	       msr == MSR_MTRR_DEF_TYPE;
}
