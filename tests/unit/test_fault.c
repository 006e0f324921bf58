/*
 * The short way of a fault beside the last one: it does what the whole way does, and is not taken
 * when anything on the way has changed.
 */
#include "tests/unit/cpus_test.h"

#define BESIDE(n) (ADDRESS + 0x1000ull * (n))

enum { CHECKED = 1 << 12 }; /* beside an answer: it took the short way */

static uint64_t short_ways(const struct machine *m)
{
	uint64_t count = 0;

	for (int cpu = 0; cpu < RIG_CPUS; cpu++)
		count += m->cpu[cpu].counters.short_ways;
	return count;
}

/* The processor runs L2 on the tables. */
static void run_on(struct machine *m, unsigned int cpu, const struct guest_tables *tables)
{
	m->root = mmu_load_root(m->mmu, &m->cpu[cpu], tables, ASID);
}

/* One fault; beside its result, CHECKED if it took the short way. */
static int fault_on(struct machine *m, unsigned int cpu, const struct guest_tables *tables,
                    uint64_t address, uint32_t access)
{
	struct page_fault fault = {.address = address, .access = access};
	uint64_t before = short_ways(m);
	int result = (int)mmu_fault(m->mmu, &m->cpu[cpu], tables, &fault);

	if (result == FAULT_REFLECT)
		result = REFLECTED((int)fault.code);
	return result | (short_ways(m) > before ? CHECKED : 0);
}

static int fault(struct machine *m, uint64_t address, uint32_t access)
{
	return fault_on(m, 0, &m->tables, address, access);
}

static void put(struct machine *m, uint64_t address, uint64_t entry)
{
	rig_put(m->rig, &m->tables, address, 1, entry);
}

/* Where L2 comes to, without a fault; 0: nowhere. */
static uint64_t leads(struct machine *m, uint64_t address)
{
	struct host_result seen = rig_walk(m->rig, m->root, address);

	return seen.status == HOST_OK ? seen.hpa : 0;
}

/* ADDRESS has been filled on processor 0, the pages beside it have not. */
static void first_fault(struct machine *m)
{
	run_on(m, 0, &m->tables);
	assert_int_equal(fault(m, ADDRESS, 0), FAULT_FILLED);
}

static void a_fault_beside_takes_the_short_way(void **state)
{
	struct machine *m = *state;

	first_fault(m);
	put(m, BESIDE(1), FRAME_B | 7);
	assert_int_equal(fault(m, BESIDE(1), 0), FAULT_FILLED | CHECKED);
	assert_int_equal(leads(m, BESIDE(1)), FRAME_B);
	assert_int_equal(rig_get(m->rig, &m->tables, BESIDE(1), 1), FRAME_B | 0x27);
	assert_false(rig_walk(m->rig, m->root, BESIDE(1)).write);
	assert_int_equal(fault(m, BESIDE(1), ACCESS_WRITE), FAULT_FILLED | CHECKED);
	assert_int_equal(rig_get(m->rig, &m->tables, BESIDE(1), 1), FRAME_B | 0x67);
	assert_true(rig_walk(m->rig, m->root, BESIDE(1)).write);
	/* Nothing left to do: the whole way says so. */
	assert_int_equal(fault(m, BESIDE(1), ACCESS_WRITE), FAULT_SPURIOUS);
	/* The next table is another one. */
	put(m, BESIDE(512), FRAME_B | 7);
	assert_int_equal(fault(m, BESIDE(512), 0), FAULT_FILLED);
}

static void what_the_leaf_denies_is_reflected(void **state)
{
	struct machine *m = *state;
	static const struct {
		uint64_t entry;
		uint32_t access, code;
	} cases[] = {
		{0, 0, FAULT_U},
		{FRAME_B | E_READ_ONLY, ACCESS_WRITE, FAULT_P | FAULT_W | FAULT_U},
		{FRAME_B | (E_PAGE & ~PTE_U), 0, FAULT_P | FAULT_U},
		{FRAME_B | E_PAGE | PTE_NX, ACCESS_FETCH, FAULT_P | FAULT_U | FAULT_ID},
		{FRAME_B | E_PAGE | 1ull << 50, 0, FAULT_P | FAULT_U | FAULT_RSV},
	};

	first_fault(m);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put(m, BESIDE(1), cases[i].entry);
		assert_int_equal(fault(m, BESIDE(1), cases[i].access),
		                 REFLECTED((int)cases[i].code) | CHECKED);
		assert_int_equal(rig_get(m->rig, &m->tables, BESIDE(1), 1), cases[i].entry);
	}
}

