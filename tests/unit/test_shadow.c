/*
 * Shadow pages themselves: the hash, the order of use, links and the reverse map, reclaim, and
 * that nothing is used again before the flush.
 */
#include "tests/unit/mmu_test.h"

enum { PAGES = 64, SLOTS = 7 };

struct bench {
	struct rig *rig;
	struct mmu *mmu;
};

static int start(void **state)
{
	static struct bench bench;

	bench.rig = rig_new(4, true, PAGES);
	bench.mmu = &bench.rig->mmu;
	*state = &bench;
	return 0;
}

static int end(void **state)
{
	struct bench *bench = *state;

	return end_rig(bench->rig);
}

/* A page of a level, of 4-level tables. */
static struct shadow_page *make(struct mmu *mmu, uint64_t gpa, unsigned int level)
{
	union shadow_role role = {.level = level, .format = PT_4LEVEL};
	bool found;
	struct shadow_page *page = page_get(mmu, gpa, role, &found);

	assert_false(found);
	return page;
}

static void a_new_pool_is_all_free(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(bench->mmu->free_count, PAGES);
	assert_true(mmu_metadata_size(PAGES) >=
	            PAGES * (sizeof(struct shadow_page) + sizeof(struct parent_chunk) +
	                     sizeof(struct shadow_page *)));
	for (int i = 0; i < PAGES; i++)
		make(bench->mmu, i * 0x1000ull, 1);
	assert_int_equal(bench->mmu->free_count, 0);
	assert_int_equal(bench->rig->flushes, 0);
}

static void common_pages_are_found_by_gpa_and_role(void **state)
{
	struct bench *bench = *state;
	union shadow_role role = {.level = 1, .format = PT_4LEVEL}, other;
	struct shadow_page *page, *second;
	bool found;

	page = page_get(bench->mmu, 0x5000, role, &found);
	assert_false(found);
	assert_true(page->live);
	assert_int_equal(page->gpa, 0x5000);
	assert_ptr_equal(page_get(bench->mmu, 0x5000, role, &found), page);
	assert_true(found);
	second = page_get(bench->mmu, 0x6000, role, &found);
	assert_false(found);
	assert_ptr_not_equal(second, page);
	/* Each part of the role makes another page. */
	for (int part = 0; part < 8; part++) {
		other = role;
		switch (part) {
		case 0:
			other.level = 2;
			break;
		case 1:
			other.direct = 1;
			break;
		case 2:
			other.delta = 1;
			break;
		case 3:
			other.format = PT_5LEVEL;
			break;
		case 4:
			other.quadrant = 1;
			break;
		case 5:
			other.mode = MODE_PDPTE_A;
			break;
		case 6:
			other.type = 4;
			break;
		case 7:
			other.pat = 1u << 23;
			break;
		}
		second = page_get(bench->mmu, 0x5000, other, &found);
		assert_false(found);
		assert_ptr_equal(page_get(bench->mmu, 0x5000, other, &found), second);
		assert_true(found);
	}
	assert_int_equal(bench->mmu->free_count, PAGES - 10);
}

static void local_pages_are_never_found(void **state)
{
	struct bench *bench = *state;
	struct mmu_cpu *cpu = bench->rig->cpu;
	uint64_t first = mmu_direct_root(bench->mmu, &cpu[0]);

	assert_int_not_equal(mmu_direct_root(bench->mmu, &cpu[1]), first);
	assert_int_equal(bench->mmu->free_count, PAGES - 2);
}

static void links_are_in_the_reverse_map(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *parent = make(bench->mmu, 0x1000, 2),
			   *child = make(bench->mmu, 0x2000, 1);

	spte_link(bench->mmu, parent, 3, child, PTE_W | PTE_U);
	assert_ptr_equal(child->parent, &parent->table[3]);
	assert_int_equal(parent->present, 1);
	assert_int_equal(parent->table[3], page_hpa(bench->mmu, child) | E_TABLE);
	assert_ptr_equal(page_of_spte(bench->mmu, parent->table[3]), child);
	spte_link(bench->mmu, parent, 3, child, PTE_NX | PTE_U); /* other rights */
	assert_int_equal(parent->table[3],
	                 page_hpa(bench->mmu, child) | (E_TABLE & ~PTE_W) | PTE_NX);
	assert_int_equal(parent->present, 1);
	assert_ok_invariants(bench->rig);
	spte_clear(bench->mmu, parent, 3);
	assert_null(child->parent);
	assert_int_equal(parent->table[3], 0);
	spte_clear(bench->mmu, parent, 3);
	assert_int_equal(parent->present, 0);
	assert_true(child->live); /* it is common: others may find it */
}

