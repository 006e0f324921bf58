/*
 * Reading the counters, and writing them where a person can see them. Relies on
 * svm/cpus/processors.h for whose they are and on hv/log.h.
 */
#include "hv/iommu.h"
#include "hv/log.h"
#include "hv/print.h"
#include "svm/look/hypercall.h"
#include "svm/look/interface.h"
#include "svm/cpus/processors.h"

enum { LINE_WIDTH = 100 };

static const char *const names[COUNTERS_NAMED] = {
#define COUNTER_NAME(name, what) #name,
	VCPU_COUNTERS(COUNTER_NAME) MMU_COUNTERS(COUNTER_NAME) MACHINE_GAUGES(COUNTER_NAME)
#undef COUNTER_NAME
};

static uint64_t named(const struct vcpu *vcpu, unsigned int number)
{
	switch ((enum counter)number) {
#define COUNTER_CASE(name, what)                                                                   \
	case COUNTER_##name:                                                                       \
		return vcpu->counters.name;
		VCPU_COUNTERS(COUNTER_CASE)
#undef COUNTER_CASE
#define COUNTER_CASE(name, what)                                                                   \
	case COUNTER_##name:                                                                       \
		return vcpu->mmu_cpu.counters.name;
		MMU_COUNTERS(COUNTER_CASE)
#undef COUNTER_CASE
	case COUNTER_pool_pages:
		return mmu.page_count;
	case COUNTER_pool_free:
		return mmu.free_count;
	case COUNTER_frames_tracked:
		return mmu.frames_tracked;
	default:
		return 0;
	}
}

static uint64_t value_of(const struct vcpu *vcpu, unsigned int number)
{
	unsigned int slot = number & 0xff;

	if (number < COUNTER_EXITS_L1)
		return named(vcpu, number);
	if (slot >= EXIT_SLOTS)
		return 0;
	return vcpu->counters.exits[number < COUNTER_EXITS_L2 ? EXITS_OF_L1 : EXITS_OF_L2][slot];
}

bool is_counter(uint32_t msr)
{
	return msr - MSR_NESTLING_COUNTERS < COUNTERS_END;
}

bool counter_read(const struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	*value = value_of(vcpu, msr - MSR_NESTLING_COUNTERS);
	return !vcpu->guest_mode;
}

/* Words are gathered into lines of a width that terminals have. */
struct line {
	unsigned int processor;
	const char *what;
	bool any;
	char text[LINE_WIDTH + 1];
	size_t used;
};

static void end_line(struct line *line)
{
	if (line->used)
		log_line("processor %u, %s:%s", line->processor, line->what, line->text);
	line->used = 0;
}

static void end_lines(struct line *line)
{
	end_line(line);
	if (!line->any)
		log_line("processor %u, %s: none", line->processor, line->what);
}

static void put_count(struct line *line, const char *name, uint64_t count)
{
	enum { LONGEST = 50 };

	if (!count)
		return;
	line->any = true;
	if (line->used + LONGEST > LINE_WIDTH)
		end_line(line);
	line->used += (size_t)snprint(line->text + line->used, sizeof(line->text) - line->used,
	                              " %s=%llu", name, (unsigned long long)count);
}

static void report_exits(const struct vcpu *vcpu, unsigned int processor, enum exit_level level)
{
	struct line line = {.processor = processor};
	char name[EXIT_NAME_SIZE];

	line.what = level == EXITS_OF_L2 ? "exits of L2" : "exits of L1";
	for (unsigned int slot = 0; slot < EXIT_SLOTS; slot++) {
		exit_name(slot, name);
		put_count(&line, name, vcpu->counters.exits[level][slot]);
	}
	end_lines(&line);
}

void counters_report(void)
{
	for (unsigned int i = 0; i < vcpu_count(); i++) {
		const struct vcpu *vcpu = vcpu_at(i);
		struct line line = {.processor = i, .what = "events"};

		report_exits(vcpu, i, EXITS_OF_L1);
		report_exits(vcpu, i, EXITS_OF_L2);
		for (unsigned int n = 0; n < COUNTER_pool_pages; n++)
			put_count(&line, names[n], named(vcpu, n));
		end_lines(&line);
	}
	log_line("pool: %u of %u pages free; %llu tables and maps of L1's watched", mmu.free_count,
	         mmu.page_count, (unsigned long long)mmu.frames_tracked);
}

bool counters_dump(void)
{
	static bool busy;

	if (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		return false;
	log_set_serial(true);
	iommu_tell_refused();
	counters_report();
	log_set_serial(false);
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
	return true;
}
