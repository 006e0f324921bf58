/*
 * Pages that L0 keeps read-only (the local APIC's): no leaf of any kind lets a guest write them,
 * and a write that the guest's tables allow is handed to the caller instead of filled for ever.
 */
#include "tests/unit/own_test.h"

enum { ASID = 5 };

#define ADDRESS   0x40201000ull
#define LARGE     0x40400000ull
#define OFFSET    0x300ull
#define PAGE      (FRAME_2M + 0x6000)
#define OTHER     (FRAME_2M + 0x9000)
#define OWN_PAGE  0xfee00000ull
#define OWN_OTHER 0xfed40000ull

static struct rig *new_rig(bool track)
{
	struct rig *rig = rig_new(4, true, 64);

	rig->mmu.phys_bits = 48;
	rig->read_only = PAGE;
	if (track)
		rig_track(rig);
	return rig;
}

static void finish(struct rig *rig)
{
	assert_ok_invariants(rig);
	rig_free(rig);
}

static void npt01(void **state)
{
	struct rig *rig = new_rig(false);
	uint64_t root = mmu_direct_root(&rig->mmu, &rig->cpu[0]);
	struct host_result seen;

	(void)state;
	assert_true(mmu_direct_fault(&rig->mmu, &rig->cpu[0], PAGE + OFFSET));
	assert_false(mmu_direct_fault(&rig->mmu, &rig->cpu[0], PAGE + OFFSET));
	seen = rig_walk(rig, root, PAGE + OFFSET);
	assert_int_equal(seen.status, HOST_OK);
	assert_int_equal(seen.level, 1);
	assert_true(seen.hpa == rig_hpa(rig, PAGE + OFFSET));
	assert_false(seen.write);
	assert_true(mmu_direct_fault(&rig->mmu, &rig->cpu[0], OTHER));
	assert_true(rig_walk(rig, root, OTHER).write);
	assert_true(mmu_direct_fault(&rig->mmu, &rig->cpu[0], FRAME_2M + 4 * MIB));
	assert_int_equal(rig_walk(rig, root, FRAME_2M + 4 * MIB).level, 2);
	finish(rig);
}

/* One fault fills the leaf, if it has to; the next one is the caller's. */
static void assert_performed(struct rig *rig, const struct guest_tables *tables, uint64_t address,
                             uint32_t access, uint64_t gpa)
{
	struct page_fault fault = {.address = address, .access = access | ACCESS_WRITE};
	enum fault_result result = mmu_fault(&rig->mmu, &rig->cpu[0], tables, &fault);

	if (result == FAULT_FILLED)
		result = mmu_fault(&rig->mmu, &rig->cpu[0], tables, &fault);
	assert_int_equal(result, FAULT_READ_ONLY);
	assert_true(fault.gpa == gpa);
}

/* The same for any access. */
static void assert_hidden(struct rig *rig, const struct guest_tables *tables, uint64_t address,
                          uint32_t access, uint64_t gpa)
{
	struct page_fault fault = {.address = address, .access = access};
	enum fault_result result = FAULT_FILLED;

	for (unsigned int i = 0; i < 3 && result == FAULT_FILLED; i++)
		result = mmu_fault(&rig->mmu, &rig->cpu[0], tables, &fault);
	assert_int_equal(result, FAULT_READ_ONLY);
	assert_true(fault.gpa == gpa);
}

