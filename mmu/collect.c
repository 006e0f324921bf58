/*
 * What NPT01 tells of L1's writes, by D, and of where it came, by A. Relies on mmu/region.c, and on
 * mmu/track.c for what becomes of it.
 */
#include "mmu/glance.h"
#include "mmu/region.h"
#include "mmu/track.h"

enum {
	KICK_AFTER = 4, /* frames read in vain: about what a message and an exit cost */
	MANY = 48,      /* tracked frames, or regions */
};

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
		struct shadow_page *region = find_page(mmu, cpu, gpa, REGION_LEVEL);
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

static bool add_mark(const struct shadow_page *region, uint64_t gpa, struct watch_marks *marks)
{
	unsigned int index = shadow_index(REGION_LEVEL, gpa);

	if (marks->count == WATCH_MARKS || (region->unarmed[index / 64] >> index % 64 & 1))
		return false;
	marks->leaf[marks->count++] = &region->table[index];
	return true;
}

bool mmu_watch_marks(const struct mmu *mmu, uint64_t gpa, unsigned int frames,
                     struct watch_marks *marks)
{
	marks->count = 0;
	for (unsigned int i = 0; i < frames; i++, gpa += 1ull << PT_PAGE_SHIFT) {
		if (!is_tracked(mmu, gpa))
			continue;
		for (const struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
			struct shadow_page *region = find_page(mmu, cpu, gpa, REGION_LEVEL);

			if (region && !add_mark(region, gpa, marks))
				return false;
		}
	}
	return true;
}

/* Which of 64 entries have the mark, where some have: a bit each. */
static __attribute__((noinline)) uint64_t which_of_64(const uint64_t *e, uint64_t mark)
{
	uint64_t found = 0;

	for (unsigned int i = 0; i < 64; i += 8, e += 8) {
		uint64_t of_8 = 0;

		if (!(any_of_8(e) & mark))
			continue;
		__atomic_signal_fence(__ATOMIC_SEQ_CST); /* not kept in eight registers */
#pragma GCC unroll 8
		for (unsigned int n = 0; n < 8; n++)
			of_8 |= (uint64_t)((e[n] & mark) != 0) << n;
		found |= of_8 << i;
	}
	return found;
}

/*
 * Those of the page's 64 entries, named by bits, in which the processor has set the mark, A or D.
 * Mostly it has not: where there are many they are looked at together first.
 */
static inline uint64_t find_marked(const struct shadow_page *page, unsigned int word, uint64_t bits,
                                   uint64_t mark)
{
	const uint64_t *entries = page->table + word * 64;
	uint64_t found = 0;

	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* they are read now */
	if (page->tracked_count > MANY)
		return any_of_64(entries) & mark ? which_of_64(entries, mark) & bits : 0;
	for (; bits; bits &= bits - 1) {
		if (entries[__builtin_ctzll(bits)] & mark)
			found |= bits & -bits;
	}
	return found;
}

/* What was put to sleep is awake: if that was for nothing it stays so for some flushes. */
static inline void was_woken(const struct mmu *mmu, struct shadow_page *page)
{
	bool at_once = mmu->collections - page->fell == 1;

	page->restless = at_once ? (uint8_t)(2 * page->restless + 1) & RESTLESS_MOST : 0;
	page->until = mmu->collections + page->restless;
}

/* Has nothing below the page been walked to since all of it was looked at? */
static inline bool is_quiet(const struct mmu *mmu, struct shadow_page *page, bool armed)
{
	if (__atomic_load_n(page->parent, __ATOMIC_RELAXED) & PTE_A) {
		if (page->quiet != AWAKE)
			was_woken(mmu, page);
		page->quiet = AWAKE; /* T4 */
		return false;
	}
	if (page->quiet == QUIET) /* T5 */
		return true;
	if (page->quiet == FALLING && armed)
		page->quiet = QUIET; /* T6: from the next time on; D may be set since before */
	return false;
}

/*
 * As the processor has to flush, it may as well set A again where it comes by. It might have
 * flushed just now, before A was cleared: so it is asked again.
 */
