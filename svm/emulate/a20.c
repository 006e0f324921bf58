/*
 * Keeping address bit 20 from being masked. Relies on svm/emulate/ports.h for the chipset's ways to
 * do it.
 */
#include "svm/emulate/a20.h"
#include "hv/exception.h"
#include "svm/cpus/processors.h"
#include "svm/emulate/ports.h"

/* System control port A; the keyboard controller. */
enum {
	PORT_CONTROL_A = 0x92,
	CONTROL_A_A20 = 1 << 1,
	PORT_KEYBOARD_DATA = 0x60,
	PORT_KEYBOARD = 0x64,
	KEYBOARD_WRITE_OUTPUT = 0xd1, /* the next byte of data goes to the output port */
	KEYBOARD_OUTPUT_A20 = 1 << 1,
	KEYBOARD_DISABLE_A20 = 0xdd,
};

/* The byte of the access that goes to this port, which it touches. */
static unsigned int shift_of(const struct port_access *access, uint16_t port)
{
	return 8u * (uint16_t)(port - access->port);
}

static bool control_written(struct port_access *access)
{
	access->value |= (uint32_t)CONTROL_A_A20 << shift_of(access, PORT_CONTROL_A);
	return true;
}

/*
 * The controller's two ports, under a lock: whose byte follows a command is the order in which all
 * processors' writes reach it. They are ports of one byte, to which a bus splits what is wider.
 */
static struct lock keyboard_lock = {.wait = processors_wait};
static bool output_is_next;

static void keyboard_byte(uint16_t port, uint8_t value)
{
	if (port == PORT_KEYBOARD_DATA) {
		if (output_is_next)
			value |= KEYBOARD_OUTPUT_A20;
		output_is_next = false;
	} else if (port == PORT_KEYBOARD) {
		if (value == KEYBOARD_DISABLE_A20)
			return;
		output_is_next = value == KEYBOARD_WRITE_OUTPUT;
	}
	outb(port, value);
}

static bool keyboard_written(struct port_access *access)
{
	lock_take(&keyboard_lock);
	for (unsigned int i = 0; i < access->size; i++)
		keyboard_byte((uint16_t)(access->port + i), (uint8_t)(access->value >> 8 * i));
	lock_release(&keyboard_lock);
	return false;
}

static bool processor_ignores_mask(void)
{
	uint64_t value;

	return rdmsr_safe(MSR_VM_CR, &value) && wrmsr_safe(MSR_VM_CR, value | VM_CR_DIS_A20M) &&
	       (rdmsr(MSR_VM_CR) & VM_CR_DIS_A20M);
}

void a20_keep(void)
{
	static const struct port_watcher control = {.write = control_written};
	static const struct port_watcher keyboard = {.write = keyboard_written};

	if (processor_ignores_mask())
		return;
	ports_watch(PORT_CONTROL_A, 1, &control);
	ports_watch(PORT_KEYBOARD_DATA, 1, &keyboard);
	ports_watch(PORT_KEYBOARD, 1, &keyboard);
}
