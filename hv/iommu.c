/*
 * The registers of an IOMMU, its ring of commands and its ring of events. Relies on hv/delay.h for
 * limits in time, and on hv/log.h.
 */
#include "hv/iommu.h"
#include "hv/delay.h"
#include "hv/iommu_tables.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/window.h"
#include "hv/x86.h"

enum {
	REG_DEVICES = 0x00,
	REG_COMMANDS = 0x08,
	REG_EVENTS = 0x10,
	REG_CONTROL = 0x18,
	REG_EXCLUDED = 0x20,
	REG_EXCLUDED_LIMIT = 0x28,
	REG_FEATURES = 0x30,
	REG_COMMANDS_HEAD = 0x2000,
	REG_COMMANDS_TAIL = 0x2008,
	REG_EVENTS_HEAD = 0x2010,
	REG_EVENTS_TAIL = 0x2018,
	REG_STATUS = 0x2020,

	RING_ENTRIES = 256,
	RING_LENGTH_SHIFT = 56,
	RING_LENGTH = 8, /* 256 entries */
	ENTRY_BYTES = 16,
	RING_MASK = (RING_ENTRIES - 1) * ENTRY_BYTES,

	EVENT_CODE_SHIFT = 60,
	PATIENCE_MS = 100,
	TOLD_MAX = 16,
	MS_OF_SECOND = 1000,
};
_Static_assert(RING_ENTRIES *ENTRY_BYTES == PAGE_SIZE, "a ring is a page");

#define DEVICES_PAGES (IOMMU_DEVICES_SIZE / PAGE_SIZE - 1) /* as the register has it */

#define CONTROL_ON        (1ull << 0)
#define CONTROL_TUNNEL    (1ull << 1)
#define CONTROL_EVENTS    (1ull << 2)
#define CONTROL_POSTED    (1ull << 8)
#define CONTROL_RESPONSES (1ull << 9)
#define CONTROL_COHERENT  (1ull << 10)
#define CONTROL_ISOCHRON  (1ull << 11)
#define CONTROL_COMMANDS  (1ull << 12)

#define FEATURE_INVALIDATE_ALL (1ull << 6)
#define FEATURE_COUNTERS       (1ull << 9)

#define STATUS_OVERFLOW (1ull << 0)
#define STATUS_EVENT    (1ull << 1)
#define STATUS_EVENTS   (1ull << 3)
#define STATUS_COMMANDS (1ull << 4)

/* The command's code is in the first word's highest bits; section 2.4. */
#define COMMAND(code)             ((uint64_t)(code) << 60)
#define COMMAND_WAIT              (COMMAND(1) | 1) /* ... and store */
#define COMMAND_FORGET_DEVICE     COMMAND(2)
#define COMMAND_FORGET_PAGES      (COMMAND(3) | 1ull << 32)   /* of our domain */
#define ALL_PAGES                 (0x7ffffffffffff000ull | 3) /* tables, too */
#define COMMAND_FORGET_INTERRUPTS COMMAND(5)
#define COMMAND_FORGET_ALL        COMMAND(8)

static struct unit {
	uint64_t base;
	uint64_t control;
	uint64_t *commands, *events;
} units[IOMMU_UNITS_MAX];
static unsigned int unit_count;

static volatile uint64_t *reg(uint64_t base, unsigned int offset)
{
	return (volatile uint64_t *)phys(base + offset);
}

uint64_t iommu_registers_size(uint64_t base)
{
	uint64_t features = *reg(base, REG_FEATURES);

	if (!~features && !~*reg(base, REG_CONTROL))
		return 0;
	return features & FEATURE_COUNTERS ? IOMMU_REGISTERS_MOST : IOMMU_REGISTERS_LEAST;
}

/* False: it has not come to that in time. */
static bool comes_to(const volatile uint64_t *word, uint64_t mask, uint64_t value)
{
	for (unsigned int ms = 0; (*word & mask) != value; ms++) {
		if (ms == PATIENCE_MS)
			return false;
		delay_ms(1);
	}
	return true;
}

static bool command(const struct unit *unit, uint64_t first, uint64_t second)
{
	uint64_t tail = *reg(unit->base, REG_COMMANDS_TAIL) & RING_MASK;
	uint64_t next = (tail + ENTRY_BYTES) & RING_MASK;

	/* With room for one only, all before it are done first. */
	if (next == (*reg(unit->base, REG_COMMANDS_HEAD) & RING_MASK) &&
	    !comes_to(reg(unit->base, REG_COMMANDS_HEAD), RING_MASK, tail))
		return false;
	unit->commands[tail / sizeof(uint64_t)] = first;
	unit->commands[tail / sizeof(uint64_t) + 1] = second;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	*reg(unit->base, REG_COMMANDS_TAIL) = next;
	return true;
}

/* What it has kept of the tables that firmware used. */
static bool forget_all(const struct unit *unit)
{
	static volatile uint64_t done;
	bool good = true;

	if (*reg(unit->base, REG_FEATURES) & FEATURE_INVALIDATE_ALL) {
		good = command(unit, COMMAND_FORGET_ALL, 0);
	} else {
		for (unsigned int i = 0; good && i < IOMMU_FUNCTIONS; i++)
			good = command(unit, COMMAND_FORGET_DEVICE | i, 0) &&
			       command(unit, COMMAND_FORGET_INTERRUPTS | i, 0);
		good = good && command(unit, COMMAND_FORGET_PAGES, ALL_PAGES);
	}
	done = 0;
	return good && command(unit, COMMAND_WAIT | hpa_of((const void *)&done), 1) &&
	       comes_to(&done, ~0ull, 1);
}

