/*
 * The kinds of root that L0 has (docs/roots.md): R1 and R2 direct; R7 and R8 local and
 * passthrough; R9 local, of PDPTEs; R10 and R12 common; R11 passthrough over a common table.
 */
#include "tests/unit/root_rows.h"

static void every_row_maps_and_says_what_its_pages_are(void **state)
{
	const uint64_t address = 0xfedcb000;

	(void)state;
	for (int i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		struct rig *rig = rig_new(row->host_levels, true, 16);
		struct guest_tables tables = tables_of(rig, row);
		uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);
		int guest_levels = tables.mode.format->levels;
		struct shadow_page *page[6];

		print_message("%s\n", row->name);
		rig_put(rig, &tables, address, 1, 0x40000000 | E_PAGE);
		assert_int_equal(rig_access(rig, 0, &tables, address | 0x123, ACCESS_WRITE),
		                 RIG_OK);
		assert_int_equal(rig_walk(rig, root, address | 0x123).hpa,
		                 0x40000123 ^ RIG_HPA_BIT);
		assert_int_equal(path(rig, root, address, page), row->host_levels);
		assert_ptr_equal(page[row->host_levels], rig->cpu[0].current);
		for (int level = 1; level <= row->host_levels; level++) {
			unsigned int above = level > guest_levels ? level - guest_levels : 0;

			assert_int_equal(page[level]->role.level, level);
			assert_int_equal(page[level]->role.delta, above);
			assert_int_equal(is_passthrough(page[level]), above != 0);
			/* Local: whatever stands above the tables that CR3 or PDPTEs name. */
			assert_int_equal(page[level]->role.local, row->local && level >= 3);
			assert_false(page[level]->role.direct);
			assert_int_equal(page[level]->gpa, rig_entry(rig, &tables, address,
			                                             above ? guest_levels : level) &
			                                           ~0xfffull);
		}
		assert_int_equal(rig->cpu[0].current->role.delta, row->delta);
		assert_int_equal(uses_local_roots(&tables.mode), row->local);
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* The ends of what each format maps: the last page leads where it should, the next one nowhere. */
static void every_row_ends_where_its_format_does(void **state)
{
	static const uint64_t ends[PT_FORMATS] = {4 * GIB, 4 * GIB, 1ull << 48, 1ull << 57};

	(void)state;
	for (int i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		struct rig *rig = rig_new(row->host_levels, true, 16);
		struct guest_tables tables = tables_of(rig, row);
		uint64_t end = ends[row->id], root;

		root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);
		rig_put(rig, &tables, 0, 1, 0x40000000 | E_PAGE);
		rig_put(rig, &tables, end - 0x1000, 1, 0x40005000 | E_PAGE);
		assert_int_equal(rig_access(rig, 0, &tables, end - 1, 0), RIG_OK);
		assert_int_equal(rig_walk(rig, root, end - 1).hpa, 0x40005fff ^ RIG_HPA_BIT);
		assert_int_equal(rig_access(rig, 0, &tables, end, ACCESS_WRITE), REFLECTED(6));
		assert_int_equal(rig_access(rig, 0, &tables, 0, 0), RIG_OK);
		assert_int_equal(rig_access(rig, 0, &tables, end, 0), REFLECTED(4));
		assert_int_equal(rig_walk(rig, root, end).status, HOST_MISSING);
		rig_free(rig);
	}
}