/* W and NX of each level above count; L1 changes them without a flush. */
static void what_the_entries_above_deny_is_reflected(void **state)
{
	struct machine *m = *state;

	for (int level = 4; level > 1; level--) {
		uint64_t upper = rig_get(m->rig, &m->tables, ADDRESS, level);

		put(m, BESIDE(1), FRAME_B | E_PAGE);
		first_fault(m);
		rig_put(m->rig, &m->tables, ADDRESS, level, upper & ~PTE_W);
		assert_int_equal(fault(m, BESIDE(1), ACCESS_WRITE),
		                 REFLECTED(FAULT_P | FAULT_W | FAULT_U));
		assert_int_equal(fault(m, BESIDE(1), 0), FAULT_FILLED);
		/* Now that is the way. */
		put(m, BESIDE(2), FRAME_B | E_PAGE);
		assert_int_equal(fault(m, BESIDE(2), ACCESS_WRITE),
		                 REFLECTED(FAULT_P | FAULT_W | FAULT_U) | CHECKED);
		rig_put(m->rig, &m->tables, ADDRESS, level, upper | PTE_NX);
		assert_int_equal(fault(m, BESIDE(2), 0), FAULT_FILLED);
		assert_int_equal(fault(m, BESIDE(3), ACCESS_FETCH),
		                 REFLECTED(FAULT_U | FAULT_ID) | CHECKED);
		put(m, BESIDE(3), FRAME_B | E_PAGE);
		assert_int_equal(fault(m, BESIDE(3), ACCESS_FETCH),
		                 REFLECTED(FAULT_P | FAULT_U | FAULT_ID) | CHECKED);
		rig_put(m->rig, &m->tables, ADDRESS, level, upper);
		for (int n = 0; n < 4; n++)
			put(m, BESIDE(n), n ? 0 : FRAME_A | E_PAGE);
		mmu_flush_asid(m->cpu, ASID);
	}
}

/* Each entry above may come to lead elsewhere at any time; or lose A, which a walk sets again. */
static void a_change_above_ends_the_way(void **state)
{
	struct machine *m = *state;

	run_on(m, 0, &m->tables);
	for (int level = 4; level > 1; level--) {
		uint64_t upper = rig_get(m->rig, &m->tables, ADDRESS, level);
		unsigned int n = (unsigned int)level * 4;

		for (unsigned int i = 0; i < 3; i++)
			put(m, BESIDE(n + i), FRAME_B | E_PAGE);
		fault(m, BESIDE(n), 0);
		rig_put(m->rig, &m->tables, ADDRESS, level, upper & ~PTE_A);
		assert_int_equal(fault(m, BESIDE(n + 1), 0), FAULT_FILLED);
		assert_int_equal(rig_get(m->rig, &m->tables, ADDRESS, level), upper);
		rig_put(m->rig, &m->tables, ADDRESS, level, 0);
		assert_int_equal(fault(m, BESIDE(n + 2), 0), REFLECTED(FAULT_U));
		assert_int_equal(leads(m, BESIDE(n + 2)), 0);
		rig_put(m->rig, &m->tables, ADDRESS, level, upper);
	}
}

/* L1 takes a table out, flushes, and puts it back: what says the same is no way any more. */
static void an_unlinked_page_is_on_no_way(void **state)
{
	struct machine *m = *state;

	for (int level = 4; level > 1; level--) {
		uint64_t upper = rig_get(m->rig, &m->tables, ADDRESS, level);
		unsigned int n = (unsigned int)level;

		put(m, BESIDE(1), FRAME_B | E_PAGE);
		mmu_flush_asid(m->cpu, ASID);
		run_on(m, 0, &m->tables);
		assert_int_equal(rig_access(m->rig, 0, &m->tables, BESIDE(1), 0), RIG_OK);
		*reach(m, 0, rig_entry(m->rig, &m->tables, ADDRESS, level) & ~0xfffull) |= PTE_D;
		rig_put(m->rig, &m->tables, ADDRESS, level, 0);
		mmu_flush_asid(m->cpu, ASID);
		run_on(m, 0, &m->tables);
		assert_int_equal(leads(m, BESIDE(1)), 0);
		rig_put(m->rig, &m->tables, ADDRESS, level, upper);
		put(m, BESIDE(n), FRAME_B | E_PAGE);
		assert_int_equal(rig_access(m->rig, 0, &m->tables, BESIDE(n), 0), RIG_OK);
		assert_int_equal(leads(m, BESIDE(n)), FRAME_B);
	}
}

