/*
 * The permission maps of L2: L1's merged with L0's, again only when L1's was written (AMD64 APM
 * vol. 2, sections 15.10.1, 15.11; svm/nested/maps.c). mmu/, which would tell, is the test.
 */
#include "tests/unit/nested_rig.h"
#include "svm/emulate/ports.h"

enum { MSRPM_WORDS = MSRPM_SIZE / 8, IOPM_WORDS = IOPM_SIZE / 8, MISC1 = INTERCEPT_MISC1 };

static uint64_t *l1_map(uint64_t gpa)
{
	return (uint64_t *)&ram[gpa - RAM];
}

/* VMRUN, and what VMCB02 has for a map. */
static uint64_t msrpm_of_l2(uint64_t gpa)
{
	good_vmcb12();
	vmcb12->control.intercepts[MISC1] = MISC1_MSR_PROT;
	vmcb12->control.msrpm_base_pa = gpa;
	assert_true(vmrun());
	nested_exit(&vcpu, VMEXIT_INTR, 0, 0);
	return vmcb02.control.msrpm_base_pa;
}

static uint64_t iopm_of_l2(uint64_t gpa)
{
	good_vmcb12();
	vmcb12->control.intercepts[MISC1] = MISC1_IOIO_PROT;
	vmcb12->control.iopm_base_pa = gpa;
	assert_true(vmrun());
	nested_exit(&vcpu, VMEXIT_INTR, 0, 0);
	return vmcb02.control.iopm_base_pa;
}

static void assert_merged(const uint64_t *merged, const uint64_t *l1, const uint64_t *l0,
                          unsigned int words)
{
	for (unsigned int i = 0; i < words; i++)
		assert_int_equal(merged[i], l1[i] | l0[i]);
}

static void fill(uint64_t *map, unsigned int words, uint64_t with)
{
	for (unsigned int i = 0; i < words; i++)
		map[i] = with << i % 3 | 1ull << i % 64;
}

static void either_intercepts(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	fill(vcpu.msrpm01, MSRPM_WORDS, 0x5);
	fill(l1_map(MSRPM12), MSRPM_WORDS, 0x3000);
	for (unsigned int low = 0; low < 2; low++) {
		assert_int_equal(msrpm_of_l2(MSRPM12 | (low ? 0xfff : 0)), MERGED_MSRPM_HPA);
		assert_merged(merged_msrpms[0], l1_map(MSRPM12), vcpu.msrpm01, MSRPM_WORDS);
	}
	assert_int_equal(frames_watched(), 2);
}

/* L1 that has no map: L0's own. */
static void without_l1s_intercept(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	assert_true(vmrun());
	assert_int_equal(vmcb02.control.msrpm_base_pa, MSRPM01_HPA);
	assert_int_equal(vmcb02.control.iopm_base_pa, IOPM01_HPA);
	assert_int_equal(frames_watched(), 0);
}

static void merged_again_when_written(void **state)
{
	enum { PAGE = (MSRPM12 - RAM) / PAGE_SIZE };

	(void)state;
	for (unsigned int page = 0; page < 2; page++) {
		machine(ALL_FEATURES, true);
		msrpm_of_l2(MSRPM12);
		merged_msrpms[0][7] = 0x77; /* so a merge would show */
		msrpm_of_l2(MSRPM12);
		assert_int_equal(merged_msrpms[0][7], 0x77);
		l1_map(MSRPM12)[page * 512 + 9] = 0x99;
		frames[PAGE + page].written = true;
		assert_int_equal(msrpm_of_l2(MSRPM12), MERGED_MSRPM_HPA);
		assert_merged(merged_msrpms[0], l1_map(MSRPM12), vcpu.msrpm01, MSRPM_WORDS);
		/* Another map of its own, and one that shares the other's second page. */
		merged_msrpms[0][7] = 0x77;
		assert_int_equal(msrpm_of_l2(OTHER_MSRPM12), MERGED_MSRPM_HPA + MSRPM_SIZE);
		assert_int_equal(msrpm_of_l2(MSRPM12 + 0x1000), MERGED_MSRPM_HPA + 2 * MSRPM_SIZE);
		assert_merged(merged_msrpms[2], l1_map(MSRPM12 + 0x1000), vcpu.msrpm01,
		              MSRPM_WORDS);
		l1_map(MSRPM12)[512 + 11] = 0xaa;
		frames[PAGE + 1].written = true;
		msrpm_of_l2(MSRPM12 + 0x1000);
		assert_merged(merged_msrpms[2], l1_map(MSRPM12 + 0x1000), vcpu.msrpm01,
		              MSRPM_WORDS);
		msrpm_of_l2(MSRPM12); /* the write was told of once, and counts for both */
		assert_merged(merged_msrpms[0], l1_map(MSRPM12), vcpu.msrpm01, MSRPM_WORDS);
	}
}

