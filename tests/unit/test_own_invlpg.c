/*
 * INVLPG by a guest with its own paging: what its tables say of the address shows, whatever size
 * its page has there and in whatever pieces L0 has mapped that. APM vol. 3, INVLPG; vol. 2, 5.5.
 */
#include "tests/unit/own_test.h"

#define ADDRESS 0x40201000ull
#define LARGE   0x80000000ull
#define FRAME_A 0x80000000ull
#define FRAME_B (FRAME_A + 0x5000)

static const struct row {
	enum pt_format_id id;
	uint32_t flags;
} rows[] = {
	{PT_2LEVEL, MODE_WP | MODE_PSE},
	{PT_PAE, MODE_WP | MODE_NX},
	{PT_4LEVEL, MODE_WP | MODE_NX | MODE_1G},
	{PT_5LEVEL, MODE_WP | MODE_NX | MODE_1G},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void begin(struct own_bench *b, const struct row *row)
{
	own_begin(b, row->id, row->flags);
	for (uint64_t i = 0; i < 4; i++)
		own_put(b, ADDRESS + i * 0x1000, 1, (FRAME_A + i * 0x1000) | E_PAGE);
	own_mov_cr3(b);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(own_touch(b, ADDRESS + i * 0x1000, ACCESS_WRITE), RIG_OK);
	b->rig->flushes = 0;
}

static void invlpg(struct own_bench *b, uint64_t address)
{
	mmu_invlpg(b->mmu, b->cpu, &b->tables, address);
}

static void one_small_page(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		struct own_bench b;

		begin(&b, &rows[i]);
		own_put(&b, ADDRESS, 1, FRAME_B | E_READ_ONLY);
		own_put(&b, ADDRESS + 0x1000, 1, FRAME_B | E_READ_ONLY);
		own_put(&b, ADDRESS + 0x2000, 1, 0);
		assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_A);
		b.rig->flushes = 0;
		invlpg(&b, ADDRESS + 0x123);
		assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_B);
		assert_false(own_look(&b, ADDRESS).write);
		/* It is a cheap thing: others stay, nothing is flushed, and nothing is new. */
		assert_int_not_equal(mmu_current_root(b.mmu, b.cpu, &b.tables, L1_ASID), 0);
		assert_int_equal(own_look(&b, ADDRESS + 0x1000).hpa, FRAME_A + 0x1000);
		assert_int_equal(own_look(&b, ADDRESS + 0x2000).status, OWN_OK);
		assert_int_equal(b.rig->flushes, 0);
		invlpg(&b, ADDRESS + 0x2000);
		assert_int_equal(own_look(&b, ADDRESS + 0x2000).status, OWN_MISSING);
		assert_int_equal(own_touch(&b, ADDRESS + 0x2000, 0), REFLECTED(0));
		own_put(&b, ADDRESS + 0x1000, 1, FRAME_A | E_PAGE); /* it is dirty still */
		invlpg(&b, ADDRESS + 0x1000);
		assert_int_equal(own_look(&b, ADDRESS + 0x1000).hpa, FRAME_A);
		own_mov_cr3(&b);
		assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_B);
		own_end(&b);
	}
}

/* Both halves of a 4 MiB page are flushed, as the processor may have small parts of it. */
static void large_pages(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		uint64_t other = rows[i].id == PT_2LEVEL ? LARGE + 2 * MIB : LARGE + MIB;
		struct own_bench b;

		begin(&b, &rows[i]);
		own_put(&b, LARGE, 2, FRAME_A | E_LARGE);
		own_mov_cr3(&b);
		assert_int_equal(own_touch(&b, LARGE, ACCESS_WRITE), RIG_OK);
		assert_int_equal(own_touch(&b, other, ACCESS_WRITE), RIG_OK);
		assert_int_equal(own_look(&b, LARGE).level, 2);
		own_put(&b, LARGE, 2, (FRAME_A + 4 * MIB) | E_LARGE);
		assert_int_equal(own_look(&b, LARGE).hpa, FRAME_A);
		b.rig->flushes = 0;
		invlpg(&b, LARGE);
		assert_int_not_equal(own_look(&b, LARGE).hpa, FRAME_A);
		assert_true(own_look(&b, other).status != OWN_OK ||
		            own_look(&b, other).hpa == FRAME_A + 4 * MIB + other - LARGE);
		assert_true(b.rig->flushes > 0);
		assert_int_equal(own_touch(&b, LARGE, ACCESS_WRITE), RIG_OK);
		assert_int_equal(own_look(&b, LARGE).hpa, FRAME_A + 4 * MIB);
		own_end(&b);
	}
}

