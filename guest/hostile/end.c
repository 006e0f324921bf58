/*
 * Ways to end the machine, from the first processor, from another (by=ap), from an L2 that may do
 * all that L1 may (by=l2).
 */
#include "guest/hostile/hostile.h"
#include "guest/lib/reset.h"

enum {
	PORT_RESET = 0xcf9,
	RESET_FULL = 0x0e,
	PORT_KEYBOARD = 0x64,
	KEYBOARD_RESET = 0xfe,
	PORT_FAST = 0x92,
	FAST_RESET = 1,
};

static void reset_control(void)
{
	outb(PORT_RESET, RESET_FULL);
}

static void keyboard(void)
{
	outb(PORT_KEYBOARD, KEYBOARD_RESET);
}

static void fast(void)
{
	outb(PORT_FAST, inb(PORT_FAST) & ~FAST_RESET);
	outb(PORT_FAST, inb(PORT_FAST) | FAST_RESET);
}

static void init_first(void)
{
	cpus_send_init(0, 0);
}

static void init_all(void)
{
	cpus_send_init(0, ICR_ALL);
}

static void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void halt_there(struct cpu *cpu)
{
	(void)cpu;
	halt();
}

static void halt_all(void)
{
	for (unsigned int i = 1; i < hostile_count(); i++) {
		cpu_restart(cpu_by_id(i));
		cpu_call(cpu_by_id(i), halt_there);
	}
	cpus_pause();
	say("# every processor halts\n");
	halt();
}

static void l2_triple(struct l2 *l2)
{
	l2->vmcb->save.idtr.limit = 0;
	l2_start(l2, L2_INT3);
}

static void l2_out(struct l2 *l2, uint16_t port, uint8_t value)
{
	l2->regs.rdx = port;
	l2->vmcb->save.rax = value;
	l2_start(l2, L2_OUT);
}

static void l2_reset_control(struct l2 *l2)
{
	l2_out(l2, PORT_RESET, RESET_FULL);
}

static void l2_keyboard(struct l2 *l2)
{
	l2_out(l2, PORT_KEYBOARD, KEYBOARD_RESET);
}

static const struct way {
	const char *name;
	void (*by_l1)(void);
	void (*by_l2)(struct l2 *l2);
} ways[] = {
	{"triple", triple_fault, l2_triple},
	{"cf9", reset_control, l2_reset_control},
	{"keyboard", keyboard, l2_keyboard},
	{"port92", fast, NULL},
	{"init-first", init_first, NULL},
	{"init-all", init_all, NULL},
	{"halt", halt_all, NULL},
};

static const struct way *chosen;

static void by_it(struct cpu *cpu)
{
	(void)cpu;
	chosen->by_l1();
}

static void by_l2(void)
{
	struct l2 *l2 = l2_new(0, &l2_prot);

	l2->vmcb->control.intercepts[INTERCEPT_MISC1] = 0;
	chosen->by_l2(l2);
}

/* The first one has an L2 that never comes back meanwhile. */
static void by_another(void)
{
	struct l2 *l2 = hostile_l2(0);

	if (!check("starts", cpu_restart(cpu_by_id(1)), true))
		return;
	cpu_call(cpu_by_id(1), by_it);
	for (unsigned int i = 0; i < 1000; i++)
		hostile_run_l2(l2, 1000000);
}

void hostile_end(const char *name)
{
	const char *by;

	for (unsigned int i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		if (!strcmp(name, ways[i].name))
			chosen = &ways[i];
	}
	if (!chosen) {
		point_fail("# there is no such case\n");
		return;
	}
	by = cmdline_value("by");
	if (!by)
		chosen->by_l1();
	else if (!strcmp(by, "ap"))
		by_another();
	else if (chosen->by_l2)
		by_l2();
	cpus_pause();
}
