/*
 * The L1 image `long`: a 64-bit hypervisor with 4-level nested page tables, or 5-level ones if the
 * command line says levels=5 (rows R10 to R12).
 */
#include "guest/points/points.h"

const struct image image = {.name = "long", .format = pt_format_of_width, .run = points_all};
