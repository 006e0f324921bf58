/*
 * The tasks of task.h. Relies on guest/lib/task_code.asm. There are none in 64-bit images.
 */
#include "guest/points/task.h"

#ifndef __x86_64__

enum { ATTR_PRESENT = 0x80, FLAGS_SHIFT = 52, ALIAS_PSE_ENTRIES = 16 };

struct task_tss task_main, task_other;
uint64_t task_gdt[TASK_GDT_BYTES / 8] __attribute__((aligned(16)));
struct task_seen task_seen;
bool task_jumps;
uint32_t task_resume_at;
void (*task_also)(void);

extern uint64_t l1_gdt[];
extern uint32_t task_registers[8];
extern const char task_entry[], task_entry16[];
const void *task_body(void);

static uint8_t stack[8192] __attribute__((aligned(16)));
static uint32_t other_root[PAGE_SIZE / 4] __attribute__((aligned(PAGE_SIZE)));
static uint64_t ldt[1], gate_before[VECTORS];
static bool gdt_loaded;

static struct pointer {
	uint16_t limit;
	uint32_t base;
} __attribute__((packed)) gdt_before;

struct far_pointer {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed));

static uint64_t descriptor(const void *base, uint32_t limit, uint8_t type)
{
	uint64_t at = (uintptr_t)base;

	return (limit & 0xffff) | (at & 0xffffff) << 16 | (uint64_t)(type | ATTR_PRESENT) << 40 |
	       (at >> 24) << 56;
}

/* L1's tables, and low memory once more at TASK_ALIAS. */
static void make_other_root(void)
{
	const uint32_t *root = (const void *)(uintptr_t)l1_tables.root;

	memcpy(other_root, root, l1_tables.format->levels == 3 ? 32 : PAGE_SIZE);
	if (l1_tables.format->levels == 3) /* the first GiB */
		memcpy(&other_root[4], root, sizeof(uint64_t));
	else
		memcpy(&other_root[TASK_ALIAS >> 22], root, ALIAS_PSE_ENTRIES * 4);
}

uint16_t task_register(void)
{
	uint32_t selector;

	__asm__ volatile("str %0" : "=r"(selector));
	return (uint16_t)selector;
}

uint32_t task_type(uint16_t selector)
{
	return task_gdt[selector / 8] >> 40 & 0xf;
}

static void load_gdt(void)
{
	struct pointer pointer = {sizeof(task_gdt) - 1, (uintptr_t)task_gdt};

	if (!gdt_loaded)
		__asm__ volatile("sgdt %0" : "=m"(gdt_before));
	gdt_loaded = true;
	memcpy(task_gdt, l1_gdt, TASK_MAIN);
	task_gdt[TASK_MAIN / 8] = descriptor(&task_main, sizeof(task_main) - 1, TYPE_TSS_AVAILABLE);
	task_gdt[TASK_OTHER / 8] =
		descriptor(&task_other, sizeof(task_other) - 1, TYPE_TSS_AVAILABLE);
	task_gdt[TASK_GATE / 8] =
		(uint64_t)TASK_OTHER << 16 | (uint64_t)(TYPE_TASK_GATE | ATTR_PRESENT) << 40;
	task_gdt[TASK_CODE_AWAY / 8] = l1_gdt[L1_CODE32 / 8] & ~((uint64_t)ATTR_PRESENT << 40);
	task_gdt[TASK_LDT / 8] = descriptor(ldt, sizeof(ldt) - 1, TYPE_LDT);
	task_gdt[TASK_CODE16 / 8] = descriptor(task_entry16, 0xfffff, 0x1b) | 0xcull << FLAGS_SHIFT;
	ldt[0] = l1_gdt[L1_DATA / 8];
	__asm__ volatile("lgdt %0" : : "m"(pointer));
}

static void clear_nt(void)
{
	__asm__ volatile("pushfl; andl %0, (%%esp); popfl" : : "i"(~RFLAGS_NT) : "memory", "cc");
}

void task_end(void)
{
	task_gdt[TASK_MAIN / 8] = descriptor(&task_main, sizeof(task_main) - 1, TYPE_TSS_AVAILABLE);
	__asm__ volatile("ltr %w0; lldt %w1" : : "r"(TASK_MAIN), "r"(0) : "memory");
	write_cr3((unsigned long)l1_tables.root);
	write_cr0(read_cr0() & ~(unsigned long)CR0_TS);
	clear_nt();
	task_also = NULL;
}

