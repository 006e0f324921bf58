/*
 * VMRUNs that must fail, one bit of the VMCB at a time, and those beside them that must not. Relies
 * on guest/lib; APM 15.5.1, 15.10.1, 15.20, 15.25.4.
 */
#include "guest/svm/fails.h"

#define AT(field) offsetof(struct vmcb, field)
#define HIGH_HALF 0xffffffff00000000ull

static const char half[] = "VMEXIT_INVALID is -1 in the lower 32 bits only";

static const char not_seen[] = "VMRUN does not look at it: not tried";

/* Who lets it pass, against the manual. */
enum { BY_QEMU = 1, BY_BOCHS = 2, BY_BOTH = 3 };

/* QEMU looks at CR3 if L1, not L2, is in long mode. */
#define BY_CR3 (BITS64 ? BY_BOCHS : BY_BOTH)

/*
 * One field of the VMCB: clear goes, set comes. Where each is not 0, every bit of it is set alone,
 * one after the other. In a VMCB of long mode (wide), or of the widest L2.
 */
struct rule {
	const char *name;
	size_t field;
	unsigned int bytes;
	uint64_t clear, set, each;
	bool wide;
	unsigned int passed_by;
};

static const struct rule rules[] = {
	{"the VMRUN intercept clear", AT(control.intercepts[INTERCEPT_MISC2]), 4, MISC2_VMRUN, 0, 0,
         false, 0},
	{"ASID 0", AT(control.asid), 4, ~0ull, 0, 0, false, 0},
	{"an ASID with bit 31 set", AT(control.asid), 4, 0, 1u << 31, 0, false, BY_BOTH},
	{"EFER.SVME=0", AT(save.efer), 8, EFER_SVME, 0, 0, false, 0},
	{"EFER bits 7 to 1, each alone", AT(save.efer), 8, 0, 0, 0xfe, false, 0},
	{"EFER bit 9", AT(save.efer), 8, 0, 1u << 9, 0, false, 0},
	{"EFER bit 16", AT(save.efer), 8, 0, 1u << 16, 0, false, 0},
	{"EFER bit 19", AT(save.efer), 8, 0, 1u << 19, 0, false, 0},
	{"EFER bits 31 to 22, each alone", AT(save.efer), 8, 0, 0, 0xffc00000, false, 0},
	{"EFER bits 63 to 32, each alone", AT(save.efer), 8, 0, 0, HIGH_HALF, false, 0},
	{"CR0.NW without CR0.CD", AT(save.cr0), 8, CR0_CD, CR0_NW, 0, false, 0},
	{"CR0 bits 63 to 32, each alone", AT(save.cr0), 8, 0, 0, HIGH_HALF, false, 0},
	{"CR4 bits 15 to 13, each alone", AT(save.cr4), 8, 0, 0, 0xe000, false, 0},
	{"CR4 bit 19", AT(save.cr4), 8, 0, 1u << 19, 0, false, 0},
	{"CR4 bits 31 to 25, each alone", AT(save.cr4), 8, 0, 0, 0xfe000000, false, 0},
	{"CR4 bits 63 to 32, each alone", AT(save.cr4), 8, 0, 0, HIGH_HALF, false, 0},
	{"CR3 bits 63 to 52 in long mode, each alone", AT(save.cr3), 8, 0, 0, 0xfffull << 52, true,
         BY_CR3},
	{"DR6 bits 63 to 32, each alone", AT(save.dr6), 8, 0, 0, HIGH_HALF, false, 0},
	{"DR7 bits 63 to 32, each alone", AT(save.dr7), 8, 0, 0, HIGH_HALF, false, 0},
	{"long mode with CR4.PAE=0", AT(save.cr4), 8, CR4_PAE | CR4_LA57, 0, 0, true, 0},
	{"long mode with CS.L and CS.D", AT(save.cs.attributes), 2, 0, SEG_ATTR_L | SEG_ATTR_DB, 0,
         true, 0},
	{"MSRPM_BASE_PA with bits 63 to 52, each alone", AT(control.msrpm_base_pa), 8, 0, 0,
         0xfffull << 52, false, BY_BOCHS},
	{"IOPM_BASE_PA with bits 63 to 52, each alone", AT(control.iopm_base_pa), 8, 0, 0,
         0xfffull << 52, false, BY_BOCHS},
	{"EVENTINJ of type 1", AT(control.event_inj), 8, 0, EVENT_VALID | 0x100, 0, false, 0},
	{"EVENTINJ of type 5", AT(control.event_inj), 8, 0, EVENT_VALID | 0x500, 0, false, 0},
	{"EVENTINJ of type 6", AT(control.event_inj), 8, 0, EVENT_VALID | 0x600, 0, false, 0},
	{"EVENTINJ of type 7", AT(control.event_inj), 8, 0, EVENT_VALID | 0x700, 0, false, 0},
	{"EVENTINJ of exception 2", AT(control.event_inj), 8, 0, EVENT_VALID | 0x302, 0, false, 0},
	{"EVENTINJ of exception 32", AT(control.event_inj), 8, 0, EVENT_VALID | 0x320, 0, false, 0},
	{"EVENTINJ of exception 255", AT(control.event_inj), 8, 0, EVENT_VALID | 0x3ff, 0, false,
         0},
};

