/*
 * What must always hold in mmu/. Relies on tests/model/invariants.h.
 */
#include "tests/model/invariants.h"

#include "mmu/spte.h"
#include "mmu/track.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static char message[160];

#define WRONG(...)                                                                                 \
	do {                                                                                       \
		snprintf(message, sizeof(message), __VA_ARGS__);                                   \
		return message;                                                                    \
	} while (0)

#define TRY(call)                                                                                  \
	do {                                                                                       \
		const char *wrong = (call);                                                        \
		if (wrong)                                                                         \
			return wrong;                                                              \
	} while (0)

static int64_t number(const struct mmu *mmu, const struct shadow_page *page)
{
	return page - mmu->pages;
}

static unsigned int times_parent(const struct shadow_page *page, const uint64_t *spte)
{
	unsigned int times = page->parent == spte;

	for (const struct parent_chunk *chunk = page->more_parents; chunk; chunk = chunk->next) {
		for (size_t i = 0; i < sizeof(chunk->spte) / sizeof(chunk->spte[0]); i++)
			times += chunk->spte[i] == spte;
	}
	return times;
}

/* Every spte that is no leaf leads to a live page of the next level, which knows of it. */
static const char *check_sptes(const struct mmu *mmu, const struct shadow_page *page)
{
	uint32_t present = 0;

	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		uint64_t spte = page->table[i];
		const struct shadow_page *child;

		if (!spte)
			continue;
		if (!(spte & 1))
			WRONG("page %" PRId64 ": spte %u is not present and not zero",
			      number(mmu, page), i);
		present++;
		if (page->role.level == 1 || (spte & 0x80))
			continue;
		child = page_of_spte(mmu, spte);
		if (child < mmu->pages || child >= mmu->pages + mmu->page_count)
			WRONG("page %" PRId64 ": spte %u leads to no table", number(mmu, page), i);
		if (!child->live || child->role.level + 1u != page->role.level)
			WRONG("page %" PRId64 ": spte %u leads to page %" PRId64
			      ", live %d, level %d",
			      number(mmu, page), i, number(mmu, child), child->live,
			      (int)child->role.level);
		if (times_parent(child, &page->table[i]) != 1)
			WRONG("page %" PRId64 ": spte %u is %u times a parent of page %" PRId64,
			      number(mmu, page), i, times_parent(child, &page->table[i]),
			      number(mmu, child));
	}
	if (present != page->present)
		WRONG("page %" PRId64 ": %u sptes, counted %u", number(mmu, page), present,
		      page->present);
	return NULL;
}

static const char *check_parent(const struct mmu *mmu, const struct shadow_page *page,
                                const uint64_t *spte)
{
	const struct shadow_page *parent = &mmu->pages[(spte - mmu->tables) / SHADOW_ENTRIES];

	if (spte < mmu->tables || spte >= mmu->tables + (size_t)mmu->page_count * SHADOW_ENTRIES)
		WRONG("page %" PRId64 ": a parent is no spte", number(mmu, page));
	if (!parent->live || !(*spte & 1) || page_of_spte(mmu, *spte) != page ||
	    parent->role.level != page->role.level + 1u)
		WRONG("page %" PRId64 ": parent page %" PRId64 " does not lead there",
		      number(mmu, page), number(mmu, parent));
	return NULL;
}

static bool is_cached_root(const struct shadow_page *page, const struct mmu_cpu *cpus,
                           unsigned int count)
{
	for (unsigned int cpu = 0; cpu < count; cpu++) {
		if (cpus[cpu].direct == page)
			return true;
		for (int i = 0; i < MMU_CACHED_ROOTS; i++) {
			if (cpus[cpu].roots[i].page == page &&
			    cpus[cpu].roots[i].serial == page->serial)
				return true;
		}
	}
	return false;
}