static uint64_t control_of(uint8_t flags)
{
	static const struct {
		uint8_t flag;
		uint64_t control;
	} wanted[] = {
		{IOMMU_FLAG_TUNNEL, CONTROL_TUNNEL},
		{IOMMU_FLAG_PASS_POSTED, CONTROL_POSTED},
		{IOMMU_FLAG_PASS_RESPONSES, CONTROL_RESPONSES},
		{IOMMU_FLAG_ISOCHRONOUS, CONTROL_ISOCHRON},
	};
	uint64_t control = CONTROL_ON | CONTROL_EVENTS | CONTROL_COMMANDS | CONTROL_COHERENT;

	for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (flags & wanted[i].flag)
			control |= wanted[i].control;
	}
	return control;
}

/* Rings may be moved, and their heads and tails set, only while they do not run. */
static bool turn_off(uint64_t base)
{
	*reg(base, REG_CONTROL) = 0;
	return comes_to(reg(base, REG_STATUS), STATUS_EVENTS | STATUS_COMMANDS, 0);
}

bool iommu_start(const struct iommu_unit *found, uint64_t devices)
{
	uint64_t length = (uint64_t)RING_LENGTH << RING_LENGTH_SHIFT, base = found->base;
	struct unit unit = {.base = base, .control = control_of(found->flags)};

	unit.commands = heap_pages(1);
	unit.events = heap_pages(1);
	for (uint64_t at = 0; at < IOMMU_REGISTERS_LEAST; at += PAGE_SIZE) {
		if (!window_device(base + at))
			return false;
	}
	if (!turn_off(base))
		return false;
	*reg(base, REG_EXCLUDED) = 0; /* nothing passes by the tables */
	*reg(base, REG_EXCLUDED_LIMIT) = 0;
	*reg(base, REG_DEVICES) = devices | DEVICES_PAGES;
	*reg(base, REG_COMMANDS) = hpa_of(unit.commands) | length;
	*reg(base, REG_COMMANDS_HEAD) = 0;
	*reg(base, REG_COMMANDS_TAIL) = 0;
	*reg(base, REG_EVENTS) = hpa_of(unit.events) | length;
	*reg(base, REG_EVENTS_HEAD) = 0;
	*reg(base, REG_EVENTS_TAIL) = 0;
	*reg(base, REG_CONTROL) = unit.control;
	if (!(*reg(base, REG_CONTROL) & CONTROL_ON) ||
	    *reg(base, REG_DEVICES) != (devices | DEVICES_PAGES) || !forget_all(&unit)) {
		turn_off(base);
		return false;
	}
	units[unit_count++] = unit;
	return true;
}

/* Has this device had its line within the last second? */
static bool is_told(uint16_t device)
{
	static struct {
		bool used;
		uint16_t device;
		uint64_t when;
	} told[TOLD_MAX];
	static unsigned int oldest;
	uint64_t now = rdtsc(), second = MS_OF_SECOND * ticks_per_ms();
	unsigned int i;

	for (i = 0; i < TOLD_MAX && !(told[i].used && told[i].device == device); i++)
		;
	if (i < TOLD_MAX && now - told[i].when < second)
		return true;
	if (i == TOLD_MAX)
		i = oldest++ % TOLD_MAX;
	told[i].used = true;
	told[i].device = device;
	told[i].when = now;
	return false;
}

static void tell(const uint64_t *event)
{
	static const char *const names[] = {
		[1] = "an entry of the device table is bad",
		[2] = "refused",
		[3] = "the device table cannot be read",
		[4] = "the page tables cannot be read",
		[5] = "a command is bad",
		[6] = "the commands cannot be read",
		[7] = "a device does not answer",
		[8] = "a request that is none",
	};
	unsigned int code = (unsigned int)(event[0] >> EVENT_CODE_SHIFT);
	uint16_t device = (uint16_t)event[0];

	if (!is_told(device))
		log_info("DMA by device %02x:%02x.%x at %llx: %s", device >> 8, device >> 3 & 0x1f,
		         device & 7u, (unsigned long long)event[1],
		         code && code < sizeof(names) / sizeof(names[0]) ? names[code]
		                                                         : "unknown event");
}

static void look(const struct unit *unit)
{
	uint64_t head = *reg(unit->base, REG_EVENTS_HEAD) & RING_MASK;
	uint64_t tail = *reg(unit->base, REG_EVENTS_TAIL) & RING_MASK;

	for (; head != tail; head = (head + ENTRY_BYTES) & RING_MASK)
		tell(&unit->events[head / sizeof(uint64_t)]);
	*reg(unit->base, REG_EVENTS_HEAD) = head;
	if (!(*reg(unit->base, REG_STATUS) & STATUS_OVERFLOW))
		return;
	/* It notes events again after it was told not to; 2.5.2. */
	*reg(unit->base, REG_CONTROL) = unit->control & ~CONTROL_EVENTS;
	*reg(unit->base, REG_STATUS) = STATUS_OVERFLOW | STATUS_EVENT;
	*reg(unit->base, REG_EVENTS_HEAD) = 0;
	*reg(unit->base, REG_EVENTS_TAIL) = 0;
	*reg(unit->base, REG_CONTROL) = unit->control;
}

void iommu_tell_refused(void)
{
	static bool busy;

	if (!unit_count || __atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		return; /* another processor looks */
	for (unsigned int i = 0; i < unit_count; i++)
		look(&units[i]);
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
}
