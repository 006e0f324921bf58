/*
 * What L0 says: a ring in memory and, while it boots or dies, the serial port and the screen.
 * Relies on hv/print.h, hv/serial.h and hv/screen.h.
 */
#ifndef HV_LOG_H
#define HV_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_QUIET, LOG_INFO, LOG_DEBUG };

/* Lines above the level are dropped. */
void log_set_level(enum log_level level);

/* Whether lines go to the serial port, too; L1 owns it once it runs. */
void log_set_serial(bool on);

/* L1 owns the screen from now on. Whether lines go there all the same; a panic takes it back. */
void log_share_screen(bool on);

/* One line, without its newline. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line for the serial port though L1 owns it: for what happens once. */
void log_aloud(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says it by log_info or log_aloud, only the first time that any processor comes by. */
#define log_once(say, ...)                                                                         \
	do {                                                                                       \
		static bool told;                                                                  \
                                                                                                   \
		if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))                           \
			say(__VA_ARGS__);                                                          \
	} while (0)

/*
 * For what a person can get wrong: says "nestling: error: ..." and halts. The text says
 * what is wrong and what to do.
 */
_Noreturn void stop(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * For what cannot be: says "nestling: panic: ...", what panic_set_report() asked for, and halts.
 * The screen is taken back from L1 for that, when stop() has returned: no other processor uses
 * PCI's ports any more. The first of several that panic reports.
 */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
void panic_set_report(void (*stop)(void), void (*report)(void));

/* A line that was asked for, by a panic or a person: whatever the level is. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