static void leaves_replace_leaves_and_tables(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *page = make(bench->mmu, 0x1000, 2),
			   *child = make(bench->mmu, 0x2000, 1);
	uint64_t leaf = leaf_spte(2 * MIB, 2, 0, PTE_W | PTE_U);

	spte_set(bench->mmu, page, 5, leaf);
	spte_set(bench->mmu, page, 5, leaf);
	spte_set(bench->mmu, page, 5, leaf & ~PTE_W);
	assert_int_equal(page->present, 1);
	spte_link(bench->mmu, page, 5, child, PTE_W | PTE_U);
	assert_int_equal(page->present, 1);
	assert_ok_invariants(bench->rig);
	spte_set(bench->mmu, page, 5, leaf);
	assert_null(child->parent);
	assert_int_equal(page->present, 1);
	assert_int_equal(page->table[5], leaf);
}

/* Many parents, in any order, in and out of the chunks. */
static void many_parents(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *page = make(bench->mmu, 0x1000, 2),
			   *child = make(bench->mmu, 0x2000, 1);

	for (unsigned int i = 0; i < 1 + 5 * SLOTS; i++) {
		spte_link(bench->mmu, page, i, child, PTE_W | PTE_U);
		assert_int_equal(child->chunks, (i + SLOTS - 1) / SLOTS);
	}
	assert_ok_invariants(bench->rig);
	for (unsigned int i = 0; i < 1 + 5 * SLOTS; i += 2)
		spte_clear(bench->mmu, page, i);
	assert_ok_invariants(bench->rig);
	for (unsigned int i = 100; i < 120; i++)
		spte_link(bench->mmu, page, i, child, PTE_W | PTE_U);
	assert_ok_invariants(bench->rig);
	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++)
		spte_clear(bench->mmu, page, i);
	assert_int_equal(page->present, 0);
	assert_int_equal(child->chunks, 0);
	assert_null(child->more_parents);
}

/* Their number is bounded: one more parent costs an earlier one its link. */
static void too_many_parents(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *page = make(bench->mmu, 0x1000, 2),
			   *child = make(bench->mmu, 0x2000, 1);
	unsigned int bound = 0;

	for (unsigned int i = 0; i < SHADOW_ENTRIES; i++) {
		spte_link(bench->mmu, page, i, child, PTE_W | PTE_U);
		assert_true(page->table[i] & PTE_P);
		if (!bound && page->present == i)
			bound = i;
	}
	assert_int_equal(bound, 1 + 37 * SLOTS);
	assert_int_equal(page->present, bound);
	assert_ok_invariants(bench->rig);
	unlink_parents(bench->mmu, child);
	assert_int_equal(page->present, 0);
	assert_null(child->parent);
	assert_null(child->more_parents);
}

/* Chunks are as many as pages, for all pages together. */
static void chunks_run_out(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *page = make(bench->mmu, 0x1000, 2);
	unsigned int children = PAGES / 37 + 1;

	for (unsigned int n = 0; n < children; n++) {
		struct shadow_page *child = make(bench->mmu, 0x2000 + n * 0x1000, 1);

		for (unsigned int i = 0; i < SHADOW_ENTRIES / children; i++)
			spte_link(bench->mmu, page, n * (SHADOW_ENTRIES / children) + i, child,
			          PTE_W | PTE_U);
	}
	assert_null(bench->mmu->free_chunks ? bench->mmu->free_chunks->next : NULL);
	assert_ok_invariants(bench->rig);
	page_zap(bench->mmu, page);
	for (struct parent_chunk *chunk = bench->mmu->free_chunks; chunk; chunk = chunk->next)
		children++;
	assert_int_equal(children, PAGES / 37 + 1 + PAGES);
}

static void an_ended_page_is_out_of_reach(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *top = make(bench->mmu, 0x1000, 3), *page = make(bench->mmu, 0x2000, 2);
	struct shadow_page *child = make(bench->mmu, 0x3000, 1);
	bool found;

	spte_link(bench->mmu, top, 0, page, PTE_W | PTE_U);
	spte_link(bench->mmu, top, 511, page, PTE_W | PTE_U);
	spte_link(bench->mmu, page, 511, child, PTE_W | PTE_U);
	spte_set(bench->mmu, page, 0, leaf_spte(0, 2, 0, 0));
	page_zap(bench->mmu, page);
	assert_int_equal(top->present, 0);
	assert_true(child->live);
	assert_null(child->parent);
	assert_false(page->live);
	assert_ok_invariants(bench->rig);
	/* Found again it is another page: this one waits for the flush. */
	assert_ptr_not_equal(page_get(bench->mmu, 0x2000, page->role, &found), page);
	assert_false(found);
	assert_int_equal(bench->mmu->counters->zaps, 1);
	assert_int_equal(bench->mmu->free_count, PAGES - 4);
}

