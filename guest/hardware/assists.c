/*
 * Decode assists: which register a MOV to or from a control or debug register names, the address
 * of INVLPG, the vector of INTn, and the bytes of an instruction that faults. L0 uses the bytes
 * where a store goes to the APIC's page, and passes the rest on to L1. Relies on guest/lib;
 * APM 15.8.
 */
#include "guest/hardware/hardware.h"

enum {
	GPRS_SHOWN = sizeof(void *) == 8 ? 16 : 8,
	GPR_SP = 4,
	OPCODE_CR_READ = 0x20,
	OPCODE_CR_WRITE = 0x22,
	OPCODE_DR_READ = 0x21,
	OPCODE_DR_WRITE = 0x23,
	REX_B = 0x41,
	FETCH_MOST = 15,
	FETCH_COUNT = 0xf,
	DISPLACEMENT = 0x120,
};

#define ASSIST_MOV (1ull << 63) /* EXITINFO1: it is a MOV, and says the register */
#define ASSIST_GPR 0xfull

static void run_intercepted(struct l2 *l2, uint64_t exit_code, const struct code *code)
{
	l2->vmcb->control.intercepts[exit_code / 32] |= 1u << exit_code % 32;
	run_code(l2, code);
	check_before(l2, exit_code, code->length);
}

/* MOV with each general register: by REX.B from 8 on. */
static void every_gpr(uint64_t exit_code, uint8_t opcode, unsigned int number)
{
	for (unsigned int gpr = 0; gpr < GPRS_SHOWN; gpr++) {
		const char bytes[] = {REX_B, 0x0f, (char)opcode,
		                      (char)(0xc0 | number << 3 | gpr % 8)};
		struct code code = {gpr < 8 ? bytes + 1 : bytes, gpr < 8 ? 3 : 4};
		struct l2 *l2 = l2_new(0, l2_widest());
		uint64_t current = exit_code == VMEXIT_CR0_WRITE   ? l2->vmcb->save.cr0
		                   : exit_code == VMEXIT_CR4_WRITE ? l2->vmcb->save.cr4
		                                                   : l2->vmcb->save.cr3;
		uint64_t info, mask = ASSIST_GPR;

		l2->vmcb->save.rax = current; /* so that nothing refuses it before the intercept */
		l2->regs = (struct l2_regs){.rbx = current,
		                            .rcx = current,
		                            .rdx = current,
		                            .rsi = current,
		                            .rdi = current,
		                            .rbp = current};
		for (unsigned int i = 0; i < ARRAY_SIZE(l2->regs.r8_to_r15); i++)
			l2->regs.r8_to_r15[i] = current;
		if (gpr == GPR_SP && opcode == OPCODE_CR_WRITE)
			l2->vmcb->save.rsp = current;
		if (exit_code < VMEXIT_DR0_READ)
			mask |= ASSIST_MOV;
		run_intercepted(l2, exit_code, &code);
		info = l2->vmcb->control.exit_info1 & mask;
		if (!check("EXITINFO1", info, (mask & ASSIST_MOV) | gpr))
			point_fail("# register %u\n", gpr);
	}
}

static void moves(void)
{
	point("MOV from CR0 tells each register");
	every_gpr(VMEXIT_CR0_READ, OPCODE_CR_READ, 0);
	point("MOV from CR3 tells each register");
	every_gpr(VMEXIT_CR3_READ, OPCODE_CR_READ, 3);
	point("MOV to CR0 tells each register");
	every_gpr(VMEXIT_CR0_WRITE, OPCODE_CR_WRITE, 0);
	point("MOV to CR3 tells each register");
	every_gpr(VMEXIT_CR3_WRITE, OPCODE_CR_WRITE, 3);
	point("MOV to CR4 tells each register");
	every_gpr(VMEXIT_CR4_WRITE, OPCODE_CR_WRITE, 4);
	point("MOV from DR6 tells each register");
	every_gpr(VMEXIT_DR0_READ + 6, OPCODE_DR_READ, 6);
	point("MOV to DR0 tells each register");
	every_gpr(VMEXIT_DR0_WRITE, OPCODE_DR_WRITE, 0);
}

/* Not a MOV: then nothing is told of a register. */
static void not_moves(void)
{
	static const struct {
		const char *name;
		uint64_t exit_code;
		struct code code;
	} others[] = {
		{"CLTS tells that it is no MOV", VMEXIT_CR0_WRITE, CODE("\x0f\x06")},
		{"LMSW tells that it is no MOV", VMEXIT_CR0_WRITE, CODE("\x0f\x01\xf0")},
		{"SMSW tells that it is no MOV", VMEXIT_CR0_READ, CODE("\x0f\x01\xe0")},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		struct l2 *l2 = fresh(others[i].name);

		l2->vmcb->save.rax = l2->vmcb->save.cr0;
		run_intercepted(l2, others[i].exit_code, &others[i].code);
		check("EXITINFO1, bit 63", l2->vmcb->control.exit_info1 & ASSIST_MOV, 0);
	}
}

