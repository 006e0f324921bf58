/*
 * Hardware task switches: each way to another task and back. With another CR3 in the new task state
 * segment, which a hypervisor without nested paging has to see. Relies on task.h; APM vol. 2,
 * sections 12.2, 12.3 and 8.2.
 */
#include "guest/points/task.h"

#ifdef __x86_64__
void points_task(void)
{
}
#else

enum { VECTOR = 0x90, GP_SELECTOR = 0x7f8 };

extern const char task_after_jmp[], task_entry[], task_entry16[], task_after_iret16[];
extern uint32_t task_registers[8];
extern uint16_t task_selector16;

/* Addresses of instructions below. */
uint32_t task_here, task_behind;

static void check_new_task(void)
{
	check("times entered", task_seen.count, 1);
	check("TR", task_seen.tr, TASK_OTHER);
	check("CR3", task_seen.cr3, task_other.cr3);
	check("read through its CR3", task_seen.alias, (uintptr_t)task_entry);
	check("CR0.TS", task_seen.cr0 & CR0_TS, CR0_TS);
	for (unsigned int i = 0; i < 8; i++) {
		if (i != 4)
			check("register", task_registers[i], 0x7a5c0000 + i);
	}
}

static void check_back(void)
{
	check("TR after", task_register(), TASK_MAIN);
	check("CR3 after", read_cr3(), l1_tables.root);
	check("main after", task_type(TASK_MAIN), TYPE_TSS_BUSY);
	check("other after", task_type(TASK_OTHER), TYPE_TSS_AVAILABLE);
	check("CR0.TS after", read_cr0() & CR0_TS, CR0_TS);
	check("main's CR3 field", task_main.cr3, l1_tables.root);
}

/* Nested by CALL, INT or an exception. */
static void check_nested(uint32_t eip, uint32_t rf)
{
	check_new_task();
	check("link", task_seen.link & 0xffff, TASK_MAIN);
	check("NT", task_seen.flags & RFLAGS_NT, RFLAGS_NT);
	check("main within", task_seen.main_type, TYPE_TSS_BUSY);
	check("other within", task_seen.other_type, TYPE_TSS_BUSY);
	check("main's EIP", task_seen.main_eip, eip);
	check("main's RF", task_seen.main_eflags & FLAG_RF, rf);
	check_back();
	check("NT in what IRET saved", task_other.eflags & RFLAGS_NT, 0);
}

static void jumps(uint16_t selector)
{
	task_prepare();
	task_jumps = true;
	task_jmp(selector);
	check_new_task();
	check("link", task_seen.link, 0x1ee7);
	check("NT", task_seen.flags & RFLAGS_NT, 0);
	check("main within", task_seen.main_type, TYPE_TSS_AVAILABLE);
	check("other within", task_seen.other_type, TYPE_TSS_BUSY);
	check_back();
	check("other's EIP", task_other.eip, (uintptr_t)task_after_jmp);
	check("other's CS", task_other.cs, L1_CODE32);
}

static void far_transfers(void)
{
	point("JMP to a task and back");
	jumps(TASK_OTHER);

	point("JMP to a task through a gate");
	jumps(TASK_GATE);

	point("CALL of a task, and IRET");
	task_prepare();
	__asm__ volatile("movl $1f, task_behind; lcall %0, $0; 1:"
	                 :
	                 : "i"(TASK_OTHER)
	                 : "memory", "cc");
	check_nested(task_behind, 0);

	point("CALL of a task with prefixes and an operand in memory");
	task_prepare();
	{
		struct {
			uint32_t offset;
			uint16_t selector;
		} __attribute__((packed)) pointer[2] = {{0, 0}, {0, TASK_OTHER}};

		__asm__ volatile("movl $1f, task_behind; .byte 0x3e; lcall *6(%0); 1:"
		                 :
		                 : "r"(pointer)
		                 : "memory", "cc");
	}
	check_nested(task_behind, 0);

	point("a task is entered again where it left");
	task_prepare();
	task_call(TASK_OTHER);
	task_call(TASK_OTHER);
	check("times entered", task_seen.count, 2);
	check_back();
}

