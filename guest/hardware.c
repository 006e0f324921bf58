/*
 * The L1 image `hardware`: what no emulator can show of a processor, and Nestling relies on
 * (docs/hardware-image.md): how nested tables get their A and D, how long an intercepted
 * instruction is, what the options of SVM do that no emulator has, and what it all costs in cycles.
 */
#include "guest/hardware/hardware.h"
#include "guest/bench/bench.h"

static void run(void)
{
	hardware_walker();
	hardware_rights();
	hardware_length();
	hardware_clean();
	hardware_assists();
	hardware_lbr();
	hardware_vmload();
	hardware_vgif();
	hardware_vnmi();
	hardware_pause();
	hardware_tsc();
	hardware_spec_ctrl();
	hardware_implicit();
	hardware_cycles();
	bench_l1();
	bench_world();
	bench_memory();
	bench_flush();
}

const struct image image = {.name = "hardware",
                            .format = pt_format_of_width,
                            .prepare = hardware_machine,
                            .run = run,
                            .maps_4g = true};
