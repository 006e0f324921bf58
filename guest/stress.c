/*
 * The L1 image `stress`: what a hostile or careless L1 asks of the hypervisor under it
 * (tests/system/ stress.t). Each group ends with L2s that work as ever.
 */
#include "guest/stress/stress.h"

/* What is about nested tables. */
static const struct {
	const char *name;
	void (*run)(void);
} nested[] = {
	{"roots", stress_roots},       {"memory", stress_all_memory},   {"shared", stress_shared},
	{"reserved", stress_reserved}, {"alternate", stress_alternate}, {"places", stress_places},
};

static void run(void)
{
	stress_own();
	for (unsigned int i = 0; i < sizeof(nested) / sizeof(*nested); i++) {
		if (!l2_lacks_nesting) {
			nested[i].run();
		} else if (tap_group("stress", nested[i].name)) {
			point("all of the group");
			point_skip(l2_lacks_nesting);
			point_end();
		}
	}
}

const struct image image = {.name = "stress",
                            .format = pt_format_of_width,
                            .prepare = stress_memory_init,
                            .run = run,
                            .maps_4g = true};
