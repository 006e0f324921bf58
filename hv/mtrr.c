/*
 * The memory type range registers. Relies on hv/x86.h, and on hv/exception.h for SYSCFG.
 */
#include "hv/mtrr.h"
#include "hv/exception.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	LEAF_FEATURES = 1,
	EDX_MTRR = 1 << 12,
	CAP_COUNT = 0xff,
	CAP_FIXED = 1 << 8,
	CAP_WC = 1 << 10,
	TYPE = 0xff, /* of def_type and of a base */
	FIXED_TYPE = 0x7,
	RANGES_OF_FIXED = 8,
	NO_TYPE = 0xff,
};
#define VALID_TYPES (1u << MTRR_UC | 1u << MTRR_WT | 1u << MTRR_WP | 1u << MTRR_WB)
#define TOM2_WB     (SYSCFG_TOM2_EN | SYSCFG_TOM2_WB)

struct mtrr mtrr_real;
static uint64_t cap;
static uint64_t address_mask; /* of a base and a mask */
static uint64_t wb_end;       /* from 4 GiB up to here the default is write-back */

static const uint32_t fixed_msrs[MTRR_FIXED] = {
	MSR_MTRR_FIX64K_00000,    MSR_MTRR_FIX16K_80000,    MSR_MTRR_FIX16K_A0000,
	MSR_MTRR_FIX4K_C0000,     MSR_MTRR_FIX4K_C0000 + 1, MSR_MTRR_FIX4K_C0000 + 2,
	MSR_MTRR_FIX4K_C0000 + 3, MSR_MTRR_FIX4K_C0000 + 4, MSR_MTRR_FIX4K_C0000 + 5,
	MSR_MTRR_FIX4K_C0000 + 6, MSR_MTRR_FIX4K_F8000,
};

static unsigned int variable_count(void)
{
	return cap & CAP_COUNT;
}

uint64_t mtrr_cap(void)
{
	return cap;
}

uint64_t *mtrr_register(struct mtrr *mtrr, uint32_t msr)
{
	uint32_t variable = msr - MSR_MTRR_PHYS_BASE0;

	if (!cap)
		return NULL;
	if (msr == MSR_MTRR_DEF_TYPE)
		return &mtrr->def_type;
	if (variable < 2 * variable_count())
		return variable & 1 ? &mtrr->mask[variable / 2] : &mtrr->base[variable / 2];
	for (unsigned int i = 0; i < MTRR_FIXED && (cap & CAP_FIXED); i++) {
		if (msr == fixed_msrs[i])
			return &mtrr->fixed[i];
	}
	return NULL;
}

/* What of it the register of a processor with fewer address bits would have. */
static uint64_t read_register(uint32_t msr)
{
	bool variable = msr < MSR_MTRR_FIX64K_00000;

	return rdmsr(msr) & (variable ? address_mask | 0xfff : ~0ull);
}

/* RdMem and WrMem are seen, and can be written, with SYSCFG's bit 19 only: section 7.9.1. */
static uint64_t show_dram_bits(void)
{
	uint64_t syscfg = 0;

	if (rdmsr_safe(MSR_SYSCFG, &syscfg) && !(syscfg & SYSCFG_FIX_DRAM_MOD_EN))
		wrmsr_safe(MSR_SYSCFG, syscfg | SYSCFG_FIX_DRAM_MOD_EN);
	return syscfg;
}

static void hide_dram_bits(uint64_t syscfg)
{
	if (!(syscfg & SYSCFG_FIX_DRAM_MOD_EN))
		wrmsr_safe(MSR_SYSCFG, syscfg);
}

static void read_all(struct mtrr *mtrr)
{
	uint64_t syscfg = show_dram_bits();

	for (uint32_t msr = MSR_MTRR_PHYS_BASE0; msr <= MSR_MTRR_DEF_TYPE; msr++) {
		uint64_t *at = mtrr_register(mtrr, msr);

		if (at)
			*at = read_register(msr);
	}
	hide_dram_bits(syscfg);
}

/* Without MTRRs all is as page tables have it. */
void mtrr_init(unsigned int phys_bits)
{
	uint64_t syscfg = 0;

	address_mask = ((1ull << phys_bits) - 1) & ~0xfffull;
	mtrr_real = (struct mtrr){.def_type = MTRR_ENABLE | MTRR_WB};
	cap = wb_end = 0;
	if (!(cpuid(LEAF_FEATURES, 0).edx & EDX_MTRR))
		return;
	cap = rdmsr(MSR_MTRR_CAP);
	if ((cap & CAP_COUNT) > MTRR_VARIABLE_MAX)
		cap = (cap & ~(uint64_t)CAP_COUNT) | MTRR_VARIABLE_MAX;
	read_all(&mtrr_real);
	/* It takes both bits: section 3.2.1. */
	if (rdmsr_safe(MSR_SYSCFG, &syscfg) && !(~syscfg & TOM2_WB))
		rdmsr_safe(MSR_TOP_MEM2, &wb_end);
	wb_end &= address_mask;
}

