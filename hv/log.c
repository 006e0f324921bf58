/*
 * The log ring, and the two ways to end: stop() for what a person got wrong, panic() for what
 * cannot be. Relies on hv/print.h, hv/serial.h and hv/screen.h, and on hv/stack.h for who it is
 * that dies.
 */
#include "hv/log.h"
#include "hv/print.h"
#include "hv/screen.h"
#include "hv/serial.h"
#include "hv/stack.h"
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
static bool dying;            /* some processor panics */
static bool taken;            /* ... and has the screen, if there is one */
static void (*panic_stop)(void), (*panic_report)(void);

enum to { TO_RING = 1 << 0, TO_SERIAL = 1 << 1, TO_SCREEN = 1 << 2 };

struct line {
	char text[LINE_SIZE];
	size_t length;
};

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

static void say(const struct line *line, unsigned int to)
{
	bool mine = begin_line();

	if (to & TO_RING)
		ring_write(line->text, line->length);
	if (to & TO_SERIAL)
		serial_write(line->text, line->length);
	if (to & TO_SCREEN)
		screen_write(line->text, line->length);
	if (mine)
		__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
}

static void make_line(struct line *line, const char *prefix, const char *format, va_list args)
{
	size_t used = (size_t)snprint(line->text, sizeof(line->text), "nestling: %s", prefix);

	vsnprint(line->text + used, sizeof(line->text) - used - 1, format, args);
	line->length = strlen(line->text);
	line->text[line->length++] = '\n';
}

static void put_line(const char *prefix, bool serial, const char *format, va_list args)
{
	struct line line;

	make_line(&line, prefix, format, args);
	say(&line, TO_RING | (serial ? TO_SERIAL : 0) | (to_screen ? TO_SCREEN : 0));
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

void stop(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line("error: ", true, format, args);
	va_end(args);
	halt_for_good();
}

void log_line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line("  ", to_serial, format, args);
	va_end(args);
}

/* To be called when nobody runs L1 any more: it asks by PCI's ports, and draws. */
static void take_screen(void)
{
	if (screen_is_shared)
		to_screen = screen_take_back();
	screen_is_shared = false;
	__atomic_store_n(&taken, true, __ATOMIC_RELEASE);
}

static void wait_for_screen(void)
{
	for (unsigned int i = 0; i < PATIENCE && !__atomic_load_n(&taken, __ATOMIC_ACQUIRE); i++)
		cpu_relax();
}

/*
 * The serial port is for this now, whoever owns it: the reason must not be lost to a second panic
 * on the way. Of two processors the first one has the screen and reports, and the other one's
 * reason stands there as well.
 */
void panic(const char *format, ...)
{
	bool again = stack_base()->dies;
	bool first = !again && !__atomic_exchange_n(&dying, true, __ATOMIC_ACQ_REL);
	struct line line;
	va_list args;

	stack_base()->dies = true;
	to_serial = true;
	va_start(args, format);
	make_line(&line, "panic: ", format, args);
	va_end(args);
	say(&line, TO_RING | TO_SERIAL);
	if (!again && panic_stop)
		panic_stop();
	if (first || again)
		take_screen();
	else
		wait_for_screen();
	if (to_screen)
		say(&line, TO_SCREEN);
	if (first && panic_report)
		panic_report();
	if (to_screen)
		screen_redraw(); /* over what a device has still drawn for L1 */
	halt_for_good();
}

void panic_set_report(void (*stop)(void), void (*report)(void))
{
	panic_stop = stop;
	panic_report = report;
}
