/*
 * The fixed pool of shadow pages: the hash that finds common ones, the order of use, and reclaim.
 * Relies on mmu/link.c for the sptes.
 */
#include "mmu/region.h"
#include "mmu/track.h"

#include <stddef.h>

enum {
	RECLAIM_BATCH = 32, /* one flush serves this many pages */
	PAGES_A_COPY = 12,  /* of so many pages in use one may be a copy */
	HOT = 32,           /* entries */
	FEW_COPIES = 8,     /* so many are there for the asking */
	COPY_PROBES = 8,
};

static uint32_t hash_buckets(uint32_t page_count)
{
	uint32_t buckets = 64;

	while (buckets < page_count)
		buckets *= 2;
	return buckets;
}

uint64_t mmu_metadata_size(uint32_t page_count)
{
	uint64_t each = sizeof(struct shadow_page) + sizeof(struct parent_chunk);

	return page_count * each + hash_buckets(page_count) * sizeof(struct shadow_page *);
}

uint32_t mmu_least_pages(const struct mmu *mmu, uint32_t cpus, uint32_t watched)
{
	uint32_t pages = cpus + pages_for(mmu, PT_MAX_LEVEL);
	uint64_t frames = (uint64_t)cpus * (watched + 1); /* and the root in use is a table */

	if (mmu->shadows_l1_paging)
		return pages; /* frames are protected, which pins nothing */
	pages += cpus;
	for (int level = 1; level < mmu->host_levels; level++) {
		uint64_t tables = (mmu->frame_count >> (SHADOW_INDEX_BITS * level)) + 1;

		pages += (uint32_t)(frames < tables ? frames : tables);
	}
	return pages;
}

void mmu_init(struct mmu *mmu, uint64_t *tables, uint64_t tables_hpa, void *metadata,
              uint32_t page_count)
{
	struct parent_chunk *chunks;

	mmu->counters = &mmu->nobodys;
	mmu->pages = metadata;
	mmu->tables = tables;
	mmu->tables_hpa = tables_hpa;
	mmu->page_count = page_count;
	mmu->free_count = page_count;
	mmu->hot = HOT;
	mmu->maps = 1; /* of processors that have asked nothing yet it is 0 */
	mmu->free = NULL;
	mmu->free_chunks = NULL;
	chunks = (struct parent_chunk *)(mmu->pages + page_count);
	mmu->hash = (struct shadow_page **)(chunks + page_count);
	mmu->hash_mask = hash_buckets(page_count) - 1;
	for (uint32_t i = 0; i <= mmu->hash_mask; i++)
		mmu->hash[i] = NULL;
	for (uint64_t i = 0; i < (uint64_t)page_count * SHADOW_ENTRIES; i++)
		tables[i] = 0; /* free pages are empty from the first one on */
	for (uint32_t i = page_count; i-- > 0;) {
		mmu->pages[i] = (struct shadow_page){
			.table = tables + (size_t)i * SHADOW_ENTRIES,
			.hash_next = mmu->free,
		};
		mmu->free = &mmu->pages[i];
		chunks[i] = (struct parent_chunk){.next = mmu->free_chunks};
		mmu->free_chunks = &chunks[i];
	}
}

/* By gpa alone: all shadows of a table are in one chain. */
static struct shadow_page **hash_bucket(const struct mmu *mmu, uint64_t gpa)
{
	/* Fibonacci hashing: the high bits of the product depend on all bits of the key. */
	return &mmu->hash[((gpa >> PT_PAGE_SHIFT) * 0x9e3779b97f4a7c15ull) >> 32 & mmu->hash_mask];
}

static struct shadow_page *next_shadow(struct shadow_page *page, uint64_t gpa)
{
	while (page && (page->gpa != gpa || page->role.direct))
		page = page->hash_next;
	return page;
}

struct shadow_page *page_shadows(const struct mmu *mmu, uint64_t gpa)
{
	return next_shadow(*hash_bucket(mmu, gpa), gpa);
}

struct shadow_page *page_next_shadow(const struct shadow_page *page)
{
	return next_shadow(page->hash_next, page->gpa);
}

static void unlist(struct mmu *mmu, struct shadow_page *page)
{
	*(page->older ? &page->older->newer : &mmu->oldest) = page->newer;
	*(page->newer ? &page->newer->older : &mmu->newest) = page->older;
	page->older = page->newer = NULL;
}

static void list_newest(struct mmu *mmu, struct shadow_page *page)
{
	page->older = mmu->newest;
	page->newer = NULL;
	*(mmu->newest ? &mmu->newest->newer : &mmu->oldest) = page;
	mmu->newest = page;
}

void page_make_newest(struct mmu *mmu, struct shadow_page *page)
{
	page->used = mmu->serial;
	if (mmu->newest == page)
		return;
	unlist(mmu, page);
	list_newest(mmu, page);
}

