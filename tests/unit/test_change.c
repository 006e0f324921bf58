/*
 * What others make of shared shadow pages while an ASID does not run: it may not see that, unless
 * L1's tables still say so when it does. One processor with two ASIDs and two processors alike.
 */
#include "mmu/change.h"
#include "tests/unit/cpus_test.h"

enum { OTHER_ASID = 6, ROUNDS = 5 };

#define FRAME_C (4 * GIB + 0x9000)
#define OTHER   (ADDRESS + 0x1000)

/* Who runs: an ASID on a processor. */
struct runner {
	unsigned int cpu;
	uint32_t asid;
};

static const struct runner first = {0, ASID};
static const struct runner others[] = {{0, OTHER_ASID}, {1, ASID}, {1, OTHER_ASID}};

enum { OTHERS = sizeof(others) / sizeof(*others) };

static uint64_t enter(struct machine *m, struct runner who)
{
	struct mmu_cpu *cpu = &m->cpu[who.cpu];
	uint64_t root = mmu_current_root(m->mmu, cpu, &m->tables, who.asid);

	return root ? root : mmu_load_root(m->mmu, cpu, &m->tables, who.asid);
}

/* VMRUN without a flush, and where the address leads to. */
static uint64_t sees(struct machine *m, struct runner who, uint64_t address)
{
	uint64_t root = enter(m, who);

	assert_int_equal(rig_access(m->rig, who.cpu, &m->tables, address, 0), RIG_OK);
	return rig_walk(m->rig, root, address).hpa;
}

/* L1 writes by processor 0. */
static void store(struct machine *m, uint64_t gpa, uint64_t entry)
{
	*reach(m, 0, gpa & ~0xfffull) |= PTE_D;
	ram_write(&m->rig->ram, gpa, 8, entry);
}

/* The entry for a page near ADDRESS; without a frame it is not present. */
static void put(struct machine *m, uint64_t address, uint64_t frame)
{
	store(m, m->table + 8 * (address >> 12 & 511), frame ? frame | E_PAGE : 0);
}

static void flush(struct machine *m, struct runner who)
{
	mmu_flush_asid(&m->cpu[who.cpu], who.asid);
}

/* The scene of two ASIDs for which L1 writes the entry anew each time: no TLB ever mixes them. */
static void each_asid_keeps_its_own(void **state)
{
	struct machine *m = *state;

	for (unsigned int i = 0; i < OTHERS; i++) {
		flush(m, first);
		flush(m, others[i]);
		for (int round = 0; round < ROUNDS; round++) {
			put(m, ADDRESS, FRAME_A);
			assert_int_equal(sees(m, first, ADDRESS), FRAME_A);
			put(m, ADDRESS, FRAME_B);
			assert_int_equal(sees(m, others[i], ADDRESS), FRAME_B);
		}
	}
}

static void what_another_filled_meanwhile_is_read_again(void **state)
{
	struct machine *m = *state;

	for (unsigned int i = 0; i < OTHERS; i++) {
		put(m, ADDRESS, 0);
		put(m, OTHER, FRAME_C);
		flush(m, first);
		flush(m, others[i]);
		sees(m, first, OTHER);
		put(m, ADDRESS, FRAME_B);
		assert_int_equal(sees(m, others[i], ADDRESS), FRAME_B);
		put(m, ADDRESS, FRAME_A);
		assert_int_equal(sees(m, first, ADDRESS), FRAME_A);
	}
}

static void what_anothers_flush_compared_meanwhile_is_read_again(void **state)
{
	struct machine *m = *state;

	for (unsigned int i = 0; i < OTHERS; i++) {
		put(m, ADDRESS, FRAME_A);
		flush(m, first);
		flush(m, others[i]);
		assert_int_equal(sees(m, first, ADDRESS), FRAME_A);
		put(m, ADDRESS, FRAME_B);
		flush(m, others[i]);
		assert_int_equal(sees(m, others[i], ADDRESS), FRAME_B);
		put(m, ADDRESS, FRAME_C);
		assert_int_equal(sees(m, first, ADDRESS), FRAME_C);
	}
}

