/*
 * The intercepts of exceptions: each vector that code can raise, intercepted and not, with error
 * code and address. Relies on guest/lib; APM 15.12.
 */
#include "guest/svm/suite.h"

enum {
	FCW_UNMASKED = 0x37b,    /* all but division by zero masked */
	MXCSR_UNMASKED = 0x1d80, /* likewise */
	FLOAT_ONE = 0x3f800000,
	BEYOND_GDT = 0x1000,
	RFLAGS_AC_BIT = 1 << 18,
	RFLAGS_OF_BIT = 1 << 11,
	EDX_SSE = 1 << 25,
};

#define NOT_PRESENT 0x00cf13000000ffffull

struct row {
	const char *name;
	unsigned int vector;
	uint32_t at; /* where in the code RIP stays */
	struct code code;
	void (*prepare)(struct l2 *l2);
	uint32_t code_pushed;
	bool prot; /* in protected mode without paging, whatever the image */
	bool user; /* at CPL 3 */
	bool error;
};

static uint32_t *scratch(struct l2 *l2)
{
	return (void *)(l2->low + L2_SCRATCH);
}

static void with_tf(struct l2 *l2)
{
	l2->vmcb->save.rflags |= RFLAGS_TF;
}

static void with_of(struct l2 *l2)
{
	l2->vmcb->save.rflags |= RFLAGS_OF_BIT;
}

/* BOUND: rAX is outside of the limits 0 and 0. */
static void with_bounds(struct l2 *l2)
{
	l2->vmcb->save.rax = 1;
}

static void with_ts(struct l2 *l2)
{
	l2->vmcb->save.cr0 |= CR0_TS;
}

/* Nothing can be delivered: the #GP of the missing gate meets the next one. */
static void without_idt(struct l2 *l2)
{
	l2->vmcb->save.idtr.limit = 0;
}

/* IRET to another task, whose selector is 0. */
static void with_nt(struct l2 *l2)
{
	l2->vmcb->save.rflags |= RFLAGS_NT;
}

static void absent_segment(struct l2 *l2)
{
	((uint64_t *)(l2->low + L2_GDT))[L2_BASED_SEL / 8] = NOT_PRESENT;
	l2->vmcb->save.rax = L2_BASED_SEL;
}

static void wrong_selector(struct l2 *l2)
{
	l2->vmcb->save.rax = BEYOND_GDT;
}

static void missing_page(struct l2 *l2)
{
	l2->regs.rbx = L2_END + 0x7008;
}

static void unmasked_x87(struct l2 *l2)
{
	*scratch(l2) = FCW_UNMASKED;
}

static void unaligned(struct l2 *l2)
{
	l2->vmcb->save.cr0 |= CR0_AM;
	l2->vmcb->save.rflags |= RFLAGS_AC_BIT;
	l2->regs.rbx = L2_SCRATCH + 1;
}

static void unmasked_sse(struct l2 *l2)
{
	l2->vmcb->save.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	scratch(l2)[0] = MXCSR_UNMASKED;
	scratch(l2)[1] = FLOAT_ONE;
}

static const struct row rows[] = {
	{"#DE", VEC_DE, .code = CODE("\xf6\xf1"), .prepare = NULL},         /* DIV CL */
	{"#DB", VEC_DB, .code = CODE("\x90"), .at = 1, .prepare = with_tf}, /* NOP */
	{"#BP", VEC_BP, .code = CODE("\xcc"), .prepare = NULL},             /* INT3 */
	{"#OF", VEC_OF, .code = CODE("\xce"), .at = 0, .prepare = with_of, .prot = true}, /* INTO */
	{"#BR", VEC_BR, .code = CODE("\x62\x03"), .at = 0, .prepare = with_bounds,
         .prot = true},                                             /* BOUND EAX, [EBX] */
	{"#UD", VEC_UD, .code = CODE("\x0f\x0b"), .prepare = NULL}, /* UD2 */
	{"#NM", VEC_NM, .code = CODE("\xd9\xd0"), .at = 0, .prepare = with_ts}, /* FNOP */
	{"#DF", VEC_DF, .code = CODE("\x0f\x0b"), .at = 0, .prepare = without_idt, .error = true},
	{"#TS", VEC_TS, .code = CODE("\xcf"), .at = 0, .prepare = with_nt, .prot = true,
         .error = true},
	{"#NP", VEC_NP, .code = CODE("\x8e\xe0"), .at = 0, .prepare = absent_segment, .error = true,
         .code_pushed = L2_BASED_SEL}, /* MOV FS, AX */
	{"#SS", VEC_SS, .code = CODE("\x8e\xd0"), .at = 0, .prepare = absent_segment, .error = true,
         .code_pushed = L2_BASED_SEL}, /* MOV SS, AX */
	{"#GP", VEC_GP, .code = CODE("\x8e\xe0"), .at = 0, .prepare = wrong_selector, .error = true,
         .code_pushed = BEYOND_GDT}, /* MOV FS, AX */
	{"#PF", VEC_PF, .code = CODE("\x8b\x03"), .at = 0, .prepare = missing_page,
         .error = true}, /* MOV EAX, [RBX] */
	/* FNINIT; FLDCW [RBX]; FLD1; FLDZ; FDIVP; FWAIT */
	{"#MF", VEC_MF, .code = CODE("\xdb\xe3\xd9\x2b\xd9\xe8\xd9\xee\xde\xf9\x9b"), .at = 10,
         .prepare = unmasked_x87},
	{"#AC", VEC_AC, .code = CODE("\x8b\x03"), .at = 0, .prepare = unaligned, .user = true,
         .error = true},
	/* LDMXCSR [RBX]; XORPS XMM1, XMM1; MOVSS XMM0, [RBX + 4]; DIVSS XMM0, XMM1 */
	{"#XF", VEC_XF,
         .code = CODE("\x0f\xae\x13\x0f\x57\xc9\xf3\x0f\x10\x43\x04\xf3\x0f\x5e\xc1"), .at = 11,
         .prepare = unmasked_sse},
};