/* A 4 KiB table of 4-byte entries is shadowed in parts: two of PTEs, four of PDEs. */
static void quadrants_of_two_level_tables(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct row *row = &rows[i];
		struct rig *rig = rig_new(row->host_levels, true, 64);
		struct guest_tables tables = tables_of(rig, row);
		uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1);

		for (uint64_t at = 0; at < 4 * GIB; at += 512 * MIB + 2 * MIB) {
			uint64_t frame = 0x40000000 + at / MIB * 0x1000;
			struct shadow_page *page[6];

			rig_put(rig, &tables, at, 1, frame | E_PAGE);
			assert_int_equal(rig_access(rig, 0, &tables, at, 0), RIG_OK);
			assert_int_equal(rig_walk(rig, root, at).hpa, frame ^ RIG_HPA_BIT);
			path(rig, root, at, page);
			assert_int_equal(page[2]->role.quadrant, at / GIB);
			assert_int_equal(page[1]->role.quadrant, at / (2 * MIB) & 1);
			assert_int_equal(page[3]->role.quadrant, 0);
			assert_int_equal(guest_index_of(&tables.mode, page[2], shadow_index(2, at)),
			                 at >> 22);
			assert_int_equal(guest_index_of(&tables.mode, page[1], shadow_index(1, at)),
			                 at >> 12 & 1023);
		}
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* PSE36: a 4 MiB page in two halves; with PSE=0 the same entry is a table's. */
static void four_megabyte_pages(void **state)
{
	struct rig *rig = rig_new(4, true, 32);
	struct guest_tables pse = tables_of(rig, &rows[2]), nopse = pse;
	uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &pse, 1), other;

	(void)state;
	paging_mode_init(&nopse.mode, PT_2LEVEL, MODE_NESTED, 48);
	rig_put(rig, &pse, 0xc0400000, 2, 0x40400000 | 1 << 13 | E_LARGE);
	for (uint64_t at = 0; at < 4 * MIB; at += MIB) {
		assert_int_equal(rig_access(rig, 0, &pse, 0xc0400000 + at, ACCESS_WRITE), RIG_OK);
		assert_int_equal(rig_walk(rig, root, 0xc0400000 + at).hpa,
		                 (0x140400000 + at) ^ RIG_HPA_BIT);
		assert_int_equal(rig_walk(rig, root, 0xc0400000 + at).level, 2);
	}
	/* In a range where L0 maps 4 KiB pages: direct tables below each half. */
	rig_put(rig, &pse, 0xc0800000, 2, 0xc0000000 | E_LARGE);
	assert_int_equal(rig_access(rig, 0, &pse, 0xc0800000 + 3 * MIB, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig_walk(rig, root, 0xc0800000 + 3 * MIB).hpa,
	                 (0xc0000000 + 3 * MIB) ^ RIG_HPA_BIT);
	/* Without PSE: bits 31:12 name a table, which is not in memory; all ones lead on. */
	other = mmu_load_root(&rig->mmu, &rig->cpu[0], &nopse, 1);
	assert_int_not_equal(other, root);
	assert_int_equal(rig_access(rig, 0, &nopse, 0xc0400000, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig_walk(rig, other, 0xc0400000).hpa, rig_map(0xfffff000).hpa);
	assert_int_equal(mmu_load_root(&rig->mmu, &rig->cpu[0], &pse, 1), root);
	assert_ok_invariants(rig);
	rig_free(rig);
}

/* R8: PDPTEs are read at each walk, never cached as MOV CR3 would. */
static void pdptes_are_read_on_demand(void **state)
{
	(void)state;
	for (int i = 4; i < 6; i++) {
		struct rig *rig = rig_new(rows[i].host_levels, true, 32);
		struct guest_tables tables = tables_of(rig, &rows[i]);
		uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1), old;

		/* Loading a root with bad PDPTEs is no fault; using one is. */
		rig_put(rig, &tables, 0x40000000, 3, 0x1e7);
		assert_int_equal(rig_access(rig, 0, &tables, 0x40000000, 0), REFLECTED(0xd));
		rig_put(rig, &tables, 0x40000000, 3, 0);
		assert_int_equal(rig_access(rig, 0, &tables, 0x40000000, 0), REFLECTED(4));
		/* What is there then counts, without a flush. */
		rig_put(rig, &tables, 0x40000000, 1, 0x40000000 | E_PAGE);
		rig_put(rig, &tables, 0x80000000, 1, 0x40001000 | E_PAGE);
		rig_put(rig, &tables, 0x80001000, 1, 0x40002000 | E_PAGE);
		assert_int_equal(rig_access(rig, 0, &tables, 0x40000000, 0), RIG_OK);
		/* A fill finds the PDPTE changed: the local root leads to the other table. */
		old = rig_get(rig, &tables, 0x40000000, 3);
		rig_put(rig, &tables, 0x40000000, 3, rig_get(rig, &tables, 0x80000000, 3));
		assert_int_equal(rig_access(rig, 0, &tables, 0x40001000, 0), RIG_OK);
		assert_int_equal(rig_walk(rig, root, 0x40001000).hpa, 0x40002000 ^ RIG_HPA_BIT);
		assert_int_equal(rig_walk(rig, root, 0x40000000).status, HOST_MISSING);
		assert_int_equal(rig_access(rig, 0, &tables, 0x40000000, 0), RIG_OK);
		assert_int_equal(rig_walk(rig, root, 0x40000000).hpa, 0x40001000 ^ RIG_HPA_BIT);
		/* A flush finds it changed back. */
		rig_put(rig, &tables, 0x40000000, 3, old);
		mmu_flush_asid(&rig->cpu[0], 1);
		assert_int_equal(mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1), root);
		assert_int_equal(rig_walk(rig, root, 0x40000000).status, HOST_MISSING);
		assert_int_equal(rig_access(rig, 0, &tables, 0x40000000, 0), RIG_OK);
		assert_int_equal(rig_walk(rig, root, 0x40000000).hpa, 0x40000000 ^ RIG_HPA_BIT);
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* Four PDPTEs need 32 bytes: several roots in one page are several roots. */
static void pae_roots_share_pages(void **state)
{
	struct rig *rig = rig_new(4, true, 32);
	struct guest_tables first = tables_of(rig, &rows[4]), second = first;
	uint64_t root;

	(void)state;
	second.root += 0x20;
	rig_put(rig, &first, 0xc0000000, 1, 0x40000000 | E_PAGE);
	rig_put(rig, &second, 0xc0000000, 1, 0x40001000 | E_PAGE);
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &first, 1);
	assert_int_equal(rig_access(rig, 0, &first, 0xc0000000, 0), RIG_OK);
	assert_int_equal(rig_walk(rig, root, 0xc0000000).hpa, 0x40000000 ^ RIG_HPA_BIT);
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &second, 1);
	assert_int_equal(rig_access(rig, 0, &second, 0xc0000000, 0), RIG_OK);
	assert_int_equal(rig_walk(rig, root, 0xc0000000).hpa, 0x40001000 ^ RIG_HPA_BIT);
	rig_free(rig);
}

