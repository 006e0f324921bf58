/*
 * The end of all that runs on the machine. Relies on nothing.
 */
#ifndef HV_RESET_H
#define HV_RESET_H

/* Resets the machine, and says why. */
_Noreturn void reset_machine(const char *why);

#endif
