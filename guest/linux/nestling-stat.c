/*
 * nestling-stat: Nestling's counters, live, from a Linux that is its L1. Reads them by the kernel's
 * msr driver, one file per processor. Relies on svm/look/interface.h and svm/look/counters.h for
 * the numbers.
 */
#define _DEFAULT_SOURCE
#include "svm/look/counters.h"
#include "svm/look/interface.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	PROCESSORS_MAX = 4096,
	NAME_SIZE = 32,
	FIRST_COLUMNS = 48, /* of a line: name, total, rate */
	COLUMN = 12,        /* of each processor */
	DEFAULT_WIDTH = 80,
};

/* One line of the table. */
struct event {
	char name[NAME_SIZE];
	unsigned int number;
	bool gauge; /* the same on every processor, and no count */
	uint64_t count[PROCESSORS_MAX];
	uint64_t total, before;
};

static struct event events[COUNTERS_NAMED + EXIT_LEVELS * EXIT_SLOTS];
static unsigned int event_count;
static int msr_file[PROCESSORS_MAX];
static unsigned int processor_count;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, format);
	fputs("nestling-stat: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	__builtin_va_end(args);
	exit(1);
}

static void add_event(unsigned int number, bool gauge, const char *group, const char *name)
{
	struct event *event = &events[event_count++];

	event->number = number;
	event->gauge = gauge;
	snprintf(event->name, sizeof(event->name), "%s%s", group, name);
}

static void add_events(void)
{
	char name[EXIT_NAME_SIZE];

	for (unsigned int slot = 0; slot < EXIT_SLOTS; slot++) {
		exit_name(slot, name);
		add_event(COUNTER_EXITS_L1 + slot, false, "L1 ", name);
		add_event(COUNTER_EXITS_L2 + slot, false, "L2 ", name);
	}
#define ADD_COUNTER(name, what) add_event(COUNTER_##name, false, "", #name);
#define ADD_GAUGE(name, what)   add_event(COUNTER_##name, true, "", #name);
	VCPU_COUNTERS(ADD_COUNTER)
	MMU_COUNTERS(ADD_COUNTER)
	MACHINE_GAUGES(ADD_GAUGE)
#undef ADD_COUNTER
#undef ADD_GAUGE
}

static void check_nestling(void)
{
	unsigned int eax, ebx, ecx, edx;

	__cpuid(LEAF_HYPERVISOR, eax, ebx, ecx, edx);
	if (ebx != NESTLING_EBX || ecx != NESTLING_ECX || edx != NESTLING_EDX)
		fail("this system does not run on Nestling");
	if (eax < LEAF_HYPERVISOR_COUNTERS)
		fail("this Nestling is too old to be asked for its counters");
	__cpuid(LEAF_HYPERVISOR_COUNTERS, eax, ebx, ecx, edx);
	if (eax != MSR_NESTLING_COUNTERS || ebx != COUNTERS_NAMED)
		fail("this Nestling has other counters: use the nestling-stat built with it");
}

/* Processors that are offline have no file, or one that cannot be read. */
static void open_processors(void)
{
	char path[64];
	int error = ENOENT;
	struct rlimit files;

	/* One file for each processor may be more than a shell allows at first. */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}

	for (unsigned int i = 0; i < PROCESSORS_MAX; i++) {
		snprintf(path, sizeof(path), "/dev/cpu/%u/msr", i);
		msr_file[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (msr_file[i] >= 0)
			processor_count = i + 1;
		else if (errno != ENOENT && errno != ENXIO)
			error = errno;
	}
	if (processor_count)
		return;
	if (error == ENOENT)
		fail("there is no /dev/cpu/0/msr: load the kernel's module msr (modprobe msr)");
	fail("/dev/cpu/0/msr: %s: run it as root, without kernel lockdown", strerror(error));
}

static uint64_t read_counter(unsigned int processor, unsigned int number)
{
	uint64_t value = 0;

	if (msr_file[processor] < 0 ||
	    pread(msr_file[processor], &value, sizeof(value),
	          (off_t)MSR_NESTLING_COUNTERS + number) != (ssize_t)sizeof(value))
		return 0;
	return value;
}