static void addresses(void)
{
	static const struct code plain = CODE("\x0f\x01\x3b"),
				 longer = CODE("\x0f\x01\xbb\x20\x01\x00\x00"); /* [rBX+120h] */
	struct l2 *l2 = fresh("INVLPG tells its address");

	l2->regs.rbx = l2->alias + L2_SMALL + 5;
	run_intercepted(l2, VMEXIT_INVLPG, &plain);
	check("EXITINFO1", l2->vmcb->control.exit_info1, l2->alias + L2_SMALL + 5);
	run_intercepted(l2, VMEXIT_INVLPG, &longer);
	check("EXITINFO1", l2->vmcb->control.exit_info1, l2->alias + L2_SMALL + 5 + DISPLACEMENT);

	point("INVLPG by a segment tells the linear address");
	l2 = l2_new(0, &l2_prot);
	l2->vmcb->save.ds.base = PAGE_SIZE;
	l2->regs.rbx = L2_SCRATCH;
	run_intercepted(l2, VMEXIT_INVLPG, &plain);
	check("EXITINFO1", l2->vmcb->control.exit_info1, L2_SCRATCH + PAGE_SIZE);
}

static void vectors(void)
{
	static const struct code first = CODE("\xcd\x03"), some = CODE("\xcd\x31"),
				 last = CODE("\xcd\xff");
	struct l2 *l2 = fresh("INTn tells its vector");

	run_intercepted(l2, VMEXIT_SWINT, &first);
	check("EXITINFO1", l2->vmcb->control.exit_info1, 0x03);
	run_intercepted(l2, VMEXIT_SWINT, &some);
	check("EXITINFO1", l2->vmcb->control.exit_info1, 0x31);
	run_intercepted(l2, VMEXIT_SWINT, &last);
	check("EXITINFO1", l2->vmcb->control.exit_info1, 0xff);
}

/* Bytes may be fewer, none even; those that come must be those that are there. */
static void check_bytes(struct l2 *l2, const struct code *code, unsigned int most)
{
	const struct vmcb_control *control = &l2->vmcb->control;
	unsigned int count = control->fetched_bytes & FETCH_COUNT;

	check_range("bytes", count, code->length, most);
	for (unsigned int i = 0; i < code->length && i < count; i++)
		check("byte", control->fetched[i], (uint8_t)code->bytes[i]);
	seen("%u bytes of the instruction are told", count);
}

static void bytes(void)
{
	static const struct code store = CODE("\xc7\x03\x11\x22\x33\x44"); /* MOV [rBX], imm */
	struct l2 *l2 = fresh("a nested fault of a store brings the instruction's bytes");
	unsigned int last = PAGE_SIZE - store.length;

	if (l2_lacks_nesting) {
		point_skip(l2_lacks_nesting);
		return;
	}
	l2->regs.rbx = l2->alias + L2_HOLE;
	run_code(l2, &store);
	l2_check_exit(l2, VMEXIT_NPF);
	check_bytes(l2, &store, FETCH_MOST);

	l2 = fresh("at the end of a page it brings no more than there are");
	memcpy(l2->low + L2_BOOT + last, store.bytes, store.length);
	pt_set(&l2->npt, L2_BOOT + PAGE_SIZE, 1, 0);
	l2->regs.rbx = l2->alias + L2_HOLE;
	l2->vmcb->save.rip = L2_BOOT + last;
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_NPF);
	check("EXITINFO2", l2->vmcb->control.exit_info2, L2_HOLE);
	check_bytes(l2, &store, store.length);

	l2 = fresh("a nested fault of a fetch brings none");
	pt_set(&l2->npt, L2_EXEC, 1, 0);
	l2_fetch(l2);
	l2_check_exit(l2, VMEXIT_NPF);
	check("bytes", l2->vmcb->control.fetched_bytes & FETCH_COUNT, 0);

	l2 = fresh("an intercepted #PF of a store brings the instruction's bytes");
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_PF;
	pt_set(&l2->own, l2->alias + L2_SCRATCH, 1, 0);
	l2->regs.rbx = l2->alias + L2_SCRATCH;
	run_code(l2, &store);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_PF);
	check_bytes(l2, &store, FETCH_MOST);
}

void hardware_assists(void)
{
	if (!hardware_group("assists", SVM_FEATURE_DECODE, "the processor has no decode assists"))
		return;
	moves();
	not_moves();
	addresses();
	vectors();
	bytes();
	point_end();
}
