/*
 * Pages that the processor reads and writes by itself while it delivers an exception or an
 * interrupt: IDT, GDT, task state, stacks; fresh, missing, read-only. Relies on paging.h; APM 8.7
 * to 8.9.
 */
#include "guest/points/paging.h"

enum {
	ROUNDS = 3,
	GATE_BYTES = 2 * sizeof(void *),
	HALF_IDT = 128 * GATE_BYTES,
	IDT_BYTES = 256 * GATE_BYTES,
	VECTOR = 0x90, /* an interrupt whose gate is in the IDT's second page */
	IDT_PAGE = 2,  /* and 3; the IDT's second half begins with page 3 */
	GDT_PAGE = 4,
	STACK_PAGE = 5,
	DATA_PAGE = 6,
};

struct table {
	uint16_t limit;
	uintptr_t base;
} __attribute__((packed));

static struct table idt, gdt;
static uint64_t entries[REGION_PAGES];

/* The IDT across two pages of the region, the GDT in one more. */
static void move_tables(void)
{
	struct table moved;

	__asm__ volatile("sidt %0" : "=m"(idt));
	__asm__ volatile("sgdt %0" : "=m"(gdt));
	for (unsigned int i = 0; i < REGION_PAGES; i++)
		entries[i] = get(small_page(i), 1) & ~AD;
	moved.base = (uintptr_t)small_page(IDT_PAGE + 1) - HALF_IDT;
	moved.limit = IDT_BYTES - 1;
	memcpy((void *)moved.base, (void *)idt.base, IDT_BYTES);
	__asm__ volatile("lidt %0" : : "m"(moved));
	moved.base = (uintptr_t)small_page(GDT_PAGE);
	moved.limit = gdt.limit;
	memcpy((void *)moved.base, (void *)gdt.base, gdt.limit + 1u);
	__asm__ volatile("lgdt %0" : : "m"(moved));
}

/* The page's entry as at first, without A and D, or with less. */
static void fresh(unsigned int page, uint64_t less)
{
	set(small_page(page), 1, entries[page] & ~less);
}

static void all_fresh(void)
{
	for (unsigned int i = IDT_PAGE; i < REGION_PAGES; i++)
		fresh(i, 0);
	flush();
}

static uint64_t bits(unsigned int page)
{
	return get(small_page(page), 1) & AD;
}

static int user_int(void)
{
	const struct user user = {
		.ip = (uintptr_t)region(REGION_USER) + user_code_at(USER_INT),
		.sp = (uintptr_t)region(REGION_USER) + 2 * PAGE_SIZE,
		.flags = RFLAGS_FIXED,
	};

	return user_run(&user);
}

/*
 * What Bochs tells the hypervisor under L1 is not enough to deliver again what met a fault of its:
 * if a #PF or a #DF was before INTn, INTn seems to be that, and ends in a double fault or a
 * shutdown.
 */
static unsigned int rounds(void)
{
	if (!emulator_is(BOCHS))
		return ROUNDS;
	point_known(BOCHS, "EXITINTINFO shows the event before INTn: not tried with a hypervisor");
	return machine.bare ? ROUNDS : 0;
}

static void do_int3(void *unused)
{
	(void)unused;
	__asm__ volatile("int3");
}