static void check_npt02(enum pt_format_id id, bool track)
{
	struct rig *rig = new_rig(track);
	struct guest_tables tables = rig_guest(id, MODE_NX | MODE_PSE, 48, rig_new_table(rig));
	struct page_fault fault = {.address = ADDRESS, .access = ACCESS_WRITE};
	uint64_t root;

	mmu_direct_root(&rig->mmu, &rig->cpu[0]);
	rig_put(rig, &tables, ADDRESS, 1, PAGE | E_CLEAN);
	rig_put(rig, &tables, LARGE, 2, (PAGE & ~(4 * MIB - 1)) | E_LARGE);
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	assert_int_equal(rig_access(rig, 0, &tables, ADDRESS + OFFSET, 0), RIG_OK);
	assert_performed(rig, &tables, ADDRESS + OFFSET, 0, PAGE + OFFSET);
	assert_true(rig_get(rig, &tables, ADDRESS, 1) & PTE_D);
	assert_int_equal(rig_access(rig, 0, &tables, ADDRESS + OFFSET, 0), RIG_OK);
	assert_false(rig_walk(rig, root, ADDRESS).write);
	/* By a large page, too; what is beside it stays writable. */
	assert_performed(rig, &tables, LARGE + (PAGE & (4 * MIB - 1)) + 0xb0, 0, PAGE + 0xb0);
	assert_int_equal(rig_access(rig, 0, &tables, LARGE + (OTHER & (4 * MIB - 1)), ACCESS_WRITE),
	                 RIG_OK);
	/* A flush finds nothing that has to change. */
	mmu_flush_asid(&rig->cpu[0], ASID);
	mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	assert_performed(rig, &tables, ADDRESS + OFFSET, 0, PAGE + OFFSET);
	assert_false(rig_walk(rig, root, ADDRESS).write);
	/* What L1's tables deny is L1's. */
	rig_put(rig, &tables, ADDRESS, 1, PAGE | E_READ_ONLY);
	assert_int_equal(mmu_fault(&rig->mmu, &rig->cpu[0], &tables, &fault), FAULT_REFLECT);
	finish(rig);
}

static void npt02(void **state)
{
	(void)state;
	check_npt02(PT_2LEVEL, false);
	check_npt02(PT_2LEVEL, true);
	check_npt02(PT_4LEVEL, false);
	check_npt02(PT_4LEVEL, true);
}

/* One that is hidden has no leaf at all, be it that an entry comes to lead there. */
static void check_hidden(enum pt_format_id id)
{
	struct rig *rig = new_rig(false);
	struct guest_tables tables = rig_guest(id, MODE_NX | MODE_PSE, 48, rig_new_table(rig));
	struct page_fault fault = {.address = ADDRESS};
	uint64_t root;

	rig->hidden = true;
	mmu_direct_root(&rig->mmu, &rig->cpu[0]);
	rig_put(rig, &tables, ADDRESS, 1, OTHER | E_CLEAN);
	rig_put(rig, &tables, ADDRESS + 0x1000, 1, PAGE | E_PAGE);
	rig_put(rig, &tables, LARGE, 2, (PAGE & ~(4 * MIB - 1)) | E_LARGE);
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	assert_int_equal(rig_access(rig, 0, &tables, ADDRESS, 0), RIG_OK);
	for (uint32_t access = 0; access <= ACCESS_WRITE; access += ACCESS_WRITE) {
		assert_hidden(rig, &tables, ADDRESS + 0x1000 + OFFSET, access, PAGE + OFFSET);
		assert_hidden(rig, &tables, LARGE + (PAGE & (4 * MIB - 1)), access, PAGE);
	}
	assert_int_equal(rig_walk(rig, root, ADDRESS + 0x1000).status, HOST_MISSING);
	/* Its leaf was there for another page: by a fault, and by a flush. */
	rig_put(rig, &tables, ADDRESS, 1, PAGE | E_CLEAN);
	assert_hidden(rig, &tables, ADDRESS, ACCESS_WRITE, PAGE);
	assert_int_equal(rig_walk(rig, root, ADDRESS).status, HOST_MISSING);
	rig_put(rig, &tables, ADDRESS, 1, OTHER | E_PAGE);
	mmu_flush_asid(&rig->cpu[0], ASID);
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	assert_int_equal(rig_access(rig, 0, &tables, ADDRESS, 0), RIG_OK);
	rig_put(rig, &tables, ADDRESS, 1, PAGE | E_PAGE);
	mmu_flush_asid(&rig->cpu[0], ASID);
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	assert_int_equal(rig_walk(rig, root, ADDRESS).status, HOST_MISSING);
	assert_int_equal(mmu_fault(&rig->mmu, &rig->cpu[0], &tables, &fault), FAULT_READ_ONLY);
	finish(rig);
}

static void hidden(void **state)
{
	(void)state;
	check_hidden(PT_2LEVEL);
	check_hidden(PT_4LEVEL);
}