/*
 * QEMU does not begin a task switch anew that a nested fault interrupted: the new TSS is busy by
 * then. What a switch touches has been touched here, so that no hypervisor has to map it amid one.
 */
static void touch_stacks(void)
{
	for (unsigned int at = 0; at < sizeof(stack); at += PAGE_SIZE / 2)
		*(volatile uint8_t *)&stack[at] = 0;
	*(volatile uint8_t *)&stack[sizeof(stack) - 1] = 0;
}

void task_prepare(void)
{
	touch_stacks();
	task_main = (struct task_tss){.cr3 = (uint32_t)l1_tables.root, .iopb = sizeof(task_main)};
	task_other = (struct task_tss){
		.link = 0x1ee7,
		.cr3 = (uintptr_t)other_root,
		.eip = (uintptr_t)task_entry,
		.eflags = RFLAGS_FIXED,
		.esp0 = (uintptr_t)stack + sizeof(stack) / 2,
		.ss0 = L1_DATA,
		.es = L1_DATA,
		.cs = L1_CODE32,
		.ss = L1_DATA,
		.ds = L1_DATA,
		.iopb = sizeof(task_other),
	};
	for (unsigned int i = 0; i < 8; i++)
		task_other.gpr[i] = 0x7a5c0000 + i;
	task_other.gpr[4] = (uintptr_t)stack + sizeof(stack) - 16;
	make_other_root();
	load_gdt();
	task_end();
	memset(&task_seen, 0, sizeof(task_seen));
	task_jumps = false;
	task_resume_at = 0;
}

void task_leave(void)
{
	__asm__ volatile("lgdt %0" : : "m"(gdt_before));
	gdt_loaded = false;
}

/* The other task's C: what it sees, and how it goes back. */
const void *task_body(void)
{
	static const struct far_pointer main_task = {0, TASK_MAIN};
	uint32_t flags, ldtr, dr7;

	__asm__ volatile("pushfl; popl %0; sldt %1; movl %%dr7, %2"
	                 : "=r"(flags), "=r"(ldtr), "=r"(dr7)
	                 :
	                 : "memory");
	task_seen.count++;
	task_seen.tr = task_register();
	task_seen.ldtr = ldtr & 0xffff;
	task_seen.cr3 = read_cr3();
	task_seen.flags = flags;
	task_seen.cr0 = read_cr0();
	task_seen.dr7 = dr7;
	task_seen.pushed = *(uint32_t *)(uintptr_t)task_registers[4];
	task_seen.alias = *(volatile uint32_t *)(TASK_ALIAS + (uintptr_t)&task_other.eip);
	task_seen.link = task_other.link;
	task_seen.main_type = task_type(TASK_MAIN);
	task_seen.other_type = task_type(TASK_OTHER);
	task_seen.main_eip = task_main.eip;
	task_seen.main_eflags = task_main.eflags;
	if (task_resume_at)
		task_main.eip = task_resume_at;
	if (task_also)
		task_also();
	write_cr0(read_cr0() & ~(unsigned long)CR0_TS);
	return task_jumps ? &main_task : NULL;
}

void task_jmp(uint16_t selector)
{
	struct far_pointer pointer = {0, selector};

	__asm__ volatile("ljmp *%0" : : "m"(pointer) : "memory", "cc");
}

void task_call(uint16_t selector)
{
	struct far_pointer pointer = {0, selector};

	__asm__ volatile("lcall *%0" : : "m"(pointer) : "memory", "cc");
}

static void jmp_argument(void *selector)
{
	task_jmp((uint16_t)(uintptr_t)selector);
}

int task_try_jmp(uint16_t selector)
{
	return try_call(jmp_argument, (void *)(uintptr_t)selector);
}

void task_gate(unsigned int vector, bool on)
{
	struct pointer idtr;
	uint64_t *gate;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	gate = (uint64_t *)(uintptr_t)idtr.base + vector;
	if (on) {
		gate_before[vector] = *gate;
		*gate = task_gdt[TASK_GATE / 8];
	} else {
		*gate = gate_before[vector];
	}
}

#endif
