/*
 * What accesses pass by a guest's own tables: U, W and NX of two levels, CR0.WP, SMEP and SMAP, A
 * and D. The processor runs with CR0.WP=1 and EFER.NXE=1, whatever the guest has; APM vol. 2,
 * section 5.6.
 */
#include "tests/unit/own_test.h"

#define ADDRESS 0x40201000ull
#define FRAME   0x80000000ull

enum { ACCESSES = 10, RIGHTS = 8 };

static const uint64_t rights[RIGHTS] = {
	0,      PTE_W,          PTE_U,          PTE_W | PTE_U,
	PTE_NX, PTE_W | PTE_NX, PTE_U | PTE_NX, PTE_W | PTE_U | PTE_NX,
};

/*
 * Reads, writes and fetches of users, of supervisors with AC=0 and with AC=1; and with AC=1 what
 * the processor reads of descriptors: a write to them comes after that.
 */
static const uint32_t accesses[ACCESSES] = {
	ACCESS_USER,
	ACCESS_USER | ACCESS_WRITE,
	ACCESS_USER | ACCESS_FETCH,
	ACCESS_SMAP_CHECK,
	ACCESS_SMAP_CHECK | ACCESS_WRITE,
	ACCESS_FETCH,
	0,
	ACCESS_WRITE,
	ACCESS_FETCH,
	ACCESS_SMAP_CHECK | OWN_IMPLICIT,
};

static uint64_t read_ram(void *context, uint64_t gpa, unsigned int size)
{
	return ram_read(context, gpa, size);
}

static int expected(struct own_bench *b, uint32_t access)
{
	struct ref_mode mode = rig_ref_mode(&b->tables.mode);
	struct ref_access how = {.write = access & ACCESS_WRITE,
	                         .user = access & ACCESS_USER,
	                         .fetch = access & ACCESS_FETCH,
	                         .ac = !(access & ACCESS_SMAP_CHECK)};
	struct ref_result result =
		ref_walk(&mode, b->tables.root, ADDRESS, how, read_ram, &b->rig->ram);

	return result.fault ? REFLECTED((int)result.code) : RIG_OK;
}

/* Without CR0.WP a page that a supervisor wrote is its own: SMAP does not hold there. */
static bool is_inexact(uint32_t flags, uint32_t access)
{
	return !(flags & MODE_WP) && (flags & MODE_SMAP) && (access & ACCESS_SMAP_CHECK);
}

/* Each access behind each other one, as what was there before may have changed an spte. */
static void try_accesses(struct own_bench *b, uint32_t flags)
{
	for (int first = 0; first < ACCESSES; first++) {
		for (int second = 0; second < ACCESSES; second++) {
			int code = expected(b, accesses[first]);

			if (!is_inexact(flags, accesses[first]))
				assert_int_equal(own_touch(b, ADDRESS, accesses[first]), code);
			code = expected(b, accesses[second]);
			if (!is_inexact(flags, accesses[second]))
				assert_int_equal(own_touch(b, ADDRESS, accesses[second]), code);
		}
	}
}

/* Of pages that are dirty already, and of such that are to become so. */
static void try_rights(enum pt_format_id id, uint32_t flags, int upper, uint64_t dirty)
{
	struct own_bench b;
	bool nx = flags & MODE_NX;
	uint64_t table;

	own_begin(&b, id, flags);
	rig_put(b.rig, &b.tables, ADDRESS, 1, 0);
	table = (rig_entry(b.rig, &b.tables, ADDRESS, upper - 1) & ~0xfffull) | PTE_P;
	for (int i = 0; i < (nx ? RIGHTS : RIGHTS / 2); i++) {
		rig_put(b.rig, &b.tables, ADDRESS, upper, table | rights[i]);
		for (int n = 0; n < (nx ? RIGHTS : RIGHTS / 2); n++) {
			ram_write(&b.rig->ram, rig_entry(b.rig, &b.tables, ADDRESS, 1),
			          b.tables.mode.format->entry_size,
			          FRAME | PTE_P | dirty | rights[n]);
			mmu_note_write(b.mmu, rig_entry(b.rig, &b.tables, ADDRESS, upper));
			mmu_note_write(b.mmu, rig_entry(b.rig, &b.tables, ADDRESS, 1));
			own_mov_cr3(&b);
			try_accesses(&b, flags);
		}
	}
	own_end(&b);
}

