/*
 * Each kind of event through each kind of gate, whose delivery meets #PF: the IDT's page is
 * missing, the stack's is missing or read-only. The handler of #PF has a stack of its own (a task,
 * or an interrupt stack), repairs the page and goes back. Relies on paging.h and task.h; APM vol.
 * 2, sections 8.2.9 and 8.2.15.
 */
#include "guest/points/paging.h"
#include "guest/points/task.h"
#include "guest/lib/apic.h"
#include "hv/print.h"

enum {
	GATE_BYTES = 2 * sizeof(void *),
	GATES = 256,
	VECTOR = 0x90,
	IDT_PAGE = 2, /* the gates of #PF and of the event are in different pages, 2 and 3 */
	STACK_PAGE = 5,
	SELECTOR_BAD = 0x7f8,
	TYPE_BYTE = 5, /* of a gate */
	IST_BYTE = 4,
	GATE_IS_TRAP = 1,
	GATE_PRESENT = 0x80,
	GPR_SP = 4,
	NAME_BYTES = 96,
};

extern uint64_t l1_gdt[];

#define DESC_DATA_AWAY 0x00cf13000000ffffull

enum gate { INTERRUPT, TRAP, TASK };
enum trouble { IDT_MISSING, STACK_MISSING, STACK_READ_ONLY, TROUBLES };

/* What comes back of an event after the #PF. */
enum after {
	AGAIN, /* the instruction is executed again */
	LOST,  /* nothing knows of it any more */
};

struct event {
	const char *name;
	void (*raise)(uintptr_t stack);
	enum after after;
	uint32_t error;
	uint8_t vector;
	bool pushes_error;
};

static struct {
	unsigned int events, faults;
	uint64_t event_error, error, address;
} seen;
static enum trouble trouble;
static const struct event *current;
static uint64_t entry_of[REGION_PAGES];
static struct table {
	uint16_t limit;
	uintptr_t base;
} __attribute__((packed)) idt;
static uint8_t fault_stack[PAGE_SIZE] __attribute__((aligned(16)));
volatile uintptr_t event_resume; /* where a fault's handler goes on */

#ifdef __x86_64__
#define SP   "%%rsp"
#define HERE "lea 2f(%%rip), %%rax; mov %%rax, event_resume(%%rip);"
#else
#define SP   "%%esp"
#define HERE "movl $2f, event_resume;"
#endif

/* The code, with its stack in the region and nothing pushed on it but by the event. */
#define ON_STACK(stack, code)                                                                      \
	do {                                                                                       \
		uintptr_t saved;                                                                   \
		__asm__ volatile(HERE "mov " SP ", %0; mov %1, " SP "; " code " 2: mov %0, " SP    \
		                 : "=&b"(saved)                                                    \
		                 : "S"(stack), "D"(SELECTOR_BAD)                                   \
		                 : "eax", "ecx", "edx", "memory", "cc");                           \
	} while (0)

static void raise_de(uintptr_t stack)
{
	ON_STACK(stack, "xor %%ecx, %%ecx; div %%ecx;");
}

static void raise_gp(uintptr_t stack)
{
	ON_STACK(stack, "mov %%edi, %%fs;");
}

static void raise_np(uintptr_t stack)
{
#ifdef __x86_64__
	ON_STACK(stack, "mov $0x58, %%edi; mov %%edi, %%fs;");
#else
	ON_STACK(stack, "mov $0x68, %%edi; mov %%edi, %%fs;");
#endif
}

static void raise_int(uintptr_t stack)
{
	ON_STACK(stack, "int $0x90;");
}

static void raise_int3(uintptr_t stack)
{
	ON_STACK(stack, "int3;");
}

#ifndef __x86_64__
static void raise_into(uintptr_t stack)
{
	ON_STACK(stack, "mov $0x7f, %%al; add $1, %%al; .byte 0xce;");
}
#endif

/* It waits in the APIC until IF is 1. */
static void raise_interrupt(uintptr_t stack)
{
	apic_self(VECTOR);
	ON_STACK(stack, "sti; mov $2000, %%ecx; 1: pause; dec %%ecx; jnz 1b; cli;");
}

static void raise_nmi(uintptr_t stack)
{
	uintptr_t icr = (uintptr_t)apic_base() + APIC_ICR_LOW, saved;

	__asm__ volatile("mov " SP ", %0; mov %1, " SP "; movl %3, (%2);"
	                 "mov $2000, %%ecx; 1: pause; dec %%ecx; jnz 1b; mov %0, " SP
	                 : "=&b"(saved)
	                 : "S"(stack), "D"(icr), "i"(ICR_NMI)
	                 : "ecx", "memory", "cc");
}

