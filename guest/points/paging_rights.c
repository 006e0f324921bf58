/*
 * Faults of L1's own paging: missing entries, W, U and NX in entries of every level, reserved bits;
 * with error code and CR2, for supervisor and user. Relies on paging.h; APM 5.6 and 8.2.15.
 */
#include "guest/points/paging.h"

enum { VALUE = 0x21647 };

/* All three accesses of both, by what they must bring: fault with this error code, or none. */
static void all_fault(uint64_t at, uint32_t error)
{
	for (enum who who = SUPERVISOR; who <= USER; who++) {
		faults(who, READ, at, error);
		faults(who, WRITE, at, error);
		faults(who, FETCH, at, error);
	}
}

static void all_may(uint64_t at)
{
	for (enum who who = SUPERVISOR; who <= USER; who++) {
		put_code(frame(0), VALUE);
		may(who, FETCH, at, VALUE);
		may(who, READ, at, frame(0)[0]);
		may(who, WRITE, at + 8, VALUE + 1);
		check("L1 sees", frame(0)[2], VALUE + 1);
	}
}

/* PDPTEs are loaded by MOV CR3 and not checked at a walk: their own group has them. */
static void every_level(void)
{
	uint64_t at = small_page(0), entry;

	for (unsigned int level = 1; level <= l1_tables.format->levels; level++) {
		if (!has_rights(level))
			continue;
		entry = get(at, level);

		point(at_level("without P everything faults", level));
		set(at, level, entry & ~PT_PRESENT);
		flush();
		/* The user's own code is below the upper levels. */
		if (level == 1) {
			all_fault(at, 0);
		} else {
			faults(SUPERVISOR, READ, at, 0);
			faults(SUPERVISOR, WRITE, at, 0);
			faults(SUPERVISOR, FETCH, at, 0);
		}
		set(at, level, entry);
		all_may(at);

		point(at_level("without W writes fault", level));
		put_code(frame(0), VALUE);
		set(at, level, entry & ~PT_WRITE);
		flush();
		for (enum who who = SUPERVISOR; who <= USER; who++) {
			may(who, READ, at, frame(0)[0]);
			if (who == SUPERVISOR || level <= 2) /* the user's stack is beside it */
				may(who, FETCH, at, VALUE);
			faults(who, WRITE, at, PF_PRESENT);
			may(who, READ, at, frame(0)[0]);
		}
		check("L1 sees", *(uint8_t *)frame(0), 0xb8);
		set(at, level, entry);
		flush();
		all_may(at);

		point(at_level("without U a user's accesses fault", level));
		set(at, level, entry & ~PT_USER);
		flush();
		put_code(frame(0), VALUE);
		may(SUPERVISOR, READ, at, frame(0)[0]);
		may(SUPERVISOR, FETCH, at, VALUE);
		may(SUPERVISOR, WRITE, at + 8, 3);
		if (level == 1) {
			faults(USER, READ, at, PF_PRESENT);
			faults(USER, WRITE, at, PF_PRESENT);
			faults(USER, FETCH, at, PF_PRESENT);
		}
		set(at, level, entry);
		flush();
		all_may(at);
	}
}