static void fresh_pages(void)
{
	point("an exception goes through an IDT and a GDT that were not accessed yet");
	for (unsigned int i = 0; i < rounds(); i++) {
		all_fresh();
		check("vector", (uint64_t)(int64_t)try_call(do_int3, NULL), VEC_BP);
		check("A and D of the IDT's page", bits(IDT_PAGE), PT_ACCESSED);
		check("A and D of the other one", bits(IDT_PAGE + 1), 0);
		check("A of the GDT's page", bits(GDT_PAGE) & PT_ACCESSED, PT_ACCESSED);
	}

	point("an INT from CPL 3 goes through a fresh IDT, GDT and stack");
	user_set_stack((uintptr_t)small_page(STACK_PAGE) + PAGE_SIZE);
	for (unsigned int i = 0; i < rounds(); i++) {
		all_fresh();
		check("vector", (uint64_t)(int64_t)user_int(), (uint64_t)-1);
		check("A and D of the IDT's second page", bits(IDT_PAGE + 1), PT_ACCESSED);
		check("A and D of the stack", bits(STACK_PAGE), AD);
		check("A of the GDT's page", bits(GDT_PAGE) & PT_ACCESSED, PT_ACCESSED);
	}

	point("a user's #PF goes through a fresh IDT, GDT and stack");
	for (unsigned int i = 0; i < ROUNDS; i++) {
		all_fresh();
		faults(USER, READ, region(REGION_FREE), 0);
		check("A and D of the stack", bits(STACK_PAGE), AD);
	}

	point("an interrupt goes through a fresh IDT, GDT and stack");
	for (unsigned int i = 0; i < rounds(); i++) {
		interrupt_count[VECTOR] = 0;
		apic_self(VECTOR);
		all_fresh();
		sti();
		for (unsigned int n = 0; n < 1000 && !interrupt_count[VECTOR]; n++)
			cpu_relax();
		cli();
		check("taken", interrupt_count[VECTOR], 1);
		check("A and D of the IDT's second page", bits(IDT_PAGE + 1), PT_ACCESSED);
	}
}

/* Runs INT3 with the stack in the region, whose handler goes on. */
static bool pass_int3(struct trap_frame *frame)
{
	trap_last.sp = (uintptr_t)frame;
	return frame->vector == VEC_BP;
}

static void int3_on(uintptr_t stack)
{
	uintptr_t saved;

	trap_last.sp = 0;
	trap_handler = pass_int3;
#ifdef __x86_64__
	__asm__ volatile("mov %%rsp, %0; mov %1, %%rsp; int3; mov %0, %%rsp"
	                 : "=&b"(saved)
	                 : "r"(stack)
	                 : "memory", "cc");
#else
	__asm__ volatile("mov %%esp, %0; mov %1, %%esp; int3; mov %0, %%esp"
	                 : "=&b"(saved)
	                 : "r"(stack)
	                 : "memory", "cc");
#endif
	trap_handler = NULL;
}

static void own_stack(void)
{
	uintptr_t top = (uintptr_t)small_page(STACK_PAGE) + PAGE_SIZE;

	user_set_stack(0);
	point("an exception pushes on a stack that is fresh");
	for (unsigned int i = 0; i < rounds(); i++) {
		all_fresh();
		int3_on(top);
		check("the frame's page", trap_last.sp & ~0xffful, small_page(STACK_PAGE));
		check("A and D of the stack", bits(STACK_PAGE), AD);
	}

	point("an exception pushes on a read-only stack under CR0.WP=0");
	for (unsigned int i = 0; i < rounds(); i++) {
		fresh(STACK_PAGE, PT_WRITE);
		flush();
		write_cr0(read_cr0() & ~(unsigned long)CR0_WP);
		int3_on(top);
		write_cr0(read_cr0() | CR0_WP);
		check("the frame's page", trap_last.sp & ~0xffful, small_page(STACK_PAGE));
		check("A and D of the stack", bits(STACK_PAGE), AD);
		may(USER, READ, small_page(STACK_PAGE), 0);
		faults(SUPERVISOR, WRITE, small_page(STACK_PAGE), PF_PRESENT);
	}
	all_fresh();
}

/* Maps the page that is missing, and goes on: the INT is executed again. */
static unsigned int mapped_page, page_faults;
static uint64_t fault_error, fault_address;

static bool map_page(struct trap_frame *frame)
{
	if (frame->vector != VEC_PF)
		return false;
	page_faults++;
	fault_error = frame->error;
	fault_address = read_cr2();
	fresh(mapped_page, 0);
	return page_faults < 10;
}

