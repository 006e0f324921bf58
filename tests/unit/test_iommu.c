/*
 * hv/iommu_tables.c: what devices reach, page by page; hv/iommu.c: how a unit is turned on,
 * whatever state it is in, and what it tells; against a unit of the test's own. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static uint64_t now;
static uint64_t fake_rdtsc(void);
#define rdtsc fake_rdtsc
#include "hv/iommu.c"
#include "tests/unit/arena.h"

#define MEMORY (32ull << 20)
#define BASE   0x100000ull /* of the unit's registers */
#define HEAP   0x200000ull
#define GIB    (1ull << 30)
#define MIB    (1ull << 20)
#define TABLE  0x000ffffffffff000ull

static uint64_t heap;
static bool unit_works, unit_waits_for_ever, unit_keeps_running;
static char said[16][128];
static unsigned int lines, forgotten, mapped;
static bool window_is_full;

static uint64_t fake_rdtsc(void)
{
	return now;
}

uint64_t ticks_per_ms(void)
{
	return 1;
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said[lines++ % 16], sizeof(said[0]), format, args);
	va_end(args);
}

/* L0 sees no more of the unit than it has asked for. */
bool window_device(uint64_t hpa)
{
	assert_int_equal(hpa, BASE + (uint64_t)mapped * PAGE_SIZE);
	mapped++;
	return !window_is_full;
}

void *heap_pages(uint64_t pages)
{
	void *page = at(heap);

	heap += pages * PAGE_SIZE;
	assert_true(heap <= MEMORY);
	return page;
}

uint64_t hpa_of(const void *address)
{
	uint64_t offset = (uint64_t)((const uint8_t *)address - (const uint8_t *)at(0));

	return offset < MEMORY ? offset : (uint64_t)(uintptr_t)address;
}

static void perform(const uint64_t *command)
{
	if (command[0] >> 60 == 1) {
		assert_true(command[0] & 1);
		if (!unit_waits_for_ever)
			*(uint64_t *)(uintptr_t)(command[0] & 0x000ffffffffffff8ull) = command[1];
	} else {
		forgotten++;
	}
}

/* What the unit does meanwhile. */
void delay_ms(unsigned int ms)
{
	uint64_t control = get64(BASE + REG_CONTROL), head = get64(BASE + REG_COMMANDS_HEAD);

	now += ms;
	if (!unit_works)
		return;
	if (!unit_keeps_running)
		put64(BASE + REG_STATUS, control & 1 ? STATUS_EVENTS | STATUS_COMMANDS : 0);
	for (; (control & CONTROL_COMMANDS) && head != get64(BASE + REG_COMMANDS_TAIL);
	     head = (head + 16) % PAGE_SIZE)
		perform(at((get64(BASE + REG_COMMANDS) & TABLE) + head));
	put64(BASE + REG_COMMANDS_HEAD, head);
}

static int fresh(void **state)
{
	(void)state;
	arena_new(MEMORY);
	heap = HEAP;
	unit_count = lines = forgotten = 0;
	now = 1000000;
	unit_works = true;
	unit_waits_for_ever = unit_keeps_running = false;
	put64(BASE + REG_FEATURES, FEATURE_INVALIDATE_ALL);
	return 0;
}

static int done(void **state)
{
	(void)state;
	arena_free();
	return 0;
}

/* The processor's way through the tables, as the specification has it: all ones where none is. */
static uint64_t walk(uint64_t entry, uint64_t address)
{
	unsigned int level = (unsigned int)(entry >> 9 & 7), shift;

	assert_int_equal(level, 4);
	for (;;) {
		shift = 12 + 9 * (level - 1);
		if (address >> shift >> 9 && level == 4)
			return ~0ull;
		entry = get64((entry & TABLE) + (address >> shift & 511) * 8);
		if (!(entry & 1))
			return ~0ull;
		assert_true((entry >> 61 & 3) == 3);
		if (!(entry >> 9 & 7))
			break;
		assert_int_equal(entry >> 9 & 7, level - 1);
		level--;
	}
	assert_true(level <= 3);
	assert_true(!(entry & TABLE & ((1ull << shift) - 1)));
	return (entry & TABLE) | (address & ((1ull << shift) - 1));
}

static uint64_t entry_of(uint64_t root)
{
	return root | 4ull << 9;
}

static bool is_kept(const struct iommu_range *kept, unsigned int count, uint64_t page)
{
	for (unsigned int i = 0; i < count; i++) {
		if (page >= kept[i].base && page < kept[i].end)
			return true;
	}
	return false;
}

static void check_page(uint64_t root, const struct iommu_range *kept, unsigned int count,
                       uint64_t page)
{
	uint64_t got = walk(entry_of(root), page + 0x123);

	assert_true(got == (is_kept(kept, count, page) ? ~0ull : page + 0x123));
}