/* Pages are reclaimed, and used for other tables. */
static void a_page_taken_for_another_table_is_on_no_way(void **state)
{
	struct machine *m = *state;
	struct shadow_page *page;

	first_fault(m);
	page = m->cpu[0].way.page;
	assert_non_null(page);
	page_zap(m->mmu, page);
	pool_reserve(m->mmu, m->mmu->free_count + 1);
	assert_false(page->live);
	put(m, BESIDE(1), FRAME_B | E_PAGE);
	assert_int_equal(fault(m, BESIDE(1), 0), FAULT_FILLED);
	assert_int_equal(leads(m, BESIDE(1)), FRAME_B);
	assert_int_equal(fault(m, ADDRESS, 0), FAULT_FILLED | CHECKED);
}

/* Another root may have the same tables below it, with other rights. */
static void another_root_is_another_way(void **state)
{
	struct machine *m = *state;
	struct guest_tables other =
		rig_guest(PT_4LEVEL, MODE_NX | MODE_1G, 48, rig_new_table(m->rig));
	uint64_t first = m->tables.root;

	first_fault(m);
	rig_put(m->rig, &other, ADDRESS, 4, rig_get(m->rig, &m->tables, ADDRESS, 4) & ~PTE_W);
	put(m, BESIDE(1), FRAME_B | E_PAGE);
	run_on(m, 0, &other);
	assert_int_equal(fault_on(m, 0, &other, BESIDE(1), ACCESS_WRITE),
	                 REFLECTED(FAULT_P | FAULT_W | FAULT_U));
	assert_int_equal(fault_on(m, 0, &other, BESIDE(1), 0), FAULT_FILLED);
	assert_int_equal(m->tables.root, first);
	run_on(m, 0, &m->tables);
	put(m, BESIDE(2), FRAME_B | E_PAGE);
	assert_int_equal(fault(m, BESIDE(2), ACCESS_WRITE), FAULT_FILLED);
	assert_true(rig_walk(m->rig, m->root, BESIDE(2)).write);
}

/* Each processor has its own; what one unlinks is on no way of another. */
static void another_processor_unlinks(void **state)
{
	struct machine *m = *state;
	uint64_t upper = rig_get(m->rig, &m->tables, ADDRESS, 2);

	first_fault(m);
	run_on(m, 1, &m->tables);
	put(m, BESIDE(1), FRAME_B | E_PAGE);
	assert_int_equal(fault_on(m, 1, &m->tables, BESIDE(1), 0), FAULT_FILLED);
	put(m, BESIDE(2), FRAME_B | E_PAGE);
	assert_int_equal(fault(m, BESIDE(2), 0), FAULT_FILLED | CHECKED);
	*reach(m, 1, rig_entry(m->rig, &m->tables, ADDRESS, 2) & ~0xfffull) |= PTE_D;
	rig_put(m->rig, &m->tables, ADDRESS, 2, 0);
	mmu_flush_asid(&m->cpu[1], ASID);
	run_on(m, 1, &m->tables);
	rig_put(m->rig, &m->tables, ADDRESS, 2, upper);
	put(m, BESIDE(3), FRAME_B | E_PAGE);
	assert_int_equal(fault(m, BESIDE(3), 0), FAULT_FILLED);
	assert_int_equal(leads(m, BESIDE(3)), FRAME_B);
}

/* Another processor writes the entry when A is about to be set: the walk begins anew. */
static void write_amid(struct rig *rig, uint64_t gpa)
{
	rig->on_written = NULL;
	ram_write(&rig->ram, gpa, 8, FRAME_A | E_PAGE);
}

static void a_leaf_that_changes_meanwhile_is_read_again(void **state)
{
	struct machine *m = *state;

	first_fault(m);
	put(m, BESIDE(1), FRAME_B | 7);
	m->rig->on_written = write_amid;
	assert_int_equal(fault(m, BESIDE(1), 0), FAULT_FILLED);
	assert_null(m->rig->on_written);
	assert_int_equal(leads(m, BESIDE(1)), FRAME_A);
}