/* R1: NPT01, direct and each processor's own. */
static void direct_roots(void **state)
{
	(void)state;
	for (int levels = 3; levels <= 5; levels++) {
		for (int big = 0; big < 2; big++) {
			struct rig *rig = rig_new(levels, big, 64);
			uint64_t root = mmu_direct_root(&rig->mmu, &rig->cpu[0]);
			uint64_t gpas[] = {0x123,
			                   FRAME_1G + 0x12345678,
			                   FRAME_2M + 0x1ffff0,
			                   FRAME_4K + 0x4321,
			                   FRAME_4K + 0x5678,
			                   1ull << 47};

			mmu_direct_root(&rig->mmu, &rig->cpu[1]);
			assert_int_equal(rig->cpu[0].direct->role.pdptes, levels == 3);
			for (size_t i = 0; i < sizeof(gpas) / sizeof(gpas[0]); i++) {
				struct host_mapping map;
				struct host_result walk;

				if (levels == 3)
					gpas[i] = (uint32_t)gpas[i];
				map = rig_map(gpas[i]);

				assert_int_equal(rig_walk(rig, root, gpas[i]).status, HOST_MISSING);
				assert_true(mmu_direct_fault(&rig->mmu, &rig->cpu[0], gpas[i]));
				assert_false(mmu_direct_fault(&rig->mmu, &rig->cpu[0], gpas[i]));
				walk = rig_walk(rig, root, gpas[i]);
				assert_int_equal(walk.hpa, map.hpa | (gpas[i] & 0xfff));
				assert_int_equal(walk.level, map.level == 3 && (!big || levels == 3)
				                                     ? 2
				                                     : map.level);
				assert_true(walk.write && walk.execute);
				assert_int_equal(walk.pat, 0);
				rig->flushes = 0;
				mmu_drop_leaves(&rig->mmu);
				assert_int_equal(rig->flushes, 1);
				assert_int_equal(rig_walk(rig, root, gpas[i]).status, HOST_MISSING);
				assert_ok_invariants(rig);
			}
			assert_int_equal(rig->cpu[1].direct->present, 0);
			rig_free(rig);
		}
	}
}