static void tables(void **state)
{
	static const struct iommu_range kept[] = {
		{0x7800000, 0x7e00000},               /* large pages */
		{0xfed80000, 0xfed84000},             /* small ones */
		{5 * GIB - 2 * MIB, 7 * GIB + 4096},  /* over borders, and two wholes of 1 GiB */
		{0xfed82000, 0xfed88000},             /* touches another */
		{(1ull << 40) - 2 * MIB, 1ull << 40}, /* the last of 40 bits */
	};
	enum { COUNT = sizeof(kept) / sizeof(kept[0]) };
	uint64_t bytes = 0, root, most;

	(void)state;
	for (unsigned int i = 0; i < COUNT; i++)
		bytes += kept[i].end - kept[i].base;
	most = iommu_tables_pages(40, COUNT, bytes);
	root = iommu_pages_build(40, kept, COUNT);
	iommu_devices_build(root);
	assert_true(heap - HEAP <= most * PAGE_SIZE);
	for (unsigned int i = 0; i < COUNT; i++) {
		for (uint64_t page = kept[i].base; page < kept[i].end; page += PAGE_SIZE)
			check_page(root, kept, COUNT, page);
		for (uint64_t far = PAGE_SIZE; far < 4 * GIB; far *= 2) {
			if (far <= kept[i].base)
				check_page(root, kept, COUNT, kept[i].base - far);
			if (kept[i].end + far < 1ull << 40)
				check_page(root, kept, COUNT, kept[i].end + far - PAGE_SIZE);
		}
	}
	check_page(root, kept, COUNT, 0);
	assert_true(walk(entry_of(root), 1ull << 40) == ~0ull);
}

/* As large as can be: all of 48 bits, and what is beyond is nowhere. */
static void widths(void **state)
{
	static const unsigned int bits[] = {36, 39, 40, 48, 52};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		const struct iommu_range kept[] = {{1ull << 50, 1ull << 51}, {0, 2 * MIB}};
		uint64_t root, before = heap, last;

		root = iommu_pages_build(bits[i], kept, 2);
		assert_true(heap - before <=
		            (iommu_tables_pages(bits[i], 2, 2 * MIB) - 512) * PAGE_SIZE);
		last = 1ull << (bits[i] < 48 ? bits[i] : 48);
		assert_true(walk(entry_of(root), last - 1) == last - 1);
		assert_true(walk(entry_of(root), 2 * MIB) == 2 * MIB);
		assert_true(walk(entry_of(root), 2 * MIB - 1) == ~0ull);
		assert_true(walk(entry_of(root), 1ull << 48) == ~0ull);
		heap = before;
		memset(at(HEAP), 0, MEMORY - HEAP);
	}
}

static void devices(void **state)
{
	uint64_t table = iommu_devices_build(0x300000);

	(void)state;
	iommu_devices_pass(table, 0xa0, 0xa7, 0x01 | 0x30);
	iommu_devices_pass(table, 0xa0, 0xa0, 0xcf);
	for (unsigned int i = 0; i < 1 << 16; i += i ? i * 2 : 1) {
		assert_true(get64(table + i * 32ull) == (0x300000ull | 3 | 4 << 9 | 3ull << 61));
		assert_true(get64(table + i * 32ull + 8) == 1);
		assert_true(!get64(table + i * 32ull + 16) && !get64(table + i * 32ull + 24));
	}
	assert_true(get64(table + 0xa7 * 32) == (0x300000ull | 3 | 4 << 9 | 3ull << 61));
	assert_true(get64(table + 0xa7 * 32 + 8) == (1 | 3ull << 40));
	assert_true(get64(table + 0xa7 * 32 + 16) == 1ull << 56);
	/* Bit 3 is reserved: QEMU refuses all of an entry with it. */
	assert_true(get64(table + 0xa0 * 32 + 16) == 0xc7ull << 56);
	assert_true(!get64(table + 0xa8 * 32 + 16) && !get64(table + 0x9f * 32 + 16));
	iommu_devices_pass(table, 0, 0xffff, 0x40);
	assert_true(get64(table + 0xffff * 32 + 16) == 0x40ull << 56);
}

static bool start_unit(uint8_t flags)
{
	mapped = 0;
	return iommu_start(&(struct iommu_unit){.base = BASE, .flags = flags}, 0x1000000);
}

static void starts(void **state)
{
	(void)state;
	/* Firmware left it on, amid its own commands, with a range that passes by. */
	put64(BASE + REG_CONTROL, 0x1405);
	put64(BASE + REG_STATUS, STATUS_EVENTS | STATUS_COMMANDS);
	put64(BASE + REG_COMMANDS_HEAD, 0x40);
	put64(BASE + REG_COMMANDS_TAIL, 0x80);
	put64(BASE + REG_EXCLUDED, 0x1003);
	put64(BASE + REG_EXCLUDED_LIMIT, 0xffff000);
	assert_int_equal(unit_count, 0);
	assert_true(start_unit(IOMMU_FLAG_TUNNEL | IOMMU_FLAG_ISOCHRONOUS | 0xf0));
	assert_int_equal(mapped, 4);
	assert_int_equal(unit_count, 1);
	assert_true(get64(BASE + REG_CONTROL) == 0x1c07);
	assert_true(get64(BASE + REG_DEVICES) == (0x1000000 | 511));
	assert_true(!get64(BASE + REG_EXCLUDED) && !get64(BASE + REG_EXCLUDED_LIMIT));
	assert_true(get64(BASE + REG_COMMANDS) >> 56 == 8 && get64(BASE + REG_EVENTS) >> 56 == 8);
	assert_int_equal(forgotten, 1);
}

