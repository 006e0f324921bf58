/*
 * What every host test of mmu/ includes: cmocka in the order that it wants, and the rig.
 */
#ifndef TESTS_UNIT_MMU_TEST_H
#define TESTS_UNIT_MMU_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mmu/spte.h"
#include "tests/model/invariants.h"
#include "tests/model/rig.h"

#define KIB (1024ull)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* Entries: present, writable, user's, accessed; dirty; with and without more. */
enum { E_TABLE = 0x27, E_PAGE = 0x67, E_READ_ONLY = 0x25, E_CLEAN = 0x27, E_LARGE = 0xe7 };

/* A gpa in a GiB where L1's pages are of 1 GiB, resp. of 4 KiB in an odd range of 2 MiB. */
#define FRAME_1G (4 * GIB)
#define FRAME_2M (3 * GIB)
#define FRAME_4K (3 * GIB + 2 * MIB)

#define assert_ok_invariants(rig)                                                                  \
	do {                                                                                       \
		const char *wrong_ = broken_invariant(&(rig)->mmu, (rig)->cpu, RIG_CPUS);          \
		if (wrong_)                                                                        \
			fail_msg("%s", wrong_);                                                    \
	} while (0)

/* A test's teardown: frees the rig, and fails if an invariant did not hold. */
static inline int end_rig(struct rig *rig)
{
	const char *wrong = broken_invariant(&rig->mmu, rig->cpu, RIG_CPUS);

	rig_free(rig);
	if (wrong)
		print_error("%s\n", wrong);
	return wrong ? -1 : 0;
}

#define REFLECTED(code) (1000 + (code))

#endif