static const char *check_parents(const struct mmu *mmu, const struct shadow_page *page,
                                 const struct mmu_cpu *cpus, unsigned int count, uint32_t *chunks)
{
	uint32_t own = 0, parents = page->parent != NULL;

	if (page->parent)
		TRY(check_parent(mmu, page, page->parent));
	for (const struct parent_chunk *chunk = page->more_parents; chunk; chunk = chunk->next) {
		uint32_t used = 0;

		for (size_t i = 0; i < sizeof(chunk->spte) / sizeof(chunk->spte[0]); i++) {
			if (!chunk->spte[i])
				continue;
			TRY(check_parent(mmu, page, chunk->spte[i]));
			used++;
		}
		if (!used)
			WRONG("page %" PRId64 ": an empty chunk of parents", number(mmu, page));
		parents += used;
		own++;
	}
	if (own != page->chunks)
		WRONG("page %" PRId64 ": %u chunks, counted %u", number(mmu, page), own,
		      page->chunks);
	*chunks += own;
	if (page->role.local && parents + is_cached_root(page, cpus, count) != 1)
		WRONG("page %" PRId64 " is local: %u parents, cached root %d", number(mmu, page),
		      parents, is_cached_root(page, cpus, count));
	return NULL;
}

/* Pages of NPT01 with tracked frames, this one or below it. */
static uint32_t regions_below(const struct mmu *mmu, const struct shadow_page *page)
{
	uint32_t count = 0;

	if (!is_npt01(page) || page->role.level == 1)
		return page->tracked_count != 0;
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		uint64_t spte = page->table[i];

		if (spte && !(spte & 0x80))
			count += regions_below(mmu, page_of_spte(mmu, spte));
	}
	return count;
}

static size_t number_of(const struct mmu *mmu, const uint64_t *spte)
{
	return (size_t)(spte - mmu->tables) / SHADOW_ENTRIES;
}

static bool is_home(const struct mmu *mmu, const struct shadow_page *page)
{
	if (!is_npt01(page) || !mmu->home)
		return false;
	while (page->parent)
		page = &mmu->pages[number_of(mmu, page->parent)];
	return page == mmu->home->direct;
}

/* A region has all tracked frames of its range, by leaves that tell of the next write. */
static const char *check_region(const struct mmu *mmu, const struct mmu_cpu *cpu,
                                const struct shadow_page *region)
{
	const struct shadow_page *giant = &mmu->pages[number_of(mmu, region->parent)];
	size_t at = (size_t)(region->parent - giant->table);
	bool listed = giant->tracked[at / 64] >> at % 64 & 1;
	bool awake = giant->awake[at / 64] >> at % 64 & 1;
	bool written = mmu->home == cpu && region->tracked_count &&
	               (has_noted(mmu, region->gpa) || has_large_writers(mmu, region->gpa));
	uint32_t count = 0;

	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		bool tracked = is_tracked(mmu, region->gpa + i * 4096ull);
		bool unarmed = region->unarmed[i / 64] >> i % 64 & 1;

		if ((region->tracked[i / 64] >> i % 64 & 1) != tracked || (unarmed && !tracked))
			WRONG("region %" PRId64 ": frame %u is tracked: %d", number(mmu, region), i,
			      tracked);
		count += tracked;
	}
	if (count != region->tracked_count || listed != (count != 0))
		WRONG("region %" PRId64 ": %u tracked, counted %u, listed %d", number(mmu, region),
		      count, region->tracked_count, listed);
	if (awake > listed || written > awake)
		WRONG("region %" PRId64 ": listed %d, awake %d, written by others %d",
		      number(mmu, region), listed, awake, written);
	return NULL;
}

static const char *check_giant(const struct mmu *mmu, const struct mmu_cpu *cpu,
                               const struct shadow_page *giant)
{
	const struct shadow_page *listed = cpu->giants;
	uint32_t count = 0;

	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		bool has = giant->tracked[i / 64] >> i % 64 & 1;

		if (has && (!giant->table[i] || (giant->table[i] & 0x80)))
			WRONG("giant %" PRId64 ": region %u is none", number(mmu, giant), i);
		count += has;
	}
	while (listed && listed != giant)
		listed = listed->next_giant;
	if (count != giant->tracked_count || (listed != NULL) != (count != 0))
		WRONG("giant %" PRId64 ": %u regions, counted %u, listed %d", number(mmu, giant),
		      count, giant->tracked_count, listed != NULL);
	return NULL;
}

