/*
 * The L1 image `pae`: a 32-bit hypervisor with PAE nested page tables (rows R8 and R9).
 */
#include "guest/points/points.h"

const struct image image = {.name = "pae", .format = pt_format_of_width, .run = points_all};
