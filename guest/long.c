/*
 * The L1 image `long`: a 64-bit hypervisor with 4-level nested page tables, or 5-level ones if the
 * command line says levels=5 (rows R10 to R12).
 */
#include "guest/points/points.h"

static const struct pt_format *format(void)
{
	const char *levels = cmdline_value("levels");

	if (!levels || !strcmp(levels, "4"))
		return &pt_4level;
	if (strcmp(levels, "5"))
		run_skipped("levels= is neither 4 nor 5");
	if (!machine.la57)
		run_skipped("levels=5, but no LA57: CPUID 7 ECX bit 16 is 0");
	return &pt_5level;
}

const struct image image = {.name = "long", .format = format, .run = points_all};
