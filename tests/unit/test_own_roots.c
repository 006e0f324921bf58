/*
 * Roots without nested paging (design, section 3): R3 paging off; R4 two levels; R5 PAE; R6 long
 * mode; R14 the same for L2s. What the processor loads into CR3 outside of long mode is a page of
 * four PDPTEs below 4 GiB.
 */
#include "tests/unit/own_test.h"

static const struct row {
	const char *name;
	enum pt_format_id id;
	uint32_t flags;
	unsigned int level, delta; /* of the root */
	bool local, pdptes;
} rows[] = {
	{"R4, PSE=0", PT_2LEVEL, MODE_WP, 3, 1, true, true},
	{"R4, PSE=1", PT_2LEVEL, MODE_WP | MODE_PSE, 3, 1, true, true},
	{"R5", PT_PAE, MODE_WP | MODE_NX, 3, 0, true, true},
	{"R6, 4-level", PT_4LEVEL, MODE_WP | MODE_NX | MODE_1G, 4, 0, false, false},
	{"R6, 5-level", PT_5LEVEL, MODE_WP | MODE_NX | MODE_1G, 5, 0, false, false},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

#define ADDRESS 0x40201000ull
#define FRAME_A 0x80000000ull /* of a GiB with pages of all sizes */
#define FRAME_B (FRAME_A + 0x5000)

static void every_row_maps_and_says_what_its_root_is(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct own_bench b;
		const struct shadow_page *root;

		own_begin(&b, rows[i].id, rows[i].flags);
		own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE);
		own_mov_cr3(&b);
		assert_int_equal(own_touch(&b, ADDRESS + 0x123, ACCESS_USER), RIG_OK);
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_FETCH), RIG_OK);
		assert_int_equal(own_look(&b, ADDRESS + 0x123).hpa, FRAME_A + 0x123);
		assert_int_equal(own_touch(&b, ADDRESS + 0x1000, 0), REFLECTED(0));
		root = own_page(&b, b.root);
		assert_int_equal(root->role.level, rows[i].level);
		assert_int_equal(root->role.delta, rows[i].delta);
		assert_int_equal(root->role.local, rows[i].local);
		assert_int_equal(root->role.pdptes, rows[i].pdptes);
		assert_false(root->role.direct);
		assert_true(b.root < 4 * GIB);
		own_end(&b);
	}
}

/* Nothing but P and the address: all else is reserved in a PDPTE. */
static void pdptes_of_roots_have_no_rights(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct own_bench b;
		const struct shadow_page *root;

		own_begin(&b, rows[i].id, rows[i].flags);
		for (uint64_t gib = 0; gib < 4; gib++)
			rig_put(b.rig, &b.tables, gib * GIB, 1, FRAME_A | E_PAGE);
		own_mov_cr3(&b);
		for (uint64_t gib = 0; gib < 4; gib++)
			assert_int_equal(own_touch(&b, gib * GIB, ACCESS_WRITE | ACCESS_USER),
			                 RIG_OK);
		root = own_page(&b, b.root);
		assert_int_equal(root->present, 4);
		for (int n = 0; n < 4; n++)
			assert_int_equal(root->table[n] & ~0xffffffffff000ull, PTE_P);
		own_end(&b);
	}
}

/* An emulator sets A in PDPTEs, as if they were entries like others: no harm is done. */
static void pdptes_that_were_accessed(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct own_bench b;
		struct shadow_page *root;
		uint64_t changed;

		own_begin(&b, rows[i].id, rows[i].flags);
		own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE);
		own_mov_cr3(&b);
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
		root = own_page(&b, b.root);
		for (int n = 0; n < 4; n++)
			root->table[n] |= root->table[n] & PTE_P ? PTE_A : 0;
		changed = b.mmu->counters->sptes_changed;
		own_mov_cr3(&b);
		mmu_invlpg(b.mmu, b.cpu, &b.tables, ADDRESS);
		assert_int_equal(own_touch(&b, ADDRESS + 0x1000, 0), REFLECTED(0));
		assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_A);
		assert_int_equal(b.mmu->counters->sptes_changed, changed);
		own_end(&b);
	}
}