/*
 * A table came back meanwhile, and its entries are those of before: nothing in it changed then, but
 * to whom it is new it may not show what was overwritten before its ASID came to it.
 */
static void what_became_reachable_meanwhile_is_read_again(void **state)
{
	struct machine *m = *state;
	uint64_t upper = rig_entry(m->rig, &m->tables, ADDRESS, 2);
	uint64_t link = ram_read(&m->rig->ram, upper, 8);

	for (unsigned int i = 0; i < OTHERS; i++) {
		put(m, ADDRESS, FRAME_A);
		flush(m, first);
		flush(m, others[i]);
		assert_int_equal(sees(m, first, ADDRESS), FRAME_A);
		store(m, upper, 0);
		flush(m, first);
		enter(m, first);
		store(m, upper, link);
		assert_int_equal(sees(m, others[i], ADDRESS), FRAME_A);
		put(m, ADDRESS, FRAME_C);
		assert_int_equal(sees(m, first, ADDRESS), FRAME_C);
	}
}

/* The ring has room for so many changes; after more all that was written is read. */
static void more_changes_than_are_remembered(void **state)
{
	struct machine *m = *state;

	for (unsigned int pages = MMU_CHANGES - 4; pages < MMU_CHANGES + 4; pages++) {
		uint64_t begin = m->mmu->changes;

		put(m, ADDRESS, 0);
		flush(m, first);
		enter(m, first);
		for (unsigned int i = 0; i < pages; i++)
			put(m, ADDRESS + 0x1000 * i, FRAME_B);
		flush(m, others[0]);
		for (unsigned int i = 0; i < pages; i++)
			sees(m, others[0], ADDRESS + 0x1000 * i);
		assert_true(m->mmu->changes - begin >= pages);
		for (unsigned int i = 0; i < pages; i++)
			put(m, ADDRESS + 0x1000 * i, FRAME_C);
		for (unsigned int i = 0; i < pages; i++)
			assert_int_equal(sees(m, first, ADDRESS + 0x1000 * i), FRAME_C);
		for (unsigned int i = 0; i < pages; i++)
			put(m, ADDRESS + 0x1000 * i, 0);
		flush(m, first);
		enter(m, first);
	}
}

/* Two that fill in turn tables that nobody edits: entries are looked at, never a whole table. */
static void filling_in_turn_costs_no_sync(void **state)
{
	struct machine *m = *state;
	enum { PAGES = 100 };

	for (unsigned int i = 0; i < PAGES; i++)
		put(m, ADDRESS + 0x1000 * i, FRAME_B + 0x10000 * i);
	for (unsigned int i = 0; i < OTHERS; i++) {
		struct mmu_counters before[2];

		flush(m, first);
		flush(m, others[i]);
		sees(m, first, ADDRESS);
		sees(m, others[i], ADDRESS);
		before[0] = m->cpu[0].counters;
		before[1] = m->cpu[1].counters;
		for (unsigned int n = 1; n < PAGES; n++)
			sees(m, n % 2 ? first : others[i], ADDRESS + 0x1000 * n);
		for (unsigned int cpu = 0; cpu < 2; cpu++) {
			assert_int_equal(m->cpu[cpu].counters.syncs, before[cpu].syncs);
			assert_int_equal(m->cpu[cpu].counters.collects, before[cpu].collects);
			assert_int_equal(m->cpu[cpu].counters.tables_read, before[cpu].tables_read);
		}
	}
}

/* L1 writes FRAME_C over FRAME_B, and the first one is entered, when FRAME_B is asked for. */
static struct {
	struct machine *m;
	uint64_t root;
} amid;

static void write_and_enter(struct rig *rig, uint64_t gpa)
{
	if (gpa != FRAME_B)
		return;
	rig->on_map = NULL;
	put(amid.m, ADDRESS, FRAME_C);
	amid.root =
		mmu_current_root(amid.m->mmu, &amid.m->cpu[first.cpu], &amid.m->tables, first.asid);
}

