/*
 * The L1 image `nopse`: a 32-bit hypervisor with 2-level nested page tables and CR4.PSE=0, so that
 * the PS bit means nothing (row R7).
 */
#include "guest/points/points.h"

static const struct pt_format *format(void)
{
	return &pt_2level;
}

const struct image image = {
	.name = "nopse", .format = format, .prepare = points_2level_prepare, .run = points_2level};
