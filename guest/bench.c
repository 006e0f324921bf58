/*
 * The L1 image `bench`: what Nestling adds to the operations of a hypervisor, each timed by the TSC
 * (tests/bench). A row is a point; the point fails where the operation did not do what it should.
 */
#include "guest/bench/bench.h"

static void run(void)
{
	bench_l1();
	bench_world();
	bench_memory();
	bench_flush();
}

const struct image image = {
	.name = "bench", .format = pt_format_of_width, .run = run, .maps_4g = true};