/* Copies are for the tables that are hot now: somebody else's is as good as a new one. */
static struct shadow_page *take_copy(struct mmu *mmu)
{
	for (unsigned int i = 0; i < COPY_PROBES; i++) {
		struct shadow_page *copy = &mmu->pages[mmu->copy_hand++ % mmu->pages_used];

		if (!copy->live || !is_copy(copy))
			continue;
		copy->copy->copy = NULL;
		copy->copy->heat = 0;
		return copy;
	}
	return NULL;
}

void give_copy(struct mmu *mmu, struct shadow_page *page)
{
	uint32_t in_use = mmu->page_count - mmu->free_count;
	struct shadow_page *copy;
	bool found;

	if (mmu->copies >= FEW_COPIES && mmu->copies * PAGES_A_COPY > in_use) {
		copy = take_copy(mmu);
	} else if (mmu->free_count > pages_for(mmu, PT_MAX_LEVEL)) {
		copy = page_get(mmu, page->gpa, (union shadow_role){.local = 1}, &found);
		mmu->copies++;
	} else {
		return;
	}
	page->copy = copy;
	if (copy)
		copy->copy = page;
}

/* A page ends, and with it its copy; or it is one. */
static void end_copy(struct mmu *mmu, struct shadow_page *page)
{
	struct shadow_page *other = page->copy;

	page->copy = NULL;
	if (other)
		other->copy = NULL;
	if (other && is_copy(other))
		page_zap(mmu, other);
	if (!is_copy(page))
		return;
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++)
		page->table[i] = 0;
	mmu->copies--;
}

void page_zap(struct mmu *mmu, struct shadow_page *page)
{
	page->live = false;
	end_copy(mmu, page);
	if (page->tracked_count)
		region_ends(mmu, page);
	unlink_parents(mmu, page);
	for (unsigned int i = 0; page->present; i++)
		spte_clear(mmu, page, i);
	if (!page->role.local) {
		struct shadow_page **at = hash_bucket(mmu, page->gpa);

		while (*at != page)
			at = &(*at)->hash_next;
		*at = page->hash_next;
		if (!page->role.direct)
			untrack_table(mmu, page->gpa);
	}
	unlist(mmu, page);
	page->hash_next = mmu->zapped;
	mmu->zapped = page;
	mmu->counters->zaps++;
}

/* What was zapped is free once no processor can have anything of it cached. */
static void flush_zapped(struct mmu *mmu)
{
	mmu->ops->flush_all(mmu->context);
	mmu->stale_writers = false;
	while (mmu->zapped) {
		struct shadow_page *page = mmu->zapped;

		mmu->zapped = page->hash_next;
		page->hash_next = mmu->free;
		mmu->free = page;
		mmu->free_count++;
	}
}

/*
 * Returns how many pages it ended. Pinned ones stay, and count as used now: else all of them would
 * stand between the oldest end of the list and the next page that can go, time and again.
 */
static uint32_t reclaim(struct mmu *mmu)
{
	uint32_t count = 0;

	for (uint32_t seen = 0; seen < mmu->page_count && count < RECLAIM_BATCH; seen++) {
		struct shadow_page *page = mmu->oldest;

		if (!page)
			break;
		if (page->pins) {
			page_make_newest(mmu, page);
			continue;
		}
		page_zap(mmu, page);
		count++;
	}
	mmu->counters->reclaims += count;
	return count;
}

void pool_reserve(struct mmu *mmu, uint32_t count)
{
	while (mmu->free_count < count) {
		if (!mmu->zapped && !reclaim(mmu))
			return;
		flush_zapped(mmu);
	}
}

struct shadow_page *page_get(struct mmu *mmu, uint64_t gpa, union shadow_role role, bool *found)
{
	struct shadow_page **bucket = hash_bucket(mmu, gpa);
	struct shadow_page *page;

	*found = true;
	if (!role.local) {
		for (page = *bucket; page; page = page->hash_next) {
			if (page->gpa == gpa && page->role.word == role.word)
				return page;
		}
	}
	*found = false;
	page = mmu->free;
	mmu->free = page->hash_next;
	mmu->free_count--;
	if (mmu->pages_used <= (size_t)(page - mmu->pages))
		mmu->pages_used = (uint32_t)(page - mmu->pages) + 1;
	page->gpa = gpa;
	page->role = role;
	page->serial = ++mmu->serial;
	page->used = mmu->serial;
	page->live = true;
	page->heat = 0;
	page->groups = 0;
	page->hash_next = NULL;
	if (!role.local) {
		page->hash_next = *bucket;
		*bucket = page;
	}
	list_newest(mmu, page);
	if (!role.local && !role.direct)
		track_table(mmu, gpa);
	return page;
}
