/*
 * The guest's walk: where it leads, which A and D it sets, and its fault codes. checklist.md,
 * "Nested paging": A and D set atomically; EXITINFO1; an ngpa beyond the format faults.
 */
#include "tests/unit/mmu_test.h"

#include <stdlib.h>

static const struct {
	enum pt_format_id id;
	uint32_t flags;
	uint64_t address;
} formats[] = {
	{PT_2LEVEL, 0, 0xfedcb987},
	{PT_2LEVEL, MODE_PSE, 0xfedcb987},
	{PT_PAE, MODE_NX, 0xfedcb987},
	{PT_4LEVEL, MODE_NX | MODE_1G, 0xba9876543210},
	{PT_5LEVEL, MODE_NX | MODE_1G, 0x1fecba987654321},
};

enum { FORMATS = sizeof(formats) / sizeof(formats[0]) };

static enum walk_status walk(struct rig *rig, const struct guest_tables *tables, uint64_t address,
                             uint32_t access, struct walk *walk)
{
	enum walk_status status =
		guest_walk(&rig->mmu.memory, &tables->mode, tables->root, address, access, walk);

	ram_collect(&rig->ram);
	return status;
}

static uint32_t fault_code(struct rig *rig, const struct guest_tables *tables, uint64_t address,
                           uint32_t access)
{
	struct walk result = {.code = 0xdead};

	assert_int_equal(walk(rig, tables, address, access, &result), WALK_FAULT);
	return result.code;
}

static struct guest_tables new_tables(struct rig *rig, enum pt_format_id id, uint32_t flags)
{
	return rig_guest(id, flags, 40, rig_new_table(rig));
}

static void leads_through_every_format(void **state)
{
	(void)state;
	for (int i = 0; i < FORMATS; i++) {
		struct rig *rig = rig_new(4, true, 8);
		struct guest_tables tables = new_tables(rig, formats[i].id, formats[i].flags);
		uint64_t address = formats[i].address;
		int levels = tables.mode.format->levels;
		struct walk result;

		rig_put(rig, &tables, address, 1, 0x7654321000 % (4 * GIB) | E_PAGE);
		assert_int_equal(walk(rig, &tables, address, 0, &result), WALK_OK);
		assert_int_equal(result.level, 1);
		assert_int_equal(result.gpa, 0x7654321000 % (4 * GIB) | (address & 0xfff));
		assert_int_equal(result.table[levels], tables.root);
		for (int level = 1; level <= levels; level++) {
			assert_int_equal(result.entry[level],
			                 rig_get(rig, &tables, address, level));
			assert_int_equal(result.table[level],
			                 rig_entry(rig, &tables, address, level) & ~0xfffull);
		}
		rig_free(rig);
	}
}

static void large_pages_keep_the_low_bits(void **state)
{
	struct rig *rig = rig_new(4, true, 8);
	struct guest_tables pse = new_tables(rig, PT_2LEVEL, MODE_PSE);
	struct guest_tables pae = new_tables(rig, PT_PAE, 0);
	struct guest_tables big = new_tables(rig, PT_4LEVEL, MODE_1G);
	struct walk result;

	(void)state;
	rig_put(rig, &pse, 0x80000000, 2, 0x40000000 | 0x12 << 13 | E_LARGE);
	assert_int_equal(walk(rig, &pse, 0x803fffff, 0, &result), WALK_OK);
	assert_int_equal(result.gpa, 0x12403fffff);
	assert_int_equal(result.level, 2);
	rig_put(rig, &pae, 0xc0200000, 2, 0x1200000000 | E_LARGE);
	assert_int_equal(walk(rig, &pae, 0xc03fffff, 0, &result), WALK_OK);
	assert_int_equal(result.gpa, 0x12001fffff);
	rig_put(rig, &big, 0xffffc0000000, 3, 0x1240000000 | E_LARGE);
	assert_int_equal(walk(rig, &big, 0xffffffffffff, 0, &result), WALK_OK);
	assert_int_equal(result.gpa, 0x127fffffff);
	assert_int_equal(result.level, 3);
	rig_free(rig);
}