static void ended_pages_are_flushed_before_they_are_free(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *page = make(bench->mmu, 0x1000, 1);
	uint64_t serial = page->serial;
	bool found;

	for (int i = 1; i < PAGES; i++)
		make(bench->mmu, i * 0x10000ull, 1);
	page_zap(bench->mmu, page);
	assert_int_equal(bench->mmu->free_count, 0);
	assert_int_equal(bench->rig->flushes, 0);
	pool_reserve(bench->mmu, 1);
	assert_int_equal(bench->rig->flushes, 1);
	assert_int_equal(bench->mmu->free_count, 1);
	assert_int_equal(bench->mmu->counters->reclaims, 0);
	assert_ptr_equal(page_get(bench->mmu, 0x1000, page->role, &found), page);
	assert_false(found);
	assert_int_not_equal(page->serial, serial);
}

static void reclaim_takes_what_was_used_least_lately(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *page[PAGES];

	for (int i = 0; i < PAGES; i++)
		page[i] = make(bench->mmu, i * 0x1000ull, 1);
	page_touch(bench->mmu, page[0]);
	page_touch(bench->mmu, page[0]);
	page_touch(bench->mmu, page[5]);
	page_touch(bench->mmu, page[3]);
	page[1]->pins = 1; /* as if a processor had it as root */
	pool_reserve(bench->mmu, 1);
	assert_int_equal(bench->rig->flushes, 1);
	assert_int_equal(bench->mmu->free_count, bench->mmu->counters->reclaims);
	assert_true(page[0]->live && page[1]->live && page[3]->live && page[5]->live);
	assert_false(page[2]->live || page[4]->live || page[6]->live);
	assert_true(page[PAGES - 1]->live);
	assert_true(bench->mmu->free_count < PAGES - 4);
	pool_reserve(bench->mmu, bench->mmu->free_count); /* there are enough: nothing to do */
	assert_int_equal(bench->rig->flushes, 1);
	page[1]->pins = 0;
}

/* Pinned pages are passed once, and then stand behind those that can go. */
static void pinned_pages_are_not_walked_over_again(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *page[PAGES];
	enum { PINNED = 20, FIRST = 32 };

	for (int i = 0; i < PAGES; i++) {
		page[i] = make(bench->mmu, i * 0x1000ull, 1);
		page[i]->pins = i < PINNED;
	}
	pool_reserve(bench->mmu, 1);
	assert_int_equal(bench->mmu->counters->reclaims, FIRST);
	assert_ptr_equal(bench->mmu->oldest, page[PINNED + FIRST]);
	for (int i = 0; i < PINNED; i++)
		assert_true(page[i]->live);
	/* Nothing but pinned pages: it ends, and says that by how few are free. */
	for (int i = PINNED; i < PAGES; i++)
		page[i]->pins = page[i]->live;
	pool_reserve(bench->mmu, FIRST + 1);
	assert_int_equal(bench->mmu->free_count, FIRST);
	for (int i = 0; i < PAGES; i++)
		page[i]->pins = 0;
}

static void pinned_pages_stay(void **state)
{
	struct bench *bench = *state;
	struct shadow_page *page[PAGES];

	for (int i = 0; i < PAGES; i++) {
		page[i] = make(bench->mmu, i * 0x1000ull, 1);
		page[i]->pins = 1;
	}
	pool_reserve(bench->mmu, 1);
	assert_int_equal(bench->mmu->free_count, 0);
	page[7]->pins = 0;
	pool_reserve(bench->mmu, 2);
	assert_int_equal(bench->mmu->free_count, 1);
	assert_false(page[7]->live);
	for (int i = 0; i < PAGES; i++)
		page[i]->pins = 0;
}

/* An L1 that maps much through a pool that is small: slower, and right. */
static void a_small_pool_serves_any_guest(void **state)
{
	struct rig *rig = rig_new(4, true, 12);
	struct guest_tables tables =
		rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 40, rig_new_table(rig));
	uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);

	(void)state;
	rig_put(rig, &tables, 0, 3, 3 * GIB | E_LARGE);
	for (uint64_t at = 2 * MIB; at < GIB; at += 4 * MIB + 0x1000) { /* one table each */
		assert_int_equal(rig_access(rig, 0, &tables, at, ACCESS_WRITE), RIG_OK);
		assert_int_equal(rig_walk(rig, root, at).hpa, rig_map(3 * GIB + at).hpa);
	}
	assert_true(rig->flushes > 10);
	assert_true(rig->mmu.counters->reclaims > 200);
	assert_ok_invariants(rig);
	rig_free(rig);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_pool_is_all_free),
		TEST(common_pages_are_found_by_gpa_and_role),
		TEST(local_pages_are_never_found),
		TEST(links_are_in_the_reverse_map),
		TEST(leaves_replace_leaves_and_tables),
		TEST(many_parents),
		TEST(too_many_parents),
		TEST(chunks_run_out),
		TEST(an_ended_page_is_out_of_reach),
		TEST(ended_pages_are_flushed_before_they_are_free),
		TEST(reclaim_takes_what_was_used_least_lately),
		TEST(pinned_pages_are_not_walked_over_again),
		TEST(pinned_pages_stay),
		cmocka_unit_test(a_small_pool_serves_any_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
