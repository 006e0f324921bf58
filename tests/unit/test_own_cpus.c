/*
 * A guest's own paging on several processors: what one writes shows on another when that one
 * flushes, and what it writes amid the work of mmu/ is not forgotten.
 */
#include "tests/unit/own_table.h"

enum { SMALL_POOL = 16 };

/* The other processor's store, which takes no fault, when mmu/ looks at a table or flushes. */
static struct {
	const struct own_bench *other;
	uint64_t at, gpa;
	unsigned int looks; /* before the one that counts */
	uint64_t value;
} amid;

static void write_amid(struct rig *rig)
{
	rig->on_page = NULL;
	rig->on_flush = NULL;
	ram_write(&rig->ram, amid.gpa, amid.other->tables.mode.format->entry_size, amid.value);
}

static void on_page(struct rig *rig, uint64_t gpa)
{
	if (gpa != amid.at || amid.looks-- > 0)
		return;
	assert_true(writable(amid.other, window(amid.gpa)));
	write_amid(rig);
}

static void what_another_processor_writes_shows(void **state)
{
	struct own_bench *b = *state, other;
	uint64_t frames[] = {FRAME_B, FRAME_A, FRAME_B};

	own_second(&other, b);
	own_mov_cr3(b);
	write_to(b, ADDRESS);
	for (size_t i = 0; i < 3; i++) {
		unsigned int flushes = b->rig->flushes;

		own_put(&other, ADDRESS, 1, frames[i] | E_PAGE);
		assert_true(writable(&other, window(table_of(b, ADDRESS))));
		assert_int_not_equal(own_look(b, ADDRESS).hpa, frames[i]); /* as in a TLB */
		own_mov_cr3(b);
		assert_int_equal(own_look(b, ADDRESS).hpa, frames[i]);
		/* The other one can write no more without a fault. */
		assert_false(writable(&other, window(table_of(b, ADDRESS))));
		assert_true(b->rig->flushes > flushes);
	}
}

/* INVLPG and MOV CR3 of another processor are none of one's own. */
static void each_processor_flushes_for_itself(void **state)
{
	struct own_bench *b = *state, other;
	uint64_t second = ADDRESS + 0x1000;

	rig_put(b->rig, &b->tables, second, 1, FRAME_A | E_PAGE);
	own_second(&other, b);
	own_mov_cr3(b);
	write_to(b, ADDRESS);
	write_to(&other, second);
	own_put(b, ADDRESS, 1, FRAME_B | E_PAGE);
	own_put(b, second, 1, FRAME_B | E_PAGE);
	mmu_invlpg(b->mmu, b->cpu, &b->tables, ADDRESS);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
	mmu_invlpg(b->mmu, other.cpu, &other.tables, second);
	assert_int_equal(own_look(&other, second).hpa, FRAME_B);
	/* The table was written behind the first INVLPG, and for this one it is read again. */
	own_put(b, ADDRESS, 1, FRAME_A | E_PAGE);
	mmu_invlpg(b->mmu, other.cpu, &other.tables, ADDRESS);
	assert_int_equal(own_look(&other, ADDRESS).hpa, FRAME_A);
	own_put(b, ADDRESS, 1, FRAME_B | E_PAGE);
	own_mov_cr3(&other);
	assert_int_equal(own_look(&other, ADDRESS).hpa, FRAME_B);
}

/* PDPTEs are each processor's own registers. */
static void pdptes_are_each_processors_own(void **state)
{
	struct own_bench *b = *state, other;
	uint64_t entry = rig_get(b->rig, &b->tables, ADDRESS, 3);

	own_mov_cr3(b);
	own_second(&other, b);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_int_equal(own_touch(&other, ADDRESS, 0), RIG_OK);
	own_put(&other, ADDRESS, 3, 0);
	own_mov_cr3(&other);
	assert_int_equal(own_touch(&other, ADDRESS, 0), REFLECTED(0));
	mmu_invlpg(b->mmu, b->cpu, &b->tables, ADDRESS);
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	own_put(b, ADDRESS, 3, entry);
	own_mov_cr3(b);
	assert_int_equal(own_touch(&other, ADDRESS, 0), REFLECTED(0));
}

/*
 * The fault gives the table its first shadow, and protects it thereby. Until then another processor
 * writes it without a word, after the walk of this fault has read it.
 */
static void what_the_walk_read_before_protection_is_read_again(void **state)
{
	struct own_bench *b = *state, other;

	own_second(&other, b);
	own_mov_cr3(b);
	amid.other = &other;
	amid.gpa = rig_entry(b->rig, &b->tables, ADDRESS, 1);
	amid.at = amid.gpa & ~0xfffull;
	amid.looks = 1; /* the walk's */
	amid.value = FRAME_B | E_PAGE;
	write_to(&other, window(amid.gpa));
	b->rig->on_page = on_page;
	assert_int_equal(own_touch(b, ADDRESS, 0), RIG_OK);
	assert_null(b->rig->on_page);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
	own_mov_cr3(b);
	assert_int_equal(own_look(b, ADDRESS).hpa, FRAME_B);
}

/*
 * The fault finds the table's shadow by a new way, and compares all that is dirty: the table, too,
 * which another processor writes until it flushes. The fault's own entry has no spte yet.
 */