static void sets_accessed_and_dirty(void **state)
{
	(void)state;
	for (int i = 0; i < FORMATS; i++) {
		struct rig *rig = rig_new(4, true, 8);
		struct guest_tables tables = new_tables(rig, formats[i].id, formats[i].flags);
		uint64_t address = formats[i].address;
		struct walk result;
		size_t start;

		rig_put(rig, &tables, address, 1, 0x40000000 | (E_PAGE & ~(PTE_A | PTE_D)));
		for (int level = 2; level <= tables.mode.format->levels; level++) {
			uint64_t entry = rig_get(rig, &tables, address, level);

			rig_put(rig, &tables, address, level, entry & ~PTE_A);
		}
		start = ram_now(&rig->ram);
		assert_int_equal(walk(rig, &tables, address, 0, &result), WALK_OK);
		/* One change per level, but PDPTEs have no A. */
		assert_int_equal(ram_now(&rig->ram) - start,
		                 tables.mode.format->levels - (formats[i].id == PT_PAE));
		assert_int_equal(rig_get(rig, &tables, address, 1), 0x40000000 | E_CLEAN);
		assert_int_equal(result.entry[1], 0x40000000 | E_CLEAN);
		start = ram_now(&rig->ram);
		assert_int_equal(walk(rig, &tables, address, ACCESS_WRITE, &result), WALK_OK);
		assert_int_equal(ram_now(&rig->ram) - start, 1);
		assert_int_equal(rig_get(rig, &tables, address, 1), 0x40000000 | E_PAGE);
		assert_int_equal(walk(rig, &tables, address, ACCESS_WRITE, &result), WALK_OK);
		assert_int_equal(ram_now(&rig->ram) - start, 1);
		rig_free(rig);
	}
}

static void a_denied_access_sets_nothing_in_the_leaf(void **state)
{
	struct rig *rig = rig_new(4, true, 8);
	struct guest_tables tables = new_tables(rig, PT_4LEVEL, MODE_NX);

	(void)state;
	rig_put(rig, &tables, 0, 1, 0x40000000 | PTE_P | PTE_U);
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_WRITE), FAULT_P | FAULT_W | FAULT_U);
	assert_int_equal(rig_get(rig, &tables, 0, 1), 0x40000000 | PTE_P | PTE_U);
	rig_free(rig);
}

static void nested_fault_codes(void **state)
{
	struct rig *rig = rig_new(4, true, 8);
	struct guest_tables tables = new_tables(rig, PT_4LEVEL, MODE_NX);
	struct guest_tables no_nx = tables;

	(void)state;
	paging_mode_init(&no_nx.mode, PT_4LEVEL, MODE_NESTED, 40);
	/* Not present, at the leaf and above. */
	assert_int_equal(fault_code(rig, &tables, 0, 0), FAULT_U);
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_WRITE), FAULT_U | FAULT_W);
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_FETCH), FAULT_U | FAULT_ID);
	assert_int_equal(fault_code(rig, &no_nx, 0, ACCESS_FETCH), FAULT_U);
	rig_put(rig, &tables, 0, 1, 0);
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_WRITE), FAULT_U | FAULT_W);
	/* Rights: each level counts, reads included where U is 0. */
	rig_put(rig, &tables, 0, 1, 0x40000000 | PTE_P | PTE_W);
	assert_int_equal(fault_code(rig, &tables, 0, 0), FAULT_P | FAULT_U);
	rig_put(rig, &tables, 0, 1, 0x40000000 | E_PAGE | PTE_NX);
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_FETCH), FAULT_P | FAULT_U | FAULT_ID);
	rig_put(rig, &tables, 0, 1, 0x40000000 | E_PAGE);
	for (int level = 2; level <= 4; level++) {
		uint64_t entry = rig_get(rig, &tables, 0, level);

		rig_put(rig, &tables, 0, level, entry & ~PTE_W);
		assert_int_equal(fault_code(rig, &tables, 0, ACCESS_WRITE),
		                 FAULT_P | FAULT_U | FAULT_W);
		rig_put(rig, &tables, 0, level, entry & ~PTE_U);
		assert_int_equal(fault_code(rig, &tables, 0, 0), FAULT_P | FAULT_U);
		rig_put(rig, &tables, 0, level, entry | PTE_NX);
		assert_int_equal(fault_code(rig, &tables, 0, ACCESS_FETCH),
		                 FAULT_P | FAULT_U | FAULT_ID);
		rig_put(rig, &tables, 0, level, entry | 1ull << 51);
		assert_int_equal(fault_code(rig, &tables, 0, ACCESS_WRITE),
		                 FAULT_P | FAULT_RSV | FAULT_U | FAULT_W);
		rig_put(rig, &tables, 0, level, entry);
	}
	rig_put(rig, &tables, 0, 1, 0x40000000 | E_PAGE | PTE_NX);
	assert_int_equal(fault_code(rig, &no_nx, 0, ACCESS_FETCH), FAULT_P | FAULT_RSV | FAULT_U);
	rig_free(rig);
}

