/*
 * One VMRUN after the other, and what is asked of each. A run follows from seed= and its number,
 * and from those before it in its group: they left their traces in tables and in L2s' memory.
 * Relies on all of guest/chaos.
 */
#include "guest/chaos/chaos.h"

enum {
	GROUP = 2048,       /* runs, after which all begins anew */
	RESTORE = 16,       /* runs, after which L2s' code does */
	CHECK_MEMORY = 256, /* runs */
	REPORTS = 4,        /* failures that are told in full */
	GUARD_VECTOR = 0x71,
	EXITS = 0x100,
	ATTR_FREE_TSS = SEG_ATTR_P | 0x9,
};

#define SENTINEL 0x5e471e15e471e1ull

struct chaos chaos;
struct vmcb *volatile run_target;
struct manner run_manner;
struct vmcb run_host;

static struct dice dice;
static struct l2 *l2s[L2_SLOTS];
static struct vmcb before;
static uint32_t number, reports;

static struct tally {
	uint32_t runs, entered, invalid, undecided, npf, other, exits[EXITS];
	uint32_t disagree, unasked, changed, lost, no_code;
} tally;

/* Nested tables for most; what L1 has for all on a machine without. */
static void new_l2(unsigned int slot)
{
	const struct l2_kind *kind;
	unsigned int kinds = 0;

	while (l2_kinds[kinds])
		kinds++;
	do
		kind = l2_kinds[dice_below(&dice, kinds)];
	while (!l2_possible(kind) || (machine.bare && kind->bits == 64));
	l2s[slot] = l2_new(slot, kind);
	/* Who writes a VMCB in the race does not know whether the run is one on nested tables. */
	if (slot == L2_SLOTS - 1 && l2s[slot]->nested && !chaos.race) {
		if (kind->format)
			l2_use_shadow(l2s[slot]);
		else
			l2_share_shadow(l2s[slot]);
	}
	code_keep(l2s[slot]);
}

static void begin_group(void)
{
	dice_seed(&dice, chaos.seed, ~(number / GROUP));
	memory_devices = !machine.qemu || number / GROUP % 2;
	tables_fill(&dice);
	for (unsigned int slot = 0; slot < L2_SLOTS; slot++)
		new_l2(slot); /* keeps their code in the arena */
}

/* How many fields are changed: often few, so that many runs enter. */
static unsigned int how_many(void)
{
	static const uint8_t numbers[] = {0, 0, 1, 1, 1, 2, 2, 3, 4, 6, 9, 20};

	return numbers[dice_below(&dice, sizeof(numbers))];
}

static void change_fields(struct vmcb *vmcb)
{
	unsigned int picks = how_many(), flips = dice_one_in(&dice, 2) ? 0 : how_many();

	for (unsigned int i = 0; i < picks; i++) {
		const struct field *field = &fields[dice_below(&dice, field_count)];

		field_set(vmcb, field, field_pick(&dice, field));
	}
	for (unsigned int i = 0; i < flips; i++) {
		const struct field *field = &fields[dice_below(&dice, field_count)];

		field_set(vmcb, field, field_flip(&dice, field, field_get(vmcb, field)));
	}
}

/* The manners, one in so many runs; Bochs has no SHUTDOWN intercept, so there no handler may run.
 */
static void choose_manner(const struct l2 *l2)
{
	unsigned int roll = dice_below(&dice, 3);

	run_manner.nested = l2->nested;
	run_manner.root = l2->npt.root;
	run_manner.tight = (roll == 0 || machine.bochs) && !chaos.race;
	run_manner.wild = roll == 1 && l2->nested && !run_manner.tight;
}

/* Intercepts: the L2's few, all, or any. */
static void choose_intercepts(struct vmcb *vmcb)
{
	uint32_t *words = vmcb->control.intercepts;
	unsigned int roll = dice_below(&dice, 4);

	for (unsigned int i = 0; i < INTERCEPT_WORDS && roll < 2; i++)
		words[i] = roll ? words[i] | dice_roll(&dice) : ~0u;
}

static struct vmcb *build(struct l2 *l2)
{
	uint64_t at = arena.blocks + dice_below(&dice, BLOCKS) * (uint64_t)PAGE_SIZE;
	struct vmcb *vmcb = (struct vmcb *)(uintptr_t)at;