static const char *const passers[] = {
	[BY_QEMU] = "VMRUN does not look at it",
	[BY_BOCHS] = "VMRUN does not look at it",
};

/* A VMCB for long mode: a 32-bit L1 may make one, too, if VMRUN does not enter it. */
static void make_wide(struct l2 *l2)
{
	struct vmcb_save *save = &l2->vmcb->save;

	save->cr0 |= CR0_PE | CR0_PG;
	save->cr4 |= CR4_PAE;
	save->efer |= EFER_LME | EFER_LMA;
	save->cs.attributes = (uint16_t)((save->cs.attributes & ~SEG_ATTR_DB) | SEG_ATTR_L);
}

bool invalid_is(struct l2 *l2, unsigned int passed_by)
{
	uint64_t code = l2->vmcb->control.exit_code;

	if (code != VMEXIT_INVALID && (uint32_t)code != (uint32_t)VMEXIT_INVALID) {
		enum emulator who = machine.bochs ? BOCHS_BARE : QEMU_BARE;

		if (emulator_is(who) && (passed_by & (machine.bochs ? BY_BOCHS : BY_QEMU))) {
			point_known(who, passers[machine.bochs ? BY_BOCHS : BY_QEMU]);
			return false;
		}
	}
	return check_known("exit code", code, VMEXIT_INVALID, 0xffffffffull, QEMU_BARE, half);
}

static void apply(struct l2 *l2, const struct rule *rule, uint64_t set)
{
	uint8_t *field = (uint8_t *)l2->vmcb + rule->field;
	uint64_t value = 0;

	if (rule->wide)
		make_wide(l2);
	memcpy(&value, field, rule->bytes);
	value = (value & ~rule->clear) | set;
	memcpy(field, &value, rule->bytes);
	l2_aim(l2, L2_VMMCALL);
	l2_run(l2);
}

static void check_rule(const struct rule *rule)
{
	struct l2 *l2 = l2_new(0, l2_widest());

	point(rule->name);
	if (rule->wide && !machine.lm) {
		point_skip("the processor has no long mode");
		return;
	}
	if (rule->passed_by == BY_CR3 && lets_pass(!BITS64, BOCHS_BARE, not_seen))
		return;
	if (!rule->each) {
		apply(l2, rule, rule->set);
		invalid_is(l2, rule->passed_by);
		return;
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		struct vmcb good = *l2->vmcb;

		if (!(rule->each >> bit & 1))
			continue;
		apply(l2, rule, 1ull << bit);
		if (!invalid_is(l2, rule->passed_by)) {
			if (l2->vmcb->control.exit_code != VMEXIT_INVALID)
				say("# bit %u\n", bit);
			return;
		}
		*l2->vmcb = good;
	}
}

/* What needs the processor's numbers. */
static void numbers(void)
{
	uint64_t beyond = 1ull << machine.physical_bits;
	struct l2 *l2;

	l2 = fresh("the first ASID that is not offered");
	l2->vmcb->control.asid = machine.asids;
	l2_start(l2, L2_VMMCALL);
	invalid_is(l2, BY_BOTH);

	l2 = fresh("an MSRPM that ends beyond the physical address width");
	l2->vmcb->control.msrpm_base_pa = beyond - PAGE_SIZE;
	l2_start(l2, L2_VMMCALL);
	invalid_is(l2, BY_BOCHS);

	l2 = fresh("an IOPM that ends beyond the physical address width");
	l2->vmcb->control.iopm_base_pa = beyond - IOPM_SIZE + PAGE_SIZE;
	l2_start(l2, L2_VMMCALL);
	invalid_is(l2, BY_BOCHS);

	l2 = fresh("CR3 beyond the physical address width in long mode");
	if (lets_pass(!BITS64, BOCHS_BARE, not_seen)) {
		/* L2 would run, and shut down. */
	} else if (machine.lm) {
		make_wide(l2);
		l2->vmcb->save.cr3 |= beyond;
		l2_start(l2, L2_VMMCALL);
		invalid_is(l2, BY_CR3);
	} else {
		point_skip("the processor has no long mode");
	}

	l2 = fresh("long mode with CR0.PE=0");
	if (emulator_is(BOCHS)) {
		point_known(BOCHS, "it panics: not tried");
	} else if (machine.lm) {
		make_wide(l2);
		l2->vmcb->save.cr0 &= ~(uint64_t)CR0_PE;
		l2_start(l2, L2_VMMCALL);
		invalid_is(l2, 0);
	} else {
		point_skip("the processor has no long mode");
	}
}