/* Where L0 has small pages for a large one: tables in it, or the hole. */
static void splintered_pages(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		/* In the first 4 MiB there are tables, in the others pages that are L0's. */
		const uint64_t frames[] = {0, 0xc0000000};
		struct own_bench b;

		for (int n = 0; n < 2; n++) {
			uint64_t half = rows[i].id == PT_2LEVEL ? 0 : 2 * MIB;
			uint64_t in = rows[i].id == PT_2LEVEL ? 2 * MIB : 0;

			begin(&b, &rows[i]);
			own_put(&b, LARGE, 2, (frames[n] + half) | E_LARGE);
			own_mov_cr3(&b);
			for (uint64_t at = 0; at < 0x4000; at += 0x1000)
				assert_int_equal(own_touch(&b, LARGE + in + at, 0), RIG_OK);
			assert_int_equal(own_look(&b, LARGE + in).level, 1);
			own_put(&b, LARGE, 2, 0);
			assert_int_equal(own_look(&b, LARGE + in).status, OWN_OK);
			b.rig->flushes = 0;
			invlpg(&b, LARGE + in);
			/* All of it, and the processor is told to forget all of it. */
			for (uint64_t at = 0; at < 0x4000; at += 0x1000)
				assert_int_equal(own_look(&b, LARGE + in + at).status, OWN_MISSING);
			assert_true(b.rig->flushes > 0);
			assert_int_equal(own_touch(&b, LARGE + in, 0), REFLECTED(0));
			own_end(&b);
		}
	}
}

/* Pieces are forgotten even if no right to write was taken from anybody. */
static void pieces_of_what_nobody_could_write(void **state)
{
	struct own_bench b;
	uint64_t gpa;

	(void)state;
	begin(&b, &rows[2]);
	own_put(&b, LARGE, 2, 0xc0200000 | (E_LARGE & ~PTE_W));
	own_mov_cr3(&b);
	for (uint64_t at = 0; at < 0x4000; at += 0x1000)
		assert_int_equal(own_touch(&b, LARGE + at, 0), RIG_OK);
	own_mov_cr3(&b);
	gpa = rig_entry(b.rig, &b.tables, LARGE, 2);
	ram_write(&b.rig->ram, gpa, 8, 0);
	mmu_note_write(b.mmu, gpa); /* L0 has done it */
	b.rig->flushes = 0;
	invlpg(&b, LARGE);
	assert_int_equal(own_look(&b, LARGE + 0x1000).status, OWN_MISSING);
	assert_true(b.rig->flushes > 0);
	own_end(&b);
}

/* INVLPG drops all upper entries, of whatever address. */
static void upper_entries(void **state)
{
	(void)state;
	for (int i = 0; i < ROWS; i++) {
		int top = rows[i].id == PT_2LEVEL || rows[i].id == PT_PAE ? 2 : 3;

		for (int level = 2; level <= top; level++) {
			struct own_bench b;
			uint64_t entry;

			begin(&b, &rows[i]);
			entry = rig_get(b.rig, &b.tables, ADDRESS, level);
			own_put(&b, ADDRESS, level, entry & ~PTE_W);
			assert_true(own_look(&b, ADDRESS).write);
			b.rig->flushes = 0;
			invlpg(&b, WINDOW);
			assert_false(own_look(&b, ADDRESS).status == OWN_OK &&
			             own_look(&b, ADDRESS).write);
			assert_true(b.rig->flushes > 0);
			assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), REFLECTED(3));
			assert_int_equal(own_touch(&b, ADDRESS, 0), RIG_OK);
			own_put(&b, ADDRESS, level, 0);
			invlpg(&b, ADDRESS);
			assert_int_equal(own_look(&b, ADDRESS).status, OWN_MISSING);
			own_end(&b);
		}
	}
}

