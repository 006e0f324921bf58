/*
 * The L1 image `pae`: a 32-bit hypervisor with PAE nested page tables (rows R8 and R9).
 */
#include "guest/points/points.h"

static const struct pt_format *format(void)
{
	return &pt_pae;
}

const struct image image = {.name = "pae", .format = format, .run = points_all};
