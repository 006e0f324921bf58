/*
 * A guest one of whose tables is written, for unit tests. Relies on tests/unit/own_table.h.
 */
#include "tests/unit/own_table.h"

static int start_format(void **state, enum pt_format_id id)
{
	static struct own_bench b;

	own_begin(&b, id, MODE_WP | MODE_NX | MODE_1G);
	rig_put(b.rig, &b.tables, ADDRESS, 1, FRAME_A | E_PAGE);
	*state = &b;
	return 0;
}

int own_table_start(void **state)
{
	return start_format(state, PT_4LEVEL);
}

int own_table_start_pae(void **state)
{
	return start_format(state, PT_PAE);
}

int own_table_end(void **state)
{
	own_end(*state);
	return 0;
}

uint64_t table_of(struct own_bench *b, uint64_t address)
{
	return rig_entry(b->rig, &b->tables, address, 1) & ~0xfffull;
}

uint64_t window(uint64_t gpa)
{
	return WINDOW + gpa - RAM_LOW_GPA;
}

bool writable(const struct own_bench *b, uint64_t address)
{
	struct own_seen seen = own_look(b, address);

	return seen.status == OWN_OK && seen.write;
}

void write_to(struct own_bench *b, uint64_t address)
{
	assert_int_equal(own_touch(b, address, ACCESS_WRITE), RIG_OK);
	assert_true(writable(b, address));
}
