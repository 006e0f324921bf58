/*
 * The list of the shared groups.
 */
#include "guest/points/points.h"

void points_all(void)
{
	points_paging();
	points_task();
	for (unsigned int i = 0; l2_kinds[i]; i++) {
		const struct l2_kind *kind = l2_kinds[i];

		if (!l2_possible(kind))
			continue;
		points_run(kind);
		points_boot(kind);
		points_fault(kind);
		points_remap(kind);
		points_dirty(kind);
		points_walk(kind);
		points_intercept(kind);
		points_inject(kind);
		points_task_l2(kind);
		points_shadow(kind);
	}
	points_format();
	points_asid();
	points_interrupt();
	points_state();
	points_invalid();
}