static void addresses_beyond_the_format_fault(void **state)
{
	static const uint8_t bits[] = {32, 32, 32, 48, 57};

	(void)state;
	for (int i = 0; i < FORMATS; i++) {
		struct rig *rig = rig_new(5, true, 8);
		struct guest_tables tables = new_tables(rig, formats[i].id, formats[i].flags);
		struct walk result;

		rig_put(rig, &tables, 0, 1, 0x40000000 | E_PAGE);
		assert_int_equal(walk(rig, &tables, 0, 0, &result), WALK_OK);
		assert_int_equal(fault_code(rig, &tables, 1ull << bits[i], ACCESS_WRITE),
		                 FAULT_U | FAULT_W);
		assert_int_equal(fault_code(rig, &tables, 1ull << 63, 0), FAULT_U);
		rig_free(rig);
	}
}

/* L1's own tables: privilege, WP, SMEP and SMAP count (APM sections 5.6, 3.1.3). */
static void rights_without_nesting(void **state)
{
	struct rig *rig = rig_new(4, true, 8);
	struct guest_tables tables = new_tables(rig, PT_4LEVEL, MODE_NX);
	struct walk result;

	(void)state;
	paging_mode_init(&tables.mode, PT_4LEVEL, MODE_NX, 40);
	rig_put(rig, &tables, 0, 1, 0x40000000 | PTE_P); /* a supervisor's, read-only */
	assert_int_equal(walk(rig, &tables, 0, ACCESS_FETCH, &result), WALK_OK);
	assert_int_equal(walk(rig, &tables, 0, ACCESS_WRITE, &result), WALK_OK);
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_USER), FAULT_P | FAULT_U);
	tables.mode.flags |= MODE_WP | MODE_SMEP | MODE_SMAP;
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_WRITE), FAULT_P | FAULT_W);
	assert_int_equal(walk(rig, &tables, 0, ACCESS_SMAP_CHECK, &result), WALK_OK);
	rig_put(rig, &tables, 0, 1, 0x40000000 | E_PAGE); /* a user's */
	assert_int_equal(walk(rig, &tables, 0, ACCESS_USER | ACCESS_WRITE, &result), WALK_OK);
	assert_int_equal(walk(rig, &tables, 0, ACCESS_USER | ACCESS_FETCH, &result), WALK_OK);
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_FETCH), FAULT_P | FAULT_ID);
	assert_int_equal(fault_code(rig, &tables, 0, ACCESS_SMAP_CHECK), FAULT_P);
	assert_int_equal(walk(rig, &tables, 0, 0, &result), WALK_OK); /* EFLAGS.AC */
	tables.mode.flags &= ~(uint32_t)(MODE_SMEP | MODE_SMAP);
	assert_int_equal(walk(rig, &tables, 0, ACCESS_FETCH, &result), WALK_OK);
	assert_int_equal(walk(rig, &tables, 0, ACCESS_SMAP_CHECK, &result), WALK_OK);
	rig_free(rig);
}