/* NPT01, and the tables of an L1 that pages itself. */
static void hidden_from_l1(void **state)
{
	struct rig *rig = new_rig(false);
	uint64_t root = mmu_direct_root(&rig->mmu, &rig->cpu[0]);
	struct own_bench bench, *b = &bench;

	(void)state;
	rig->hidden = true;
	mmu_direct_fault(&rig->mmu, &rig->cpu[0], PAGE + OFFSET);
	assert_int_equal(rig_walk(rig, root, PAGE + OFFSET).status, HOST_MISSING);
	assert_true(mmu_direct_fault(&rig->mmu, &rig->cpu[0], OTHER));
	assert_int_equal(rig_walk(rig, root, OTHER).status, HOST_OK);
	finish(rig);
	own_begin(b, PT_4LEVEL, MODE_PSE | MODE_WP);
	b->rig->read_only = OWN_PAGE;
	b->rig->hidden = true;
	rig_put(b->rig, &b->tables, ADDRESS, 1, OWN_PAGE | E_CLEAN);
	own_mov_cr3(b);
	assert_hidden(b->rig, &b->tables, ADDRESS + OFFSET, ACCESS_USER, OWN_PAGE + OFFSET);
	rig_put(b->rig, &b->tables, ADDRESS, 1, 0);
	own_mov_cr3(b);
	own_end(b);
}

/* The page moves: no leaf stays as it was, in whatever tables. */
static void it_moves(void **state)
{
	struct rig *rig = new_rig(true);
	struct guest_tables tables = rig_guest(PT_4LEVEL, MODE_NX, 48, rig_new_table(rig));
	uint64_t npt01 = mmu_direct_root(&rig->mmu, &rig->cpu[0]), root;
	uint64_t at = LARGE + (OTHER & (2 * MIB - 1));

	(void)state;
	rig_put(rig, &tables, ADDRESS, 1, PAGE | E_PAGE);
	rig_put(rig, &tables, LARGE, 2, (PAGE & ~(2 * MIB - 1)) | E_LARGE);
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	assert_performed(rig, &tables, ADDRESS, 0, PAGE);
	assert_int_equal(rig_access(rig, 0, &tables, at, ACCESS_WRITE), RIG_OK);
	mmu_direct_fault(&rig->mmu, &rig->cpu[0], PAGE);
	mmu_direct_fault(&rig->mmu, &rig->cpu[0], OTHER);
	rig->read_only = OTHER;
	rig->flushes = 0;
	mmu_drop_page(&rig->mmu, PAGE);
	mmu_drop_page(&rig->mmu, OTHER);
	assert_true(rig->flushes >= 2);
	assert_int_equal(rig_walk(rig, npt01, PAGE).status, HOST_MISSING);
	assert_int_equal(rig_walk(rig, npt01, OTHER).status, HOST_MISSING);
	assert_int_equal(rig_access(rig, 0, &tables, ADDRESS, ACCESS_WRITE), RIG_OK);
	assert_performed(rig, &tables, at + OFFSET, 0, OTHER + OFFSET);
	assert_false(rig_walk(rig, root, at).write);
	assert_true(mmu_direct_fault(&rig->mmu, &rig->cpu[0], PAGE));
	assert_true(rig_walk(rig, npt01, PAGE).write);
	finish(rig);
}

/* A table of the guest's that becomes read-only: what was written before is not lost. */
static void it_moves_over_a_table(void **state)
{
	struct rig *rig = new_rig(true);
	struct guest_tables tables = rig_guest(PT_4LEVEL, MODE_NX, 48, rig_new_table(rig));
	uint64_t npt01 = mmu_direct_root(&rig->mmu, &rig->cpu[0]), table, root;
	struct host_result seen;

	(void)state;
	rig_put(rig, &tables, ADDRESS, 1, PAGE | E_PAGE);
	table = rig_entry(rig, &tables, ADDRESS, 1) & ~0xfffull;
	mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	assert_int_equal(rig_access(rig, 0, &tables, ADDRESS, 0), RIG_OK);
	mmu_direct_fault(&rig->mmu, &rig->cpu[0], table);
	mmu_direct_flushed(&rig->cpu[0]);
	mmu_flush_asid(&rig->cpu[0], ASID);
	mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	/* L1 writes, and the processor says so. */
	rig_put(rig, &tables, ADDRESS, 1, OTHER | E_PAGE);
	seen = rig_walk(rig, npt01, table);
	assert_int_equal(seen.level, 1);
	*seen.leaf |= PTE_D;
	rig->read_only = table;
	mmu_drop_page(&rig->mmu, table);
	mmu_flush_asid(&rig->cpu[0], ASID);
	root = mmu_load_root(&rig->mmu, &rig->cpu[0], &tables, ASID);
	assert_int_equal(rig_access(rig, 0, &tables, ADDRESS, 0), RIG_OK);
	seen = rig_walk(rig, root, ADDRESS);
	assert_true(seen.hpa == OTHER);
	finish(rig);
}