static void events(void)
{
	point("INT through a task gate");
	task_prepare();
	task_gate(VECTOR, true);
	__asm__ volatile("movl $1f, task_behind; int %0; 1:" : : "i"(VECTOR) : "memory", "cc");
	task_gate(VECTOR, false);
	check_nested(task_behind, 0);

	point("INT3 through a task gate");
	task_prepare();
	task_gate(VEC_BP, true);
	__asm__ volatile("movl $1f, task_behind; int3; 1:" : : : "memory", "cc");
	task_gate(VEC_BP, false);
	check_nested(task_behind, 0);

	point("an exception through a task gate");
	task_prepare();
	task_gate(VEC_UD, true);
	__asm__ volatile("movl $1f, task_here; movl $2f, %0; 1: ud2; 2:"
	                 : "=m"(task_resume_at)
	                 :
	                 : "memory", "cc");
	task_gate(VEC_UD, false);
	check_nested(task_here, FLAG_RF);

	point("an exception with an error code through a task gate");
	task_prepare();
	task_gate(VEC_GP, true);
	__asm__ volatile("movl $1f, task_here; movl $2f, %0; 1: movl %1, %%gs; 2:"
	                 : "=m"(task_resume_at)
	                 : "r"(GP_SELECTOR)
	                 : "memory", "cc");
	task_gate(VEC_GP, false);
	check_nested(task_here, FLAG_RF);
	check("error code", task_seen.pushed, GP_SELECTOR);

	point("a page fault through a task gate");
	task_prepare();
	task_gate(VEC_PF, true);
	__asm__ volatile("movl $1f, task_here; movl $2f, %0; 1: movl %1, (%2); 2:"
	                 : "=m"(task_resume_at)
	                 : "r"(0), "r"(TASK_ALIAS)
	                 : "memory", "cc");
	task_gate(VEC_PF, false);
	check_nested(task_here, FLAG_RF);
	check("error code", task_seen.pushed, 2);
	check("CR2", read_cr2(), TASK_ALIAS);

	point("a double fault through a task gate");
	task_prepare();
	task_gate(VEC_DF, true);
	task_gdt[TASK_GATE / 8] = 0;
	task_gate(VEC_GP, true); /* no gate at all */
	__asm__ volatile("movl $1f, task_here; movl $2f, %0; 1: movl %1, %%gs; 2:"
	                 : "=m"(task_resume_at)
	                 : "r"(GP_SELECTOR)
	                 : "memory", "cc");
	task_gate(VEC_GP, false);
	task_gate(VEC_DF, false);
	check("TR", task_seen.tr, TASK_OTHER);
	check("error code", task_seen.pushed, 0);
	check("main's EIP", task_seen.main_eip, task_here);
	check_back();
}

static unsigned int within;

static void another_nmi(void)
{
	if (task_seen.count > 1)
		return;
	apic_self_nmi();
	for (volatile unsigned int i = 0; i < 100000; i++)
		;
	within = task_seen.count;
}

static void nmi(void)
{
	point("an NMI through a task gate, and one more at its IRET");
	task_prepare();
	task_also = another_nmi;
	task_gate(VEC_NMI, true);
	apic_self_nmi();
	/* A hypervisor may not see this IRET, and deliver the other NMI when it sees L1 again. */
	for (unsigned int i = 0; i < 1000 && task_seen.count < 2; i++)
		cpuid(0, 0);
	task_gate(VEC_NMI, false);
	check("before IRET", within, 1);
	check("times entered", task_seen.count, 2);
	check_back();
	check("main's TF", task_seen.main_eflags & RFLAGS_TF, 0);
	check("TF", task_other.eflags & RFLAGS_TF, 0);
}

static void kinds(void)
{
	static struct {
		uint16_t link, stacks[6], ip, flags, gpr[8], es, cs, ss, ds, ldt;
	} tss16;
	uint64_t base = (uintptr_t)&tss16;

	point("a task has an LDT of its own");
	task_prepare();
	task_other.ldt = TASK_LDT;
	task_other.es = task_other.fs = TASK_LDT_DATA;
	task_call(TASK_OTHER);
	check_new_task();
	check("LDTR", task_seen.ldtr, TASK_LDT);
	check("ES", task_other.es, TASK_LDT_DATA);
	check("FS", task_other.fs, TASK_LDT_DATA);
	check_back();

	point("CALL of a 16-bit task, and IRET");
	task_prepare();
	memset(&tss16, 0, sizeof(tss16));
	tss16.flags = RFLAGS_FIXED;
	tss16.cs = TASK_CODE16;
	tss16.ss = tss16.ds = L1_DATA;
	for (unsigned int i = 0; i < 8; i++)
		tss16.gpr[i] = (uint16_t)(0x1600 + i);
	task_gdt[TASK_16 / 8] = (sizeof(tss16) - 1) | (base & 0xffffff) << 16 |
	                        (uint64_t)(TYPE_TSS_16 | 0x80) << 40 | (base >> 24) << 56;
	task_call(TASK_16);
	check("TR", task_selector16, TASK_16);
	for (unsigned int i = 0; i < 8; i++)
		check("register", task_registers[i] & 0xffff, 0x1600 + i);
	check("link", tss16.link, TASK_MAIN);
	check("its IP", tss16.ip, (uint64_t)(task_after_iret16 - task_entry16));
	check("its CS", tss16.cs, TASK_CODE16);
	check("its flags", tss16.flags & RFLAGS_NT, 0);
	check_back();
	check("its descriptor", task_type(TASK_16), TYPE_TSS_16);
}

void points_task(void)
{
	if (!tap_group("machine", "task"))
		return;
	if (machine.qemu) { /* paging.task has what can be had there */
		point("JMP to a task and back");
		point_known(QEMU, "no intercept, no RF, faults that hang: not tried");
		return;
	}
	far_transfers();
	events();
	nmi();
	kinds();
	task_faults();
	write_cr0(read_cr0() & ~(unsigned long)CR0_TS);
	task_leave();
	task_levels();
}

#endif