/* QEMU sets A in PDPTEs, where there is none: that is no change of theirs. */
static void pdptes_that_were_accessed(void **state)
{
	(void)state;
	for (int i = ROWS - 3; i < ROWS; i++) {
		struct rig *rig = rig_new(rows[i].host_levels, true, 32);
		struct guest_tables tables = tables_of(rig, &rows[i]);
		uint64_t root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1), changed;
		struct shadow_page *page = rig->cpu[0].current;

		assert_true(page->role.pdptes);
		rig_put(rig, &tables, 0, 1, 0x40000000 | E_PAGE);
		assert_int_equal(rig_access(rig, 0, &tables, 0, ACCESS_WRITE), RIG_OK);
		page->table[0] |= PTE_A;
		changed = rig->mmu.counters->sptes_changed;
		mmu_flush_asid(&rig->cpu[0], 1);
		assert_int_equal(mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, 1), root);
		assert_int_equal(rig->mmu.counters->sptes_changed, changed);
		page->table[0] &= ~PTE_A; /* the model has it reserved, as hardware */
		assert_int_equal(rig_look(rig, root, 0).hpa, 0x40000000 ^ RIG_HPA_BIT);
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

/* A shadow table's hostile ends: tables that lead to themselves and to no memory. */
static void hostile_tables(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct rig *rig = rig_new(rows[i].host_levels, true, 32);
		struct guest_tables self = tables_of(rig, &rows[i]);
		struct guest_tables nowhere = rig_guest(rows[i].id, rows[i].flags, 48, 0x7ffff000);
		uint64_t *page = ram_page(&rig->ram, self.root);
		uint64_t entry = self.root | (rows[i].id == PT_PAE ? 1 : E_PAGE), root;
		int code;

		for (int n = 0; n < 512; n++)
			page[n] = rows[i].id == PT_2LEVEL ? entry | entry << 32 : entry;
		ram_will_write(&rig->ram, self.root);
		ram_collect(&rig->ram);
		root = mmu_load_root(&rig->mmu, &rig->cpu[0], &self, 1);
		if (rows[i].id == PT_PAE) { /* the PDPT as a directory: U=0 */
			assert_int_equal(rig_access(rig, 0, &self, 0x1000, 0), REFLECTED(5));
		} else {
			assert_int_equal(rig_access(rig, 0, &self, 0x1000, ACCESS_WRITE), RIG_OK);
			assert_int_equal(rig_walk(rig, root, 0x1000).hpa, rig_map(self.root).hpa);
		}
		mmu_load_root(&rig->mmu, &rig->cpu[0], &nowhere, 1);
		code = rig_access(rig, 0, &nowhere, 0x1000, 0);
		if (rows[i].id == PT_2LEVEL && !rows[i].flags)
			assert_int_equal(code, RIG_OK); /* all ones lead to the last page */
		else
			assert_int_equal(code, REFLECTED(0xd));
		assert_ok_invariants(rig);
		rig_free(rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_maps_and_says_what_its_pages_are),
		cmocka_unit_test(every_row_ends_where_its_format_does),
		cmocka_unit_test(quadrants_of_two_level_tables),
		cmocka_unit_test(four_megabyte_pages),
		cmocka_unit_test(pdptes_are_read_on_demand),
		cmocka_unit_test(pae_roots_share_pages),
		cmocka_unit_test(direct_roots),
		cmocka_unit_test(pdptes_that_were_accessed),
		cmocka_unit_test(hostile_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
