/*
 * Ports that Nestling looks at: COM1's data with its hot key, from L1 and from L2. The port's
 * loopback brings the bytes. Relies on guest/counters/counters.h.
 */
#include "guest/counters/counters.h"
#include "svm/emulate/hotkey.h"

enum {
	COM1 = 0x3f8,
	COM1_LINE_CONTROL = COM1 + 3,
	COM1_MODEM_CONTROL = COM1 + 4,
	COM1_LINE_STATUS = COM1 + 5,
	LINE_CONTROL_DIVISOR = 0x80,
	MODEM_CONTROL_LOOP = 0x10,
	LINE_STATUS_DATA = 1,
	POLLS = 1000000,
	PORT_ELSEWHERE = 0x80,
	BYTE = 0x41,
};

/* Puts a byte into the port as if it had come from outside. */
static void receive(uint8_t byte)
{
	uint8_t control = inb(COM1_MODEM_CONTROL);

	outb(COM1_MODEM_CONTROL, control | MODEM_CONTROL_LOOP);
	outb(COM1, byte);
	for (int i = 0; i < POLLS && !(inb(COM1_LINE_STATUS) & LINE_STATUS_DATA); i++)
		cpu_relax();
	outb(COM1_MODEM_CONTROL, control);
	check("a byte is there", inb(COM1_LINE_STATUS) & LINE_STATUS_DATA, LINE_STATUS_DATA);
}

static void of_l1(void)
{
	uint64_t before;

	point("the hot key, which L1 gets, too");
	receive(HOTKEY);
	before = exits(COUNTER_EXITS_L1, VMEXIT_IOIO);
	check("AL", inb(COM1), HOTKEY);
	check("exits", exits(COUNTER_EXITS_L1, VMEXIT_IOIO) - before, 1);

	point("another byte does nothing");
	receive(BYTE);
	check("AL", inb(COM1), BYTE);

	point("nor does a divisor that looks like the hot key");
	receive(BYTE);
	before = inb(COM1_LINE_CONTROL);
	outb(COM1_LINE_CONTROL, (uint8_t)before | LINE_CONTROL_DIVISOR);
	outb(COM1, HOTKEY);
	check("AL", inb(COM1), HOTKEY);
	outb(COM1, 1); /* 115200 again */
	outb(COM1_LINE_CONTROL, (uint8_t)before);
	check("AL", inb(COM1), BYTE);

	point("writes do not exit");
	before = exits(COUNTER_EXITS_L1, VMEXIT_IOIO);
	outb(PORT_ELSEWHERE, 0);
	inb(COM1_LINE_STATUS);
	check("exits", exits(COUNTER_EXITS_L1, VMEXIT_IOIO) - before, 0);
}

static void l2_reads(struct l2 *l2)
{
	l2->regs.rdx = COM1;
	l2->vmcb->save.rax = 0;
	l2_start(l2, L2_IN);
}

static void of_l2(void)
{
	struct l2 *l2 = l2_new(0, l2_widest());
	uint32_t *misc1 = &l2->vmcb->control.intercepts[INTERCEPT_MISC1];
	uint64_t before;

	point("L2's IN, which L1 does not intercept, is L0's");
	receive(BYTE);
	before = exits(COUNTER_EXITS_L2, VMEXIT_IOIO);
	l2_reads(l2);
	l2_check_value(l2, BYTE);
	check("exits", exits(COUNTER_EXITS_L2, VMEXIT_IOIO) - before, 1);

	point("... nor if L1 intercepts other ports only");
	*misc1 |= MISC1_IOIO_PROT;
	l2_port_intercept(PORT_ELSEWHERE, true);
	receive(BYTE);
	before = counter(COUNTER_reflected);
	l2_reads(l2);
	l2_check_value(l2, BYTE);
	check("reflected", counter(COUNTER_reflected) - before, 1); /* the VMMCALL */

	point("L1's map counts as it is at VMRUN");
	l2_port_intercept(COM1, true);
	l2_reads(l2);
	l2_check_exit(l2, VMEXIT_IOIO);
	l2_port_intercept(COM1, false);
	receive(BYTE);
	l2_reads(l2);
	l2_check_value(l2, BYTE);
	l2_port_intercept(PORT_ELSEWHERE, false);
	*misc1 &= ~MISC1_IOIO_PROT;
}

static void string_io(void)
{
	uint8_t bytes[2] = {0, 0};
	void *to = bytes;
	uint64_t before;

	point("string I/O works, and ends the watch");
	receive(BYTE);
	__asm__ volatile("insb" : "+D"(to) : "d"(COM1) : "memory");
	check("byte", bytes[0], BYTE);
	check("rDI", (uintptr_t)to, (uintptr_t)&bytes[1]);
	receive(BYTE);
	before = exits(COUNTER_EXITS_L1, VMEXIT_IOIO);
	check("AL", inb(COM1), BYTE);
	check("exits", exits(COUNTER_EXITS_L1, VMEXIT_IOIO) - before, 0);
}

void counters_ports(void)
{
	if (!tap_group("counters", "ports"))
		return;
	of_l1();
	of_l2();
	string_io();
}
