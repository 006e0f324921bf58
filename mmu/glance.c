/*
 * What a search for written tables looks at while nothing changes: A above what is at rest, D of
 * the tracked frames elsewhere. Relies on mmu/track.h for what others than L1 may write.
 */
#include "mmu/glance.h"
#include "mmu/region.h"
#include "mmu/track.h"

enum {
	MANY = 16,  /* regions of a word: they are looked at together */
	RETRY = 64, /* searches, where it is too much to remember, or marks are not to be believed
	             */
};

static bool add(struct marks *marks, const uint64_t *at)
{
	if (marks->count == GLANCE_MARKS)
		return false;
	marks->at[marks->count++] = at;
	return true;
}

static bool add_page(struct mmu *mmu, const struct shadow_page *page)
{
	struct glance *glance = &mmu->glance;

	if (page->quiet == QUIET)
		return add(&glance->come, page->parent);
	if (page->quiet == AWAKE && stays_awake(mmu, page) < glance->stays)
		glance->stays = stays_awake(mmu, page);
	return true;
}

static bool add_leaves(struct glance *glance, const struct shadow_page *region)
{
	for (unsigned int word = 0; word < WORDS; word++) {
		uint64_t bits = region->tracked[word];

		if (region->unarmed[word])
			return false;
		for (; bits; bits &= bits - 1) {
			unsigned int index = word * 64 + (unsigned int)__builtin_ctzll(bits);

			if (!add(&glance->written, &region->table[index]))
				return false;
		}
	}
	return true;
}

static bool are_many(uint64_t bits)
{
	unsigned int count = 0;

	for (; bits; bits &= bits - 1)
		count++;
	return count > MANY;
}

/* Regions at rest: the entries above them. */
static bool add_resting(struct glance *glance, const struct shadow_page *giant, unsigned int word,
                        uint64_t bits)
{
	const uint64_t *entries = giant->table + word * 64;

	if (are_many(bits) && !(any_of_64(entries) & PTE_A))
		return add(&glance->come_64, entries);
	for (; bits; bits &= bits - 1) {
		if (!add(&glance->come, entries + __builtin_ctzll(bits)))
			return false;
	}
	return true;
}

static bool add_awake(struct mmu *mmu, const struct mmu_cpu *cpu, const struct shadow_page *giant,
                      unsigned int word)
{
	for (uint64_t bits = giant->awake[word]; bits; bits &= bits - 1) {
		const struct shadow_page *region = region_at(mmu, giant, word, bits);

		if (is_open(mmu, cpu, region) || !add_page(mmu, region) ||
		    !add_leaves(&mmu->glance, region))
			return false;
	}
	return true;
}

static bool add_giant(struct mmu *mmu, const struct mmu_cpu *cpu, const struct shadow_page *giant)
{
	if (!add_page(mmu, giant))
		return false;
	for (unsigned int word = 0; word < WORDS; word++) {
		uint64_t resting = giant->tracked[word] & ~giant->awake[word];

		if (!add_awake(mmu, cpu, giant, word) ||
		    (giant->quiet != QUIET && !add_resting(&mmu->glance, giant, word, resting)))
			return false;
	}
	return true;
}

void glance_remember(struct mmu *mmu)
{
	struct glance *glance = &mmu->glance;

	if (++glance->calm != GLANCE_CALM)
		return;
	glance->calm = GLANCE_CALM - RETRY;
	glance->come.count = glance->come_64.count = glance->written.count = 0;
	glance->since = mmu->collections;
	glance->stays = UINT32_MAX;
	for (const struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		for (const struct shadow_page *giant = cpu->giants; giant;
		     giant = giant->next_giant) {
			if (!add_giant(mmu, cpu, giant))
				return;
		}
	}
	glance->calm = GLANCE_HOLDS;
}

static inline uint64_t any_of(const struct marks *marks)
{
	uint64_t any = 0;

	for (const uint64_t *const *at = marks->at; at != marks->at + marks->count; at++)
		any |= **at;
	return any;
}

static inline uint64_t any_of_words(const struct marks *marks)
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < marks->count; i++)
		any |= any_of_64(marks->at[i]);
	return any;
}

/* Is there a flush with which what is awake could fall asleep, and has it been so for long enough?
 */
static inline bool may_fall(const struct mmu *mmu)
{
	return mmu->collections - mmu->glance.since >= mmu->glance.stays &&
	       (mmu->self->flush_direct || mmu->self->flushes_all);
}

bool glance_is_enough(struct mmu *mmu)
{
	const struct glance *glance = &mmu->glance;

	if (glance->calm != GLANCE_HOLDS)
		return false;
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* they are read now */
	if (!(any_of(&glance->written) & PTE_D) &&
	    !((any_of(&glance->come) | any_of_words(&glance->come_64)) & PTE_A) && !may_fall(mmu)) {
		mmu->counters->glances++;
		return true;
	}
	glance_forget(mmu);
	return false;
}
