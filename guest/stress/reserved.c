/*
 * Every reserved bit of every level, one by one, in the entries for one ngpa: each makes the access
 * fault with RSV, and none does more. Relies on stress.h; APM 5.3 and 5.4, 15.25.
 */
#include "guest/stress/stress.h"
#include "hv/print.h"

enum { TREE_PAGES = 16 };

#define NGPA  0x80000000u /* alone in its entries of PAE tables */
#define VALUE 0x4e5e47edu

static const char no_p[] = "a reserved bit faults without P";
static const char unchecked[] = "some reserved bits are not checked";

static const char *const levels[] = {"", "a page", "level 2", "level 3", "level 4", "level 5"};
static char names[2 * PT_MAX_LEVELS + 2][64];

static uint64_t bits(unsigned int high, unsigned int low)
{
	return low > high ? 0 : ((2ull << high) - 1) & ~((1ull << low) - 1);
}

/* What is reserved in an entry, a large page's or a table's. */
static uint64_t reserved_bits(unsigned int level, bool large)
{
	bool pae = l2_format->levels == 3;
	uint64_t mask = bits(51, machine.physical_bits);

	if (pae)
		mask |= bits(62, 52);
	if (pae && level == 3)
		mask |= PT_NX | bits(8, 5) | bits(2, 1);
	if (level > 3)
		mask |= bits(8, 7);
	if (large)
		mask |= bits(l2_format->level[level].shift - 1u, 13);
	return mask;
}

/*
 * What bare QEMU lets pass: the lower bits of a PDPTE; Bochs, too: bit 8 where only 7 is looked at.
 * A in a PDPTE passes with a hypervisor between as well, which has to forgive what QEMU itself
 * sets.
 */
static bool may_pass(unsigned int level, uint64_t bit)
{
	bool pae = l2_format->levels == 3;

	if (pae && level == 3 && bit == PT_ACCESSED)
		return emulator_is(QEMU);
	if (level > 3 && bit == 1u << 8)
		return emulator_is(QEMU_BARE) || emulator_is(BOCHS_BARE);
	if (pae && level == 3 && bit < 1u << 9)
		return emulator_is(QEMU_BARE);
	return false;
}

static void check_entry(unsigned int level, bool large)
{
	uint64_t mask = reserved_bits(level, large), entry, expected, at = NGPA;
	char *name = names[level * 2 - large];
	struct l2 *l2 = l2_new(0, &l2_prot);
	struct pt tree;

	snprint(name, sizeof(names[0]), "each reserved bit faults: %s%s", levels[level],
	        large ? ", large page" : "");
	point(name);
	stress_tree(&tree, l2, TREE_PAGES);
	stress_use(l2, &tree);
	if (large)
		pt_map(&tree, NGPA, 0, level, PT_RWU); /* of memory from 0 on */
	else
		pt_map(&tree, NGPA, l2_gpa(l2_small_frame(l2, 0)), 1, PT_RWU);
	*l2_small_frame(l2, 0) = VALUE;
	entry = pt_get(&tree, NGPA, level);
	expected = NPF_FINAL | NPF_USER | NPF_PRESENT | NPF_RESERVED;
	/* The only used entries above level 3 serve L2's code, too. */
	if (level > 3) {
		l2_aim(l2, L2_READ);
		expected |= NPF_FETCH;
		at = l2->vmcb->save.rip;
	}

	for (unsigned int n = 0; n < 64; n++) {
		uint64_t bit = 1ull << n;

		if (!(mask & bit))
			continue;
		pt_set(&tree, NGPA, level, entry | bit);
		l2->flush = true;
		l2_read(l2, NGPA);
		if (l2->vmcb->control.exit_code == VMEXIT_VMMCALL && may_pass(level, bit)) {
			point_known(machine.bochs ? BOCHS_BARE : QEMU, unchecked);
			continue;
		}
		if (!l2_check_exit(l2, VMEXIT_NPF))
			point_fail("# bit %u\n", n);
		check_known("EXITINFO1", l2->vmcb->control.exit_info1, expected,
		            expected & ~NPF_PRESENT, QEMU_BARE, no_p);
		check("EXITINFO2", l2->vmcb->control.exit_info2, at);
	}
	pt_set(&tree, NGPA, level, entry);
	l2->flush = true;
	l2_read(l2, NGPA);
	if (large)
		l2_check_done(l2);
	else
		l2_check_value(l2, VALUE);
}

void stress_reserved(void)
{
	uint64_t mark = stress_free_start();

	if (!tap_group("stress", "reserved"))
		return;
	for (unsigned int level = 1; level <= l2_format->levels; level++) {
		check_entry(level, false);
		if (level == 2 || (level == 3 && l2_format->levels > 3 && machine.page_1g))
			check_entry(level, true);
	}
	point_end();
	stress_release(mark);
}