/* More maps than are kept: the oldest goes, and is no longer watched where no other needs it. */
static void the_oldest_is_given_up(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	for (unsigned int i = 0; i < 3 * MERGED_MSRPMS; i++) {
		uint64_t gpa = RAM + (2 + i) * PAGE_SIZE; /* each shares a page with the next */
		unsigned int kept = i % MERGED_MSRPMS;

		l1_map(gpa)[3] = i;
		assert_int_equal(msrpm_of_l2(gpa), MERGED_MSRPM_HPA + kept * MSRPM_SIZE);
		assert_merged(merged_msrpms[kept], l1_map(gpa), vcpu.msrpm01, MSRPM_WORDS);
	}
	for (unsigned int i = 0; i < RAM_PAGES; i++) /* four maps, five frames */
		assert_int_equal(frames[i].watched, i >= 10 && i <= 14);
	/* It was given up: it is read anew. */
	l1_map(RAM + 2 * PAGE_SIZE)[3] = 0x123;
	assert_int_equal(msrpm_of_l2(RAM + 2 * PAGE_SIZE), MERGED_MSRPM_HPA);
	assert_int_equal(merged_msrpms[0][3], 0x123);
}

/* Where L1 has no memory a map reads as ones; a page of it is enough to tell. */
static void maps_that_are_not_there(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	msrpm_of_l2(RAM + sizeof(ram) - PAGE_SIZE);
	for (unsigned int i = 0; i < MSRPM_WORDS; i++)
		assert_int_equal(merged_msrpms[0][i], i < 512 ? 0 : ~0ull);
	assert_int_equal(iopm_of_l2(RAM + sizeof(ram)), ALL_ONES_HPA);
	assert_int_equal(iopm_of_l2(RAM + sizeof(ram) - 2 * PAGE_SIZE), ALL_ONES_HPA);
	assert_int_equal(iopm_of_l2((1ull << PHYS_BITS) - IOPM_SIZE), ALL_ONES_HPA);
}

/* Nothing is watched yet: L1's own map serves. */
static void an_iopm_as_it_is(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	assert_int_equal(iopm_of_l2(IOPM12 | 0x123), IOPM12);
	assert_int_equal(frames_watched(), 0);
}

/* Ports from 7FFEh on, across two pages of the map: L1's serves only if it has all of them. */
static void an_iopm_that_lacks_a_port(void **state)
{
	enum { FIRST = 0x7ffe, PORTS = 4 };
	static const struct port_watcher watcher;

	(void)state;
	ports_watch(FIRST, PORTS, &watcher);
	machine(ALL_FEATURES, true);
	assert_true(vmrun()); /* L1 has no map, and L0 needs one now */
	assert_true(vmcb02.control.intercepts[MISC1] & MISC1_IOIO_PROT);
	for (unsigned int has = 0; has < 1u << PORTS; has++) {
		machine(ALL_FEATURES, true);
		fill(l1_map(IOPM12), FIRST / 64, 2);
		l1_map(IOPM12)[FIRST / 64] = (uint64_t)(has & 3) << FIRST % 64;
		l1_map(IOPM12)[FIRST / 64 + 1] = has >> 2;
		if (has == (1u << PORTS) - 1) {
			assert_int_equal(iopm_of_l2(IOPM12), IOPM12);
			continue;
		}
		assert_int_equal(iopm_of_l2(IOPM12), MERGED_IOPM_HPA);
		assert_merged(merged_iopms[0], l1_map(IOPM12), iopm01, IOPM_WORDS);
		assert_int_equal(frames_watched(), 3);
	}
}

