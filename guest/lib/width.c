/*
 * The format of an image that is built for both widths. Relies on the command line and on
 * machine.h.
 */
#include "guest/lib/guest.h"

const struct pt_format *pt_format_of_width(void)
{
#ifdef __x86_64__
	const char *levels = cmdline_value("levels");

	if (!levels || !strcmp(levels, "4"))
		return &pt_4level;
	if (strcmp(levels, "5"))
		run_skipped("levels= is neither 4 nor 5");
	if (!machine.la57)
		run_skipped("levels=5, but no LA57: CPUID 7 ECX bit 16 is 0");
	return &pt_5level;
#else
	return &pt_pae;
#endif
}