/* Where there is no memory entries are all ones; nothing is written and nothing crashes. */
static void tables_outside_memory(void **state)
{
	struct rig *rig = rig_new(4, true, 8);
	struct guest_tables nowhere = rig_guest(PT_4LEVEL, MODE_NX, 40, 0x70000000);
	struct guest_tables nopse = rig_guest(PT_2LEVEL, 0, 40, 0x70000000);
	struct guest_tables wide = new_tables(rig, PT_4LEVEL, MODE_NX);
	struct walk result;

	(void)state;
	assert_int_equal(fault_code(rig, &nowhere, 0, 0), FAULT_P | FAULT_RSV | FAULT_U);
	assert_int_equal(walk(rig, &nopse, 0x123, ACCESS_WRITE, &result), WALK_OK);
	assert_int_equal(result.gpa, 0xfffff123);
	/* A last table outside memory: no reserved bits where addresses have all 52 bits. */
	paging_mode_init(&wide.mode, PT_4LEVEL, MODE_NX | MODE_NESTED, 52);
	rig_put(rig, &wide, 0, 2, 0x70000000 | E_TABLE);
	assert_int_equal(walk(rig, &wide, 0x123, ACCESS_WRITE, &result), WALK_OK);
	assert_int_equal(result.gpa, 0xffffffffff123);
	assert_int_equal(fault_code(rig, &wide, 0, ACCESS_FETCH), FAULT_P | FAULT_U | FAULT_ID);
	rig_free(rig);
}

static unsigned int races;

/* Another processor changes the entry between its being read and its A being set. */
static void change_entry(struct rig *rig, uint64_t gpa)
{
	uint64_t *table = ram_page(&rig->ram, gpa);

	if (races) {
		races--;
		table[0] ^= 0x1000;
	}
}

static void changing_tables_are_walked_again(void **state)
{
	struct rig *rig = rig_new(4, true, 8);
	struct guest_tables tables = new_tables(rig, PT_4LEVEL, MODE_NX);
	uint64_t clean = 0x40000000 | PTE_P | PTE_W | PTE_U;
	struct walk result;

	(void)state;
	rig->on_written = change_entry;
	rig_put(rig, &tables, 0, 1, clean);
	races = 1;
	assert_int_equal(walk(rig, &tables, 0, 0, &result), WALK_OK);
	assert_int_equal(result.gpa, 0x40001000);
	assert_int_equal(rig_get(rig, &tables, 0, 1), clean | 0x1000 | PTE_A);
	/* Bounded: an L1 that never stops changing gets its guest resumed. */
	rig_put(rig, &tables, 0, 1, clean);
	races = 1000;
	assert_int_equal(walk(rig, &tables, 0, 0, &result), WALK_RETRY);
	assert_true(races >= 990);
	assert_int_equal(rig_get(rig, &tables, 0, 1) & PTE_A, 0);
	races = 0;
	rig_free(rig);
}

static void changing_small_entries_are_walked_again(void **state)
{
	struct rig *rig = rig_new(4, true, 8);
	struct guest_tables tables = new_tables(rig, PT_2LEVEL, 0);
	struct walk result;

	(void)state;
	rig->on_written = change_entry;
	rig_put(rig, &tables, 0, 1, 0x40000007);
	rig_put(rig, &tables, 0x1000, 1, 0x50000007);
	races = 1;
	assert_int_equal(walk(rig, &tables, 0, ACCESS_WRITE, &result), WALK_OK);
	assert_int_equal(rig_get(rig, &tables, 0, 1), 0x40001067);
	assert_int_equal(rig_get(rig, &tables, 0x1000, 1), 0x50000007);
	rig_free(rig);
}