static void what_the_walk_read_before_a_comparison_is_read_again(void **state)
{
	struct own_bench *b = *state, other;
	uint64_t again = ADDRESS + 4 * MIB;

	rig_put(b->rig, &b->tables, again, 2, table_of(b, ADDRESS) | E_TABLE);
	rig_put(b->rig, &b->tables, ADDRESS + 0x1000, 1, FRAME_A | E_PAGE);
	own_second(&other, b);
	own_mov_cr3(b);
	assert_int_equal(own_touch(b, ADDRESS + 0x1000, 0), RIG_OK);
	amid.other = &other;
	amid.gpa = rig_entry(b->rig, &b->tables, ADDRESS, 1);
	amid.value = FRAME_B | E_PAGE;
	write_to(&other, window(amid.gpa));
	b->rig->on_flush = write_amid;
	assert_int_equal(own_touch(b, again, 0), RIG_OK);
	assert_null(b->rig->on_flush);
	assert_int_equal(own_look(b, again).hpa, FRAME_B);
	assert_false(writable(&other, window(amid.gpa)));
}

/*
 * A write fault makes one frame more dirty than there is room for, so all written tables are
 * compared, behind the walk of this fault: what another processor wrote between the two is noted no
 * more.
 */
static void what_the_walk_read_before_room_was_made_is_read_again(void **state)
{
	uint64_t frame = ram_page_gpa(RAM_PAGES - 1), another = ram_page_gpa(RAM_PAGES - 2);
	struct own_bench b, other;

	(void)state;
	own_begin_with(&b, PT_4LEVEL, MODE_WP | MODE_NX, SMALL_POOL);
	own_put(&b, ADDRESS, 1, frame | E_PAGE);
	own_mov_cr3(&b);
	own_second(&other, &b);
	for (unsigned int i = 0; i < RAM_PAGES; i++)
		mmu_watch(b.mmu, b.cpu, ram_page_gpa(i));
	assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
	amid.other = &other;
	amid.gpa = rig_entry(b.rig, &b.tables, ADDRESS, 1);
	amid.value = another | E_PAGE;
	write_to(&other, window(amid.gpa));
	for (unsigned int i = 0; b.mmu->dirty_count < b.mmu->page_count; i++) {
		assert_true(i < RAM_PAGES - 2);
		mmu_note_write(b.mmu, ram_page_gpa(i));
	}
	assert_true(writable(&other, window(amid.gpa)));
	assert_false(writable(&b, ADDRESS));
	b.rig->on_flush = write_amid;
	write_to(&b, ADDRESS);
	assert_null(b.rig->on_flush);
	assert_int_equal(own_look(&b, ADDRESS).hpa, another);
	own_end(&b);
}

static unsigned int flushes_before, told;

static void told_behind_the_flush(struct rig *rig, uint64_t gpa)
{
	assert_false(writable(amid.other, window(gpa)));
	assert_true(rig->flushes > flushes_before);
	told++;
}

/* Who is told of a write reads the frame: what is written after that has to be told again. */
static void a_watched_frame_is_told_behind_the_flush(void **state)
{
	struct own_bench *b = *state, other;
	uint64_t frame = ram_page_gpa(RAM_LOW_PAGES - 1);

	own_second(&other, b);
	amid.other = &other;
	told = 0;
	mmu_watch(b->mmu, b->cpu, frame);
	b->rig->on_changed = told_behind_the_flush;
	for (unsigned int i = 1; i <= 2; i++) {
		assert_false(mmu_watch_written(b->mmu, b->cpu, frame));
		write_to(&other, window(frame));
		flushes_before = b->rig->flushes;
		assert_true(mmu_watch_written(b->mmu, b->cpu, frame));
		assert_int_equal(told, i);
	}
}

static const struct own_bench *running;
static uint64_t cached[2];

/* The other processor goes on behind the flush, and caches both halves of a page of 4 MiB. */
static void cache_both(struct rig *rig)
{
	(void)rig;
	for (uint64_t i = 0; i < 2; i++)
		cached[i] = own_look(running, 0x80000000 + 2 * MIB * i).hpa;
}

/*
 * INVLPG ends a page of 4 MiB, of which the processor knows two halves: so behind the last flush
 * none of them may be cached as it was before.
 */
static void large_pages_change_before_the_flush(void **state)
{
	struct own_bench b, other;

	(void)state;
	own_begin(&b, PT_2LEVEL, MODE_WP | MODE_PSE);
	rig_put(b.rig, &b.tables, 0x80000000, 2, 0x40400000 | E_LARGE);
	own_mov_cr3(&b);
	own_second(&other, &b);
	assert_int_equal(own_touch(&other, 0x80000000, 0), RIG_OK);
	assert_int_equal(own_touch(&other, 0x80200000, 0), RIG_OK);
	running = &other;
	cache_both(b.rig);
	own_put(&b, 0x80000000, 2, 0x40800000 | E_LARGE);
	b.rig->on_flush = cache_both;
	own_mov_cr3(&b);
	b.rig->on_flush = NULL;
	for (uint64_t i = 0; i < 2; i++)
		assert_int_equal(cached[i], 0x40800000 + 2 * MIB * i);
	own_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_another_processor_writes_shows),
		TEST_PAE(what_another_processor_writes_shows),
		TEST(each_processor_flushes_for_itself),
		TEST_PAE(each_processor_flushes_for_itself),
		TEST_PAE(pdptes_are_each_processors_own),
		TEST(what_the_walk_read_before_protection_is_read_again),
		TEST_PAE(what_the_walk_read_before_protection_is_read_again),
		TEST(what_the_walk_read_before_a_comparison_is_read_again),
		TEST_PAE(what_the_walk_read_before_a_comparison_is_read_again),
		cmocka_unit_test(what_the_walk_read_before_room_was_made_is_read_again),
		TEST(a_watched_frame_is_told_behind_the_flush),
		cmocka_unit_test(large_pages_change_before_the_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
