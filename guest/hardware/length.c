/*
 * nRIP: each instruction of instructions.asm exits by its own bit, before it runs, and nRIP is as
 * far behind RIP as the instruction is long; for #VMEXIT(IOIO) EXITINFO2 as well. L0 takes it from
 * there where the processor has nRIP, and else from svm/decode, which a test on the host holds
 * against the same table. Relies on guest/lib; APM 15.7.1 and 15.10.2.
 */
#include "guest/hardware/hardware.h"
#include "guest/hardware/instructions.h"

enum { OPERAND_WORDS = 5, STACK_ROOM = 0x100 };

/* An L2 for code of so many bits; of 16 bits in protected mode, as VMRUN needs that. */
static struct l2 *l2_for(unsigned int bits)
{
	struct l2 *l2 = l2_new(0, bits == 64 ? &l2_long : &l2_prot);

	if (bits == 16)
		l2->vmcb->save.cs.attributes &= (uint16_t)~SEG_ATTR_DB;
	return l2;
}

/*
 * No operand may raise an exception before the intercept counts: what is written to a control
 * register is what is there, addresses exist, and a stack has what IRET and POPF take.
 */
static void prepare(struct l2 *l2, const struct instruction_row *row)
{
	struct vmcb_save *save = &l2->vmcb->save;
	uint64_t value = 0;

	save->cr4 |= CR4_OSXSAVE;
	if (row->exit_code == VMEXIT_CR0_WRITE)
		value = save->cr0;
	else if (row->exit_code == VMEXIT_CR3_WRITE)
		value = save->cr3;
	else if (row->exit_code == VMEXIT_CR4_WRITE)
		value = save->cr4;
	else if (row->exit_code == VMEXIT_DR0_WRITE + 7)
		value = save->dr7;
	else if (row->exit_code == VMEXIT_XSETBV)
		value = XCR0_X87;
	save->rax = value;
	l2->regs.rbx = l2->regs.rbp = value;
	if (row->exit_code == VMEXIT_INVLPGA)
		l2->regs.rcx = l2->vmcb->control.asid;
	for (unsigned int i = 0; i < ARRAY_SIZE(l2->regs.r8_to_r15); i++)
		l2->regs.r8_to_r15[i] = L2_SCRATCH;
	if (value) /* REX.B makes the source of a MOV one of these */
		l2->regs.r8_to_r15[0] = l2->regs.r8_to_r15[3] = l2->regs.r8_to_r15[5] = value;
	l2->regs.rsi = l2->regs.rdi = L2_SCRATCH;
	save->rsp = L2_STACK_TOP - STACK_ROOM;
	*(uint16_t *)(l2->low + L2_SCRATCH) = (uint16_t)save->cr0;
}

/* Which processors have the instruction; the others raise #UD. */
static bool offered(uint64_t exit_code)
{
	static const struct {
		uint64_t exit_code;
		uint32_t leaf, ebx, ecx, edx;
	} needs[] = {
		{VMEXIT_RDTSCP, 0x80000001u, 0, 0, 1u << 27},
		{VMEXIT_MONITOR, 1, 0, 1u << 3, 0},
		{VMEXIT_MWAIT, 1, 0, 1u << 3, 0},
		{VMEXIT_XSETBV, 1, 0, 1u << 26, 0},
		{VMEXIT_RDPRU, 0x80000008u, 1u << 4, 0, 0},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(needs); i++) {
		if (needs[i].exit_code == exit_code)
			return cpuid_has(needs[i].leaf, needs[i].ebx, needs[i].ecx, needs[i].edx);
	}
	return true;
}

static void try_row(const struct instruction_row *row, unsigned int bits)
{
	const struct code code = {(const char *)row->code, row->length};
	struct l2 *l2 = l2_for(bits);
	struct vmcb_control *control = &l2->vmcb->control;

	point_named("%u-bit code: %s", bits, row->name);
	if (!offered(row->exit_code)) {
		point_skip("the processor has no such instruction");
		return;
	}
	prepare(l2, row);
	memset(l2_msrpm, 0xff, sizeof(l2_msrpm));
	memset(l2_iopm, 0xff, sizeof(l2_iopm));
	control->intercepts[row->exit_code / 32] |= 1u << row->exit_code % 32;
	run_code(l2, &code);
	if (!check_before(l2, row->exit_code, row->length))
		return;
	if (row->exit_code == VMEXIT_IOIO)
		check("EXITINFO2", control->exit_info2, L2_BOOT + row->length);
}

static void try_rows(const struct instruction_row *row, unsigned int bits)
{
	for (; row->length; row++)
		try_row(row, bits);
}

/* Not an instruction's exit: nRIP is 0, or what it was; L0 asks for it nowhere. */
static void others(void)
{
	struct l2 *l2 = fresh("an exit that is no instruction's ends before it, too");

	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_UD;
	l2_start(l2, L2_UD2);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_UD);
	seen("nRIP of #VMEXIT(#UD) is %s",
	     !l2->vmcb->control.next_rip                            ? "0"
	     : l2->vmcb->control.next_rip == l2->vmcb->save.rip     ? "RIP"
	     : l2->vmcb->control.next_rip == l2->vmcb->save.rip + 2 ? "behind the instruction"
	                                                            : "another address");
}

void hardware_length(void)
{
	if (!hardware_group("length", SVM_FEATURE_NRIP, "the processor does not save nRIP"))
		return;
	try_rows(instructions_16, 16);
	try_rows(instructions_32, 32);
	if (l2_possible(&l2_long)) {
		try_rows(instructions_64, 64);
	} else {
		point("64-bit code");
		point_skip("a 32-bit L1 runs no 64-bit L2");
	}
	others();
	point_end();
}