/* Counts the tracked frames of a processor's NPT01 from a page on down. */
static const char *check_npt01(const struct mmu *mmu, const struct mmu_cpu *cpu,
                               const struct shadow_page *page, uint32_t *tracked)
{
	if (page->role.level == 1) {
		*tracked += page->tracked_count;
		return check_region(mmu, cpu, page);
	}
	if (page->role.level == 2)
		TRY(check_giant(mmu, cpu, page));
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		uint64_t spte = page->table[i], gpa;

		if (!spte)
			continue;
		if (!(spte & 0x80)) {
			TRY(check_npt01(mmu, cpu, page_of_spte(mmu, spte), tracked));
			continue;
		}
		gpa = page->gpa + ((uint64_t)i << shadow_shift(page->role.level));
		if (track_level(mmu, gpa, page->role.level) < page->role.level)
			WRONG("page %" PRId64 ": spte %u maps tracked frames by a large page",
			      number(mmu, page), i);
	}
	return NULL;
}

static const char *check_noted(const struct mmu *mmu)
{
	if (mmu->shadows_l1_paging) /* dirty frames have a list there */
		return NULL;
	for (uint64_t frame = 0; frame < mmu->frame_count; frame += 512) {
		unsigned int noted = 0;

		for (uint64_t i = frame; mmu->block_tracked[frame / 512] && i < frame + 512; i++)
			noted += i < mmu->frame_count && (mmu->frames[i] & FRAME_TRACKED) &&
			         (mmu->frames[i] & (FRAME_DIRTY | FRAME_WRITERS));
		if (noted != mmu->block_noted[frame / 512])
			WRONG("frame %#" PRIx64 ": %u noted in 2 MiB, counted %u", frame, noted,
			      mmu->block_noted[frame / 512]);
	}
	return NULL;
}

static const char *check_regions(const struct mmu *mmu)
{
	TRY(check_noted(mmu));
	for (const struct mmu_cpu *cpu = mmu->cpus; cpu && mmu->frame_count; cpu = cpu->next) {
		uint32_t tracked = 0;

		TRY(check_npt01(mmu, cpu, cpu->direct, &tracked));
		if (cpu == mmu->home && tracked != mmu->frames_tracked)
			WRONG("%u frames at home, %" PRIu64 " tracked", tracked,
			      mmu->frames_tracked);
	}
	return NULL;
}

static const char *check_pins(const struct mmu *mmu, const struct shadow_page *page,
                              const struct mmu_cpu *cpus, unsigned int count)
{
	uint32_t pins = is_home(mmu, page) ? regions_below(mmu, page) : 0;

	for (unsigned int cpu = 0; cpu < count; cpu++)
		pins += (cpus[cpu].direct == page) + (cpus[cpu].current == page);
	if (pins != page->pins)
		WRONG("page %" PRId64 ": %u pins, counted %u", number(mmu, page), pins, page->pins);
	return NULL;
}

/* The hash holds each live common page once, and no two of the same key. */
static const char *check_hash(const struct mmu *mmu, uint32_t common)
{
	uint32_t hashed = 0;

	for (uint32_t i = 0; i <= mmu->hash_mask; i++) {
		for (const struct shadow_page *page = mmu->hash[i]; page; page = page->hash_next) {
			if (++hashed > mmu->page_count)
				WRONG("bucket %u is a ring", i);
			if (!page->live || page->role.local)
				WRONG("page %" PRId64 " is in the hash: live %d, local %d",
				      number(mmu, page), page->live, (int)page->role.local);
			for (const struct shadow_page *other = page->hash_next; other;
			     other = other->hash_next) {
				if (other->gpa == page->gpa && other->role.word == page->role.word)
					WRONG("pages %" PRId64 " and %" PRId64 " are the same",
					      number(mmu, page), number(mmu, other));
			}
		}
	}
	if (hashed != common)
		WRONG("%u pages in the hash, %u common ones live", hashed, common);
	return NULL;
}

static const char *check_list(const struct mmu *mmu, uint32_t live)
{
	const struct shadow_page *older = NULL;
	uint32_t listed = 0;

	for (const struct shadow_page *page = mmu->oldest; page; page = page->newer) {
		if (++listed > mmu->page_count || page->older != older || !page->live)
			WRONG("page %" PRId64 ": list by use is broken", number(mmu, page));
		older = page;
	}
	if (mmu->newest != older || listed != live)
		WRONG("%u pages listed by use, %u live", listed, live);
	return NULL;
}

