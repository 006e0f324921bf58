/*
 * Hardware task switches to a task with another CR3 and back: CALL and IRET, JMP, a task gate.
 * Relies on paging.h and task.asm; APM 12.3.
 */
#include "guest/points/paging.h"

#ifdef __x86_64__
void paging_task(void)
{
	if (!paging_group("task"))
		return;
	point("CALL to a task runs it under its own CR3");
	point_skip("long mode has no hardware task switches");
	paging_end();
}
#else

enum {
	VALUE = 0x7a5c,
	POOL_PAGES = 24,
	LOW_BYTES = 16 << 20,
	ROUNDS = 3,
	TYPE_TSS = 0x89,
	TYPE_TASK_GATE = 0x85,
	SOFT = 3, /* the vector of INT3 */
};

/* APM vol. 2, figure 12-6. */
struct task_state {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi, es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, iopb;
};
_Static_assert(sizeof(struct task_state) == 104, "TSS");

extern uint64_t l1_gdt[];
extern volatile uint32_t task_address, task_value, task_read, task_cr3;
extern const uint8_t task_called[], task_jumped[];

static struct task_state task;
static uint8_t stack[PAGE_SIZE] __attribute__((aligned(16)));
static uint8_t pool[POOL_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static struct pt other;

static void make_task(const uint8_t *code)
{
	uint32_t base = (uintptr_t)&task;

	memset(&task, 0, sizeof(task));
	task.cr3 = (uint32_t)other.root;
	task.eip = (uintptr_t)code;
	task.eflags = RFLAGS_FIXED;
	task.esp = (uintptr_t)stack + sizeof(stack);
	task.cs = L1_CODE;
	task.ss = task.ds = task.es = L1_DATA;
	task.iopb = sizeof(task);
	l1_gdt[L1_TSS_OTHER / 8] = (sizeof(task) - 1) | (uint64_t)(base & 0xffffff) << 16 |
	                           (uint64_t)TYPE_TSS << 40 | (uint64_t)(base >> 24) << 56;
}

static void call_task(void)
{
	__asm__ volatile("lcall %0, $0" : : "i"(L1_TSS_OTHER) : "memory", "cc");
}

static void jump_to_task(void)
{
	__asm__ volatile("ljmp %0, $0" : : "i"(L1_TSS_OTHER) : "memory", "cc");
}

static void int3(void)
{
	__asm__ volatile("int3" : : : "memory", "cc");
}

/* QEMU's walk sets A in PDPTEs, and who loads them for L1 may refuse it: it is reserved. */
static void clean_pdptes(struct pt *pt)
{
	for (uint64_t at = 0; pt->format->levels == 3 && at < SIZE_4G; at += SIZE_1G)
		pt_clear(pt, at, 3, AD);
}

/* One way to the task and back; what it saw is under its own tables, what L1 sees under L1's. */
static void there_and_back(void (*go)(void), uint32_t seen, uint32_t written)
{
	unsigned long cr0 = read_cr0(), cr3 = read_cr3();

	task_value = written;
	task_read = task_cr3 = 0;
	go();
	__asm__ volatile("clts");
	clean_pdptes(&l1_tables);
	clean_pdptes(&other);
	check("read by the task", task_read, seen);
	check("CR3 of the task", task_cr3, task.cr3);
	check("CR3", read_cr3(), cr3);
	check("CR0", read_cr0(), cr0 & ~(unsigned long)CR0_TS);
	write_cr0(cr0);
}

static void switches(void (*go)(void), uint64_t at)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		frame(0)[0] = VALUE + i;
		frame(1)[0] = VALUE + 100 + i;
		frame(0)[1] = frame(1)[1] = 0;
		there_and_back(go, VALUE + 100 + i, VALUE + 200 + i);
		check("written by the task", frame(1)[1], VALUE + 200 + i);
		check("L1's own frame", frame(0)[1], 0);
		may(SUPERVISOR, READ, at, VALUE + i);
		/* Another frame next time, for both. */
		may(SUPERVISOR, WRITE, at + 8, i);
		check("written by L1", frame(0)[2], i);
	}
}

static void tests(void)
{
	uint64_t at = small_page(0);
	uint64_t entry;
	uint64_t *gate;
	struct {
		uint16_t limit;
		uint64_t *base;
	} __attribute__((packed)) idt;

	pt_init(&other, l1_tables.format, (uintptr_t)pool, (uintptr_t)pool + sizeof(pool), 0);
	pt_map_range(&other, 0, 0, LOW_BYTES, 2, PT_RW);
	pt_map(&other, at, l2_gpa(frame(1)), 1, PT_RW);
	task_address = (uint32_t)at;
	user_set_cr3(read_cr3());

	point("CALL to a task runs it under its own CR3, and IRET brings L1's back");
	make_task(task_called);
	switches(call_task, at);

	point("JMP to a task and JMP back");
	make_task(task_jumped);
	switches(jump_to_task, at);

	point("a task gate in the IDT");
	__asm__ volatile("sidt %0" : "=m"(idt));
	gate = &idt.base[SOFT];
	entry = *gate;
	*gate = (uint64_t)TYPE_TASK_GATE << 40 | (uint32_t)L1_TSS_OTHER << 16;
	make_task(task_called);
	switches(int3, at);
	*gate = entry;

	point("tables of the task that L1 edits show in it");
	make_task(task_called);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		frame(2 + i)[0] = VALUE + 300 + i;
		pt_map(&other, at, l2_gpa(frame(2 + i)), 1, PT_RW);
		there_and_back(call_task, VALUE + 300 + i, 0);
	}
	pt_map(&other, at, l2_gpa(frame(1)), 1, PT_RW);

	point("tables of L1 that are edited before the switch show after it");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		frame(2 + i)[0] = VALUE + 400 + i;
		map(at, frame(2 + i), 1, PT_RWU);
		there_and_back(call_task, frame(1)[0], 0);
		may(SUPERVISOR, READ, at, VALUE + 400 + i);
	}
	map(at, frame(0), 1, PT_RWU);
	flush();

	point("a task with L1's own CR3");
	task.cr3 = read_cr3();
	there_and_back(call_task, frame(0)[0], 1);
	check("written by the task", frame(0)[1], 1);
}

void paging_task(void)
{
	if (!paging_group("task"))
		return;
	tests();
	paging_end();
}
#endif
