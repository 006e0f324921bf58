/*
 * When a change in L1's tables shows: never before the processor could show it for less access,
 * never later than it must (design: once L1 has flushed the ASID on this processor). checklist.md:
 * "TLB_CONTROL 0, 1, 3, 7; an ASID that changes; nCR3 that changes".
 */
#include "tests/unit/sync_test.h"

static void less_access_shows_after_a_flush(void **state)
{
	struct machine m;
	uint64_t root;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	root = run(&m, 0, &m.a, ASID);
	assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_WRITE), RIG_OK);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_B | E_PAGE);
	assert_int_equal(run(&m, 0, &m.a, ASID), root);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_A));
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	assert_int_equal(run(&m, 0, &m.a, ASID), root);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_B));
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_B | E_READ_ONLY);
	mmu_flush_all_asids(&m.rig->cpu[0]);
	run(&m, 0, &m.a, ASID);
	assert_false(writable(&m, root, ADDRESS));
	assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_WRITE), REFLECTED(7));
	rig_put(m.rig, &m.a, ADDRESS, 1, 0);
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(seen(&m, root, ADDRESS), 0);
	assert_int_equal(touch(&m, &m.a, ADDRESS, 0), REFLECTED(4));
	end(&m);
}

static void more_access_shows_at_the_next_fault(void **state)
{
	struct machine m;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_READ_ONLY | PTE_NX);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(touch(&m, &m.a, ADDRESS, 0), RIG_OK);
	assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_FETCH), REFLECTED(0x15));
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_READ_ONLY);
	assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_FETCH), RIG_OK);
	assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_WRITE), REFLECTED(7));
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_CLEAN);
	assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig_get(m.rig, &m.a, ADDRESS, 1), FRAME_A | E_PAGE);
	end(&m);
}

static void world_switches_read_no_table(void **state)
{
	struct machine m;
	uint64_t read, syncs;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	rig_put(m.rig, &m.b, ADDRESS, 1, FRAME_B | E_PAGE);
	run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	run(&m, 0, &m.b, OTHER_ASID);
	touch(&m, &m.b, ADDRESS, 0);
	read = m.rig->mmu.counters->tables_read;
	syncs = m.rig->mmu.counters->syncs;
	for (int i = 0; i < 10; i++) {
		run(&m, 0, &m.a, ASID);
		run(&m, 0, &m.b, OTHER_ASID);
	}
	assert_int_equal(m.rig->mmu.counters->tables_read, read);
	assert_int_equal(m.rig->mmu.counters->syncs, syncs);
	/* A flush is over once each root has been synchronized. */
	mmu_flush_all_asids(&m.rig->cpu[0]);
	run(&m, 0, &m.a, ASID);
	run(&m, 0, &m.b, OTHER_ASID);
	assert_true(m.rig->mmu.counters->tables_read > read);
	read = m.rig->mmu.counters->tables_read;
	syncs = m.rig->mmu.counters->syncs;
	run(&m, 0, &m.a, ASID);
	run(&m, 0, &m.b, OTHER_ASID);
	assert_int_equal(m.rig->mmu.counters->tables_read, read);
	assert_int_equal(m.rig->mmu.counters->syncs, syncs);
	assert_int_equal(m.rig->mmu.counters->roots_built, 2);
	end(&m);
}

/*
 * From each index into L1's PAT to each other one: that an entry has the bits which its spte has
 * already, for another type, says nothing.
 */
static void a_type_that_changes(void **state)
{
	static const uint64_t pats[] = {0x0407050600070106, 0x0007010500070406, 0x0706050400010406};
	static const unsigned int chosen[8] = {6, 4, 7, 0, 5, 1, 7, 0}; /* by HOST_PAT */

	(void)state;
	for (unsigned int i = 0; i < 3 * 8 * 8; i++) {
		unsigned int from = i % 8, to = i / 8 % 8;
		uint64_t pat = pats[i / 64];
		struct machine m;
		uint64_t root;

		start(&m);
		m.rig->hpa_bit = 0;
		m.rig->mmu.identity = true;
		m.a.pat = pack_pat(pat);
		for (unsigned int n = 0; n < 2; n++) {
			unsigned int index = n ? to : from;

			rig_put(m.rig, &m.a, ADDRESS, 1,
			        FRAME_A | E_PAGE | (index & 3) << 3 | (index & 4 ? PTE_PAT : 0));
			mmu_flush_asid(&m.rig->cpu[0], ASID);
			root = run(&m, 0, &m.a, ASID);
			assert_int_equal(touch(&m, &m.a, ADDRESS, 0), RIG_OK);
			assert_int_equal(chosen[rig_walk(m.rig, root, ADDRESS).pat],
			                 pat >> (8 * index) & 7);
		}
		end(&m);
	}
}

/* The processors of an L2 share their tables and have an ASID each. */
static void one_root_under_two_asids_is_no_reason_to_read(void **state)
{
	static const enum pt_format_id formats[] = {PT_4LEVEL, PT_PAE};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct machine m;
		uint64_t read, first, second;

		start(&m);
		m.a = rig_guest(formats[i], MODE_NX, 48, m.a.root);
		rig_put(m.rig, &m.a, ADDRESS, 1, 0x80000000 | E_PAGE);
		first = run(&m, 0, &m.a, ASID);
		touch(&m, &m.a, ADDRESS, 0);
		second = run(&m, 0, &m.a, OTHER_ASID);
		touch(&m, &m.a, ADDRESS, 0);
		read = m.rig->mmu.counters->tables_read;
		for (int n = 0; n < 10; n++) {
			assert_int_equal(run(&m, 0, &m.a, ASID), first);
			assert_int_equal(run(&m, 0, &m.a, OTHER_ASID), second);
		}
		assert_int_equal(m.rig->mmu.counters->tables_read, read);
		/* Each ASID's flush is its own. */
		rig_put(m.rig, &m.a, ADDRESS, 3, 0);
		mmu_flush_asid(&m.rig->cpu[0], OTHER_ASID);
		run(&m, 0, &m.a, ASID);
		assert_int_equal(m.rig->mmu.counters->tables_read, read);
		run(&m, 0, &m.a, OTHER_ASID);
		assert_int_equal(seen(&m, second, ADDRESS), 0);
		end(&m);
	}
}

