/*
 * The L1 image `svm`: the nested SVM conformance suite (docs/svm-suite.md). What SVM asks of
 * whoever runs an L1, group by group; the groups of guest/points belong to it.
 */
#include "guest/points/points.h"
#include "guest/svm/suite.h"

static void run(void)
{
	suite_permission();
	suite_msr();
	suite_agree();
	suite_fails();
	suite_entry();
	suite_bases();
	suite_own();
	suite_npt();
	suite_exit();
	suite_intercept();
	suite_instruction();
	suite_exception();
	suite_maps();
	suite_gif();
	suite_nmi();
	suite_inject();
	for (unsigned int i = 0; l2_kinds[i]; i++) {
		const struct l2_kind *kind = l2_kinds[i];

		if (!l2_possible(kind))
			continue;
		points_fault(kind);
		points_remap(kind);
		points_dirty(kind);
		points_walk(kind);
		points_intercept(kind);
		points_inject(kind);
		points_task_l2(kind);
	}
	points_format();
	points_asid();
	points_interrupt();
	points_state();
	suite_debug(); /* the last: QEMU is slow once it has seen a breakpoint */
}

const struct image image = {.name = "svm", .format = pt_format_of_width, .run = run};
