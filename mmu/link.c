/*
 * Sptes and the reverse map: every way in which a table leads to another. Clearing an spte of
 * level 1 flushes nothing: what it led to stays true until that page ends, and page_zap() leaves
 * the flush to whoever takes the page again. Relies on mmu/shadow.h.
 */
#include "mmu/protect.h"
#include "mmu/track.h"

#include <stddef.h>

enum {
	CHUNK_SLOTS = sizeof(((struct parent_chunk *)0)->spte) / sizeof(uint64_t *),
	MAX_CHUNKS =
		37, /* bounds the search among parents: one local root per processor and some */
};

static void clear_at(struct mmu *mmu, uint64_t *spte)
{
	struct shadow_page *page = page_of_table(mmu, spte);

	spte_clear(mmu, page, (unsigned int)(spte - page->table));
}

static void add_parent(struct mmu *mmu, struct shadow_page *child, uint64_t *spte)
{
	struct parent_chunk *chunk = child->more_parents;

	if (!child->parent) {
		child->parent = spte;
		return;
	}
	for (int i = 0; chunk && i < CHUNK_SLOTS; i++) {
		if (!chunk->spte[i]) {
			chunk->spte[i] = spte;
			return;
		}
	}
	chunk = mmu->free_chunks;
	if (!chunk || child->chunks == MAX_CHUNKS) {
		/* Memory is bounded: one spte leads here less, and will be linked again on use. */
		clear_at(mmu, child->parent);
		child->parent = spte;
		return;
	}
	mmu->free_chunks = chunk->next;
	*chunk = (struct parent_chunk){.spte = {spte}, .next = child->more_parents};
	child->more_parents = chunk;
	child->chunks++;
}

static void remove_from_chunks(struct mmu *mmu, struct shadow_page *child, const uint64_t *spte)
{
	for (struct parent_chunk **at = &child->more_parents; *at; at = &(*at)->next) {
		struct parent_chunk *chunk = *at;
		bool used = false;

		for (int i = 0; i < CHUNK_SLOTS; i++) {
			if (chunk->spte[i] == spte)
				chunk->spte[i] = NULL;
			used |= chunk->spte[i] != NULL;
		}
		if (!used) {
			*at = chunk->next;
			chunk->next = mmu->free_chunks;
			mmu->free_chunks = chunk;
			child->chunks--;
			return;
		}
	}
}

static void remove_parent(struct mmu *mmu, struct shadow_page *child, const uint64_t *spte)
{
	if (child->parent == spte)
		child->parent = NULL;
	else
		remove_from_chunks(mmu, child, spte);
}

static bool has_parents(const struct shadow_page *page)
{
	return page->parent || page->more_parents;
}

/* What a leaf let the guest write matters to those who watch for writes. */
static void leaf_goes(struct mmu *mmu, const struct shadow_page *page, uint64_t *at, uint64_t spte)
{
	if (mmu->shadows_l1_paging)
		unlist_leaf(mmu, at, spte, page->role.level);
	else if (!is_npt01(page))
		untrack_leaf(mmu, spte, page->role.level);
}

/*
 * INVLPG ends all of a large page's translation. The processor may hold it in pieces, and would
 * drop only one of them: so an spte above level 1 does not change without a flush. To be called
 * after the change: other processors go on with what they find behind the flush.
 */
static void note_large(struct mmu *mmu, const struct shadow_page *page)
{
	if (mmu->shadows_l1_paging && page->role.level > 1)
		mmu->ops->flush_all(mmu->context);
}

void spte_clear(struct mmu *mmu, struct shadow_page *page, unsigned int index)
{
	uint64_t *at = &page->table[index];
	uint64_t spte = *at;
	struct shadow_page *child;

	if (!(spte & PTE_P))
		return;
	write_spte(at, 0);
	if (!--page->present)
		page->groups = 0;
	note_large(mmu, page);
	if (spte_is_leaf(spte, page->role.level)) {
		leaf_goes(mmu, page, at, spte);
		return;
	}
	mmu->unlinks++;
	child = page_of_spte(mmu, spte);
	remove_parent(mmu, child, at);
	mmu->counters->unlinks++;
	if (child->live && child->role.local && !has_parents(child))
		page_zap(mmu, child);
}

void spte_link(struct mmu *mmu, struct shadow_page *page, unsigned int index,
               struct shadow_page *child, uint64_t rights)
{
	uint64_t *at = &page->table[index];

	spte_clear(mmu, page, index);
	add_parent(mmu, child, at);
	write_spte(at, page_hpa(mmu, child) | rights | PTE_P | (page->role.pdptes ? 0 : PTE_A));
	count_spte(page, index);
	mmu->counters->links++;
}

void spte_set(struct mmu *mmu, struct shadow_page *page, unsigned int index, uint64_t spte)
{
	uint64_t *at = &page->table[index];
	uint64_t old = *at;
	int level = page->role.level;

	if (old == spte)
		return;
	if ((old & PTE_P) && !spte_is_leaf(old, level)) {
		spte_clear(mmu, page, index);
		old = 0;
	}
	if (!mmu->shadows_l1_paging && !is_npt01(page)) {
		set_leaf(mmu, page, index, level, spte);
		return;
	}
	write_spte(at, spte);
	if (!(old & PTE_P))
		count_spte(page, index);
	else
		note_large(mmu, page);
	if (!mmu->shadows_l1_paging)
		return;
	if (old & PTE_P)
		unlist_leaf(mmu, at, old, level);
	list_leaf(mmu, at, spte, level);
}

void unlink_parents(struct mmu *mmu, struct shadow_page *page)
{
	while (page->parent)
		clear_at(mmu, page->parent);
	while (page->more_parents) {
		struct parent_chunk *chunk = page->more_parents;

		for (int i = 0; i < CHUNK_SLOTS; i++) {
			if (chunk->spte[i]) {
				clear_at(mmu, chunk->spte[i]);
				break; /* the chunk may be gone now */
			}
		}
	}
}