static void all_rights_in_all_modes(void **state)
{
	static const uint32_t modes[] = {MODE_WP, MODE_SMEP, MODE_SMAP};

	(void)state;
	for (unsigned int i = 0; i < 8; i++) {
		uint32_t flags = 0;

		for (unsigned int n = 0; n < 3; n++)
			flags |= i >> n & 1 ? modes[n] : 0;
		for (uint64_t dirty = 0; dirty <= PTE_D; dirty += PTE_D) {
			try_rights(PT_4LEVEL, flags | MODE_NX, 2, dirty);
			try_rights(PT_4LEVEL, flags | MODE_NX, 4, dirty);
			try_rights(PT_5LEVEL, flags | MODE_NX, 5, dirty);
			try_rights(PT_PAE, flags | MODE_NX, 2, dirty);
			try_rights(PT_PAE, flags, 2, dirty);
			try_rights(PT_2LEVEL, flags, 2, dirty);
		}
	}
}

/* CR0.WP=0: read-only for users is theirs to read, or the supervisor's to write; in turn. */
static void a_page_changes_hands(void **state)
{
	(void)state;
	for (int smep = 0; smep <= 1; smep++) {
		struct own_bench b;
		struct own_seen seen;

		own_begin(&b, PT_4LEVEL, MODE_NX | (smep ? MODE_SMEP : 0));
		own_put(&b, ADDRESS, 1, FRAME | E_READ_ONLY);
		own_mov_cr3(&b);
		assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
		seen = own_look(&b, ADDRESS);
		assert_true(seen.user && !seen.write && seen.execute);
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
		seen = own_look(&b, ADDRESS);
		assert_true(!seen.user && seen.write);
		assert_int_equal(seen.execute, !smep);
		assert_true(rig_get(b.rig, &b.tables, ADDRESS, 1) & PTE_D);
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_USER | ACCESS_WRITE), REFLECTED(7));
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_USER | ACCESS_FETCH), RIG_OK);
		seen = own_look(&b, ADDRESS);
		assert_true(seen.user && !seen.write && seen.execute);
		/* A flush makes it the user's again, too. */
		assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
		own_put(&b, ADDRESS + 0x1000, 1, FRAME | E_PAGE);
		own_mov_cr3(&b);
		assert_true(own_look(&b, ADDRESS).user);
		own_end(&b);
	}
}

static void a_table_changes_hands(void **state)
{
	struct own_bench b;
	uint64_t table;

	(void)state;
	own_begin(&b, PT_4LEVEL, MODE_NX | MODE_SMEP);
	own_put(&b, ADDRESS, 1, FRAME | E_PAGE);
	own_put(&b, ADDRESS + 0x1000, 1, (FRAME + 0x1000) | (E_PAGE & ~PTE_U));
	table = rig_entry(b.rig, &b.tables, ADDRESS, 1) & ~0xfffull;
	own_put(&b, ADDRESS, 2, table | E_READ_ONLY);
	own_mov_cr3(&b);
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_USER), RIG_OK);
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
	assert_true(own_look(&b, ADDRESS).write && !own_look(&b, ADDRESS).user);
	assert_false(own_look(&b, ADDRESS).execute);
	/* A page of the supervisor's in the same table: it may be executed. */
	assert_int_equal(own_touch(&b, ADDRESS + 0x1000, ACCESS_FETCH), RIG_OK);
	assert_int_equal(own_touch(&b, ADDRESS + 0x1000, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_touch(&b, ADDRESS + 0x1000, ACCESS_USER), REFLECTED(5));
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_USER), RIG_OK);
	assert_true(own_look(&b, ADDRESS).user && !own_look(&b, ADDRESS).write);
	own_end(&b);
}