static inline void let_fall(const struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *page)
{
	bool self = cpu == mmu->self;

	if (page->quiet != AWAKE ||
	    (!__atomic_load_n(&cpu->flush_direct, __ATOMIC_RELAXED) && !(self && cpu->flushes_all)))
		return;
	if (stays_awake(mmu, page))
		return;
	page->fell = mmu->collections;
	__atomic_and_fetch(page->parent, ~PTE_A, __ATOMIC_SEQ_CST);   /* T10 */
	page->quiet = self ? QUIET : FALLING;                         /* T11 */
	__atomic_store_n(&cpu->flush_direct, true, __ATOMIC_SEQ_CST); /* T12 */
}

/* Frames of a word of the region's that others than L1 may have written: a bit each. */
static __attribute__((noinline)) uint64_t
by_others(const struct mmu *mmu, const struct shadow_page *region, unsigned int word)
{
	const uint8_t *frames = &mmu->frames[(region->gpa >> PT_PAGE_SHIFT) + word * 64];
	uint64_t found = 0;

	if (has_large_writers(mmu, region->gpa))
		return region->tracked[word];
	for (uint64_t bits = region->tracked[word]; bits; bits &= bits - 1) {
		if (frames[__builtin_ctzll(bits)] & (FRAME_DIRTY | FRAME_WRITERS))
			found |= bits & -bits;
	}
	return found;
}

/* Something says that these frames of a word were written; others: by others than L1. */
static __attribute__((noinline)) void take(struct mmu *mmu, struct mmu_cpu *cpu,
                                           struct shadow_page *region, unsigned int word,
                                           uint64_t written, uint64_t others, bool armed)
{
	for (uint64_t bits = written | others; bits; bits &= bits - 1) {
		unsigned int index = word * 64 + (unsigned int)__builtin_ctzll(bits);

		if (is_dirty(region, index))
			clear_dirty(mmu, cpu, region, index);
		else if (!(others & bits & -bits) && !armed)
			hold_back(mmu, cpu);
		frame_written(mmu, (region->gpa >> PT_PAGE_SHIFT) + index);
	}
}

static void collect_region(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                           bool open, bool armed)
{
	mmu->counters->regions_read++;
	for (unsigned int words = region->words; words; words &= words - 1) {
		unsigned int word = (unsigned int)__builtin_ctz(words);
		uint64_t written = region->unarmed[word];
		uint64_t others = open ? by_others(mmu, region, word) : 0;

		if (written && armed)
			region->unarmed[word] = 0; /* T7 */
		written |= find_marked(region, word, region->tracked[word], PTE_D);
		if (written | others) /* T8 */
			take(mmu, cpu, region, word, written, others, armed);
	}
}

/* L1 or others may have come to the region. Returns whether it is to be looked at next time. */
static bool ask_region(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region, bool armed)
{
	bool open = is_open(mmu, cpu, region);

	if (!is_quiet(mmu, region, armed) || open)
		collect_region(mmu, cpu, region, open, armed);
	let_fall(mmu, cpu, region);
	return open || region->quiet != QUIET;
}

static void collect_giant(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *giant,
                          bool armed)
{
	bool quiet = is_quiet(mmu, giant, armed), skipped = quiet;

	for (unsigned int words = giant->words; words; words &= words - 1) {
		unsigned int word = (unsigned int)__builtin_ctz(words);
		uint64_t *awake = &giant->awake[word], bits = *awake;

		if (!quiet)
			bits |= find_marked(giant, word, giant->tracked[word] & ~bits, PTE_A);
		skipped = skipped && !bits;
		for (; bits; bits &= bits - 1) {
			*awake &= ~(bits & -bits); /* what is noted amid it sets it again */
			if (ask_region(mmu, cpu, region_at(mmu, giant, word, bits), armed))
				*awake |= bits & -bits;
		}
	}
	mmu->counters->giants_skipped += skipped;
	let_fall(mmu, cpu, giant);
}

static void search(struct mmu *mmu)
{
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		bool armed = is_armed(mmu, cpu);

		for (struct shadow_page *giant = cpu->giants; giant; giant = giant->next_giant)
			collect_giant(mmu, cpu, giant, armed);
	}
	glance_remember(mmu);
}

void regions_collect(struct mmu *mmu)
{
	mmu->collections++;
	if (!glance_is_enough(mmu))
		search(mmu);
	mmu->self->flushes_all = false;
}
