/*
 * What the two halves of a world switch cost, told apart by L2's own look at the TSC; the other
 * figures are those of guest/bench. Relies on guest/bench/bench.h.
 */
#define BENCH_CYCLES
#include "guest/bench/bench.h"
#include "guest/hardware/hardware.h"

/* L2's first instruction is RDTSC. entering: until there; else from there until L1 goes on. */
static void half(bool entering)
{
	struct l2 *l2 = bench_l2(0);

	for (unsigned int i = 0; i < bench_rounds; i++) {
		uint64_t start, inside, end;

		l2_aim(l2, L2_RDTSC);
		clgi();
		start = bench_time();
		vmrun_once(&l2->regs, l2->vmcb);
		end = bench_time();
		stgi();
		inside = l2_edx_eax(l2);
		if (!l2_check_done(l2) || !check_range("L2's TSC", inside, start, end))
			return;
		bench_sample(entering ? inside - start : end - inside);
	}
}

/* L1's part of a nested fault is the exit alone: what it costs to find out. */
static void nested_fault(void)
{
	struct l2 *l2 = bench_l2(0);

	if (l2_lacks_nesting) {
		bench_sample(1);
		point_skip(l2_lacks_nesting);
		return;
	}
	for (unsigned int i = 0; i < bench_rounds; i++) {
		l2->regs.rbx = L2_HOLE;
		bench_trip(l2, L2_READ, VMEXIT_NPF);
	}
}

static void fences(void)
{
	for (unsigned int i = 0; i < bench_rounds; i++) {
		uint64_t start = bench_time();

		bench_sample(bench_time() - start);
	}
}

void hardware_cycles(void)
{
	if (!tap_group("hardware", "cycles"))
		return;
	bench_row("nothing, between fences");
	fences();
	bench_row("VMRUN, until L2's first instruction");
	half(true);
	bench_row("#VMEXIT by VMMCALL, until L1 goes on");
	half(false);
	bench_row("VMRUN and #VMEXIT by a nested fault");
	nested_fault();
	bench_end();
}