static bool is_same_leaf(const struct mmu *mmu, const struct shadow_page *page, unsigned int i)
{
	struct mmu nobodys = *mmu; /* the processor that was at work last may have gone */
	struct target target;
	struct paging_mode mode;

	nobodys.self = NULL;
	paging_mode_init(&mode, (enum pt_format_id)page->role.format, (uint32_t)page->role.mode,
	                 mmu->phys_bits);
	target = spte_target(&nobodys, &mode, page, i, page->copy->table[i], false);
	if (target.kind == TARGET_LEAF)
		return spte_is_leaf(page->table[i], page->role.level) &&
		       page->table[i] == target.spte;
	return target.kind == TARGET_TABLE && !spte_is_leaf(page->table[i], page->role.level) &&
	       page_of_spte(mmu, page->table[i])->gpa == target.gpa;
}

/* A page and the copy of its table have each other; the sptes say what the copy says. */
static const char *check_copy(const struct mmu *mmu, const struct shadow_page *page)
{
	const struct shadow_page *copy = page->copy;

	if (is_copy(page) && (!copy || is_copy(copy)))
		WRONG("page %" PRId64 " is a copy of nothing", number(mmu, page));
	if (!copy || is_copy(page))
		return NULL;
	if (copy->copy != page || !copy->live || !is_copy(copy))
		WRONG("page %" PRId64 ": its copy is another one's", number(mmu, page));
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		if (page->table[i] && !is_same_leaf(mmu, page, i))
			WRONG("page %" PRId64 ": spte %u is %#" PRIx64
			      ", its entry was read as %#" PRIx64,
			      number(mmu, page), i, page->table[i], copy->table[i]);
	}
	return NULL;
}

/* What a glance skips has no spte. */
static const char *check_groups(const struct mmu *mmu, const struct shadow_page *page)
{
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		if (!is_copy(page) && page->table[i] && !(page->groups >> i / GROUP_ENTRIES & 1))
			WRONG("page %" PRId64 ": spte %u is in no group", number(mmu, page), i);
	}
	return NULL;
}

static const char *check_idle(const struct mmu *mmu, const struct shadow_page *first,
                              uint32_t *count)
{
	for (const struct shadow_page *page = first; page; page = page->hash_next) {
		if (++*count > mmu->page_count)
			WRONG("a list of idle pages is a ring");
		if (page->live || page->present || page->parent || page->more_parents ||
		    page->pins || page->copy)
			WRONG("page %" PRId64 " is idle and not empty", number(mmu, page));
		for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
			if (page->table[i])
				WRONG("page %" PRId64 " is idle, spte %u is not zero",
				      number(mmu, page), i);
		}
	}
	return NULL;
}

const char *broken_invariant(const struct mmu *mmu, const struct mmu_cpu *cpus, unsigned int count)
{
	uint32_t live = 0, common = 0, chunks = 0, free = 0, zapped = 0, copies = 0;

	for (uint32_t i = 0; i < mmu->page_count; i++) {
		const struct shadow_page *page = &mmu->pages[i];

		if (page->table != mmu->tables + (size_t)i * SHADOW_ENTRIES)
			WRONG("page %u has lost its table", i);
		if (!page->live)
			continue;
		live++;
		common += !page->role.local;
		copies += is_copy(page);
		TRY(check_copy(mmu, page));
		TRY(check_groups(mmu, page));
		if (is_copy(page))
			continue;
		TRY(check_sptes(mmu, page));
		TRY(check_parents(mmu, page, cpus, count, &chunks));
		TRY(check_pins(mmu, page, cpus, count));
	}
	if (copies != mmu->copies)
		WRONG("%u copies, counted %u", copies, mmu->copies);
	TRY(check_hash(mmu, common));
	TRY(check_list(mmu, live));
	TRY(check_idle(mmu, mmu->free, &free));
	TRY(check_idle(mmu, mmu->zapped, &zapped));
	if (free != mmu->free_count || free + zapped + live != mmu->page_count)
		WRONG("%u free (counted %u) + %u ended + %u live of %u", free, mmu->free_count,
		      zapped, live, mmu->page_count);
	TRY(check_regions(mmu));
	for (const struct parent_chunk *chunk = mmu->free_chunks; chunk; chunk = chunk->next)
		chunks++;
	if (chunks != mmu->page_count)
		WRONG("%u chunks of %u", chunks, mmu->page_count);
	return NULL;
}