	*vmcb = *l2->vmcb;
	vmcb->control.tlb_control =
		l2->flush ? TLB_CONTROL_FLUSH_ALL : (uint8_t)dice_below(&dice, 2);
	l2->flush = false;
	choose_manner(l2);
	choose_intercepts(vmcb);
	if (run_manner.wild)
		code_wild(&dice, l2, vmcb);
	else
		code_known(&dice, l2, vmcb, run_manner.tight);
	if (dice_one_in(&dice, 3))
		*(l2->nested ? &vmcb->control.nested_cr3 : &vmcb->save.cr3) = tables_root(&dice);
	change_fields(vmcb);
	bounds_apply(&run_manner, vmcb);
	vmcb->control.exit_code = SENTINEL;
	return vmcb;
}

static bool is_invalid(uint64_t code)
{
	return code == VMEXIT_INVALID || (machine.qemu && machine.bare && code == 0xffffffffu);
}

/* An interrupt that has come meanwhile is taken behind STGI. */
static void run(struct l2 *l2, struct vmcb *vmcb)
{
	bool load = dice_one_in(&dice, 4);

	run_target = vmcb;
	apic_timer_again(RUN_COUNTS);
	clgi();
	sti();
	if (load)
		vmload(vmcb);
	vmrun_once(&l2->regs, vmcb);
	if (load && !is_invalid(vmcb->control.exit_code))
		vmsave(vmcb);
	vmload(&run_host); /* L2 may have changed what it moves */
	stgi();
	__asm__ volatile("nop");
	cli();
	run_target = NULL;
}

/* Is it an exit that L1 intercepts, or none that can be intercepted? */
static bool is_asked_for(uint64_t code)
{
	const uint32_t *words = before.control.intercepts;

	if (code == VMEXIT_NPF)
		return before.control.nested_ctl & NESTED_CTL_NP_ENABLE;
	if (machine.qemu && code == VMEXIT_WBINVD && (words[INTERCEPT_MISC1] & MISC1_INVD))
		return true; /* QEMU's code for INVD */
	return code < INTERCEPT_WORDS * 32 && (words[code / 32] >> code % 32 & 1);
}

static void report(const struct l2 *l2, const struct vmcb *vmcb, const char *what, const char *rule)
{
	if (reports++ >= REPORTS && !chaos.trace)
		return;
	say("# seed=%u first=%u runs=1: %s%s%s\n", chaos.seed, number, what, rule ? ": " : "",
	    rule ? rule : "");
	say("#   exit 0x%llx, info 0x%llx 0x%llx; L2 %s%s%s%s; of its VMCB:\n",
	    (unsigned long long)vmcb->control.exit_code,
	    (unsigned long long)vmcb->control.exit_info1,
	    (unsigned long long)vmcb->control.exit_info2, l2->kind->name,
	    run_manner.nested ? "" : ", shadowed", run_manner.tight ? ", tight" : "",
	    run_manner.wild ? ", wild" : "");
	for (unsigned int i = 0; i < field_count; i++) {
		uint64_t value = field_get(&before, &fields[i]);

		if (value != field_get(l2->vmcb, &fields[i]))
			say("#   %s 0x%llx\n", fields[i].name, (unsigned long long)value);
	}
}

static void count_exit(uint64_t code)
{
	if (code == VMEXIT_NPF)
		tally.npf++;
	else if (code < EXITS)
		tally.exits[code]++;
	else
		tally.other++;
}

/* What a VMRUN that fails leaves in VMCB12 is the exit, and what it would have injected is gone. */
static bool is_untouched(const struct vmcb *vmcb)
{
	struct vmcb expected = before;

	expected.control.exit_code = vmcb->control.exit_code;
	expected.control.exit_info1 = expected.control.exit_info2 = 0;
	expected.control.exit_int_info = 0;
	expected.control.event_inj = 0;
	return !memcmp(&expected, vmcb, sizeof(expected));
}