static void peeking_sets_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < FORMATS; i++) {
		struct rig *rig = rig_new(4, true, 8);
		struct guest_tables tables = new_tables(rig, formats[i].id, formats[i].flags);
		uint64_t address = formats[i].address, gpa = 1;

		assert_false(
			guest_peek(&rig->mmu.memory, &tables.mode, tables.root, address, &gpa));
		rig_put(rig, &tables, address, 1, 0x40000000 | PTE_P);
		assert_true(guest_peek(&rig->mmu.memory, &tables.mode, tables.root, address, &gpa));
		assert_int_equal(gpa, 0x40000000 | (address & 0xfff));
		assert_false(ram_changed_unseen(&rig->ram));
		if (formats[i].flags & MODE_1G) {
			rig_put(rig, &tables, address, 3, GIB | E_LARGE);
			assert_true(guest_peek(&rig->mmu.memory, &tables.mode, tables.root, address,
			                       &gpa));
			assert_int_equal(gpa, GIB | address % GIB);
		}
		rig_free(rig);
	}
}

static uint64_t read_ram(void *context, uint64_t gpa, unsigned int size)
{
	return ram_read(context, gpa, size);
}

static uint64_t random_entry(void)
{
	uint64_t entry = E_PAGE | (random() % 2 ? ram_page_gpa(random() % RAM_PAGES) : GIB);

	if (random() % 2)
		entry ^= 1ull << random() % 8;
	if (random() % 8 == 0)
		entry ^= 1ull << random() % 64;
	if (random() % 8 == 0)
		entry ^= PTE_NX;
	return entry;
}

/* Random tables: the same end, codes, A and D as the reference says. */
static void agrees_with_the_reference(void **state)
{
	struct rig *rig = rig_new(4, true, 8);

	(void)state;
	srandom(2);
	for (int i = 0; i < 20000; i++) {
		struct guest_tables tables = {.pat = 0};
		struct ref_mode mode;
		struct ref_access access = {random() & 1, random() & 1, random() & 1, random() & 1};
		uint32_t bits =
			(access.write ? ACCESS_WRITE : 0) | (access.user ? ACCESS_USER : 0) |
			(access.fetch ? ACCESS_FETCH : 0) | (access.ac ? 0 : ACCESS_SMAP_CHECK);
		uint64_t address = random() % 2 ? 0x40201000ull : 0;
		struct ref_result expected;
		struct walk result;

		paging_mode_init(&tables.mode, random() % PT_FORMATS, random() & 0xff,
		                 random() % 2 ? 52 : 40);
		tables.root = ram_page_gpa(random() % RAM_LOW_PAGES);
		mode = rig_ref_mode(&tables.mode);
		for (unsigned int page = 0; page < RAM_PAGES; page++) {
			if (random() % 4)
				continue;
			for (unsigned int index = 0; index < 2; index++)
				ram_write(&rig->ram, ram_page_gpa(page) + 8 * index, 8,
				          tables.mode.id == PT_PAE && page < 4
				                  ? random_entry() & 0xffffffe19
				                  : random_entry());
		}
		expected = ref_walk(&mode, tables.root, address, access, read_ram, &rig->ram);
		if (walk(rig, &tables, address, bits, &result) == WALK_FAULT) {
			assert_true(expected.fault);
			assert_int_equal(result.code, expected.code);
			continue;
		}
		assert_false(expected.fault);
		assert_int_equal(result.gpa, expected.gpa);
		for (unsigned int n = 0; n < expected.entries; n++) {
			uint64_t now =
				ram_read(&rig->ram, expected.entry[n].gpa, ref_entry_size(&mode));

			assert_int_equal(expected.entry[n].set & ~now, 0);
		}
	}
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leads_through_every_format),
		cmocka_unit_test(large_pages_keep_the_low_bits),
		cmocka_unit_test(sets_accessed_and_dirty),
		cmocka_unit_test(a_denied_access_sets_nothing_in_the_leaf),
		cmocka_unit_test(nested_fault_codes),
		cmocka_unit_test(addresses_beyond_the_format_fault),
		cmocka_unit_test(rights_without_nesting),
		cmocka_unit_test(tables_outside_memory),
		cmocka_unit_test(changing_tables_are_walked_again),
		cmocka_unit_test(changing_small_entries_are_walked_again),
		cmocka_unit_test(peeking_sets_nothing),
		cmocka_unit_test(agrees_with_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