/* A frame that is written before it is an upper table is read again at INVLPG. */
static void tables_that_were_dirty_before(void **state)
{
	struct own_bench b;
	uint64_t frame;

	(void)state;
	begin(&b, &rows[2]);
	frame = rig_new_table(b.rig);
	mmu_watch(b.mmu, &b.rig->cpu[0], frame);
	assert_int_equal(own_touch(&b, WINDOW + frame - RAM_LOW_GPA, ACCESS_WRITE), RIG_OK);
	ram_write(&b.rig->ram, frame, 8, FRAME_A | E_LARGE);
	own_put(&b, LARGE, 3, frame | E_TABLE);
	invlpg(&b, LARGE); /* the table above is clean again, the frame too: once more */
	assert_int_equal(own_touch(&b, WINDOW + frame - RAM_LOW_GPA, ACCESS_WRITE), RIG_OK);
	assert_int_equal(own_touch(&b, LARGE, 0), RIG_OK);
	assert_int_equal(own_look(&b, LARGE).hpa, FRAME_A);
	assert_int_equal(own_look(&b, LARGE).level, 2);
	ram_write(&b.rig->ram, frame, 8, 0);
	invlpg(&b, LARGE);
	assert_int_equal(own_look(&b, LARGE).status, OWN_MISSING);
	own_end(&b);
}

/* With nothing there, with paging off, and with nothing changed. */
static void nothing_to_do(void **state)
{
	struct own_bench b;
	struct own_seen before;

	(void)state;
	begin(&b, &rows[2]);
	invlpg(&b, 0x7f0000000000);
	invlpg(&b, ADDRESS + 64 * 0x1000);
	before = own_look(&b, ADDRESS);
	own_mov_cr3(&b);
	b.rig->flushes = 0;
	invlpg(&b, ADDRESS);
	assert_ptr_equal(own_look(&b, ADDRESS).leaf, before.leaf);
	assert_true(own_look(&b, ADDRESS).write);
	assert_int_equal(b.rig->flushes, 0);
	b.tables = own_direct();
	own_mov_cr3(&b);
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
	b.rig->flushes = 0;
	invlpg(&b, ADDRESS);
	assert_int_equal(own_look(&b, ADDRESS).hpa, ADDRESS);
	assert_int_equal(b.rig->flushes, 0);
	own_end(&b);
}

/* CR0.WP=0: a page that the supervisor has is the user's again. */
static void a_page_that_changed_hands(void **state)
{
	struct own_bench b;

	(void)state;
	own_begin(&b, PT_4LEVEL, MODE_NX);
	own_put(&b, ADDRESS, 1, FRAME_A | E_READ_ONLY);
	own_mov_cr3(&b);
	assert_int_equal(own_touch(&b, ADDRESS, ACCESS_WRITE), RIG_OK);
	own_put(&b, ADDRESS, 1, FRAME_B | E_READ_ONLY);
	invlpg(&b, ADDRESS);
	assert_int_equal(own_look(&b, ADDRESS).hpa, FRAME_B);
	assert_true(own_look(&b, ADDRESS).user && !own_look(&b, ADDRESS).write);
	own_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_small_page),
		cmocka_unit_test(large_pages),
		cmocka_unit_test(splintered_pages),
		cmocka_unit_test(pieces_of_what_nobody_could_write),
		cmocka_unit_test(upper_entries),
		cmocka_unit_test(tables_that_were_dirty_before),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(a_page_that_changed_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