static void flushes_concern_their_asid_and_processor(void **state)
{
	struct machine m;
	uint64_t root;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	root = run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_B | E_PAGE);
	mmu_flush_asid(&m.rig->cpu[0], OTHER_ASID);
	mmu_flush_asid(&m.rig->cpu[1], ASID);
	mmu_flush_all_asids(&m.rig->cpu[2]);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_A));
	/* The same root under an ASID that it never ran under. */
	run(&m, 0, &m.a, OTHER_ASID);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_B));
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	/* And on a processor where it never ran. */
	run(&m, 1, &m.a, OTHER_ASID);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_A));
	end(&m);
}

/* checklist.md: run X under 5; edit X's tables; run Y under 5 with a flush; run X under 5. */
static void a_flush_serves_all_roots_of_the_asid(void **state)
{
	struct machine m;
	uint64_t root;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	root = run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, 0);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_B | E_PAGE);
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.b, ASID);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_B));
	end(&m);
}

static void cleared_accessed_and_dirty_bits_show_after_a_flush(void **state)
{
	struct machine m;
	uint64_t root;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	root = run(&m, 0, &m.a, ASID);
	touch(&m, &m.a, ADDRESS, ACCESS_WRITE);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_CLEAN);
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_A));
	assert_false(writable(&m, root, ADDRESS));
	assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_WRITE), RIG_OK);
	assert_int_equal(rig_get(m.rig, &m.a, ADDRESS, 1), FRAME_A | E_PAGE);
	for (int level = 1; level <= 4; level++) {
		uint64_t entry = rig_get(m.rig, &m.a, ADDRESS, level);

		rig_put(m.rig, &m.a, ADDRESS, level, entry & ~PTE_A);
		mmu_flush_asid(&m.rig->cpu[0], ASID);
		run(&m, 0, &m.a, ASID);
		assert_int_equal(seen(&m, root, ADDRESS), 0);
		assert_int_equal(touch(&m, &m.a, ADDRESS, 0), RIG_OK);
		assert_int_equal(rig_get(m.rig, &m.a, ADDRESS, level), entry);
	}
	end(&m);
}

/* Rights and targets of entries at every level. */
static void every_level_is_compared(void **state)
{
	struct machine m;
	uint64_t root;

	(void)state;
	start(&m);
	rig_put(m.rig, &m.a, ADDRESS, 1, FRAME_A | E_PAGE);
	rig_put(m.rig, &m.a, ADDRESS + GIB, 1, FRAME_B | E_PAGE);
	root = run(&m, 0, &m.a, ASID);
	for (int level = 1; level <= 4; level++) {
		uint64_t entry = rig_get(m.rig, &m.a, ADDRESS, level);

		touch(&m, &m.a, ADDRESS, ACCESS_WRITE);
		rig_put(m.rig, &m.a, ADDRESS, level, entry & ~PTE_W);
		mmu_flush_asid(&m.rig->cpu[0], ASID);
		run(&m, 0, &m.a, ASID);
		assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_WRITE), REFLECTED(7));
		rig_put(m.rig, &m.a, ADDRESS, level, entry | PTE_NX);
		mmu_flush_asid(&m.rig->cpu[0], ASID);
		run(&m, 0, &m.a, ASID);
		assert_int_equal(touch(&m, &m.a, ADDRESS, ACCESS_FETCH), REFLECTED(0x15));
		rig_put(m.rig, &m.a, ADDRESS, level, entry & ~PTE_U);
		mmu_flush_asid(&m.rig->cpu[0], ASID);
		run(&m, 0, &m.a, ASID);
		assert_int_equal(seen(&m, root, ADDRESS), 0);
		assert_int_equal(touch(&m, &m.a, ADDRESS, 0), REFLECTED(5));
		rig_put(m.rig, &m.a, ADDRESS, level, entry);
		assert_int_equal(touch(&m, &m.a, ADDRESS, 0), RIG_OK);
		assert_ok_invariants(m.rig);
	}
	/* Another table in the PDPE: that of the next GiB. */
	rig_put(m.rig, &m.a, ADDRESS, 3, rig_get(m.rig, &m.a, ADDRESS + GIB, 3));
	mmu_flush_asid(&m.rig->cpu[0], ASID);
	run(&m, 0, &m.a, ASID);
	assert_int_equal(touch(&m, &m.a, ADDRESS, 0), RIG_OK);
	assert_int_equal(seen(&m, root, ADDRESS), HPA(FRAME_B));
	end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(less_access_shows_after_a_flush),
		cmocka_unit_test(more_access_shows_at_the_next_fault),
		cmocka_unit_test(world_switches_read_no_table),
		cmocka_unit_test(a_type_that_changes),
		cmocka_unit_test(one_root_under_two_asids_is_no_reason_to_read),
		cmocka_unit_test(flushes_concern_their_asid_and_processor),
		cmocka_unit_test(a_flush_serves_all_roots_of_the_asid),
		cmocka_unit_test(cleared_accessed_and_dirty_bits_show_after_a_flush),
		cmocka_unit_test(every_level_is_compared),
	};

	return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
