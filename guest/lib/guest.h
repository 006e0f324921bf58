/*
 * An L1 image, and how to write a new one.
 *
 * An image is one file, guest/NAME.c, that defines `const struct image image`, and its NAME in
 * GUEST_32 or GUEST_64 of guest/guest.mk. It needs no assembly and no start-up code:
 *
 *	static const struct pt_format *format(void) { return &pt_pae; }
 *	static void run(void)
 *	{
 *		if (!tap_group("mine", "hello"))
 *			return;
 *		struct l2 *l2 = l2_new(0, &l2_prot);
 *		point("L2 computes");
 *		l2->regs.rcx = 1;
 *		l2_start(l2, L2_COMPUTE);
 *		l2_check_done(l2);
 *		check("eax", l2_eax(l2), 1013904223);
 *	}
 *	const struct image image = { .name = "mine", .format = format, .run = run };
 *
 * What happens before run(): COM1, the screen (screen.h), the command line (cmdline.h), an IDT that
 * reports what was not expected and ends the run (exception.h), L1's paging in the format that
 * format() returns, with NX on (paging.h; nested tables have that format too, since the processor
 * takes it from L1's mode), SVM on (svm.h), the local APIC (apic.h), prepare() if there is one.
 * Then run() is called twice: at first tap_group() says no to each group, and they are only
 * counted, for the screen's bar; so what is no group's belongs into prepare(). run() returns; the
 * library prints the plan and ends the machine. Points are TAP (tap.h): the words in their names
 * are constant, with no addresses, counts or timings, so that a run bare and a run under L0 can be
 * compared line by line. L2s come from l2.h. The points in guest/points/ are written once for all
 * formats and modes; an image picks.
 *
 * The C of an image runs without FPU and SSE, on one processor, with IF=0 and GIF=1 unless a test
 * changes that; every address is identity-mapped.
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "guest/lib/apic.h"
#include "guest/lib/cmdline.h"
#include "guest/lib/exception.h"
#include "guest/lib/l2.h"
#include "guest/lib/machine.h"
#include "guest/lib/memory_map.h"
#include "guest/lib/paging.h"
#include "guest/lib/svm.h"
#include "guest/lib/tap.h"
#include "hv/string.h"
#include "hv/x86.h"

struct image {
	const char *name;
	/* The format of L1's own and of the nested tables; may call run_skipped() and so not
	 * return. */
	const struct pt_format *(*format)(void);
	/* Called once, before run(); or NULL. */
	void (*prepare)(void);
	/* The groups, and nothing that costs or changes anything beside them. */
	void (*run)(void);
	/* L1 maps all 4 GiB for itself, memory or not; for formats with large pages. */
	bool maps_4g;
};

extern const struct image image;

#endif
