/*
 * Resets the machine. Relies on hv/x86.h.
 */
#include "guest/lib/reset.h"
#include "hv/x86.h"

enum {
	PORT_RESET = 0xcf9,
	RESET_SYSTEM = 1 << 1, /* the whole system, not the processor alone ... */
	RESET_NOW = 1 << 2,    /* ... and now; bit 3, which is 0, would cut the power */
	PORT_KEYBOARD = 0x64,
	KEYBOARD_RESET = 0xfe,
};
#define WAIT_TICKS (1ull << 30) /* of the TSC: less than a second */

static void wait(void)
{
	uint64_t begin = rdtsc();

	while (rdtsc() - begin < WAIT_TICKS)
		cpu_relax();
}

void triple_fault(void)
{
	struct {
		uint16_t limit;
		uintptr_t base;
	} __attribute__((packed)) nothing = {0, 0};

	__asm__ volatile("lidt %0; int3" : : "m"(nothing));
}

void reset_warm(void)
{
	wbinvd();
	outb(PORT_RESET, RESET_SYSTEM);
	outb(PORT_RESET, RESET_SYSTEM | RESET_NOW);
	wait();
	outb(PORT_KEYBOARD, KEYBOARD_RESET);
	wait();
	triple_fault();
	for (;;)
		__asm__ volatile("cli; hlt");
}