static void check_own(enum pt_format_id id)
{
	struct own_bench bench, *b = &bench;
	struct page_fault fault = {.address = ADDRESS, .access = ACCESS_WRITE};

	own_begin(b, id, MODE_PSE | MODE_WP);
	b->rig->read_only = OWN_PAGE;
	rig_put(b->rig, &b->tables, ADDRESS, 1, OWN_PAGE | E_CLEAN);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, ACCESS_USER), RIG_OK);
	assert_performed(b->rig, &b->tables, ADDRESS + OFFSET, ACCESS_USER, OWN_PAGE + OFFSET);
	assert_performed(b->rig, &b->tables, ADDRESS + OFFSET, 0, OWN_PAGE + OFFSET);
	assert_false(own_look(b, ADDRESS).write);
	own_mov_cr3(b);
	assert_performed(b->rig, &b->tables, ADDRESS + OFFSET, 0, OWN_PAGE + OFFSET);
	rig_put(b->rig, &b->tables, ADDRESS, 1, OWN_PAGE | E_READ_ONLY);
	assert_int_equal(mmu_fault(b->mmu, b->cpu, &b->tables, &fault), FAULT_REFLECT);
	rig_put(b->rig, &b->tables, ADDRESS, 1, 0);
	own_mov_cr3(b);
	own_end(b);
}

static void l1_paging(void **state)
{
	(void)state;
	for (enum pt_format_id id = PT_2LEVEL; id <= PT_5LEVEL; id++)
		check_own(id);
}

/* CR0.WP=0: a supervisor's write passes to what is read-only, and a user reads it afterwards. */
static void l1_paging_past_wp(void **state)
{
	struct own_bench bench, *b = &bench;

	(void)state;
	own_begin(b, PT_2LEVEL, 0);
	b->rig->read_only = OWN_PAGE;
	rig_put(b->rig, &b->tables, ADDRESS, 1, OWN_PAGE | E_READ_ONLY);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS, ACCESS_USER), RIG_OK);
	assert_performed(b->rig, &b->tables, ADDRESS + OFFSET, 0, OWN_PAGE + OFFSET);
	assert_false(own_look(b, ADDRESS).write);
	assert_int_equal(own_touch(b, ADDRESS, ACCESS_USER), RIG_OK);
	own_end(b);
}

static void l1_paging_off(void **state)
{
	struct own_bench bench, *b = &bench;
	struct guest_tables off = own_direct();
	uint64_t root;

	(void)state;
	own_begin(b, PT_2LEVEL, 0);
	b->rig->read_only = OWN_PAGE;
	root = mmu_load_root(b->mmu, b->cpu, &off, L1_ASID);
	assert_int_equal(own_touch_by(b, &off, root, OWN_OTHER, ACCESS_WRITE), RIG_OK);
	assert_performed(b->rig, &off, OWN_PAGE + OFFSET, 0, OWN_PAGE + OFFSET);
	b->rig->read_only = OWN_OTHER;
	mmu_drop_page(b->mmu, OWN_PAGE);
	mmu_drop_page(b->mmu, OWN_OTHER);
	assert_int_equal(own_touch_by(b, &off, root, OWN_PAGE, ACCESS_WRITE), RIG_OK);
	assert_performed(b->rig, &off, OWN_OTHER + OFFSET, 0, OWN_OTHER + OFFSET);
	own_end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(npt01),          cmocka_unit_test(npt02),
		cmocka_unit_test(it_moves),       cmocka_unit_test(it_moves_over_a_table),
		cmocka_unit_test(l1_paging),      cmocka_unit_test(l1_paging_past_wp),
		cmocka_unit_test(l1_paging_off),  cmocka_unit_test(hidden),
		cmocka_unit_test(hidden_from_l1),
	};

	return cmocka_run_group_tests_name("read_only", tests, NULL, NULL);
}
