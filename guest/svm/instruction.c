/*
 * The intercepts of single instructions: each exits by its own bit, before it runs, and runs when
 * every other bit is set. Relies on guest/lib; APM 15.9, and appendix C for the codes.
 */
#include "guest/svm/suite.h"

/* What the instruction does when it is not intercepted. */
enum outcome {
	RUNS,
	TAKES_VECTOR, /* to row.vector */
	UNTRIED,      /* it would end L2, the caches' contents, or the test */
};

enum { FRAME_WORDS = 5, SAVED = 0x100, BEYOND_GDT = 0x1000 };

struct row {
	const char *name;
	struct code code;
	enum intercept_word word;
	uint32_t bit;
	enum outcome outcome;
	unsigned int vector;
	void (*prepare)(struct l2 *l2, const struct row *row);
	/* NULL, or the CPUID bit that offers the instruction. */
	const char *feature;
	uint32_t leaf, ebx, ecx, edx;
};

/* The operand in memory: the GDTR or IDTR that L2 has. */
static void set_table(struct l2 *l2, const struct vmcb_segment *table)
{
	uint8_t *at = l2->low + L2_SCRATCH;

	memcpy(at, &table->limit, 2);
	memcpy(at + 2, &table->base, sizeof(table->base));
}

static void with_gdtr(struct l2 *l2, const struct row *row)
{
	(void)row;
	set_table(l2, &l2->vmcb->save.gdtr);
}

static void with_idtr(struct l2 *l2, const struct row *row)
{
	(void)row;
	set_table(l2, &l2->vmcb->save.idtr);
}

/* The stack has what POPF and IRET take: RFLAGS; RIP behind the code, CS, RFLAGS, RSP, SS. */
static void with_flags(struct l2 *l2, const struct row *row)
{
	(void)row;
	l2->vmcb->save.rsp = L2_STACK_TOP - SAVED;
	*(uint64_t *)(l2->low + l2->vmcb->save.rsp) = RFLAGS_FIXED;
}

static void with_frame(struct l2 *l2, const struct row *row)
{
	const uint64_t frame[FRAME_WORDS] = {L2_BOOT + row->code.length, l2->vmcb->save.cs.selector,
	                                     RFLAGS_FIXED, L2_STACK_TOP, L2_DATA_SEL};
	unsigned int bytes = l2->kind->bits / 8;

	l2->vmcb->save.rsp = L2_STACK_TOP - SAVED;
	for (unsigned int i = 0; i < FRAME_WORDS; i++)
		memcpy(l2->low + l2->vmcb->save.rsp + i * bytes, &frame[i], bytes);
}

static void with_xsave(struct l2 *l2, const struct row *row)
{
	(void)row;
	l2->vmcb->save.cr4 |= CR4_OSXSAVE;
	l2->vmcb->save.rax = 1; /* the x87 state: XCR0 as after reset */
}

static void with_asid(struct l2 *l2, const struct row *row)
{
	(void)row;
	l2->regs.rcx = l2->vmcb->control.asid;
}

static void with_wrong_selector(struct l2 *l2, const struct row *row)
{
	(void)row;
	l2->vmcb->save.rax = BEYOND_GDT;
}

static void with_all(struct l2 *l2, const struct row *row)
{
	(void)row;
	l2->vmcb->save.rax = 2; /* INVPCID of all contexts */
}

#define MISC1 INTERCEPT_MISC1
#define MISC2 INTERCEPT_MISC2
#define MISC3 INTERCEPT_MISC3

#ifdef __x86_64__
#define IRET "\x48\xcf"
#else
#define IRET "\xcf"
#endif