static void check_run(const struct l2 *l2, const struct vmcb *vmcb, struct judgement judgement)
{
	uint64_t code = vmcb->control.exit_code;
	bool entered = !is_invalid(code);

	if (code == SENTINEL) {
		tally.no_code++;
		report(l2, vmcb, "VMRUN wrote no exit code", NULL);
	}
	if (judgement.verdict == UNDECIDED) {
		tally.undecided++;
	} else if (entered != (judgement.verdict == VALID)) {
		tally.disagree++;
		report(l2, vmcb,
		       entered ? "enters, against a rule" : "fails, and no rule is broken",
		       judgement.rule);
	}
	if (!entered && !is_untouched(vmcb)) {
		tally.changed++;
		report(l2, vmcb, "fails, and changes the guest's state", judgement.rule);
	}
	if (entered && !is_asked_for(code)) {
		tally.unasked++;
		report(l2, vmcb, "an exit that was not asked for", NULL);
	}
}

static void one(void)
{
	struct l2 *l2;
	struct vmcb *vmcb;
	struct judgement judgement;

	if (number % GROUP == 0)
		begin_group();
	dice_seed(&dice, chaos.seed, number);
	if (number % RESTORE == 0) {
		for (unsigned int slot = 0; slot < L2_SLOTS; slot++)
			code_restore(l2s[slot]);
	}
	if (dice_one_in(&dice, 16))
		instructions_try(&dice);
	for (unsigned int edits = dice_below(&dice, 4); edits; edits--)
		tables_edit(&dice);
	l2 = l2s[dice_below(&dice, L2_SLOTS)];
	vmcb = build(l2);
	before = *vmcb;
	judgement = judge(vmcb);
	if (chaos.trace && number >= chaos.first)
		report(l2, vmcb, "next", judgement.rule);
	run(l2, vmcb);

	tally.runs++;
	if (is_invalid(vmcb->control.exit_code))
		tally.invalid++;
	else
		tally.entered++;
	count_exit(vmcb->control.exit_code);
	if (!chaos.race)
		check_run(l2, vmcb, judgement);
	if (!intact_state() || (number % CHECK_MEMORY == 0 && !intact_memory())) {
		tally.lost++;
		report(l2, vmcb, "L1's own state or memory is not what it was", NULL);
	}
}

static void say_counts(void)
{
	say("# %u runs: %u entered, %u invalid, %u not judged; exits by code:\n", tally.runs,
	    tally.entered, tally.invalid, tally.undecided);
	for (unsigned int i = 0; i < EXITS; i++) {
		if (tally.exits[i])
			say("#   0x%x %u\n", i, tally.exits[i]);
	}
	say("#   NPF %u\n", tally.npf);
}

/* Bare, it is the emulator that is compared with the manual: told, and let pass. */
static void check_none(const char *what, uint32_t count, const char *known)
{
	if (count && machine.bare)
		point_known(machine.qemu ? QEMU : BOCHS, known);
	else
		check(what, count, 0);
}

void run_all(void)
{
	number = chaos.first / GROUP * GROUP;
	memset(&tally, 0, sizeof(tally));
	vmsave(&run_host);
	if (machine.qemu && machine.bare) { /* it aborts at a change of CPL with a busy one */
		run_host.save.tr.attributes = ATTR_FREE_TSS;
		vmload(&run_host);
	}
	point("SVM's instructions on any address");
	apic_timer(GUARD_VECTOR, RUN_COUNTS);
	if (chaos.race)
		race_begin();
	for (; number < chaos.first + chaos.runs; number++)
		one();
	if (chaos.race)
		race_end();
	apic_timer_stop();
	say_counts();

	point("every VMRUN ends with an exit code");
	check("without", tally.no_code, 0);
	point("L1's own state and memory stay as they were");
	check("not so", tally.lost + !intact_memory(), 0);
	if (chaos.race) {
		point("another processor wrote VMCBs and tables meanwhile");
		check("as often as VMRUN ran, at least", race_edits >= tally.runs, true);
		return;
	}
	point("VMRUN enters or fails as the manual says");
	check_none("not so", tally.disagree, "VMRUN skips checks");
	point("a VMRUN that fails leaves the guest's state alone");
	check_none("not so", tally.changed, "the save area holds mixed state then");
	point("every other exit is one that L1 asked for");
	check_none("not so", tally.unasked, "a MOV to CR3 or CR4 exits as INVALID");
	point("a fifth of all VMRUNs enters, at least");
	check("enough", tally.entered * 5 >= tally.runs, true);
}