/* ... or when it has been read: it becomes no spte. */
static void write_behind(struct rig *rig, uint64_t gpa)
{
	struct guest_tables *tables = rig->context;

	if (gpa != FRAME_B)
		return;
	rig->on_map = NULL;
	rig_put(rig, tables, BESIDE(1), 1, FRAME_A | E_PAGE);
}

static void a_leaf_that_changed_behind_the_walk_is_not_filled(void **state)
{
	struct machine *m = *state;

	first_fault(m);
	put(m, BESIDE(1), FRAME_B | E_PAGE);
	m->rig->context = &m->tables;
	m->rig->on_map = write_behind;
	m->mmu->maps++;
	assert_int_equal(fault(m, BESIDE(1), 0), FAULT_FILLED | CHECKED);
	assert_null(m->rig->on_map);
	assert_int_equal(leads(m, BESIDE(1)), 0);
	assert_int_equal(fault(m, BESIDE(1), 0), FAULT_FILLED | CHECKED);
	assert_int_equal(leads(m, BESIDE(1)), FRAME_A);
}

/* Where L1 has no memory its tables are all ones: a 2-level one maps. */
static void tables_of_nobody_take_the_whole_way(void **state)
{
	struct machine *m = *state;
	struct guest_tables pse = rig_guest(PT_2LEVEL, 0, 48, rig_new_table(m->rig));

	rig_put(m->rig, &pse, ADDRESS, 2, 0xe0000000 | E_TABLE);
	run_on(m, 0, &pse);
	for (unsigned int n = 0; n < 3; n++)
		assert_int_equal(fault_on(m, 0, &pse, BESIDE(n), 0), FAULT_FILLED);
}

/* Every format, the second half of a 2-level table, too. */
static void every_format_has_a_short_way(void **state)
{
	struct machine *m = *state;
	static const enum pt_format_id formats[] = {PT_2LEVEL, PT_PAE, PT_4LEVEL};

	for (unsigned int i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct guest_tables tables = rig_guest(formats[i], 0, 48, rig_new_table(m->rig));

		run_on(m, 0, &tables);
		for (unsigned int n = 0; n < 8; n++) {
			uint64_t address = BESIDE(n % 4) + (n / 4) * 2 * MIB;
			uint64_t frame = 0x700000 + n * 0x1000;

			rig_put(m->rig, &tables, address, 1, frame | 7);
			assert_int_equal(fault_on(m, 0, &tables, address, 0),
			                 FAULT_FILLED | (n % 4 ? CHECKED : 0));
			assert_int_equal(leads(m, address), frame);
			assert_int_equal(rig_get(m->rig, &tables, address, 1), frame | 0x27);
		}
	}
}

/* What L0 may map is asked once for a large page, and again when it is another thing. */
static void what_the_map_says_anew_shows(void **state)
{
	struct machine *m = *state;

	first_fault(m);
	m->rig->typed = true;
	m->rig->type = TYPE_UC;
	mmu_drop_leaves(m->mmu);
	for (unsigned int n = 0; n < 3; n++) {
		put(m, BESIDE(n), (FRAME_B + n * 0x1000) | E_PAGE);
		assert_int_equal(rig_access(m->rig, 0, &m->tables, BESIDE(n), 0), RIG_OK);
		assert_int_equal(rig_host_types[rig_walk(m->rig, m->root, BESIDE(n)).pat], TYPE_UC);
		assert_int_equal(leads(m, BESIDE(n)), FRAME_B + n * 0x1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_fault_beside_takes_the_short_way),
		TEST(what_the_leaf_denies_is_reflected),
		TEST(what_the_entries_above_deny_is_reflected),
		TEST(a_change_above_ends_the_way),
		TEST(an_unlinked_page_is_on_no_way),
		TEST(a_page_taken_for_another_table_is_on_no_way),
		TEST(another_root_is_another_way),
		TEST(another_processor_unlinks),
		TEST(a_leaf_that_changes_meanwhile_is_read_again),
		TEST(a_leaf_that_changed_behind_the_walk_is_not_filled),
		TEST(tables_of_nobody_take_the_whole_way),
		TEST(every_format_has_a_short_way),
		TEST(what_the_map_says_anew_shows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