/* L2 runs: what it comes to write makes all accesses exit, until a VMRUN by which it no longer can.
 */
static void a_map_that_l2_can_write(void **state)
{
	enum { PAGE = (MSRPM12 - RAM) / PAGE_SIZE };

	(void)state;
	for (unsigned int page = 0; page < 2; page++) {
		machine(ALL_FEATURES, true);
		good_vmcb12();
		vmcb12->control.intercepts[MISC1] = MISC1_MSR_PROT;
		vmcb12->control.msrpm_base_pa = MSRPM12;
		assert_true(vmrun());
		nested_maps_renew(&vcpu); /* some other reason to flush */
		assert_int_equal(vmcb02.control.msrpm_base_pa, MERGED_MSRPM_HPA);
		assert_false(map_changed(&vcpu, MSRPM12 + MSRPM_SIZE));
		vmcb02.control.clean = CLEAN_ALL;
		assert_true(map_changed(&vcpu, MSRPM12 + page * PAGE_SIZE));
		assert_false(map_changed(&vcpu, MSRPM12 + page * PAGE_SIZE));
		nested_maps_renew(&vcpu);
		assert_int_equal(vmcb02.control.msrpm_base_pa, ALL_ONES_HPA);
		assert_int_equal(vmcb02.control.iopm_base_pa, IOPM01_HPA);
		assert_false(vmcb02.control.clean & CLEAN_IOPM);
		nested_exit(&vcpu, VMEXIT_INTR, 0, 0);
		frames[PAGE + page].open = true;
		assert_int_equal(msrpm_of_l2(MSRPM12), ALL_ONES_HPA);
		frames[PAGE + page].open = false;
		l1_map(MSRPM12)[7] = 0x1234;
		assert_int_equal(msrpm_of_l2(MSRPM12), MERGED_MSRPM_HPA);
		assert_int_equal(merged_msrpms[0][7], vcpu.msrpm01[7] | 0x1234);
	}
}

static bool drop(struct port_access *access)
{
	(void)access;
	return false;
}

/* Another processor of L1's may open its map afterwards: not where something is to be dropped. */
static void an_iopm_beside_a_watcher_that_holds(void **state)
{
	enum { FIRST = 0x604, PORTS = 2 };
	static const struct port_watcher watcher = {.write = drop};

	(void)state;
	assert_false(ports_must_hold());
	ports_watch(FIRST, PORTS, &watcher);
	assert_true(ports_must_hold());
	machine(ALL_FEATURES, true);
	memset(l1_map(IOPM12), 0xff, IOPM_SIZE);
	assert_int_equal(iopm_of_l2(IOPM12), MERGED_IOPM_HPA);
	assert_int_equal(frames_watched(), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_intercepts),
		cmocka_unit_test(without_l1s_intercept),
		cmocka_unit_test(merged_again_when_written),
		cmocka_unit_test(the_oldest_is_given_up),
		cmocka_unit_test(maps_that_are_not_there),
		cmocka_unit_test(an_iopm_as_it_is),
		cmocka_unit_test(a_map_that_l2_can_write),
		/* The last ones: ports stay watched. */
		cmocka_unit_test(an_iopm_that_lacks_a_port),
		cmocka_unit_test(an_iopm_beside_a_watcher_that_holds),
	};

	return cmocka_run_group_tests_name("nested_maps", tests, NULL, NULL);
}
