/*
 * A warm reset: memory keeps what it holds, if the firmware leaves it alone. Relies on hv/x86.h.
 */
#ifndef GUEST_RESET_H
#define GUEST_RESET_H

/* Resets by the chipset, else by the keyboard controller, else by a triple fault. */
_Noreturn void reset_warm(void);

/* INT3 with an IDT of nothing: the processor shuts down, which resets the machine. */
void triple_fault(void);

#endif