static const struct row rows[] = {
	{"SIDT", CODE("\x0f\x01\x0b"), MISC1, MISC1_IDTR_READ, .outcome = RUNS},
	{"SGDT", CODE("\x0f\x01\x03"), MISC1, MISC1_GDTR_READ, .outcome = RUNS},
	{"SLDT", CODE("\x0f\x00\xc0"), MISC1, MISC1_LDTR_READ, .outcome = RUNS},
	{"STR", CODE("\x0f\x00\xc8"), MISC1, MISC1_TR_READ, .outcome = RUNS},
	{"LIDT", CODE("\x0f\x01\x1b"), MISC1, MISC1_IDTR_WRITE, .prepare = with_idtr},
	{"LGDT", CODE("\x0f\x01\x13"), MISC1, MISC1_GDTR_WRITE, .prepare = with_gdtr},
	{"LLDT", CODE("\x0f\x00\xd0"), MISC1, MISC1_LDTR_WRITE, .outcome = RUNS},
	{"LTR", CODE("\x0f\x00\xd8"), MISC1, MISC1_TR_WRITE, .outcome = TAKES_VECTOR,
         .vector = VEC_GP, .prepare = with_wrong_selector},
	{"RDTSC", CODE("\x0f\x31"), MISC1, MISC1_RDTSC, .outcome = RUNS},
	{"RDPMC", CODE("\x0f\x33"), MISC1, MISC1_RDPMC, .outcome = UNTRIED},
	{"PUSHF", CODE("\x9c"), MISC1, MISC1_PUSHF, .outcome = RUNS},
	{"POPF", CODE("\x9d"), MISC1, MISC1_POPF, .prepare = with_flags},
	{"CPUID", CODE("\x0f\xa2"), MISC1, MISC1_CPUID, .outcome = RUNS},
	{"RSM", CODE("\x0f\xaa"), MISC1, MISC1_RSM, .outcome = TAKES_VECTOR, .vector = VEC_UD},
	{"IRET", CODE(IRET), MISC1, MISC1_IRET, .prepare = with_frame},
	{"INTn", CODE("\xcd\x31"), MISC1, MISC1_INTN, .outcome = TAKES_VECTOR,
         .vector = L2_SOFT_VECTOR},
	{"INVD", CODE("\x0f\x08"), MISC1, MISC1_INVD, .outcome = UNTRIED},
	{"PAUSE", CODE("\xf3\x90"), MISC1, MISC1_PAUSE, .outcome = RUNS},
	{"HLT", CODE("\xf4"), MISC1, MISC1_HLT, .outcome = UNTRIED},
	{"INVLPG", CODE("\x0f\x01\x3b"), MISC1, MISC1_INVLPG, .outcome = RUNS},
	{"INVLPGA", CODE("\x0f\x01\xdf"), MISC1, MISC1_INVLPGA, .prepare = with_asid},
	{"VMRUN", CODE("\x0f\x01\xd8"), MISC2, MISC2_VMRUN, .outcome = UNTRIED},
	{"VMLOAD", CODE("\x0f\x01\xda"), MISC2, MISC2_VMLOAD, .outcome = UNTRIED},
	{"VMSAVE", CODE("\x0f\x01\xdb"), MISC2, MISC2_VMSAVE, .outcome = UNTRIED},
	{"STGI", CODE("\x0f\x01\xdc"), MISC2, MISC2_STGI, .outcome = RUNS},
	{"CLGI", CODE("\x0f\x01\xdd"), MISC2, MISC2_CLGI, .outcome = UNTRIED},
	{"SKINIT", CODE("\x0f\x01\xde"), MISC2, MISC2_SKINIT, .outcome = UNTRIED},
	{"RDTSCP", CODE("\x0f\x01\xf9"), MISC2, MISC2_RDTSCP, .outcome = RUNS,
         .feature = "the processor has no RDTSCP", .leaf = 0x80000001, .edx = 1u << 27},
	{"ICEBP", CODE("\xf1"), MISC2, MISC2_ICEBP, .outcome = TAKES_VECTOR, .vector = VEC_DB},
	{"WBINVD", CODE("\x0f\x09"), MISC2, MISC2_WBINVD, .outcome = RUNS},
	{"MONITOR", CODE("\x0f\x01\xc8"), MISC2, MISC2_MONITOR, .outcome = UNTRIED,
         .feature = "the processor has no MONITOR", .leaf = 1, .ecx = 1u << 3},
	{"MWAIT", CODE("\x0f\x01\xc9"), MISC2, MISC2_MWAIT, .outcome = UNTRIED,
         .feature = "the processor has no MWAIT", .leaf = 1, .ecx = 1u << 3},
	{"XSETBV", CODE("\x0f\x01\xd1"), MISC2, MISC2_XSETBV, .outcome = RUNS,
         .prepare = with_xsave, .feature = "the processor has no XSETBV", .leaf = 1,
         .ecx = 1u << 26},
	{"RDPRU", CODE("\x0f\x01\xfd"), MISC2, MISC2_RDPRU, .outcome = UNTRIED,
         .feature = "the processor has no RDPRU", .leaf = 0x80000008, .ebx = 1u << 4},
	{"INVPCID", CODE("\x66\x0f\x38\x82\x03"), MISC3, MISC3_INVPCID, .outcome = RUNS,
         .prepare = with_all, .feature = "the processor has no INVPCID", .leaf = 7,
         .ebx = 1u << 10},
};

