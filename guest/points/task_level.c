/*
 * Task switches to and from CPL 3: the processor's own accesses are a supervisor's all the same,
 * and what it pushes for a task at CPL 3 is the user's. Relies on task.h and on paging.h's region.
 */
#include "guest/points/paging.h"
#include "guest/points/task.h"

#ifndef __x86_64__

enum { GATE_DPL3 = 0x60, BAD_SELECTOR = 0x7f8, STACK_BYTES = 1024 };

static uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));

static uint32_t user_address(enum user_code code)
{
	return (uint32_t)region(REGION_USER) + user_code_at(code);
}

static uint32_t user_stack_top(void)
{
	return (uint32_t)region(REGION_USER) + 2 * PAGE_SIZE;
}

/* The other task is user code, on L1's own tables; its INT ends try_call(). */
static void prepare_user_task(enum user_code code)
{
	task_prepare();
	task_other.cr3 = (uint32_t)l1_tables.root;
	task_other.cs = L1_USER_CODE32;
	task_other.ss = task_other.ds = task_other.es = L1_USER_DATA;
	task_other.eip = user_address(code);
	task_other.gpr[3] = (uint32_t)small_page(0);
	task_other.gpr[4] = user_stack_top();
}

static void bad_selector(void *unused)
{
	(void)unused;
	__asm__ volatile("movl %0, %%gs" : : "r"(BAD_SELECTOR));
}

static void to_user(void)
{
	point("a task at CPL 3");
	prepare_user_task(USER_READ);
	frame(0)[0] = 0x5eed;
	check("vector", (uint64_t)(int64_t)task_try_jmp(TASK_OTHER), (uint64_t)-1);
	check("read by it", (uint32_t)trap_last.ax, 0x5eed);
	check("TR", task_register(), TASK_OTHER);
	task_end();

	point("an error code goes on the stack of a task at CPL 3");
	prepare_user_task(USER_READ);
	frame(1)[PAGE_SIZE / 4 - 1] = 0;
	task_other.gpr[4] = (uint32_t)small_page(2);
	task_gate(VEC_GP, true);
	check("vector", (uint64_t)(int64_t)try_call(bad_selector, NULL), (uint64_t)-1);
	task_gate(VEC_GP, false);
	check("error code", frame(1)[PAGE_SIZE / 4 - 1], BAD_SELECTOR);
	task_end();

	point("a stack that CPL 3 may not write is a page fault of the user's");
	prepare_user_task(USER_READ);
	task_other.gpr[4] = (uint32_t)(uintptr_t)(stack + sizeof(stack)); /* a supervisor's page */
	task_gate(VEC_GP, true);
	check("vector", (uint64_t)(int64_t)try_call(bad_selector, NULL), VEC_PF);
	task_gate(VEC_GP, false);
	check("error code", trap_last.error, PF_PRESENT | PF_WRITE | PF_USER);
	check("CR2", trap_last.cr2, (uintptr_t)(stack + sizeof(stack) - 4));
	check("TR", task_register(), TASK_OTHER);
	task_end();
}

static void from_user(void)
{
	const struct user user = {
		.ip = user_address(USER_SOFT),
		.sp = user_stack_top(),
		.flags = RFLAGS_FIXED,
	};

	point("CPL 3 switches tasks through pages that it may not use, and comes back");
	task_prepare();
	task_main.esp0 = (uintptr_t)stack + sizeof(stack);
	task_main.ss0 = L1_DATA;
	task_gdt[TASK_GATE / 8] |= (uint64_t)GATE_DPL3 << 40;
	task_gate(VEC_BP, true);
	check("vector", (uint64_t)(int64_t)user_run(&user), (uint64_t)-1);
	task_gate(VEC_BP, false);
	check("times entered", task_seen.count, 1);
	check("TR within", task_seen.tr, TASK_OTHER);
	check("main's EIP", task_seen.main_eip, user.ip + 1);
	check("main's CS", task_main.cs, L1_USER_CODE32);
	check("main's SS", task_main.ss, L1_USER_DATA);
	check("main's ESP", task_main.gpr[4], user.sp);
	check("TR", task_register(), TASK_MAIN);
	task_end();
}

void task_levels(void)
{
	if (!paging_group("task_level"))
		return;
	to_user();
	from_user();
	write_cr0(read_cr0() & ~(unsigned long)CR0_TS);
	task_leave();
	paging_end();
}

#endif
