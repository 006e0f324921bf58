/*
 * The L1 image `chaos`: random VMCBs and tables, by seed=; runs= VMRUNs, from run first= on
 * (tests/system/chaos.t). race=1: all other processors write them meanwhile. trace=1 tells each
 * run's number beforehand. format=pse: 2-level tables, for 32 bits.
 */
#include "guest/chaos/chaos.h"
#include "hv/print.h"

enum { RUNS = 10000, SEED = 1 };

static uint32_t number_of(const char *key, uint32_t otherwise)
{
	const char *text = cmdline_value(key);
	uint32_t value = 0;

	if (!text)
		return otherwise;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint32_t)(*text - '0');
	if (*text)
		run_skipped("seed=, first=, runs=, race= and trace= are numbers");
	return value;
}

static const struct pt_format *format(void)
{
	const char *name = cmdline_value("format");

	return name && glob_match("pse", name) ? &pt_pse : pt_format_of_width();
}

/* After all of it, L2s of every kind run as ever. */
static void works_on(void)
{
	point("L2s of every kind work on");
	for (unsigned int i = 0; l2_kinds[i]; i++) {
		struct l2 *l2;

		if (!l2_possible(l2_kinds[i]))
			continue;
		l2 = l2_new(0, l2_kinds[i]);
		*l2_small_frame(l2, 0) = 0x600d0000 + i;
		l2_read(l2, L2_SMALL);
		l2_check_value(l2, 0x600d0000 + i);
	}
}

static void prepare(void)
{
	if (machine.bare && !machine.qemu && !machine.bochs)
		run_skipped("not on a real machine, bare: what is no memory may be a device of it");
	if (machine.bare && !cmdline_value("bare"))
		run_skipped("bare a random L2 may reset or stop the machine: bare=1 takes that");
	chaos.seed = number_of("seed", SEED);
	chaos.first = number_of("first", 0);
	chaos.runs = number_of("runs", RUNS);
	chaos.race = number_of("race", 0);
	chaos.trace = number_of("trace", 0);
	memory_init();
	valid_init();
	intact_init();
}

static void run(void)
{
	if (tap_group("chaos", chaos.race ? "race" : "vmrun"))
		run_all();
	if (tap_group("chaos", "after"))
		works_on();
	point_end();
}

const struct image image = {
	.name = "chaos", .format = format, .prepare = prepare, .run = run, .maps_4g = true};
