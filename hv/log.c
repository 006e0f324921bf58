/*
 * The log ring, and the two ways to end: stop() for what a person got wrong, panic() for what
 * cannot be. Relies on hv/print.h, hv/serial.h and hv/screen.h.
 */
#include "hv/log.h"
#include "hv/print.h"
#include "hv/screen.h"
#include "hv/serial.h"
#include "hv/string.h"
#include "hv/x86.h"

#include <stdarg.h>

enum { RING_SIZE = 16384, LINE_SIZE = 320, PATIENCE = 1 << 26 };

/* Found by its name in a memory dump; the newest byte is the one before ring.head. */
static struct {
	char name[16];
	uint32_t size, head;
	char text[RING_SIZE];
} ring = {.name = "NESTLING-LOG", .size = RING_SIZE};

static enum log_level log_level = LOG_INFO;
static bool to_serial = true, to_screen = true;
static bool screen_is_shared; /* L1 writes to it, whether L0 goes on or not */
static bool busy;             /* some processor writes a line */
static void (*panic_report)(void);

static void ring_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		ring.text[ring.head] = text[i];
		ring.head = (ring.head + 1) % RING_SIZE;
	}
}

/*
 * One processor's line at a time; but who dies amid a line, or beside one that has, must not be
 * silent for it.
 */
static bool begin_line(void)
{
	for (unsigned int i = 0; i < PATIENCE; i++) {
		if (!__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
			return true;
		cpu_relax();
	}
	return false;
}

static void put_line(const char *prefix, bool serial, const char *format, va_list args)
{
	char line[LINE_SIZE];
	size_t used = (size_t)snprint(line, sizeof(line), "nestling: %s", prefix);
	size_t length;

	bool mine;

	vsnprint(line + used, sizeof(line) - used - 1, format, args);
	length = strlen(line);
	line[length++] = '\n';
	mine = begin_line();
	ring_write(line, length);
	if (serial)
		serial_write(line, length);
	if (to_screen)
		screen_write(line, length);
	if (mine)
		__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
}

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_set_serial(bool on)
{
	to_serial = on;
}

void log_share_screen(bool on)
{
	to_screen = on;
	screen_is_shared = true;
}

void log_info(const char *format, ...)
{
	va_list args;

	if (log_level < LOG_INFO)
		return;
	va_start(args, format);
	put_line("", to_serial, format, args);
	va_end(args);
}

void log_aloud(const char *format, ...)
{
	va_list args;

	if (log_level < LOG_INFO)
		return;
	va_start(args, format);
	put_line("", true, format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	if (log_level < LOG_DEBUG)
		return;
	va_start(args, format);
	put_line("debug: ", to_serial, format, args);
	va_end(args);
}

/* Whoever owns the consoles, they are for this now. */
static void take_consoles(void)
{
	to_serial = true;
	if (screen_is_shared)
		to_screen = screen_take_back();
	screen_is_shared = false;
}

static _Noreturn void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

void stop(const char *format, ...)
{
	va_list args;

	take_consoles();
	va_start(args, format);
	put_line("error: ", to_serial, format, args);
	va_end(args);
	halt();
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line("  ", to_serial, format, args);
	va_end(args);
}

void panic(const char *format, ...)
{
	void (*report)(void) = panic_report;
	va_list args;

	panic_report = NULL; /* a panic within the report must end, too */
	take_consoles();
	va_start(args, format);
	put_line("panic: ", to_serial, format, args);
	va_end(args);
	if (report)
		report();
	if (to_screen)
		screen_redraw(); /* other processors may have run L1 up to the report */
	halt();
}

void panic_set_report(void (*report)(void))
{
	panic_report = report;
}
