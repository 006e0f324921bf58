/*
 * Instructions of L1's that a hypervisor under it must intercept. Relies on bench.h.
 */
#include "guest/bench/bench.h"

static struct vmcb area; /* what VMSAVE fills and VMLOAD takes back */

void bench_l1(void)
{
	uint64_t start;

	if (!tap_group("bench", "l1"))
		return;

	bench_row("L1 CPUID");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		start = bench_time();
		cpuid(0, 0);
		bench_sample(bench_time() - start);
	}

	bench_row("L1 RDMSR of VM_HSAVE_PA");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		start = bench_time();
		rdmsr(MSR_VM_HSAVE_PA);
		bench_sample(bench_time() - start);
	}

	bench_row("L1 VMSAVE");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		start = bench_time();
		vmsave(&area);
		bench_sample(bench_time() - start);
	}

	bench_row("L1 VMLOAD");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		start = bench_time();
		vmload(&area);
		bench_sample(bench_time() - start);
	}

	bench_row("L1 INVLPGA");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		start = bench_time();
		invlpga(L2_SMALL, 1);
		bench_sample(bench_time() - start);
	}

	bench_row("L1 CLGI");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		start = bench_time();
		clgi();
		bench_sample(bench_time() - start);
		stgi();
	}

	bench_row("L1 STGI");
	for (unsigned int i = 0; i < bench_rounds; i++) {
		clgi();
		start = bench_time();
		stgi();
		bench_sample(bench_time() - start);
	}
	bench_end();
}
