/*
 * What random VMCBs do not have, and why: bits that a field keeps, by the manner of the run. That
 * is what lets every run end, what keeps L1 from harming itself, and what an emulator cannot take.
 * Relies on svm/vmcb.h.
 */
#include "guest/chaos/chaos.h"

#define ALL (~0ull)

#define CR_WRITES (1u << VMEXIT_CR0_WRITE | 1u << VMEXIT_CR3_WRITE | 1u << VMEXIT_CR4_WRITE)

#define DR7_WRITE (1u << (VMEXIT_DR0_WRITE - VMEXIT_DR0_READ + 7))

/* When a row holds: in all of the manners and on all of the machines that are named. */
enum when {
	ALWAYS = 0,
	NESTED = 1,
	SHADOWED = 2,
	LOOSE = 4, /* not tight */
	TIGHT = 8,
	WILD = 16,
	ON_QEMU = 32,
	ON_BOCHS = 64,
	BARE = 128,
	IN_RACE = 256,
};

struct bound {
	size_t offset;
	unsigned int when;
	uint64_t set, clear;
	const char *why;
};

#define AT(member)   offsetof(struct vmcb, member)
#define INTERCEPT(w) (AT(control.intercepts) + (w) * sizeof(uint32_t))

/* clang-format off */
static const struct bound bounds[] = {
	{INTERCEPT(INTERCEPT_MISC1), ALWAYS, MISC1_INTR | MISC1_SHUTDOWN, 0,
	 "the timer ends a run; a triple fault must not be the machine's"},
	{AT(control.int_ctl), LOOSE, INT_CTL_V_INTR_MASKING, 0,
	 "the timer ends it whatever L2's IF and TPR are"},
	{INTERCEPT(INTERCEPT_MISC2), LOOSE, MISC2_CLGI, 0,
	 "the timer ends it: with GIF=0 it could not"},
	{INTERCEPT(INTERCEPT_EXCEPTION), TIGHT, ALL, 0,
	 "no handler runs"},
	{INTERCEPT(INTERCEPT_MISC1), TIGHT, MISC1_HLT, 0,
	 "no interrupt might wake it"},
	{AT(save.rflags), TIGHT, RFLAGS_IF, 0,
	 "without V_INTR_MASKING it decides whether the timer ends it"},
	{INTERCEPT(INTERCEPT_MISC1), WILD, MISC1_IOIO_PROT, 0,
	 "ports are L1's own devices: one of them ends the machine"},
	{INTERCEPT(INTERCEPT_MISC1), IN_RACE, MISC1_IOIO_PROT | MISC1_MSR_PROT | MISC1_HLT, 0,
	 "anything may be executed"},
	{AT(control.nested_ctl), NESTED, NESTED_CTL_NP_ENABLE, 0,
	 "without nested tables its own are not tame: it would reach L1's memory"},
	{INTERCEPT(INTERCEPT_CR), SHADOWED, CR_WRITES, 0,
	 "without paging it would reach L1's memory"},
	{INTERCEPT(INTERCEPT_MISC1), SHADOWED, MISC1_TASK_SWITCH, 0,
	 "a task has another CR3"},
	{AT(save.cr0), SHADOWED, CR0_PG, 0,
	 "without paging it would reach L1's memory"},
	{INTERCEPT(INTERCEPT_CR), WILD | ON_QEMU, 1u << VMEXIT_CR4_WRITE, 0,
	 "QEMU hangs at a #VMEXIT with LME=1, PG=0, PAE=0"},
	{INTERCEPT(INTERCEPT_CR), IN_RACE | ON_QEMU, 1u << VMEXIT_CR4_WRITE, 0,
	 "QEMU hangs at a #VMEXIT with LME=1, PG=0, PAE=0"},
	{AT(save.dr7), ON_QEMU, 0, 0xff,
	 "QEMU dies of a breakpoint that is hit where CS.base is not 0"},
	{INTERCEPT(INTERCEPT_DR), WILD | ON_QEMU, DR7_WRITE, 0,
	 "QEMU dies of a breakpoint that is hit where CS.base is not 0"},
	{INTERCEPT(INTERCEPT_DR), IN_RACE | ON_QEMU, DR7_WRITE, 0,
	 "QEMU dies of a breakpoint that is hit where CS.base is not 0"},
	{AT(save.tr.attributes), ON_QEMU, 0x81, 0x04,
	 "QEMU aborts at a change of CPL with a TR that is no TSS"},
	{AT(save.tr.attributes), ON_QEMU | BARE, 0x81, 0x06,
	 "QEMU aborts at a change of CPL with a TR that is a busy TSS"},
	{AT(save.efer), ON_QEMU | BARE, 0, EFER_LME | EFER_LMA,
	 "QEMU hangs at a #VMEXIT with LME=1, PG=0, PAE=0"},
	{AT(save.rflags), ON_BOCHS, 0, RFLAGS_VM, "Bochs panics at VM=1 in long mode"},
	{AT(save.rflags), ON_BOCHS | BARE, 0, RFLAGS_TF, "Bochs takes L2's single step in L1"},
	{AT(save.efer), ON_BOCHS, 0, EFER_TCE, "Bochs shows the feature, and refuses the bit"},
	{INTERCEPT(INTERCEPT_MISC2), ON_BOCHS | BARE, MISC2_SKINIT, 0, "Bochs panics at SKINIT"},
	{AT(save.efer), ON_BOCHS | BARE, 0, EFER_LME | EFER_LMA,
	 "Bochs panics at LME=1, PG=1, PE=0"},
};
/* clang-format on */

static unsigned int holding(const struct manner *manner)
{
	unsigned int now = manner->nested ? NESTED : SHADOWED;

	now |= manner->tight ? TIGHT : LOOSE;
	now |= manner->wild ? WILD : 0;
	now |= machine.qemu ? ON_QEMU : 0;
	now |= machine.bochs ? ON_BOCHS : 0;
	now |= machine.bare ? BARE : 0;
	now |= chaos.race ? IN_RACE : 0;
	return now;
}

uint64_t bounds_of(const struct manner *manner, const struct field *field, uint64_t value)
{
	unsigned int now = holding(manner);

	for (unsigned int i = 0; i < sizeof(bounds) / sizeof(*bounds); i++) {
		if (bounds[i].offset == field->offset && (bounds[i].when & now) == bounds[i].when)
			value = (value | bounds[i].set) & ~bounds[i].clear;
	}
	/* What the processor writes A and D bits to. */
	if (value != manner->root && (field->offset == AT(control.nested_cr3) ||
	                              (field->offset == AT(save.cr3) && !manner->nested)))
		value = memory_tame_address(value);
	if (field->offset == AT(save.cr3) && !manner->nested && machine.qemu && machine.npt &&
	    memory_devices)
		value = manner->root;
	/* Bochs refuses both out of long mode, too, where the manual says nothing of them. */
	if (field->offset == AT(save.cs.attributes) && machine.bochs && (value & SEG_ATTR_L))
		value &= ~(uint64_t)SEG_ATTR_DB;
	/* Of any map, the ports that it opens are L1's. */
	if (field->offset == AT(control.iopm_base_pa) && (manner->wild || chaos.race))
		value = arena.ones;
	return value;
}

void bounds_apply(const struct manner *manner, struct vmcb *vmcb)
{
	for (unsigned int i = 0; i < field_count; i++) {
		uint64_t value = field_get(vmcb, &fields[i]);

		field_set(vmcb, &fields[i], bounds_of(manner, &fields[i], value));
	}
}