static struct l2 *prepared(const struct row *row)
{
	struct l2 *l2 = row->user ? new_user() : l2_new(0, row->prot ? &l2_prot : l2_widest());

	l2->regs.rbx = L2_SCRATCH;
	load_code(l2, &row->code);
	if (row->prepare)
		row->prepare(l2);
	return l2;
}

/* What an emulator does not raise at all. */
static bool deviates(const struct row *row, const struct l2 *l2)
{
	uint64_t code = l2->vmcb->control.exit_code, behind = L2_BOOT + row->code.length;

	if (code == VMEXIT_SHUTDOWN && row->vector == VEC_DF)
		return lets_pass(true, QEMU, "#DF does not ask for its intercept");
	if (code != VMEXIT_VMMCALL)
		return false;
	if (row->vector == VEC_BP || row->vector == VEC_OF)
		return lets_pass(true, QEMU, "INT3 and INTO ask for the intercept of INTn only");
	if (row->vector == VEC_AC)
		return lets_pass(l2->vmcb->save.rip == behind, QEMU, "alignment is not checked");
	return lets_pass(row->vector == VEC_XF && l2->vmcb->save.rip == behind, QEMU,
	                 "SSE raises no exceptions");
}

static const char *lacks(const struct row *row)
{
	return row->vector == VEC_XF && !(cpuid(1, 0).edx & EDX_SSE) ? "the processor has no SSE"
	                                                             : NULL;
}

static void intercepted(const struct row *row)
{
	struct l2 *l2 = prepared(row);

	point_named("%s exits by its own bit", row->name);
	if (lacks(row)) {
		point_skip(lacks(row));
		return;
	}
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 1u << row->vector;
	l2_run(l2);
	if (deviates(row, l2))
		return;
	l2_check_exit(l2, VMEXIT_EXCP_BASE + row->vector);
	if (row->error)
		check("EXITINFO1", l2->vmcb->control.exit_info1, row->code_pushed);
	if (row->vector == VEC_PF)
		check("EXITINFO2", l2->vmcb->control.exit_info2, l2->regs.rbx);
	if (row->vector != VEC_DF) /* an abort: RIP is nobody's */
		check("rip", l2->vmcb->save.rip, L2_BOOT + row->at);
	if (row->vector == VEC_DB)
		check_known("DR6.BS", l2->vmcb->save.dr6 & DR6_BS, DR6_BS, 0, BOCHS,
		            "the VMCB's DR6 is the one before #DB");
}

static void not_intercepted(const struct row *row)
{
	struct l2 *l2 = prepared(row);
	bool trap = row->vector == VEC_BP || row->vector == VEC_OF || row->vector == VEC_DB;

	point_named("%s reaches L2 when every other bit is set", row->name);
	if (row->vector == VEC_DF || lacks(row)) {
		/* Without an IDT it cannot: it is a triple fault. */
		point_skip(lacks(row) ? lacks(row) : "its cause is that L2 has no handlers");
		return;
	}
	if (!l2->nested) {
		point_skip(l2_lacks_nesting);
		return;
	}
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = ~(1u << row->vector);
	l2_run(l2);
	if ((row->vector == VEC_AC || row->vector == VEC_XF) && deviates(row, l2))
		return;
	l2_check_vector(l2, row->vector);
	if (row->error)
		check("error code", l2_stack(l2, 0), row->code_pushed);
	check("rip on L2's stack", l2_stack(l2, row->error),
	      L2_BOOT + (trap ? row->code.length : row->at));
	if (row->vector == VEC_PF)
		check("CR2", l2->vmcb->save.cr2, l2->regs.rbx);
}

void suite_exception(void)
{
	if (!tap_group("intercept", "exception"))
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		intercepted(&rows[i]);
		not_intercepted(&rows[i]);
	}
	__asm__ volatile("fninit"); /* no exception is left pending */
	point_end();
}