static void paging_off(void **state)
{
	static const uint64_t addresses[] = {0,          0xb8000,    0xffff0,
	                                     0x40000000, 0xc0200000, 0xfffff000};
	struct own_bench b;
	const struct shadow_page *root;

	(void)state;
	own_begin(&b, PT_4LEVEL, MODE_WP);
	b.tables = own_direct();
	own_mov_cr3(&b);
	root = own_page(&b, b.root);
	assert_true(root->role.direct && root->role.local && root->role.pdptes);
	assert_int_equal(root->role.level, 3);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		for (uint32_t access = 0; access < 8; access++)
			assert_int_equal(own_touch(&b, addresses[i], access), RIG_OK);
		assert_int_equal(own_look(&b, addresses[i]).hpa, addresses[i]);
	}
	assert_int_equal(own_look(&b, 0x40000000).level, 2); /* there are no larger ones in PAE */
	assert_int_equal(own_look(&b, 0xc0200000).level, 1);
	assert_int_equal(own_touch(&b, 0xc0205000, ACCESS_WRITE), RIG_OK); /* L0's hole */
	assert_int_equal(own_look(&b, 0xc0205000).hpa, RIG_NOBODY);
	own_mov_cr3(&b);
	assert_int_equal(own_look(&b, 0x40000000).hpa, 0x40000000); /* nothing to compare */
	own_end(&b);
}

/* Paging goes off and on: each time the root that it had. */
static void paging_off_and_on(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct own_bench b;
		struct guest_tables on, off = own_direct();
		uint64_t root, direct, built;

		own_begin(&b, rows[i].id, rows[i].flags);
		own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE);
		on = b.tables;
		own_mov_cr3(&b);
		root = b.root;
		assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
		b.tables = off;
		own_mov_cr3(&b);
		direct = b.root;
		assert_int_not_equal(root, direct);
		assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
		assert_int_equal(own_look(&b, ADDRESS).hpa, ADDRESS);
		built = b.mmu->counters->roots_built;
		b.tables = on;
		own_mov_cr3(&b);
		assert_int_equal(b.root, root);
		assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_A);
		b.tables = off;
		own_mov_cr3(&b);
		assert_int_equal(b.root, direct);
		assert_int_equal(b.mmu->counters->roots_built, built);
		own_end(&b);
	}
}

/* The tables have 1024 entries, their shadows 512: halves and quarters. */
static void two_levels_in_quadrants(void **state)
{
	struct own_bench b;

	(void)state;
	for (int pse = 0; pse <= 1; pse++) {
		own_begin(&b, PT_2LEVEL, MODE_WP | (pse ? MODE_PSE : 0));
		for (uint64_t i = 0; i < 4; i++) {
			uint64_t address = i * GIB + i * 8 * MIB;

			rig_put(b.rig, &b.tables, address + 0x3ff000, 1, FRAME_B | E_PAGE);
			rig_put(b.rig, &b.tables, address, 1, (FRAME_A + (i << 12)) | E_PAGE);
		}
		own_mov_cr3(&b);
		for (uint64_t i = 0; i < 4; i++) {
			uint64_t address = i * GIB + i * 8 * MIB;

			assert_int_equal(own_touch(&b, address, ACCESS_WRITE), RIG_OK);
			assert_int_equal(own_touch(&b, address + 0x3ff000, 0), RIG_OK);
			assert_int_equal(own_look(&b, address).hpa, FRAME_A + (i << 12));
			assert_int_equal(own_look(&b, address + 0x3ff000).hpa, FRAME_B);
			assert_int_equal(own_touch(&b, address + 0x1ff000, 0), REFLECTED(0));
		}
		own_end(&b);
	}
}