/* Without a user's right to anything CR0.WP=0 is plain. */
static void supervisors_pages_are_writable_at_once(void **state)
{
	struct own_bench b;
	uint64_t fills;

	(void)state;
	own_begin(&b, PT_PAE, MODE_NX);
	own_put(&b, ADDRESS, 1, FRAME | PTE_P | PTE_A | PTE_D);
	own_mov_cr3(&b);
	assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
	assert_true(own_look(&b, ADDRESS).write && own_look(&b, ADDRESS).execute);
	fills = b.mmu->counters->fills;
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
	assert_int_equal(b.mmu->counters->fills, fills);
	own_end(&b);
}

/* A on use, D on a write: until then nothing is there, or nothing to write. */
static void accessed_and_dirty(void **state)
{
	static const enum pt_format_id ids[] = {PT_2LEVEL, PT_PAE, PT_4LEVEL, PT_5LEVEL};

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		for (uint32_t wp = 0; wp <= MODE_WP; wp += MODE_WP) {
			struct own_bench b;

			own_begin(&b, ids[i], wp);
			own_put(&b, ADDRESS, 1, FRAME | PTE_P | PTE_W);
			own_put(&b, ADDRESS, 2,
			        rig_get(b.rig, &b.tables, ADDRESS, 2) & ~(PTE_A | PTE_U));
			own_mov_cr3(&b);
			assert_int_equal(own_look(&b, ADDRESS).status, OWN_MISSING);
			assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
			assert_false(own_look(&b, ADDRESS).write);
			assert_int_equal(rig_get(b.rig, &b.tables, ADDRESS, 1) & (PTE_A | PTE_D),
			                 PTE_A);
			assert_true(rig_get(b.rig, &b.tables, ADDRESS, 2) & PTE_A);
			assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
			assert_true(own_look(&b, ADDRESS).write);
			assert_true(rig_get(b.rig, &b.tables, ADDRESS, 1) & PTE_D);
			/* The guest clears both: the next use sets them again. */
			own_put(&b, ADDRESS, 1, FRAME | PTE_P | PTE_W);
			own_mov_cr3(&b);
			assert_int_equal(own_look(&b, ADDRESS).status, OWN_MISSING);
			own_put(&b, ADDRESS, 1, FRAME | PTE_P | PTE_W | PTE_A);
			assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
			own_mov_cr3(&b);
			assert_false(own_look(&b, ADDRESS).write);
			own_end(&b);
		}
	}
}

/* The guest's walk needs no A in entries that deny; what it used until then has it. */
static void faults_set_a_above_only(void **state)
{
	struct own_bench b;
	uint64_t upper;

	(void)state;
	own_begin(&b, PT_4LEVEL, MODE_WP);
	own_put(&b, ADDRESS, 1, FRAME | PTE_P | PTE_U);
	upper = rig_get(b.rig, &b.tables, ADDRESS, 2) & ~PTE_A;
	own_put(&b, ADDRESS, 2, upper);
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), REFLECTED(3));
	assert_int_equal(rig_get(b.rig, &b.tables, ADDRESS, 2), upper | PTE_A);
	assert_int_equal(rig_get(b.rig, &b.tables, ADDRESS, 1), FRAME | PTE_P | PTE_U);
	own_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_rights_in_all_modes),
		cmocka_unit_test(a_page_changes_hands),
		cmocka_unit_test(a_table_changes_hands),
		cmocka_unit_test(supervisors_pages_are_writable_at_once),
		cmocka_unit_test(accessed_and_dirty),
		cmocka_unit_test(faults_set_a_above_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
