/*
 * Faults within a task switch: those that the old task gets, unchanged, and those of the new one.
 * Relies on task.h; APM vol. 2, sections 8.2.9 to 8.2.12 and 12.3.
 */
#include "guest/points/task.h"

#ifndef __x86_64__

#define DR6_BT     (1u << 15)
#define DR7_LOCALS 0x155u

enum { BAD_SELECTOR = 0x7f8, ERROR_EXT = 1 };

/* In main: nothing has happened but the exception. */
static void fails_in_main(unsigned int vector, uint32_t error)
{
	check("vector", (uint64_t)task_try_jmp(TASK_OTHER), vector);
	check("error code", trap_last.error, error);
	check("TR", task_register(), TASK_MAIN);
	check("CR3", read_cr3(), l1_tables.root);
	check("main", task_type(TASK_MAIN), TYPE_TSS_BUSY);
	check("main's EIP", task_main.eip, 0);
	task_end();
}

/* The new task's CS may be what is wrong: no handler returns to that. */
static bool return_to_l1s_code(struct trap_frame *frame)
{
	frame->cs = L1_CODE32;
	return false;
}

/* In the new task, which has not executed anything. */
static void fails_in_other(unsigned int vector, uint32_t error)
{
	trap_handler = return_to_l1s_code;
	check("vector", (uint64_t)task_try_jmp(TASK_OTHER), vector);
	check("error code", trap_last.error, error);
	check("EIP", trap_last.ip, task_other.eip);
	check("times entered", task_seen.count, 0);
	check("TR", task_register(), TASK_OTHER);
	check("CR3", read_cr3(), task_other.cr3);
	check("main", task_type(TASK_MAIN), TYPE_TSS_AVAILABLE);
	check("other", task_type(TASK_OTHER), TYPE_TSS_BUSY);
	trap_handler = NULL;
	task_end();
}

static void faults_of_main(void)
{
	point("a task that is not present is main's fault");
	task_prepare();
	task_gdt[TASK_OTHER / 8] &= ~(0x80ull << 40);
	fails_in_main(VEC_NP, TASK_OTHER);

	point("a busy task is main's fault");
	task_prepare();
	task_gdt[TASK_OTHER / 8] |= 2ull << 40;
	fails_in_main(VEC_GP, TASK_OTHER);

	point("a task state segment that is too short is main's fault");
	task_prepare();
	task_gdt[TASK_OTHER / 8]--;
	fails_in_main(VEC_TS, TASK_OTHER);

	point("a task state segment that is not mapped is main's fault");
	task_prepare();
	task_gdt[TASK_OTHER / 8] =
		(task_gdt[TASK_OTHER / 8] & ~(0xffffffull << 16)) | 0x80ull << 56;
	fails_in_main(VEC_PF, 0);
	check("CR2", trap_last.cr2, TASK_ALIAS);
}

/* A point: the new task's register has a selector that it must not have. */
static void selector_fails(const char *name, uint32_t *of_other, uint16_t selector,
                           unsigned int vector)
{
	point(name);
	task_prepare();
	*of_other = selector;
	fails_in_other(vector, selector);
}

static void faults_of_other(void)
{
	selector_fails("code that is not present is the new task's fault", &task_other.cs,
	               TASK_CODE_AWAY, VEC_NP);
	selector_fails("code that is data is the new task's fault", &task_other.cs, L1_DATA,
	               VEC_TS);
	selector_fails("data that is not there is the new task's fault", &task_other.fs,
	               BAD_SELECTOR, VEC_TS);
	selector_fails("a stack that is code is the new task's fault", &task_other.ss, L1_CODE32,
	               VEC_TS);
	selector_fails("an LDT that is not there is the new task's fault", &task_other.ldt,
	               TASK_CODE_AWAY, VEC_TS);

	point("T is a debug exception of the new task, and local breakpoints are off");
	task_prepare();
	task_other.trap = 1;
	__asm__ volatile("movl %0, %%dr6; movl %1, %%dr7"
	                 :
	                 : "r"(DR6_FIXED), "r"(DR7_FIXED | DR7_LOCALS));
	fails_in_other(VEC_DB, 0);
	{
		uint32_t dr6, dr7;

		__asm__ volatile("movl %%dr6, %0; movl %%dr7, %1" : "=r"(dr6), "=r"(dr7));
		/* On Bochs a #DB that a hypervisor intercepts leaves DR6 alone, and that had to. */
		if (!machine.bochs || machine.bare || !machine.npt)
			check("DR6.BT", dr6 & DR6_BT, DR6_BT);
		check("DR7", dr7 & DR7_LOCALS, 0);
	}
	__asm__ volatile("movl %0, %%dr6; movl %1, %%dr7" : : "r"(DR6_FIXED), "r"(DR7_FIXED));
}

/* By an exception whose gate leads to the other task. */
static void bad_selector(void *unused)
{
	(void)unused;
	__asm__ volatile("movl %0, %%gs" : : "r"(BAD_SELECTOR));
}

static void undefined(void *unused)
{
	(void)unused;
	__asm__ volatile("ud2");
}

static void software_interrupt(void *unused)
{
	(void)unused;
	__asm__ volatile("int3");
}

static void delivered(unsigned int by, void (*f)(void *), unsigned int vector, uint32_t error)
{
	trap_handler = return_to_l1s_code;
	task_gate(by, true);
	check("vector", (uint64_t)try_call(f, NULL), vector);
	task_gate(by, false);
	check("error code", trap_last.error, error);
	check("TR", task_register(), TASK_OTHER);
	check("link", task_other.link & 0xffff, TASK_MAIN);
	trap_handler = NULL;
	task_end();
}

static void faults_of_delivery(void)
{
	point("a fault of the new task that an exception has led to is external");
	task_prepare();
	task_other.fs = BAD_SELECTOR;
	delivered(VEC_UD, undefined, VEC_TS, BAD_SELECTOR | ERROR_EXT);

	point("a fault of the new task that INT3 has led to is not external");
	task_prepare();
	task_other.fs = BAD_SELECTOR;
	delivered(VEC_BP, software_interrupt, VEC_TS, BAD_SELECTOR);

	point("two contributory faults make a double fault in the new task");
	task_prepare();
	task_other.cs = TASK_CODE_AWAY;
	delivered(VEC_GP, bad_selector, VEC_DF, 0);
}

static void bad_pdptes(void)
{
	uint64_t *root;

	point("bad PDPTEs of the new CR3 are the new task's fault");
	if (l1_tables.format->levels != 3) {
		point_skip("the format is not PAE");
		return;
	}
	if (machine.bochs && (machine.bare || machine.npt)) {
		point_known(BOCHS, "they count before the fault is raised: not tried");
		return;
	}
	task_prepare();
	root = (uint64_t *)(uintptr_t)task_other.cr3;
	root[3] = PT_PRESENT | PT_WRITE; /* reserved in a PDPTE */
	check("vector", (uint64_t)task_try_jmp(TASK_OTHER), VEC_GP);
	check("error code", trap_last.error, 0);
	check("TR", task_register(), TASK_OTHER);
	check("EIP", trap_last.ip, task_other.eip);
	root[3] = 0;
	task_end();
}

void task_faults(void)
{
	faults_of_main();
	faults_of_other();
	faults_of_delivery();
	bad_pdptes();
}

#endif
