/*
 * CR0.WP=0: the supervisor writes what is read-only, the user does not. Relies on paging.h; APM
 * 5.6.3 and 5.6.6.
 */
#include "guest/points/paging.h"

enum { VALUE = 0x3b00 };

static void wp(bool on)
{
	write_cr0(on ? read_cr0() | CR0_WP : read_cr0() & ~(unsigned long)CR0_WP);
}

static void read_only(uint64_t at, unsigned int level)
{
	set(at, level, get(at, level) & ~PT_WRITE);
	flush();
}

static void writable(uint64_t at, unsigned int level)
{
	set(at, level, get(at, level) | PT_WRITE);
	flush();
}

static void every_level(void)
{
	uint64_t at = small_page(0);

	for (unsigned int level = 1; level <= l1_tables.format->levels; level++) {
		/* The user needs a stack beside the page. */
		bool user_writes = level <= 2;

		if (!has_rights(level))
			continue;
		frame(0)[0] = VALUE;
		read_only(at, level);

		point(at_level("the supervisor writes where W is missing", level));
		wp(false);
		may(SUPERVISOR, WRITE, at, VALUE + 1);
		check("L1 sees", frame(0)[0], VALUE + 1);
		check("D", get(at, 1) & PT_DIRTY, PT_DIRTY);
		may(SUPERVISOR, READ, at, VALUE + 1);

		point(at_level("the user reads there afterwards, and cannot write", level));
		may(USER, READ, at, VALUE + 1);
		if (user_writes)
			faults(USER, WRITE, at, PF_PRESENT);
		may(USER, READ, at, VALUE + 1);

		point(at_level("supervisor and user take turns", level));
		for (unsigned int i = 0; i < 4; i++) {
			may(SUPERVISOR, WRITE, at, VALUE + i);
			may(USER, READ, at, VALUE + i);
			if (user_writes)
				faults(USER, WRITE, at, PF_PRESENT);
			may(SUPERVISOR, READ, at, VALUE + i);
		}

		point(at_level("WP=1 forbids it again, without any flush", level));
		wp(true);
		faults(SUPERVISOR, WRITE, at, PF_PRESENT);
		may(USER, READ, at, VALUE + 3);
		writable(at, level);
		may(SUPERVISOR, WRITE, at, VALUE + 4);
		may(USER, WRITE, at, VALUE + 5);
	}
}

static void rights(void)
{
	uint64_t at = small_page(1), entry = get(at, 1);

	point("WP=0 gives the user nothing in a supervisor's page");
	set(at, 1, entry & ~(PT_WRITE | PT_USER));
	flush();
	wp(false);
	may(SUPERVISOR, WRITE, at, VALUE);
	faults(USER, READ, at, PF_PRESENT);
	faults(USER, WRITE, at, PF_PRESENT);
	may(SUPERVISOR, READ, at, VALUE);

	point("WP=0 makes nothing present that is not");
	set(at, 1, entry & ~PT_PRESENT);
	flush();
	faults(SUPERVISOR, WRITE, at, 0);
	set(at, 1, entry);
	flush();

	point("a page that the user has read is written by the supervisor next");
	read_only(at, 1);
	may(USER, READ, at, VALUE);
	may(SUPERVISOR, WRITE, at, VALUE + 1);
	may(USER, READ, at, VALUE + 1);
	faults(USER, WRITE, at, PF_PRESENT);

	point("WP=1 between two writes under WP=0 forbids what is between them");
	wp(true);
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	wp(false);
	may(SUPERVISOR, WRITE, at, VALUE + 2);
	wp(true);
	may(USER, READ, at, VALUE + 2);
	writable(at, 1);

	point("a page made writable is writable for both, under WP=0 as well");
	wp(false);
	read_only(at, 1);
	may(SUPERVISOR, WRITE, at, VALUE + 3);
	writable(at, 1);
	may(USER, WRITE, at, VALUE + 4);
	may(SUPERVISOR, WRITE, at, VALUE + 5);
	may(USER, READ, at, VALUE + 5);
	wp(true);
}

static void fetches(void)
{
	uint64_t at = small_page(2);
	bool smep = machine.smep;

	put_code(frame(2), VALUE);
	read_only(at, 1);
	wp(false);

	point("the supervisor executes from a user's page that it wrote under WP=0");
	may(SUPERVISOR, WRITE, at + 16, 1);
	may(SUPERVISOR, FETCH, at, VALUE);
	may(USER, FETCH, at, VALUE);

	point("SMEP forbids that, and not the write");
	if (smep) {
		write_cr4(read_cr4() | CR4_SMEP);
		faults(SUPERVISOR, FETCH, at, PF_PRESENT);
		may(SUPERVISOR, WRITE, at + 16, 2);
		faults(SUPERVISOR, FETCH, at, PF_PRESENT);
		may(USER, FETCH, at, VALUE);
		may(SUPERVISOR, WRITE, at + 16, 3);
		write_cr4(read_cr4() & ~(unsigned long)CR4_SMEP);
		may(SUPERVISOR, FETCH, at, VALUE);
	} else {
		point_skip("the processor has no SMEP");
	}

	point("NX forbids fetches from a page that was written under WP=0");
	if (l1_tables.format->nx) {
		set(at, 1, get(at, 1) | PT_NX);
		flush();
		may(SUPERVISOR, WRITE, at + 16, 4);
		faults(SUPERVISOR, FETCH, at, PF_PRESENT);
		faults(USER, FETCH, at, PF_PRESENT);
	} else {
		point_skip("the format has no NX");
	}
	wp(true);
}

static void large(void)
{
	uint64_t at = region(REGION_LARGE) + 0x5000;

	point("the supervisor writes a large read-only page under WP=0");
	if (!has_large()) {
		point_skip("the format has no large pages");
		return;
	}
	read_only(at, 2);
	wp(false);
	may(SUPERVISOR, WRITE, at, VALUE);
	check("L1 sees", *l2_large_frame(0x5000), VALUE);
	may(USER, READ, at, VALUE);
	faults(USER, WRITE, at, PF_PRESENT);
	may(SUPERVISOR, WRITE, at, 0);
	wp(true);
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
}

void paging_wp(void)
{
	if (!paging_group("wp"))
		return;
	every_level();
	rights();
	fetches();
	large();
	paging_end();
}