static const struct event events[] = {
	{"#DE", raise_de, AGAIN, 0, VEC_DE, false},
	{"#GP", raise_gp, AGAIN, SELECTOR_BAD, VEC_GP, true},
#ifdef __x86_64__
	{"#NP", raise_np, AGAIN, L1_TSS_OTHER, VEC_NP, true},
#else
	{"#NP", raise_np, AGAIN, TASK_CODE_AWAY, VEC_NP, true},
	{"INTO", raise_into, AGAIN, 0, VEC_OF, false},
#endif
	{"INTn", raise_int, AGAIN, 0, VECTOR, false},
	{"INT3", raise_int3, AGAIN, 0, VEC_BP, false},
	{"an interrupt", raise_interrupt, LOST, 0, VECTOR, false},
	{"an NMI", raise_nmi, LOST, 0, VEC_NMI, false},
};

static bool is_fault(const struct event *event)
{
	return event->vector == VEC_DE || event->pushes_error;
}

/* Where the gate of the event is that is missing, or the stack. */
static unsigned int troubled_page(void)
{
	if (trouble != IDT_MISSING)
		return STACK_PAGE;
	return current->vector < VEC_PF ? IDT_PAGE : IDT_PAGE + 1;
}

static void repair(uint64_t error)
{
	unsigned int page = troubled_page();

	seen.faults++;
	seen.error = error;
	seen.address = read_cr2();
	set(small_page(page), 1, entry_of[page]);
	if (seen.faults > 3)
		run_failed("# page faults without end\n");
}

static void nothing(void)
{
}

/* Behind ordinary gates: the event, and in long mode #PF. */
static bool handle(struct trap_frame *frame)
{
	if (frame->vector == VEC_PF) {
		repair(frame->error);
		return true;
	}
	if (frame->vector != current->vector)
		return false;
	seen.events++;
	seen.event_error = frame->error;
	if (is_fault(current))
		frame->ip = event_resume;
	if (current->raise == raise_interrupt)
		apic_eoi(VECTOR);
	return true;
}

#ifdef __x86_64__
enum { KINDS = TASK };

static void prepare_tasks(enum gate gate)
{
	(void)gate;
	user_set_ist((uintptr_t)fault_stack + sizeof(fault_stack));
	l1_gdt[L1_TSS_OTHER / 8] = DESC_DATA_AWAY;
}

static void end_tasks(void)
{
}

static void set_gates(uint8_t *idt, enum gate gate)
{
	idt[VEC_PF * GATE_BYTES + IST_BYTE] = 1;
	if (gate == TRAP)
		idt[current->vector * GATE_BYTES + TYPE_BYTE] |= GATE_IS_TRAP;
}
#else
enum { KINDS = TASK + 1 };

extern const char event_fault_task[];
void event_fault(uint32_t error);

static struct task_tss task_fault;

/* The task of #PF. */
void event_fault(uint32_t error)
{
	repair(error);
}

/* In the event's task. */
static void count_event(void)
{
	seen.events++;
	seen.event_error = current->pushes_error ? task_seen.pushed : 0;
	if (is_fault(current))
		task_main.eip = event_resume;
	if (current->raise == raise_interrupt)
		apic_eoi(VECTOR);
}

static void prepare_tasks(enum gate gate)
{
	uint32_t base = (uintptr_t)&task_fault;

	task_prepare();
	task_also = count_event;
	if (gate == TASK && current->pushes_error)
		task_other.gpr[GPR_SP] = (uint32_t)small_page(STACK_PAGE) + PAGE_SIZE;
	task_fault = task_other;
	task_fault.cr3 = (uint32_t)l1_tables.root;
	task_fault.eip = (uintptr_t)event_fault_task;
	task_fault.gpr[GPR_SP] = (uintptr_t)fault_stack + sizeof(fault_stack);
	task_gdt[TASK_FAULT / 8] = (sizeof(task_fault) - 1) | (uint64_t)(base & 0xffffff) << 16 |
	                           (uint64_t)(TYPE_TSS_AVAILABLE | GATE_PRESENT) << 40 |
	                           (uint64_t)(base >> 24) << 56;
}

static void end_tasks(void)
{
	task_end();
	task_leave();
	user_init();
}

static uint64_t task_gate_to(uint16_t selector)
{
	return (uint64_t)selector << 16 | (uint64_t)(TYPE_TASK_GATE | GATE_PRESENT) << 40;
}