/* PSE36: bits 20:13 of a 4 MiB page are bits 39:32 of its address. Without PSE PS is ignored. */
static void four_megabyte_pages(void **state)
{
	struct own_bench b;

	(void)state;
	own_begin(&b, PT_2LEVEL, MODE_WP | MODE_PSE);
	rig_put(b.rig, &b.tables, 0x80000000, 2, 0x40400000 | 2 << 13 | E_LARGE);
	own_mov_cr3(&b);
	assert_int_equal(own_touch(&b, 0x80000000, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_touch(&b, 0x80200000, ACCESS_USER), RIG_OK);
	assert_int_equal(own_look(&b, 0x80000123).hpa, 0x240400123);
	assert_int_equal(own_look(&b, 0x80212345).hpa, 0x240612345);
	assert_int_equal(own_look(&b, 0x80000000).level, 2);
	rig_put(b.rig, &b.tables, 0x90000000, 2, 0x40600000 | E_LARGE); /* bit 21 is reserved */
	assert_int_equal(own_touch(&b, 0x90000000, 0), REFLECTED(9));
	own_end(&b);
	own_begin(&b, PT_2LEVEL, MODE_WP);
	rig_put(b.rig, &b.tables, 0x80001000, 1, FRAME_A | E_PAGE);
	rig_put(b.rig, &b.tables, 0x80001000, 2, rig_get(b.rig, &b.tables, 0x80001000, 2) | PTE_PS);
	own_mov_cr3(&b);
	assert_int_equal(own_touch(&b, 0x80001000, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_look(&b, 0x80001000).hpa, FRAME_A);
	own_end(&b);
}

/* PDPTEs are those of the last MOV CR3, whatever memory says since. */
static void pdptes_come_from_registers(void **state)
{
	struct own_bench b;
	uint64_t other, old;

	(void)state;
	own_begin(&b, PT_PAE, MODE_WP | MODE_NX);
	own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE);
	own_mov_cr3(&b);
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
	old = rig_get(b.rig, &b.tables, ADDRESS, 3);
	own_put(&b, ADDRESS, 3, 0);
	own_put(&b, ADDRESS, 1, FRAME_B | E_PAGE); /* another directory and table */
	other = rig_get(b.rig, &b.tables, ADDRESS, 3);
	assert_int_not_equal(old, other);
	mmu_flush_asid(b.cpu, L1_ASID); /* by CR4.PGE, say */
	b.root = mmu_load_root(b.mmu, b.cpu, &b.tables, L1_ASID);
	assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_A);
	assert_int_equal(own_touch(&b, ADDRESS + 0x1000, 0), REFLECTED(0));
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_USER), RIG_OK);
	assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_A);
	/* New registers and no flush: what is cached stays, what faults is new. */
	own_load_pdptes(b.rig, &b.tables, b.pdptes);
	b.root = mmu_load_root(b.mmu, b.cpu, &b.tables, L1_ASID);
	assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_A);
	own_mov_cr3(&b);
	assert_int_equal(own_look(&b, ADDRESS).status, OWN_MISSING);
	assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_B);
	/* Not present in the register: that is what counts. */
	b.pdptes[1] = 0;
	mmu_flush_asid(b.cpu, L1_ASID);
	b.root = mmu_load_root(b.mmu, b.cpu, &b.tables, L1_ASID);
	assert_int_equal(own_touch(&b, ADDRESS, 0), REFLECTED(0));
	own_end(&b);
}

/* The processor has loaded the PDPTEs again, for which it flushes nothing: INVLPG shows them. */
static void invlpg_shows_other_pdptes(void **state)
{
	struct own_bench b;

	(void)state;
	own_begin(&b, PT_PAE, MODE_WP);
	own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE);
	own_mov_cr3(&b);
	assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
	b.pdptes[1] = 0;
	b.root = mmu_load_root(b.mmu, b.cpu, &b.tables, L1_ASID);
	mmu_invlpg(b.mmu, b.cpu, &b.tables, ADDRESS);
	assert_int_equal(own_look(&b, ADDRESS).status, OWN_MISSING);
	assert_int_equal(own_touch(&b, ADDRESS, 0), REFLECTED(0));
	own_end(&b);
}