static void no_execute(void)
{
	uint64_t at = small_page(0), entry;

	for (unsigned int level = 1; level <= l1_tables.format->levels; level++) {
		if (!has_rights(level))
			continue;
		point(at_level("NX forbids fetches only", level));
		if (!l1_tables.format->nx) {
			point_skip("the format has no NX");
			continue;
		}
		entry = get(at, level);
		put_code(frame(0), VALUE);
		set(at, level, entry | PT_NX);
		flush();
		faults(SUPERVISOR, FETCH, at, PF_PRESENT);
		may(SUPERVISOR, READ, at, frame(0)[0]);
		may(SUPERVISOR, WRITE, at + 8, 1);
		if (level == 1) {
			faults(USER, FETCH, at, PF_PRESENT);
			may(USER, READ, at, frame(0)[0]);
		}
		set(at, level, entry);
		flush();
		all_may(at);
	}

	point("NX is reserved while EFER.NXE=0");
	if (!l1_tables.format->nx) {
		point_skip("the format has no NX");
		return;
	}
	entry = get(at, 1);
	set(at, 1, entry | PT_NX);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_NXE);
	flush();
	all_fault(at, PF_PRESENT | PF_RESERVED);
	set(at, 1, entry);
	flush();
	all_may(at);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	flush();

	point("a fetch tells I/D while anything could forbid it");
	set(at, 1, 0);
	flush();
	faults(SUPERVISOR, FETCH, at, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_NXE);
	flush();
	faults(SUPERVISOR, FETCH, at, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	flush();
	set(at, 1, entry);
}

static void both_levels(void)
{
	uint64_t at = small_page(0), leaf = get(at, 1), upper = get(at, 2);

	point("W above and not below, and the reverse, is no W");
	set(at, 1, leaf & ~PT_WRITE);
	flush();
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	set(at, 2, upper & ~PT_WRITE);
	set(at, 1, leaf);
	flush();
	faults(SUPERVISOR, WRITE, at, PF_PRESENT);
	faults(SUPERVISOR, WRITE, small_page(1), PF_PRESENT);
	set(at, 2, upper);
	flush();
	may(SUPERVISOR, WRITE, at, 1);
	may(SUPERVISOR, WRITE, small_page(1), 1);

	point("a missing leaf under an entry without W faults without P");
	set(at, 2, upper & ~PT_WRITE);
	set(at, 1, 0);
	flush();
	faults(SUPERVISOR, WRITE, at, 0);
	set(at, 2, upper);
	set(at, 1, leaf);
	flush();
}

/* On a reserved bit: RSV with P, for every access. */
static void reserved(uint64_t at, unsigned int level, uint64_t bits)
{
	uint64_t entry = get(at, level);

	set(at, level, entry | bits);
	flush();
	if (level == 1) {
		all_fault(at, PF_PRESENT | PF_RESERVED);
	} else {
		faults(SUPERVISOR, READ, at, PF_PRESENT | PF_RESERVED);
		faults(SUPERVISOR, WRITE, at, PF_PRESENT | PF_RESERVED);
	}
	set(at, level, entry & ~PT_PRESENT);
	flush();
	faults(SUPERVISOR, READ, at, 0);
	set(at, level, entry);
	flush();
	may(SUPERVISOR, WRITE, at, 7);
}

static void reserved_bits(void)
{
	const char *lacks = l1_tables.format->entry_bytes == 4 ? "the entry has no such bits"
	                    : machine.physical_bits > 51 ? "the processor has all address bits"
	                                                 : NULL;
	uint64_t at = small_page(0), large = region(REGION_LARGE);

	for (unsigned int level = 1; level <= l1_tables.format->levels; level++) {
		if (!has_rights(level))
			continue;
		point(at_level("reserved address bits fault", level));
		if (lacks) {
			point_skip(lacks);
			continue;
		}
		reserved(at, level, 1ull << 51);
		reserved(at, level, 1ull << machine.physical_bits);
	}

	point("PAE entries have reserved bits 62:52");
	if (l1_tables.format->levels == 3)
		reserved(at, 1, 1ull << 52);
	else
		point_skip("the format is not PAE");

	point("PS is reserved where no page of that size exists");
	if (l1_tables.format->levels >= 4)
		reserved(at, 4, PT_LARGE);
	else
		point_skip("the format has no such level");

	point("address bits of a large page below its size are reserved");
	if (has_large())
		reserved(large, 2, pt_page_size(l1_tables.format, 2) / 2);
	else
		point_skip("the format has no large pages");
}

void paging_rights(void)
{
	if (!paging_group("rights"))
		return;
	every_level();
	no_execute();
	both_levels();
	reserved_bits();
	paging_end();
}
