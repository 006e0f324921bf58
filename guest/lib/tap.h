/*
 * Results, as TAP version 13 on COM1. A point is opened by its name and collects checks; the next
 * point(), or the end of the group, prints its line, so a crash has a name as well. Relies on
 * hv/serial.h, hv/print.h, screen.h and machine.h.
 */
#ifndef GUEST_TAP_H
#define GUEST_TAP_H

#include "guest/lib/machine.h"

#include <stdbool.h>
#include <stdint.h>

/* Prints text on COM1 as it is. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Starts the group "family.name", and says so on COM1. False, and a line that says so, if the
 * command line's filter= names other groups, or after= one that has not gone by: the caller then
 * skips it.
 */
bool tap_group(const char *family, const char *name);

/* How many groups run() would begin. None runs. */
unsigned int tap_count_groups(void (*run)(void));

/* Opens a point of the group; its line is printed when the next one opens. The name is not copied.
 */
void point(const char *name);

/* The open point passes as skipped, with the reason; its checks, if any, still count. */
void point_skip(const char *reason);

/* One comparison of the open point. A difference is printed with the name of what was compared. */
bool check(const char *what, uint64_t got, uint64_t expected);

/* Is low <= got <= high? */
bool check_range(const char *what, uint64_t got, uint64_t low, uint64_t high);

/*
 * As check(), but the deviation of an emulator is let pass by name, if got is exactly that value
 * and the emulator is there.
 */
bool check_known(const char *what, uint64_t got, uint64_t expected, uint64_t deviating,
                 enum emulator emulator, const char *reason);

/* The open point's failure is known and already established: let it pass by name. */
void point_known(enum emulator emulator, const char *reason);

/* Fails the open point with a diagnostic. */
void point_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Called once for a point that fails, to tell more in lines that start with "# ". */
void tap_describe_with(void (*describe)(void));

/* Prints the open point's line, if there is one. */
void point_end(void);

/* Prints version and, at the end, the plan; run_end() then ends the machine. */
void tap_begin(void);
_Noreturn void tap_end(void);

/* "1..0 # SKIP reason" and the end of the run, as failed: nothing was tested. */
_Noreturn void run_skipped(const char *reason);

/* Fails the open point, or a point of its own, prints no plan and ends the run. */
_Noreturn void run_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