/* Section 7.7.5: with the caches empty and off. */
static void write_all(struct mtrr *mtrr)
{
	unsigned long cr0 = read_cr0();
	uint64_t syscfg = show_dram_bits();

	write_cr0((cr0 | CR0_CD) & ~(unsigned long)CR0_NW);
	wbinvd();
	wrmsr(MSR_MTRR_DEF_TYPE, mtrr->def_type & ~(uint64_t)MTRR_ENABLE);
	for (uint32_t msr = MSR_MTRR_PHYS_BASE0; msr < MSR_MTRR_DEF_TYPE; msr++) {
		const uint64_t *at = mtrr_register(mtrr, msr);

		if (at)
			wrmsr(msr, *at);
	}
	wrmsr(MSR_MTRR_DEF_TYPE, mtrr->def_type);
	hide_dram_bits(syscfg);
	wbinvd();
	write_cr3(read_cr3());
	write_cr0(cr0);
}

void mtrr_join(struct mtrr *own)
{
	*own = mtrr_real;
	read_all(own);
	if (memcmp(own, &mtrr_real, sizeof(*own)) != 0)
		write_all(&mtrr_real);
}

static bool is_type(uint64_t type)
{
	uint32_t valid = VALID_TYPES | (cap & CAP_WC ? 1u << MTRR_WC : 0);

	return type < 32 && (valid >> type & 1);
}

static bool are_fixed_types(uint64_t value)
{
	for (unsigned int i = 0; i < RANGES_OF_FIXED; i++) {
		if (!is_type((value & ~MTRR_FIXED_DRAM) >> (8 * i) & 0xff))
			return false;
	}
	return true;
}

bool mtrr_is_valid(uint32_t msr, uint64_t value)
{
	uint32_t enables = MTRR_ENABLE | (cap & CAP_FIXED ? MTRR_FIXED_ENABLE : 0);

	if (msr == MSR_MTRR_DEF_TYPE)
		return is_type(value & ~(uint64_t)enables);
	if (msr >= MSR_MTRR_FIX64K_00000)
		return are_fixed_types(value);
	if ((msr - MSR_MTRR_PHYS_BASE0) & 1)
		return !(value & ~(address_mask | MTRR_MASK_VALID));
	return is_type(value & ~address_mask);
}

/* Which register, and which byte of it; section 7.7.2. */
static enum mtrr_type fixed_type(const struct mtrr *mtrr, uint64_t address)
{
	static const struct {
		uint32_t from, shift, first;
	} parts[] = {{0xc0000, 12, 3}, {0x80000, 14, 1}, {0, 16, 0}};
	unsigned int part = address >= parts[0].from ? 0 : address >= parts[1].from ? 1 : 2;
	uint64_t at = (address - parts[part].from) >> parts[part].shift;
	uint64_t value = mtrr->fixed[parts[part].first + at / RANGES_OF_FIXED];

	return value >> (8 * (at % RANGES_OF_FIXED)) & FIXED_TYPE;
}

/* Of ranges that overlap; what section 7.7.3 leaves undefined is uncached. */
static unsigned int overlap(unsigned int one, unsigned int other)
{
	if (one == other || one == NO_TYPE)
		return other;
	if ((one == MTRR_WT && other == MTRR_WB) || (one == MTRR_WB && other == MTRR_WT))
		return MTRR_WT;
	return MTRR_UC;
}

static bool default_type(const struct mtrr *mtrr, uint64_t base, uint64_t size,
                         enum mtrr_type *type)
{
	bool forced = base >= SIZE_4G && base < wb_end;

	*type = forced ? MTRR_WB : mtrr->def_type & TYPE;
	return !forced || base + size <= wb_end || (mtrr->def_type & TYPE) == MTRR_WB;
}

bool mtrr_type_of(const struct mtrr *mtrr, uint64_t base, uint64_t size, enum mtrr_type *type)
{
	uint64_t within = size - 1;
	unsigned int found = NO_TYPE;

	*type = MTRR_UC;
	if (base < SIZE_1M && size > PAGE_SIZE)
		return false;
	if (!(mtrr->def_type & MTRR_ENABLE))
		return true;
	if (base < SIZE_1M && (mtrr->def_type & MTRR_FIXED_ENABLE)) {
		*type = fixed_type(mtrr, base);
		return true;
	}
	for (unsigned int i = 0; i < variable_count(); i++) {
		uint64_t mask = mtrr->mask[i] & address_mask;

		if (!(mtrr->mask[i] & MTRR_MASK_VALID) || ((base ^ mtrr->base[i]) & mask & ~within))
			continue;
		/* The range decides by bits within the block: it covers a part of it only. */
		if (mask & within)
			return false;
		found = overlap(found, mtrr->base[i] & TYPE);
	}
	if (found == NO_TYPE)
		return default_type(mtrr, base, size, type);
	*type = found;
	return true;
}
