/*
 * The other processors, while the first one runs L2s: they write fields of the VMCB12 in use, and
 * entries of tables, as fast as they can. Relies on guest/lib/cpus.h.
 */
#include "guest/chaos/chaos.h"
#include "guest/lib/cpus.h"

enum { TABLE_EDITS = 4 }; /* one in so many edits is one of a table */

volatile uint32_t race_edits;

static volatile bool over;

static void edit(struct cpu *cpu)
{
	struct dice dice;

	dice_seed(&dice, chaos.seed, 0xc0000000u | cpu->id);
	while (!over) {
		struct vmcb *vmcb = run_target;
		const struct field *field = &fields[dice_below(&dice, field_count)];

		__atomic_fetch_add(&race_edits, 1, __ATOMIC_RELAXED);
		if (!vmcb || dice_one_in(&dice, TABLE_EDITS)) {
			tables_edit(&dice);
			continue;
		}
		field_set(vmcb, field, bounds_of(&run_manner, field, field_pick(&dice, field)));
	}
}

void race_begin(void)
{
	over = false;
	race_edits = 0;
	cpus_find();
	for (unsigned int i = 0; i < CPUS_MAX; i++) {
		if (cpu_by_id(i)->starts)
			cpu_call(cpu_by_id(i), edit);
	}
}

void race_end(void)
{
	over = true;
	for (unsigned int i = 0; i < CPUS_MAX; i++) {
		if (cpu_by_id(i)->starts)
			cpu_wait(cpu_by_id(i));
	}
}
