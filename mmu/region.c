/*
 * What NPT01 tells of L1's writes. Relies on mmu/region.h, and on mmu/fill.c to make NPT01's
 * tables.
 */
#include "mmu/region.h"
#include "mmu/spte.h"
#include "mmu/track.h"

#include <stddef.h>

enum {
	REGION_LEVEL = 1,
	WORDS = SHADOW_ENTRIES / 64,
	KICK_AFTER = 4, /* frames read in vain: about what a message and an exit cost */
};

/*
 * Whoever comes to a region's leaves without having them cached sets A in the entry above it. When
 * a flush is due anyway A is cleared: behind that flush A=0 says that no D in the region was set.
 */
enum quiet {
	AWAKE,   /* A=1 is cached, perhaps */
	FALLING, /* A is cleared, but the processor has not flushed since */
	QUIET,   /* as long as A=0 the processor has nothing of it cached */
};

/* The processor's page of 4 KiB leaves for a frame; NULL where it has larger ones or none. */
static struct shadow_page *find_region(const struct mmu *mmu, const struct mmu_cpu *cpu,
                                       uint64_t gpa)
{
	struct shadow_page *page = cpu->direct;

	while (page->role.level > REGION_LEVEL) {
		uint64_t spte = page->table[shadow_index(page->role.level, gpa)];

		if (!(spte & PTE_P) || spte_is_leaf(spte, page->role.level))
			return NULL;
		page = page_of_spte(mmu, spte);
	}
	return page;
}

/* The same, for frames that are tracked: often it is the one before. */
static struct shadow_page *region_of(const struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	struct shadow_page *region = cpu->last_region;

	if (region && !((region->gpa ^ gpa) >> shadow_shift(REGION_LEVEL + 1)))
		return region;
	region = find_region(mmu, cpu, gpa);
	cpu->last_region = region;
	return region;
}

/* The tables above home's regions stay as long as these have tracked frames. */
static void pin_upwards(const struct mmu *mmu, struct shadow_page *page, int pins)
{
	for (;;) {
		page->pins += (uint32_t)pins;
		if (!page->parent)
			return;
		page = page_of_table(mmu, page->parent);
	}
}

/*
 * The next write of L1's to this frame sets D again. In this order: a processor that takes
 * flush_direct away flushes after D was cleared. The one at work runs no guest before that.
 */
static void clear_dirty(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                        unsigned int index)
{
	__atomic_and_fetch(&region->table[index], ~PTE_D, __ATOMIC_SEQ_CST); /* T1 */
	__atomic_store_n(&cpu->flush_direct, true, __ATOMIC_SEQ_CST);        /* T2 */
	if (cpu != mmu->self)
		region->unarmed[index / 64] |= 1ull << index % 64; /* T3 */
}

static void add_frame(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                      unsigned int index)
{
	region->tracked[index / 64] |= 1ull << index % 64;
	if (region->table[index] & PTE_P)
		clear_dirty(mmu, cpu, region, index);
	if (region->tracked_count++)
		return;
	region->next_region = cpu->regions;
	cpu->regions = region;
	if (cpu == mmu->home)
		pin_upwards(mmu, region, 1);
}

/* Takes a region off the list of its processor, if it is this one's. */
static void unlist(struct mmu_cpu *cpu, const struct shadow_page *region)
{
	struct shadow_page **at = &cpu->regions;

	while (*at && *at != region)
		at = &(*at)->next_region;
	if (*at)
		*at = region->next_region;
	if (cpu->last_region == region)
		cpu->last_region = NULL;
}

static void remove_frame(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                         unsigned int index)
{
	uint64_t bit = 1ull << index % 64;

	region->tracked[index / 64] &= ~bit;
	region->unarmed[index / 64] &= ~bit;
	if (--region->tracked_count)
		return;
	unlist(cpu, region);
	if (cpu == mmu->home)
		pin_upwards(mmu, region, -1);
}

/* Clears a leaf of more than 4 KiB that maps gpa. */
static bool drop_larger(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	struct shadow_page *page = cpu->direct;

	while (page->role.level > REGION_LEVEL) {
		unsigned int index = shadow_index(page->role.level, gpa);
		uint64_t spte = page->table[index];

		if (!(spte & PTE_P))
			return false;
		if (spte_is_leaf(spte, page->role.level)) {
			spte_clear(mmu, page, index); /* T15 */
			__atomic_store_n(&cpu->flush_direct, true, __ATOMIC_SEQ_CST);
			return true;
		}
		page = page_of_spte(mmu, spte);
	}
	return false;
}

void regions_add(struct mmu *mmu, uint64_t gpa)
{
	unsigned int index = shadow_index(REGION_LEVEL, gpa);
	bool split_home = false, others = false;

	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		if (!drop_larger(mmu, cpu, gpa))
			continue;
		split_home |= cpu == mmu->home;
		others |= cpu != mmu->self;
	}
	if (others)
		mmu->ops->flush_all(mmu->context); /* T16 */
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		struct shadow_page *region = find_region(mmu, cpu, gpa);

		if (!region && cpu == mmu->home)
			region = direct_region(mmu, cpu, gpa, split_home);
		if (region)
			add_frame(mmu, cpu, region, index); /* T17 */
	}
}

void regions_remove(struct mmu *mmu, uint64_t gpa)
{
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		struct shadow_page *region = find_region(mmu, cpu, gpa);

		if (region && region->tracked_count)
			remove_frame(mmu, cpu, region, shadow_index(REGION_LEVEL, gpa));
	}
}

