/*
 * Results in TAP version 13. Relies on tap.h's idea of an open point.
 */
#include "guest/lib/tap.h"
#include "guest/lib/cmdline.h"
#include "guest/lib/report.h"
#include "guest/lib/screen.h"
#include "hv/print.h"
#include "hv/serial.h"
#include "hv/string.h"

#define LINE_BYTES 256
#define TEXT_BYTES 2048

static struct {
	const char *name; /* of the open point; NULL: none is open */
	const char *skip, *known;
	enum emulator known_emulator;
	bool failed;
	size_t length;
	char diagnostics[TEXT_BYTES];
} now;

static char group[LINE_BYTES];
static unsigned int points, failures;
static void (*describe)(void);
static bool counting; /* groups that begin, in `counted`, and nothing else */
static unsigned int counted;
static bool behind_after; /* the group that after= names has been passed */

static void put(const char *text, size_t length)
{
	serial_write(text, length);
	report_write(text, length);
}

void say(const char *format, ...)
{
	char text[LINE_BYTES];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprint(text, sizeof(text), format, args);
	va_end(args);
	put(text, length < LINE_BYTES ? (size_t)length : LINE_BYTES - 1);
}

static void diagnose(const char *format, va_list args)
{
	size_t room = sizeof(now.diagnostics) - now.length;
	int length = vsnprint(now.diagnostics + now.length, room, format, args);

	now.length += (size_t)length < room ? (size_t)length : room - 1;
}

void point_end(void)
{
	if (!now.name)
		return;
	points++;
	failures += now.failed;
	say("%s %u - %s: %s", now.failed ? "not ok" : "ok", points, group, now.name);
	if (now.skip && !now.failed)
		say(" # SKIP %s", now.skip);
	else if (now.known && !now.failed)
		say(" # TODO %s: %s", emulator_name(now.known_emulator), now.known);
	say("\n");
	put(now.diagnostics, now.length);
	if (now.failed && describe)
		describe();
	if (now.failed)
		screen_failed(group, now.name, now.diagnostics);
	else
		screen_point(now.skip, now.known);
	now.name = NULL;
}

void point(const char *name)
{
	point_end();
	memset(&now, 0, sizeof(now));
	now.name = name;
}

void point_skip(const char *reason)
{
	now.skip = reason;
}

void point_known(enum emulator emulator, const char *reason)
{
	now.known = reason;
	now.known_emulator = emulator;
}

void point_fail(const char *format, ...)
{
	va_list args;

	now.failed = true;
	va_start(args, format);
	diagnose(format, args);
	va_end(args);
}

bool check(const char *what, uint64_t got, uint64_t expected)
{
	if (got == expected)
		return true;
	point_fail("# %s: got 0x%llx, expected 0x%llx\n", what, (unsigned long long)got,
	           (unsigned long long)expected);
	return false;
}

bool check_range(const char *what, uint64_t got, uint64_t low, uint64_t high)
{
	if (got >= low && got <= high)
		return true;
	point_fail("# %s: got 0x%llx, expected 0x%llx to 0x%llx\n", what, (unsigned long long)got,
	           (unsigned long long)low, (unsigned long long)high);
	return false;
}

bool check_known(const char *what, uint64_t got, uint64_t expected, uint64_t deviating,
                 enum emulator emulator, const char *reason)
{
	if (got == deviating && got != expected && emulator_is(emulator)) {
		point_known(emulator, reason);
		return true;
	}
	return check(what, got, expected);
}

/* Is the group one of those that the command line's filter= and after= leave? */
static bool group_wanted(void)
{
	const char *word = cmdline_value("after");

	if (word && glob_match(word, group)) {
		behind_after = true;
		return false;
	}
	if (word && !behind_after)
		return false;
	word = cmdline_value("filter");
	return !word || glob_match(word, group);
}

bool tap_group(const char *family, const char *name)
{
	char text[LINE_BYTES];
	bool wanted;
	int length;

	point_end();
	snprint(group, sizeof(group), "%s.%s", family, name);
	wanted = group_wanted();
	if (counting) {
		counted += wanted;
		return false;
	}
	if (!wanted) {
		say("# filtered: %s\n", group);
		return false;
	}
	/* For whoever must know where a machine ended; a report of an end does without. */
	length = snprint(text, sizeof(text), "# group: %s\n", group);
	serial_write(text, length < LINE_BYTES ? (size_t)length : LINE_BYTES - 1);
	screen_group(group);
	return true;
}

unsigned int tap_count_groups(void (*run)(void))
{
	counted = 0;
	counting = true;
	behind_after = false;
	run();
	behind_after = false;
	counting = false;
	return counted;
}

void tap_describe_with(void (*function)(void))
{
	describe = function;
}

void tap_begin(void)
{
	say("TAP version 13\n");
}

void tap_end(void)
{
	point_end();
	if (!points)
		run_skipped("no group matches the filter");
	say("1..%u\n", points);
	if (failures)
		say("# %u of %u points failed\n", failures, points);
	screen_end(PAGE_DONE, NULL);
	machine_end(!failures);
}

void run_skipped(const char *reason)
{
	say("1..0 # SKIP %s\n", reason);
	screen_end(PAGE_SKIPPED, reason);
	machine_end(false);
}

void run_failed(const char *format, ...)
{
	va_list args;

	if (!now.name)
		point("outside of any point");
	now.failed = true;
	va_start(args, format);
	diagnose(format, args);
	va_end(args);
	describe = NULL; /* it may be what went wrong */
	point_end();
	say("Bail out! L1 cannot go on\n");
	screen_end(PAGE_STOPPED, NULL);
	machine_end(false);
}