static void prepare(struct machine *m, uint64_t frame)
{
	put(m, ADDRESS, frame);
	put(m, OTHER, FRAME_A);
	flush(m, first);
	flush(m, others[1]);
	sees(m, others[1], OTHER);
	sees(m, first, frame ? ADDRESS : OTHER);
	enter(m, others[1]);
	enter(m, first);
	put(m, ADDRESS, FRAME_B);
	amid.m = m;
	amid.root = 0;
	m->rig->on_map = write_and_enter;
	m->mmu->maps++; /* else nobody asks */
}

static void check_amid(struct machine *m)
{
	assert_null(m->rig->on_map);
	assert_int_not_equal(amid.root, 0);
	assert_int_not_equal(rig_walk(m->rig, amid.root, ADDRESS).hpa, FRAME_B);
	assert_int_equal(sees(m, others[1], ADDRESS), FRAME_C);
}

/* Whoever is entered without the lock, amid the work of another, never sees what was before. */
static void who_is_entered_amid_a_fault_sees_nothing_older(void **state)
{
	struct machine *m = *state;

	prepare(m, 0);
	assert_int_equal(rig_access(m->rig, 1, &m->tables, ADDRESS, 0), RIG_OK);
	check_amid(m);
}

static void who_is_entered_amid_a_comparison_sees_nothing_older(void **state)
{
	struct machine *m = *state;

	prepare(m, FRAME_A);
	flush(m, others[1]);
	enter(m, others[1]);
	check_amid(m);
}

static uint64_t catch_ups(const struct machine *m)
{
	return m->cpu[0].counters.catch_ups + m->cpu[1].counters.catch_ups;
}

/* Nothing new, no lock: neither what one has filled oneself counts, nor what only one can reach. */
static void ones_own_changes_are_not_new(void **state)
{
	struct machine *m = *state;
	struct guest_tables pae = rig_guest(PT_PAE, MODE_NX, 48, rig_new_table(m->rig));
	uint64_t seen;

	put(m, ADDRESS, FRAME_A);
	put(m, OTHER, FRAME_B);
	for (unsigned int i = 0; i < OTHERS; i++) {
		flush(m, first);
		flush(m, others[i]);
		enter(m, others[i]);
		sees(m, first, ADDRESS);
		sees(m, first, OTHER);
		assert_int_not_equal(mmu_current_root(m->mmu, m->cpu, &m->tables, first.asid), 0);
		/* Both have seen all. */
		enter(m, others[i]);
		enter(m, first);
		seen = catch_ups(m);
		for (int round = 0; round < ROUNDS; round++) {
			enter(m, first);
			enter(m, others[i]);
		}
		assert_int_equal(catch_ups(m), seen);
	}
	rig_put(m->rig, &pae, 0x40000000, 1, FRAME_A | E_PAGE);
	mmu_load_root(m->mmu, &m->cpu[1], &pae, ASID);
	assert_int_equal(rig_access(m->rig, 1, &pae, 0x40000000, 0), RIG_OK);
	seen = m->mmu->changes;
	mmu_flush_asid(&m->cpu[0], OTHER_ASID);
	mmu_load_root(m->mmu, &m->cpu[0], &pae, OTHER_ASID);
	assert_int_equal(rig_access(m->rig, 0, &pae, 0x40000000, 0), RIG_OK);
	assert_int_equal(m->mmu->changes, seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_asid_keeps_its_own),
		TEST(what_another_filled_meanwhile_is_read_again),
		TEST(what_anothers_flush_compared_meanwhile_is_read_again),
		TEST(what_became_reachable_meanwhile_is_read_again),
		TEST(more_changes_than_are_remembered),
		TEST(who_is_entered_amid_a_fault_sees_nothing_older),
		TEST(who_is_entered_amid_a_comparison_sees_nothing_older),
		TEST(filling_in_turn_costs_no_sync),
		TEST(ones_own_changes_are_not_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