/* L0's own look behind the processor goes by the registers, too. */
static void peeking_goes_by_registers(void **state)
{
	struct own_bench b;
	uint64_t gpa = 0;

	(void)state;
	own_begin(&b, PT_PAE, MODE_WP);
	own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE);
	own_mov_cr3(&b);
	own_put(&b, ADDRESS, 3, 0);
	assert_true(guest_peek(&b.mmu->memory, &b.tables.mode, b.tables.root, ADDRESS + 5, &gpa));
	assert_int_equal(gpa, FRAME_A + 5);
	b.pdptes[1] = 0;
	assert_false(guest_peek(&b.mmu->memory, &b.tables.mode, b.tables.root, ADDRESS, &gpa));
	own_end(&b);
}

/* R14: L2 under its own ASID has L1's shadow pages; each ASID has its own flushes. */
static void l2_shares_pages_with_l1(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct own_bench b;
		struct own_seen by_l1, by_l2;
		uint64_t l2;

		own_begin(&b, rows[i].id, rows[i].flags);
		own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE);
		own_mov_cr3(&b);
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
		by_l1 = own_look(&b, ADDRESS);
		l2 = mmu_load_root(b.mmu, b.cpu, &b.tables, L2_ASID);
		assert_int_equal(l2 == b.root, !rows[i].local);
		assert_int_equal(own_touch_by(&b, &b.tables, l2, ADDRESS, ACCESS_WRITE), RIG_OK);
		by_l2 = own_walk(b.rig, own_start(l2, own_levels(&b.tables)), ADDRESS);
		assert_ptr_equal(by_l1.leaf, by_l2.leaf);
		own_end(&b);
	}
}

/* What a mode changes in the meaning of entries makes other pages; what it does not, none. */
static void modes_have_roots_of_their_own(void **state)
{
	static const uint32_t others[] = {MODE_NX, MODE_1G, MODE_WP};
	struct own_bench b;
	uint64_t root;

	(void)state;
	own_begin(&b, PT_4LEVEL, MODE_WP);
	own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE | PTE_NX);
	own_mov_cr3(&b);
	root = b.root;
	assert_int_equal(own_touch(&b, ADDRESS, 0), REFLECTED(9));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		b.tables = own_guest(PT_4LEVEL, MODE_WP ^ others[i], 48, b.tables.root);
		/* Even if nothing was flushed. */
		assert_int_not_equal(mmu_load_root(b.mmu, b.cpu, &b.tables, L1_ASID), root);
		own_mov_cr3(&b);
		assert_int_not_equal(b.root, root);
		b.tables = own_guest(PT_4LEVEL, MODE_WP, 48, b.tables.root);
		own_mov_cr3(&b);
		assert_int_equal(b.root, root);
	}
	/* With CR0.WP=1 SMEP and SMAP are the processor's business alone. */
	b.tables = own_guest(PT_4LEVEL, MODE_WP | MODE_SMEP | MODE_SMAP, 48, b.tables.root);
	own_mov_cr3(&b);
	assert_int_equal(b.root, root);
	b.tables = own_guest(PT_4LEVEL, MODE_SMEP, 48, b.tables.root);
	own_mov_cr3(&b);
	assert_int_not_equal(b.root, root);
	own_end(&b);
}

static void reclaimed_roots_are_built_again(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct own_bench b;
		struct guest_tables on;
		uint64_t built;

		own_begin(&b, rows[i].id, rows[i].flags);
		own_put(&b, ADDRESS, 1, FRAME_A | E_PAGE);
		own_mov_cr3(&b);
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
		on = b.tables;
		b.tables = own_direct();
		own_mov_cr3(&b);
		built = b.mmu->counters->roots_built;
		pool_reserve(b.mmu, b.mmu->page_count - 1);
		assert_true(b.mmu->counters->reclaims > 0);
		assert_int_equal(b.mmu->frames_tracked, 0);
		b.tables = on;
		own_mov_cr3(&b);
		assert_int_equal(b.mmu->counters->roots_built, built + 1);
		assert_int_equal(own_look(&b, ADDRESS).status, OWN_MISSING);
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
		assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_A);
		own_end(&b);
	}
}