/* An old one has no command for all: each device's entry, and the pages. */
static void forgets_each(void **state)
{
	(void)state;
	put64(BASE + REG_FEATURES, 0);
	assert_true(start_unit(0));
	assert_int_equal(forgotten, 2 * 65536 + 1);
}

static void does_not_start(void **state)
{
	(void)state;
	unit_waits_for_ever = true;
	assert_false(start_unit(0));
	unit_waits_for_ever = false;
	unit_works = false;
	assert_false(start_unit(0));
	unit_works = unit_keeps_running = true;
	put64(BASE + REG_STATUS, STATUS_COMMANDS);
	assert_false(start_unit(0));
	assert_true(get64(BASE + REG_CONTROL) == 0);
	unit_keeps_running = false;
	window_is_full = true;
	assert_false(start_unit(0));
	window_is_full = false;
	assert_int_equal(mapped, 1);
	assert_int_equal(unit_count, 0);
}

static void answers(void **state)
{
	(void)state;
	assert_true(iommu_registers_size(BASE) == 0x4000);
	put64(BASE + REG_FEATURES, FEATURE_COUNTERS);
	assert_true(iommu_registers_size(BASE) == 0x80000);
	memset(at(BASE), 0xff, PAGE_SIZE);
	assert_true(iommu_registers_size(BASE) == 0);
}

static void put_event(unsigned int n, uint64_t first, uint64_t address)
{
	uint64_t ring = get64(BASE + REG_EVENTS) & TABLE;

	put64(ring + n % 256 * 16, first);
	put64(ring + n % 256 * 16 + 8, address);
	put64(BASE + REG_EVENTS_TAIL, (n + 1) % 256 * 16);
}

static void tells(void **state)
{
	(void)state;
	iommu_tell_refused(); /* there is none */
	assert_true(start_unit(0));
	now += 5000;
	put_event(0, 2ull << 60 | 0x2fa, 0x7801000);
	put_event(1, 2ull << 60 | 0x2fa, 0x7802000);
	put_event(2, 9ull << 60 | 0x10, 0x3);
	iommu_tell_refused();
	assert_int_equal(lines, 2);
	assert_string_equal(said[0], "DMA by device 02:1f.2 at 7801000: refused");
	assert_string_equal(said[1], "DMA by device 00:02.0 at 3: unknown event");
	assert_true(get64(BASE + REG_EVENTS_HEAD) == 48);
	now += 999;
	put_event(3, 2ull << 60 | 0x2fa, 0x7803000);
	iommu_tell_refused();
	assert_int_equal(lines, 2);
	now++;
	put_event(4, 2ull << 60 | 0x2fa, 0x7804000);
	iommu_tell_refused();
	assert_int_equal(lines, 3);
	/* It wraps; it goes on after it was full; a wild tail reads nothing but the ring. */
	put64(BASE + REG_EVENTS_HEAD, 255 * 16);
	put_event(255, 1ull << 60 | 1, 0);
	put_event(256, 2ull << 60 | 2, 0);
	put64(BASE + REG_STATUS, STATUS_OVERFLOW);
	iommu_tell_refused();
	assert_int_equal(lines, 5);
	assert_true(!get64(BASE + REG_EVENTS_HEAD) && !get64(BASE + REG_EVENTS_TAIL));
	assert_true(get64(BASE + REG_CONTROL) & CONTROL_EVENTS);
	put64(BASE + REG_EVENTS_TAIL, ~0ull);
	put64(BASE + REG_STATUS, 0);
	iommu_tell_refused();
}

/* More devices than it remembers: none is told twice at once, and no line is lost for ever. */
static void tells_many(void **state)
{
	(void)state;
	assert_true(start_unit(0));
	now += 5000;
	for (unsigned int i = 0; i < 40; i++)
		put_event(i, 2ull << 60 | (i / 2), 0);
	iommu_tell_refused();
	assert_int_equal(lines, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tables, fresh, done),
		cmocka_unit_test_setup_teardown(widths, fresh, done),
		cmocka_unit_test_setup_teardown(devices, fresh, done),
		cmocka_unit_test_setup_teardown(starts, fresh, done),
		cmocka_unit_test_setup_teardown(forgets_each, fresh, done),
		cmocka_unit_test_setup_teardown(does_not_start, fresh, done),
		cmocka_unit_test_setup_teardown(answers, fresh, done),
		cmocka_unit_test_setup_teardown(tells, fresh, done),
		cmocka_unit_test_setup_teardown(tells_many, fresh, done),
	};

	return cmocka_run_group_tests_name("iommu", tests, NULL, NULL);
}
