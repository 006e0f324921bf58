/*
 * Regions and giants come and go. Relies on mmu/region.h, and on mmu/fill.c to make NPT01's tables.
 */
#include "mmu/glance.h"
#include "mmu/region.h"
#include "mmu/spte.h"
#include "mmu/track.h"

#include <stddef.h>

struct shadow_page *find_page(const struct mmu *mmu, const struct mmu_cpu *cpu, uint64_t gpa,
                              int level)
{
	struct shadow_page *page = cpu->direct;

	while (page->role.level > level) {
		uint64_t spte = page->table[shadow_index(page->role.level, gpa)];

		if (!(spte & PTE_P) || spte_is_leaf(spte, page->role.level))
			return NULL;
		page = page_of_spte(mmu, spte);
	}
	return page;
}

static struct shadow_page *giant_of(const struct mmu *mmu, const struct shadow_page *region)
{
	return page_of_table(mmu, region->parent);
}

void regions_wake(struct mmu *mmu, uint64_t gpa, int level)
{
	struct shadow_page *giant = mmu->home ? find_page(mmu, mmu->home, gpa, GIANT_LEVEL) : NULL;
	unsigned int index = shadow_index(GIANT_LEVEL, gpa);

	if (!giant)
		return;
	glance_forget(mmu);
	if (level <= GIANT_LEVEL) {
		giant->awake[index / 64] |= giant->tracked[index / 64] & 1ull << index % 64;
		return;
	}
	for (unsigned int word = 0; word < WORDS; word++)
		giant->awake[word] = giant->tracked[word];
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

/* In this order: a processor that takes flush_direct away flushes after D was cleared. */
void clear_dirty(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                 unsigned int index)
{
	/* Before D says nothing any more. */
	frame_tell(mmu, (region->gpa >> PT_PAGE_SHIFT) + index);
	__atomic_and_fetch(&region->table[index], ~PTE_D, __ATOMIC_SEQ_CST); /* T1 */
	__atomic_store_n(&cpu->flush_direct, true, __ATOMIC_SEQ_CST);        /* T2 */
	glance_forget(mmu);
	if (cpu != mmu->self)
		region->unarmed[index / 64] |= 1ull << index % 64; /* T3 */
}

static void set_tracked(struct mmu *mmu, struct shadow_page *page, unsigned int index)
{
	glance_forget(mmu);
	page->tracked[index / 64] |= 1ull << index % 64;
	page->words |= 1u << index / 64;
}

static void clear_tracked(struct shadow_page *page, unsigned int index)
{
	page->tracked[index / 64] &= ~(1ull << index % 64);
	if (!page->tracked[index / 64])
		page->words &= ~(1u << index / 64);
}

/* A region of the processor's has its first tracked frame; or its last one has gone. */
static void enter_giant(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region)
{
	struct shadow_page *giant = giant_of(mmu, region);
	unsigned int index = (unsigned int)(region->parent - giant->table);

	region->quiet = AWAKE;
	set_tracked(mmu, giant, index);
	giant->awake[index / 64] |= 1ull << index % 64; /* to be looked at, whatever A says */
	if (giant->tracked_count++)
		return;
	giant->quiet = page_of_table(mmu, giant->parent)->role.pdptes ? WAKEFUL : AWAKE;
	giant->next_giant = cpu->giants;
	cpu->giants = giant;
}

static void leave_giant(const struct mmu *mmu, const struct shadow_page *region)
{
	struct shadow_page *giant = giant_of(mmu, region);
	unsigned int index = (unsigned int)(region->parent - giant->table);

	giant->awake[index / 64] &= ~(1ull << index % 64);
	clear_tracked(giant, index);
	if (--giant->tracked_count)
		return;
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		struct shadow_page **at = &cpu->giants;

		while (*at && *at != giant)
			at = &(*at)->next_giant;
		if (*at)
			*at = giant->next_giant;
	}
}

static void add_frame(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                      unsigned int index)
{
	set_tracked(mmu, region, index);
	if (region->table[index] & PTE_P)
		clear_dirty(mmu, cpu, region, index);
	else
		frame_tell(mmu, (region->gpa >> PT_PAGE_SHIFT) + index); /* of one more mark */
	if (region->tracked_count++)
		return;
	enter_giant(mmu, cpu, region);
	if (cpu == mmu->home)
		pin_upwards(mmu, region, 1);
}

static void remove_frame(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *region,
                         unsigned int index)
{
	region->unarmed[index / 64] &= ~(1ull << index % 64);
	clear_tracked(region, index);
	if (--region->tracked_count)
		return;
	leave_giant(mmu, region);
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
		struct shadow_page *region = find_page(mmu, cpu, gpa, REGION_LEVEL);

		if (!region && cpu == mmu->home)
			region = direct_region(mmu, cpu, gpa, split_home);
		if (region)
			add_frame(mmu, cpu, region, index); /* T17 */
	}
}

void regions_remove(struct mmu *mmu, uint64_t gpa)
{
	for (struct mmu_cpu *cpu = mmu->cpus; cpu; cpu = cpu->next) {
		struct shadow_page *region = find_page(mmu, cpu, gpa, REGION_LEVEL);

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
	region = find_page(mmu, cpu, gpa, REGION_LEVEL);
	if (region->tracked_count)
		return;
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		if (is_tracked(mmu, region->gpa + ((uint64_t)i << PT_PAGE_SHIFT)))
			add_frame(mmu, cpu, region, i); /* T20 */
	}
}

static void end_region(struct mmu *mmu, struct shadow_page *region)
{
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		if (region->tracked[i / 64] >> i % 64 & 1)
			mmu_note_write(mmu, region->gpa + ((uint64_t)i << PT_PAGE_SHIFT)); /* T19 */
	}
	for (unsigned int word = 0; word < WORDS; word++)
		region->tracked[word] = region->unarmed[word] = 0;
	region->words = 0;
	region->tracked_count = 0;
	leave_giant(mmu, region);
}

void region_ends(struct mmu *mmu, struct shadow_page *page)
{
	if (page->role.level == REGION_LEVEL)
		end_region(mmu, page);
	for (unsigned int word = 0; word < WORDS; word++) {
		while (page->tracked[word])
			end_region(mmu, region_at(mmu, page, word, page->tracked[word]));
	}
}