static void read_all(void)
{
	for (unsigned int i = 0; i < event_count; i++) {
		struct event *event = &events[i];

		event->before = event->total;
		event->total = 0;
		for (unsigned int cpu = 0; cpu < processor_count; cpu++) {
			event->count[cpu] = read_counter(cpu, event->number);
			if (event->gauge)
				event->total = event->count[cpu] > event->total ? event->count[cpu]
				                                                : event->total;
			else
				event->total += event->count[cpu];
		}
	}
}

/* What moved most comes first; gauges last, in their own order. */
static int compare(const void *left, const void *right)
{
	const struct event *a = left, *b = right;
	uint64_t moved_a = a->total - a->before, moved_b = b->total - b->before;

	if (a->gauge || b->gauge)
		return a->gauge != b->gauge ? a->gauge - b->gauge : (int)a->number - (int)b->number;
	if (moved_a != moved_b)
		return moved_a < moved_b ? 1 : -1;
	if (a->total != b->total)
		return a->total < b->total ? 1 : -1;
	return (int)a->number - (int)b->number;
}

static struct winsize window(void)
{
	struct winsize size = {.ws_row = 0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		size = (struct winsize){.ws_col = DEFAULT_WIDTH};
	return size;
}

/* How many processors have a column of their own. */
static unsigned int columns(void)
{
	unsigned int width = window().ws_col;
	unsigned int fit = width > FIRST_COLUMNS ? (width - FIRST_COLUMNS) / COLUMN : 0;

	return fit < processor_count ? fit : processor_count;
}

static void print_event(const struct event *event, unsigned int shown, double seconds)
{
	printf("%-20s %16llu", event->name, (unsigned long long)event->total);
	if (seconds > 0 && !event->gauge)
		printf(" %10.0f", (double)(event->total - event->before) / seconds);
	else
		printf(" %10s", "");
	for (unsigned int cpu = 0; cpu < shown && !event->gauge; cpu++)
		printf("%*llu", COLUMN, (unsigned long long)event->count[cpu]);
	putchar('\n');
}

/* seconds: since the last one; 0: there was none. rows: 0 is all. */
static void print_all(double seconds, unsigned int rows)
{
	unsigned int shown = columns();

	printf("%-20s %16s %10s", "event", "total", seconds > 0 ? "per second" : "");
	for (unsigned int cpu = 0; cpu < shown; cpu++)
		printf("%*s%-3u", COLUMN - 3, "CPU ", cpu);
	putchar('\n');
	for (unsigned int i = 0, line = 2; i < event_count && (!rows || line < rows); i++) {
		if (!events[i].total && !events[i].gauge)
			continue;
		print_event(&events[i], shown, seconds);
		line++;
	}
}

static void usage(FILE *to)
{
	fputs("usage: nestling-stat [-1] [-i SECONDS]\n"
	      "Shows the counters of the Nestling under this system, those that move most first.\n"
	      "  -1          once, and ends\n"
	      "  -i SECONDS  how often (1)\n"
	      "Exits of L1 and L2 have the names of the manual's exit codes.\n",
	      to);
}

int main(int argc, char **argv)
{
	bool once = false;
	unsigned int seconds = 1;
	int option;

	while ((option = getopt(argc, argv, "1i:h")) != -1) {
		if (option == '1') {
			once = true;
		} else if (option == 'i' && atoi(optarg) > 0) {
			seconds = (unsigned int)atoi(optarg);
		} else if (option == 'h') {
			usage(stdout);
			return 0;
		} else {
			usage(stderr);
			return 2;
		}
	}
	check_nestling();
	open_processors();
	add_events();
	read_all();
	for (bool first = true;; first = false) {
		if (!once)
			fputs("\033[H\033[2J", stdout); /* home, and clear the screen */
		qsort(events, event_count, sizeof(events[0]), compare);
		print_all(first ? 0 : seconds, once ? 0 : window().ws_row);
		fflush(stdout);
		if (once)
			return 0;
		sleep(seconds);
		read_all();
	}
}
