/*
 * The L1 image `pse`: a 32-bit hypervisor with 2-level nested page tables, with CR4.PSE=1 and so
 * with 4 MiB pages (row R7).
 */
#include "guest/points/points.h"

static const struct pt_format *format(void)
{
	if (!machine.pse)
		run_skipped("no PSE: CPUID 1 EDX bit 3 is 0");
	return &pt_pse;
}

const struct image image = {
	.name = "pse", .format = format, .prepare = points_2level_prepare, .run = points_2level};
