/*
 * A guest with its own paging, for unit tests. Relies on tests/unit/own_test.h.
 */
#include "tests/unit/own_test.h"

enum { PAGES = 96 };

void own_begin(struct own_bench *bench, enum pt_format_id id, uint32_t flags)
{
	own_begin_with(bench, id, flags, PAGES);
}

void own_begin_with(struct own_bench *bench, enum pt_format_id id, uint32_t flags, uint32_t pages)
{
	struct rig *rig = own_rig_new(id == PT_5LEVEL ? 5 : 4, true, pages);

	*bench = (struct own_bench){.rig = rig, .mmu = &rig->mmu, .cpu = &rig->cpu[0]};
	rig->mmu.phys_bits = 48;
	bench->tables = own_guest(id, flags, 48, rig_new_table(rig));
	for (uint64_t i = 0; i < RAM_LOW_PAGES; i++)
		rig_put(rig, &bench->tables, WINDOW + i * 4096, 1, ram_page_gpa(i) | E_PAGE);
	own_mov_cr3(bench);
}

void own_end(struct own_bench *bench)
{
	const char *wrong = own_broken_list(bench->rig);

	if (wrong)
		fail_msg("%s", wrong);
	rig_free(bench->rig);
}

void own_second(struct own_bench *second, const struct own_bench *bench)
{
	*second = *bench;
	second->cpu = &bench->rig->cpu[1];
	own_mov_cr3(second);
}

void own_mov_cr3(struct own_bench *bench)
{
	if (bench->tables.mode.id == PT_PAE && !bench->tables.direct)
		own_load_pdptes(bench->rig, &bench->tables, bench->pdptes);
	mmu_flush_asid(bench->cpu, L1_ASID);
	bench->root = mmu_load_root(bench->mmu, bench->cpu, &bench->tables, L1_ASID);
}

struct own_seen own_look(const struct own_bench *bench, uint64_t address)
{
	return own_walk(bench->rig, own_start(bench->root, own_levels(&bench->tables)), address);
}

int own_touch_by(struct own_bench *bench, const struct guest_tables *tables, uint64_t root,
                 uint64_t address, uint32_t access)
{
	struct ref_mode mode = {0};
	struct ref_access how = {.write = access & ACCESS_WRITE,
	                         .user = access & ACCESS_USER,
	                         .fetch = access & ACCESS_FETCH,
	                         .ac = !(access & ACCESS_SMAP_CHECK)};

	bool ac = how.ac || (access & OWN_IMPLICIT);

	if (!tables->direct)
		mode = rig_ref_mode(&tables->mode);
	for (int i = 0; i <= RIG_FAULTS; i++) {
		struct own_seen seen =
			own_walk(bench->rig, own_start(root, own_levels(tables)), address);
		uint32_t code = (seen.status == OWN_OK ? FAULT_P : 0) | (how.write ? FAULT_W : 0) |
		                (how.user ? FAULT_U : 0) | (how.fetch ? FAULT_ID : 0);
		struct page_fault fault = {.address = address, .access = access_of_fault(code, ac)};

		assert_int_not_equal(seen.status, OWN_BROKEN);
		if (own_permits(tables->direct ? NULL : &mode, &seen, how))
			return RIG_OK;
		if (mmu_fault(bench->mmu, bench->cpu, tables, &fault) == FAULT_REFLECT)
			return REFLECTED((int)fault.code);
		ram_collect(&bench->rig->ram);
	}
	return RIG_ENDLESS;
}

int own_touch(struct own_bench *bench, uint64_t address, uint32_t access)
{
	return own_touch_by(bench, &bench->tables, bench->root, address, access);
}

void own_put(struct own_bench *bench, uint64_t address, int level, uint64_t entry)
{
	uint64_t gpa = rig_entry(bench->rig, &bench->tables, address, level);
	uint64_t at = WINDOW + (gpa - RAM_LOW_GPA);

	assert_int_equal(own_touch(bench, at, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_look(bench, at).hpa, gpa);
	ram_write(&bench->rig->ram, gpa, bench->tables.mode.format->entry_size, entry);
}

struct shadow_page *own_page(const struct own_bench *bench, uint64_t hpa)
{
	return &bench->mmu->pages[(hpa - RIG_TABLES_HPA) >> PT_PAGE_SHIFT];
}