static void set_gates(uint8_t *idt, enum gate gate)
{
	uint64_t *gates = (uint64_t *)(void *)idt;

	gates[VEC_PF] = task_gate_to(TASK_FAULT);
	if (gate == TASK)
		gates[current->vector] = task_gate_to(TASK_OTHER);
	else if (gate == TRAP)
		idt[current->vector * GATE_BYTES + TYPE_BYTE] |= GATE_IS_TRAP;
}
#endif

static void make_idt(enum gate gate)
{
	unsigned int first = current->vector < VEC_PF ? VEC_PF : GATES / 2; /* in the second page */
	struct table moved = {
		.limit = GATES * GATE_BYTES - 1,
		.base = (uintptr_t)small_page(IDT_PAGE + 1) - first * GATE_BYTES,
	};

	for (unsigned int i = IDT_PAGE; i < REGION_PAGES; i++)
		set(small_page(i), 1, entry_of[i]);
	flush();
	memcpy((void *)moved.base, (void *)idt.base, GATES * GATE_BYTES);
	set_gates((uint8_t *)moved.base, gate);
	__asm__ volatile("lidt %0" : : "m"(moved));
}

/* A task has its own stack, and that is used for an error code only. */
static bool meets_trouble(enum gate gate)
{
	return trouble == IDT_MISSING || gate != TASK || current->pushes_error;
}

static void check_fault(enum gate gate)
{
	static const uint32_t codes[] = {
		[IDT_MISSING] = 0,
		[STACK_MISSING] = PF_WRITE,
		[STACK_READ_ONLY] = PF_WRITE | PF_PRESENT,
	};

	if (!meets_trouble(gate))
		return;
	check("error code of #PF", seen.error, codes[trouble]);
	check("CR2's page", seen.address & ~0xfffull, small_page(troubled_page()));
}

/* The new task's error code is not pushed any more once that has met #PF. */
static bool has_error_code(enum gate gate)
{
	return current->pushes_error && (gate != TASK || trouble == IDT_MISSING);
}

/* Delivery again is delivery of what EXITINTINFO says, which is an earlier event: a #PF for ever.
 */
static bool told_wrong(void)
{
	if (!emulator_is(BOCHS) || current->vector != VECTOR)
		return false;
	point_known(BOCHS, "EXITINTINFO shows the event before it: not tried under a shadow");
	return !machine.bare && !machine.npt;
}

static void deliver(enum gate gate)
{
	unsigned int faults = meets_trouble(gate), events = !faults || current->after == AGAIN;

	memset(&seen, 0, sizeof(seen));
	prepare_tasks(gate);
	make_idt(gate);
	set(small_page(troubled_page()), 1,
	    entry_of[troubled_page()] & ~(trouble == STACK_READ_ONLY ? PT_WRITE : PT_PRESENT));
	flush();
	trap_handler = handle;
	current->raise((uintptr_t)small_page(STACK_PAGE) + PAGE_SIZE);
	trap_handler = NULL;
	__asm__ volatile("lidt %0" : : "m"(idt));
	if (current->raise == raise_interrupt && !seen.events)
		apic_eoi(VECTOR);
	end_tasks();
	check("page faults", seen.faults, faults);
	check_fault(gate);
	check("events", seen.events, events);
	if (events && has_error_code(gate))
		check("error code of the event", seen.event_error, current->error);
}

void paging_event(void)
{
	static const char *const troubles[TROUBLES] = {"IDT's page is missing", "stack is missing",
	                                               "stack is read-only"};
	static char names[2][NAME_BYTES];
	unsigned int points = 0;

	if (!paging_group("event"))
		return;
	__asm__ volatile("sidt %0" : "=m"(idt));
	for (unsigned int i = 0; i < REGION_PAGES; i++)
		entry_of[i] = get(small_page(i), 1);
	nmi_handler = nothing;
	apic_self_nmi(); /* sets ICR_HIGH, and is taken here */
	nmi_handler = NULL;
	for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		current = &events[i];
		for (trouble = 0; trouble < TROUBLES; trouble++) {
			char *name = names[points++ % 2];

			snprint(name, NAME_BYTES, "%s whose %s, by each kind of gate",
			        current->name, troubles[trouble]);
			point(name);
			for (enum gate gate = INTERRUPT; gate < (enum gate)KINDS && !told_wrong();
			     gate++)
				deliver(gate);
		}
	}
	paging_end();
}