/* APM 15.20: INTO and BOUND are not in 64-bit code. */
static void impossible_events(void)
{
	static const uint8_t vectors[] = {VEC_OF, VEC_BR};

	for (unsigned int i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct l2 *l2 = l2_new(0, l2_widest());

		point_named("EVENTINJ of exception %u in 64-bit code", vectors[i]);
		if (l2->kind->bits != 64) {
			point_skip("this L1 runs no 64-bit code");
			continue;
		}
		l2->vmcb->control.event_inj = event(EVENT_EXCEPTION, vectors[i]);
		l2_start(l2, L2_VMMCALL);
		invalid_is(l2, BY_BOTH);
	}
}

/* APM 15.25.4: what nested paging adds. */
static void nested(void)
{
	static const uint8_t bad_types[] = {2, 3, 8, 0x80};
	uint64_t beyond = 1ull << machine.physical_bits;
	struct l2 *l2;

	l2 = fresh("nested paging where it is not offered");
	if (machine.npt) {
		point_skip("nested paging is offered");
	} else {
		l2->vmcb->control.nested_ctl = NESTED_CTL_NP_ENABLE;
		l2->vmcb->control.nested_cr3 = l2->vmcb->save.cr3;
		l2_start(l2, L2_VMMCALL);
		invalid_is(l2, BY_BOTH);
	}

	l2 = fresh("nCR3 beyond the physical address width");
	if (l2_lacks_nesting) {
		point_skip(l2_lacks_nesting);
	} else {
		l2->vmcb->control.nested_cr3 |= beyond;
		l2_start(l2, L2_VMMCALL);
		invalid_is(l2, BY_BOTH);
	}

	for (unsigned int i = 0; i < 8; i++) {
		point_named("gPAT with an undefined type in PA%u", i);
		if (l2_lacks_nesting) {
			point_skip(l2_lacks_nesting);
			continue;
		}
		for (unsigned int n = 0; n < ARRAY_SIZE(bad_types); n++) {
			l2 = l2_new(0, l2_widest());
			l2->vmcb->save.g_pat &= ~(0xffull << 8 * i);
			l2->vmcb->save.g_pat |= (uint64_t)bad_types[n] << 8 * i;
			l2_start(l2, L2_VMMCALL);
			if (!invalid_is(l2, BY_QEMU))
				break;
		}
	}
}

/* VMCBs beside those that fail, which must not. */
static void passes(void)
{
	uint64_t beyond = 1ull << machine.physical_bits;
	struct l2 *l2;

	l2 = fresh("CR0.CD with and without CR0.NW runs");
	l2->vmcb->save.cr0 |= CR0_CD;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
	l2->vmcb->save.cr0 |= CR0_NW;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);

	l2 = fresh("the highest ASID that is offered runs");
	l2->vmcb->control.asid = machine.asids - 1;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);

	l2 = fresh("maps that end at the physical address width run");
	l2->vmcb->control.msrpm_base_pa = beyond - MSRPM_SIZE;
	l2->vmcb->control.iopm_base_pa = beyond - IOPM_SIZE;
	l2_start(l2, L2_VMMCALL);
	check_known("exit code", l2->vmcb->control.exit_code, VMEXIT_VMMCALL, 0xffffffffull,
	            QEMU_BARE, "the last page of the width is refused");

	l2 = fresh("EVENTINJ that is not valid may hold anything");
	l2->vmcb->control.event_inj = ~EVENT_VALID;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);

	l2 = fresh("gPAT is not looked at without nested paging");
	if (l2->nested && l2->kind->format)
		l2_use_shadow(l2);
	l2->vmcb->save.g_pat = 0x0202020202020202ull;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
}

void suite_fails(void)
{
	if (tap_group("vmrun-fails", "rule")) {
		for (unsigned int i = 0; i < ARRAY_SIZE(rules); i++)
			check_rule(&rules[i]);
		numbers();
		impossible_events();
		nested();
	}
	if (tap_group("vmrun-fails", "beside"))
		passes();
	if (tap_group("vmrun-fails", "leaves"))
		fails_leave();
	point_end();
}