/* An INT from a fresh region that meets one missing page and goes on once that is there. */
static void int_finds_missing(unsigned int page)
{
	all_fresh();
	fresh(mapped_page = page, PT_PRESENT);
	flush();
	page_faults = 0;
	trap_handler = map_page;
	check("vector", (uint64_t)(int64_t)user_int(), (uint64_t)-1);
	trap_handler = NULL;
	check("page faults", page_faults, 1);
}

static void missing_pages(void)
{
	volatile uint8_t *type =
		(uint8_t *)(uintptr_t)small_page(GDT_PAGE) + (L1_USER_DATA & ~7) + 5;

	point("an IDT's page that is missing is #PF, and the INT goes on once it is there");
	for (unsigned int i = 0; i < rounds(); i++) {
		int_finds_missing(IDT_PAGE + 1);
		check("error code", fault_error & ~1ull, 0); /* EXT is none of #PF's */
		check("CR2's page", fault_address & ~0xfffull, small_page(IDT_PAGE + 1));
	}

	point("a read-only GDT is #PF where the processor sets a descriptor's A");
	*type &= (uint8_t)~1;
	fresh(GDT_PAGE, PT_WRITE);
	flush();
	page_faults = 0;
	mapped_page = GDT_PAGE;
	trap_handler = map_page;
	__asm__ volatile("mov %0, %%fs; mov %1, %%fs" : : "r"(L1_USER_DATA), "r"(0) : "memory");
	trap_handler = NULL;
	check("page faults", page_faults, 1);
	check("error code", fault_error, PF_PRESENT | PF_WRITE);
	check("A of the descriptor", *type & 1, 1);
	all_fresh();
}

#ifdef __x86_64__
static void interrupt_stacks(void)
{
	uintptr_t base = (uintptr_t)small_page(IDT_PAGE + 1) - HALF_IDT;
	uint8_t *ist_of_pf = (uint8_t *)base + VEC_PF * GATE_BYTES + 4;
	uint8_t *ist_of_df = (uint8_t *)base + VEC_DF * GATE_BYTES + 4;
	uint64_t missing = small_page(STACK_PAGE) + PAGE_SIZE - 8;

	point("a stack that is missing is #PF on another stack, and the INT goes on after it");
	user_set_stack((uintptr_t)small_page(STACK_PAGE) + PAGE_SIZE);
	user_set_ist((uintptr_t)small_page(DATA_PAGE) + PAGE_SIZE);
	*ist_of_pf = 1;
	for (unsigned int i = 0; i < rounds(); i++) {
		int_finds_missing(STACK_PAGE);
		check("error code", fault_error, PF_WRITE);
		check("CR2", fault_address, missing);
		check("A and D of the other stack", bits(DATA_PAGE), AD);
	}
	*ist_of_pf = 0;

	point("a stack that is missing for #PF, too, is #DF");
	*ist_of_df = 1;
	for (unsigned int i = 0; i < rounds(); i++) {
		all_fresh();
		fresh(STACK_PAGE, PT_PRESENT);
		flush();
		check("vector", (uint64_t)(int64_t)user_int(), VEC_DF);
		check("error code", trap_last.error, 0);
		check("CR2", trap_last.cr2, missing);
	}
	*ist_of_df = 0;
	all_fresh();
}
#else
static void interrupt_stacks(void)
{
	point("a stack that is missing is #PF on another stack, and the INT goes on after it");
	point_skip("only long mode has interrupt stacks");
}
#endif

void paging_delivery(void)
{
	if (!paging_group("delivery"))
		return;
	move_tables();
	fresh_pages();
	own_stack();
	missing_pages();
	interrupt_stacks();
	__asm__ volatile("lidt %0; lgdt %1" : : "m"(idt), "m"(gdt));
	user_set_stack(0);
	paging_end();
}