void region_filled(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa)
{
	struct shadow_page *region;

	if (!in_tracked_giant(mmu, gpa))
		return;
	direct_populate(mmu, cpu, gpa);
	if (!in_tracked_block(mmu, gpa))
		return;
	region = find_region(mmu, cpu, gpa);
	if (region->tracked_count)
		return;
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		if (is_tracked(mmu, region->gpa + ((uint64_t)i << PT_PAGE_SHIFT)))
			add_frame(mmu, cpu, region, i); /* T20 */
	}
}

void region_ends(struct mmu *mmu, struct shadow_page *region)
{
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next)
		unlist(cpu, region);
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		if (region->tracked[i / 64] >> i % 64 & 1)
			mmu_note_write(mmu, region->gpa + ((uint64_t)i << PT_PAGE_SHIFT)); /* T19 */
	}
	for (unsigned int word = 0; word < WORDS; word++)
		region->tracked[word] = region->unarmed[word] = 0;
	region->tracked_count = 0;
}

/* Has the processor flushed since D bits of its NPT01 were cleared? */
static bool is_armed(const struct mmu *mmu, struct mmu_cpu *cpu)
{
	if (cpu != mmu->self && __atomic_load_n(&cpu->flush_direct, __ATOMIC_SEQ_CST)) /* T13 */
		return false;
	cpu->held_back = 0;
	return true;
}

/* A frame is read for the sake of a processor that does not flush. It is asked to, once. */
static void hold_back(struct mmu *mmu, struct mmu_cpu *cpu)
{
	mmu->counters->read_unarmed++;
	if (++cpu->held_back != KICK_AFTER || !mmu->ops->kick)
		return;
	mmu->counters->kicks++;
	mmu->ops->kick(mmu->context, cpu);
}

static bool is_dirty(const struct shadow_page *region, unsigned int index)
{
	return __atomic_load_n(&region->table[index], __ATOMIC_RELAXED) & PTE_D;
}

bool regions_written(struct mmu *mmu, uint64_t gpa)
{
	unsigned int index = shadow_index(REGION_LEVEL, gpa), word = index / 64;
	uint64_t bit = 1ull << index % 64;
	bool written = false;

	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		struct shadow_page *region = region_of(mmu, cpu, gpa);
		bool unarmed;

		if (!region)
			continue;
		unarmed = region->unarmed[word] & bit;
		if (unarmed && is_armed(mmu, cpu))
			region->unarmed[word] &= ~bit;
		if (is_dirty(region, index))
			clear_dirty(mmu, cpu, region, index);
		else if (!unarmed)
			continue;
		else if (region->unarmed[word] & bit)
			hold_back(mmu, cpu);
		written = true;
	}
	return written;
}

/* Something says that the frame was written. */
static void take(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                 unsigned int index, bool by_others, bool armed)
{
	if (is_dirty(region, index))
		clear_dirty(mmu, cpu, region, index);
	else if (!by_others && !armed)
		hold_back(mmu, cpu);
	frame_written(mmu, (region->gpa >> PT_PAGE_SHIFT) + index);
}

/* Has no leaf of the region been walked to since all were looked at? */
static bool is_quiet(struct shadow_page *region, bool armed)
{
	if (__atomic_load_n(region->parent, __ATOMIC_RELAXED) & PTE_A) {
		region->quiet = AWAKE; /* T4 */
		return false;
	}
	if (region->quiet == QUIET) /* T5 */
		return true;
	if (region->quiet == FALLING && armed)
		region->quiet = QUIET; /* T6: from the next time on; D may be set since before */
	return false;
}

/*
 * As the processor has to flush, it may as well set A again where it comes by. It might have
 * flushed just now, before A was cleared: so it is asked again.
 */
static void let_fall(struct mmu *mmu, struct mmu_cpu *cpu)
{
	for (struct shadow_page *region = cpu->regions; region; region = region->next_region) {
		if (region->quiet != AWAKE)
			continue;
		__atomic_and_fetch(region->parent, ~PTE_A, __ATOMIC_SEQ_CST); /* T10 */
		region->quiet = cpu == mmu->self ? QUIET : FALLING;           /* T11 */
	}
	__atomic_store_n(&cpu->flush_direct, true, __ATOMIC_SEQ_CST); /* T12 */
}

static void collect_region(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                           bool armed)
{
	const uint8_t *frames = &mmu->frames[region->gpa >> PT_PAGE_SHIFT];
	bool home = cpu == mmu->home, large = home && has_large_writers(mmu, region->gpa);
	uint8_t others = home ? FRAME_DIRTY | FRAME_WRITERS : 0;

	if (is_quiet(region, armed) && !large && !(home && has_noted(mmu, region->gpa))) {
		mmu->counters->regions_skipped++;
		return;
	}

	for (unsigned int word = 0; word < WORDS; word++) {
		uint64_t bits = region->tracked[word], unarmed;

		if (!bits)
			continue;
		unarmed = region->unarmed[word];
		if (unarmed && armed)
			region->unarmed[word] = 0; /* T7 */
		for (; bits; bits &= bits - 1) {
			unsigned int bit = (unsigned int)__builtin_ctzll(bits);
			unsigned int index = word * 64 + bit;
			bool by_others = (frames[index] & others) || large;

			if (by_others || is_dirty(region, index) || (unarmed >> bit & 1)) /* T8 */
				take(mmu, cpu, region, index, by_others, armed);
		}
	}
}

void regions_collect(struct mmu *mmu)
{
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		bool armed = is_armed(mmu, cpu);

		for (struct shadow_page *region = cpu->regions; region;
		     region = region->next_region)
			collect_region(mmu, cpu, region, armed);
		if (__atomic_load_n(&cpu->flush_direct, __ATOMIC_RELAXED))
			let_fall(mmu, cpu);
	}
}
