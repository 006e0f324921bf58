/*
 * The L1 image `stress`: what a hostile or careless L1 asks of the hypervisor under it
 * (tests/system/ stress.t). Each group ends with L2s that work as ever.
 */
#include "guest/stress/stress.h"

static void run(void)
{
	stress_memory_init();
	stress_roots();
	stress_all_memory();
	stress_shared();
	stress_reserved();
	stress_alternate();
	stress_places();
}

const struct image image = {
	.name = "stress", .format = pt_format_of_width, .run = run, .maps_4g = true};