/* Deviations of exit codes: the point passes by name. */
static bool deviates(const struct row *row, uint64_t code)
{
	static const struct {
		uint32_t word, bit;
		uint64_t code;
		enum emulator emulator;
		const char *reason;
	} known[] = {
		{MISC1, MISC1_INVD, VMEXIT_VMMCALL, QEMU, "INVD asks for the intercept of WBINVD"},
		{MISC1, MISC1_RSM, VMEXIT_VMMCALL, BOCHS,
	         "RSM outside of SMM raises #UD before its intercept counts"},
		{MISC2, MISC2_RDTSCP, VMEXIT_RDTSC, QEMU, "RDTSCP asks for the intercept of RDTSC"},
		{MISC2, MISC2_RDTSCP, VMEXIT_VMMCALL, QEMU,
	         "RDTSCP asks for the intercept of RDTSC"},
		{MISC2, MISC2_ICEBP, VMEXIT_VMMCALL, QEMU, "there is no intercept of ICEBP"},
		{MISC2, MISC2_XSETBV, VMEXIT_VMMCALL, QEMU, "there is no intercept of XSETBV"},
		{MISC2, MISC2_RDPRU, VMEXIT_VMMCALL, QEMU, "there is no intercept of RDPRU"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].word == row->word && known[i].bit == row->bit &&
		    known[i].code == code && emulator_is(known[i].emulator)) {
			point_known(known[i].emulator, known[i].reason);
			return true;
		}
	}
	return false;
}

static bool offered(const struct row *row)
{
	return !row->feature || cpuid_has(row->leaf, row->ebx, row->ecx, row->edx);
}

static struct l2 *prepared(const struct row *row)
{
	struct l2 *l2 = l2_new(0, l2_widest());

	l2->regs.rbx = L2_SCRATCH;
	load_code(l2, &row->code);
	if (row->prepare)
		row->prepare(l2, row);
	return l2;
}

static void intercepted(const struct row *row)
{
	struct l2 *l2 = prepared(row);
	unsigned int bit = 0;

	point_named("%s exits by its own bit", row->name);
	if (!offered(row)) {
		point_skip(row->feature);
		return;
	}
	while (row->bit >> bit != 1)
		bit++;
	l2->vmcb->control.intercepts[MISC1] = row->word == MISC1 ? row->bit : 0;
	l2->vmcb->control.intercepts[MISC2] = MISC2_VMRUN | MISC2_VMMCALL;
	l2->vmcb->control.intercepts[row->word] |= row->bit;
	l2_run(l2);
	if (!deviates(row, l2->vmcb->control.exit_code))
		check_before(l2, row->word * 32ull + bit, row->code.length);
}

static void not_intercepted(const struct row *row)
{
	struct l2 *l2;

	if (row->outcome == UNTRIED)
		return;
	l2 = prepared(row);
	point_named("%s runs when every other bit is set", row->name);
	if (!offered(row)) {
		point_skip(row->feature);
		return;
	}
	l2->vmcb->control.intercepts[MISC1] = ~0u;
	l2->vmcb->control.intercepts[MISC2] = MISC2_XSETBV * 2 - 1;
	l2->vmcb->control.intercepts[row->word] &= ~row->bit;
	l2_run(l2);
	if (deviates(row, l2->vmcb->control.exit_code))
		return;
	if (row->outcome == TAKES_VECTOR)
		l2_check_vector(l2, row->vector);
	else
		check_through(l2, row->code.length);
}

/* Without its intercept VMMCALL raises #UD: no guest may call who does not listen. */
static void vmmcall(void)
{
	static const struct code code = CODE("\x0f\x01\xd9\xf4");
	struct l2 *l2 = fresh("VMMCALL, not intercepted, raises #UD");

	if (lets_pass(true, KVM, "VMMCALL that nobody intercepts never comes back"))
		return;
	l2->vmcb->control.intercepts[MISC2] = MISC2_VMRUN;
	/* The HLT behind it ends an L2 whose hypervisor answered the call. */
	l2->vmcb->control.intercepts[MISC1] = MISC1_HLT;
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_UD;
	run_code(l2, &code);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_UD);
	check("rip", l2->vmcb->save.rip, L2_BOOT);
}

void suite_instruction(void)
{
	if (!tap_group("intercept", "instruction"))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		intercepted(&rows[i]);
		not_intercepted(&rows[i]);
	}
	vmmcall();
	point_end();
}