/* Tables that are their own entries, that are not in memory, that are L0's. */
static void hostile_tables(void **state)
{
	static const uint64_t nowhere[] = {0x7ffff000, 0xc0205000, RIG_NOBODY, RIG_TABLES_HPA};

	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct own_bench b;
		uint64_t *page, self, entry;

		own_begin(&b, rows[i].id, rows[i].flags);
		self = rig_new_table(b.rig);
		entry = self | (rows[i].id == PT_PAE ? 1 : E_PAGE);
		page = ram_page(&b.rig->ram, self);
		for (int n = 0; n < 512; n++)
			page[n] = rows[i].id == PT_2LEVEL ? entry | entry << 32 : entry;
		ram_will_write(&b.rig->ram, self);
		ram_collect(&b.rig->ram);
		b.tables.root = self;
		own_mov_cr3(&b);
		if (rows[i].id == PT_PAE) { /* as a directory each entry lacks W and U */
			assert_int_equal(own_touch(&b, 0x1000, 0), RIG_OK);
			assert_int_equal(own_touch(&b, 0x1000, ACCESS_WRITE), REFLECTED(3));
			assert_int_equal(own_touch(&b, 0x1000, ACCESS_USER), REFLECTED(5));
		} else {
			assert_int_equal(own_touch(&b, 0x1000, ACCESS_WRITE), RIG_OK);
		}
		assert_int_equal(own_look(&b, 0x1000).hpa, self);
		own_mov_cr3(&b);
		for (size_t n = 0; n < sizeof(nowhere) / sizeof(nowhere[0]); n++) {
			int code;

			b.tables.root = nowhere[n];
			own_mov_cr3(&b);
			code = own_touch(&b, 0x1000, ACCESS_WRITE);
			/* All ones: reserved bits, but without PSE the last page. */
			if (rows[i].id == PT_2LEVEL && !(rows[i].flags & MODE_PSE))
				assert_int_equal(code, RIG_OK);
			else
				assert_int_equal(code, REFLECTED(0xb));
		}
		own_end(&b);
	}
}

/* Pages of L1's that are L0's lead to nobody's page, in pages of any size. */
static void the_hole_is_out_of_reach(void **state)
{
	struct own_bench b;

	(void)state;
	own_begin(&b, PT_4LEVEL, MODE_WP | MODE_1G);
	rig_put(b.rig, &b.tables, 1ull << 39, 3, 0xc0000000 | E_LARGE);
	rig_put(b.rig, &b.tables, 2ull << 39, 2, 0xc0200000 | E_LARGE);
	rig_put(b.rig, &b.tables, 3ull << 39, 1, 0xc0205000 | E_PAGE);
	own_mov_cr3(&b);
	for (uint64_t i = 0; i < 512; i++) {
		uint64_t hpa = i % 8 == 5 ? RIG_NOBODY : 0xc0200000 + i * 4096;

		assert_int_equal(own_touch(&b, (1ull << 39) + 0x200000 + i * 4096, ACCESS_WRITE),
		                 RIG_OK);
		assert_int_equal(own_look(&b, (1ull << 39) + 0x200000 + i * 4096).hpa, hpa);
		assert_int_equal(own_touch(&b, (2ull << 39) + i * 4096, ACCESS_WRITE), RIG_OK);
		assert_int_equal(own_look(&b, (2ull << 39) + i * 4096).hpa, hpa);
	}
	assert_int_equal(own_touch(&b, 3ull << 39, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_look(&b, 3ull << 39).hpa, RIG_NOBODY);
	own_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_maps_and_says_what_its_root_is),
		cmocka_unit_test(pdptes_of_roots_have_no_rights),
		cmocka_unit_test(pdptes_that_were_accessed),
		cmocka_unit_test(paging_off),
		cmocka_unit_test(paging_off_and_on),
		cmocka_unit_test(two_levels_in_quadrants),
		cmocka_unit_test(four_megabyte_pages),
		cmocka_unit_test(pdptes_come_from_registers),
		cmocka_unit_test(invlpg_shows_other_pdptes),
		cmocka_unit_test(peeking_goes_by_registers),
		cmocka_unit_test(l2_shares_pages_with_l1),
		cmocka_unit_test(modes_have_roots_of_their_own),
		cmocka_unit_test(reclaimed_roots_are_built_again),
		cmocka_unit_test(hostile_tables),
		cmocka_unit_test(the_hole_is_out_of_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
