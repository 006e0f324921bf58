/*
 * Rows: samples, their minimum and median, and the line that tests/bench/run reads. Relies on
 * tap.h.
 */
#include "guest/bench/bench.h"

enum { ROUNDS = 100 };

unsigned int bench_rounds;

static const char *row;
static unsigned int count;
static uint64_t samples[BENCH_SAMPLES];

static unsigned int rounds_wanted(void)
{
	const char *text = cmdline_value("rounds");
	unsigned int value = 0;

	if (!text)
		return ROUNDS;
	for (; *text >= '0' && *text <= '9' && value <= BENCH_SAMPLES; text++)
		value = value * 10 + (unsigned int)(*text - '0');
	if (*text || !value || value > BENCH_SAMPLES)
		run_skipped("rounds= is no number from 1 to 2048");
	return value;
}

void bench_row(const char *name)
{
	bench_end();
	if (!bench_rounds)
		bench_rounds = rounds_wanted();
	point(name);
	row = name;
	count = 0;
}

void bench_sample(uint64_t ticks)
{
	if (count < BENCH_SAMPLES)
		samples[count++] = ticks;
}

/* Shell's sort: no recursion, and quick enough for some thousand samples. */
static void sort(void)
{
	for (unsigned int gap = BENCH_SAMPLES / 2; gap; gap /= 2) {
		for (unsigned int i = gap; i < count; i++) {
			uint64_t value = samples[i];
			unsigned int at = i;

			for (; at >= gap && samples[at - gap] > value; at -= gap)
				samples[at] = samples[at - gap];
			samples[at] = value;
		}
	}
}

void bench_end(void)
{
	if (!row)
		return;
	if (check_range("samples", count, 1, BENCH_SAMPLES)) {
		sort();
		say(BENCH_LINE, row, (unsigned long long)samples[0],
		    (unsigned long long)samples[count / 2]);
		check_range("ticks, minimum", samples[0], 1, BENCH_IMPLAUSIBLE);
		check_range("ticks, median", samples[count / 2], samples[0], BENCH_IMPLAUSIBLE);
	}
	point_end();
	row = NULL;
}

struct l2 *bench_l2(unsigned int slot)
{
	struct l2 *l2 = l2_new(slot, &l2_prot);

	bench_forget(l2);
	return l2;
}

void bench_forget(struct l2 *l2)
{
	l2->flush = true;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
	l2->vmcb->control.tlb_control = TLB_CONTROL_NONE; /* rows that flush say so */
}

uint64_t bench_run(struct l2 *l2)
{
	uint64_t start = bench_time();

	vmrun_once(&l2->regs, l2->vmcb);
	return bench_time() - start;
}

void bench_trip(struct l2 *l2, enum l2_snippet snippet, uint64_t exit_code)
{
	uint64_t ticks;

	l2_aim(l2, snippet);
	clgi();
	ticks = bench_run(l2);
	stgi();
	bench_sample(ticks);
	l2_check_exit(l2, exit_code);
}
