/*
 * INIT that no ICR sends: by an entry of the I/O APIC, and by a store where devices store their
 * messages. A bare machine resets the processor; a hypervisor that lets it pass has lost it.
 */
#include "guest/hostile/hostile.h"
#include "guest/lib/paging.h"

#define IO_APIC  0xfec00000u
#define MESSAGES 0xfee00000u /* | id << 12; the APIC's own page is the one of id 0 */

enum {
	SELECT = 0,
	WINDOW = 0x10,
	ENTRY = 0x10, /* the first register of the table: two for each pin */
	PIN_TIMER = 2,
	ENTRY_MASKED = 1 << 16,
	ENTRY_ID_SHIFT = 24,
	MESSAGE_ID_SHIFT = 12,

	PIT_COUNT = 0x40,
	PIT_COMMAND = 0x43,
	PIT_ONE_SHOT = 0x30, /* counter 0, both bytes, mode 0: one edge at its end */
	PIT_COUNTS = 100,
};

static void store(uint64_t gpa, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)gpa = value;
}

static void write_io_apic(uint32_t number, uint32_t value)
{
	store(IO_APIC + SELECT, number);
	store(IO_APIC + WINDOW, value);
}

static void by_io_apic(void)
{
	write_io_apic(ENTRY + 2 * PIN_TIMER, ENTRY_MASKED);
	write_io_apic(ENTRY + 2 * PIN_TIMER + 1, 1u << ENTRY_ID_SHIFT);
	write_io_apic(ENTRY + 2 * PIN_TIMER, ICR_INIT);
	outb(PIT_COMMAND, PIT_ONE_SHOT);
	outb(PIT_COUNT, PIT_COUNTS);
	outb(PIT_COUNT, 0);
	cpus_pause();
	cpus_pause();
	write_io_apic(ENTRY + 2 * PIN_TIMER, ENTRY_MASKED);
}

static void by_message(void)
{
	store(MESSAGES | 1u << MESSAGE_ID_SHIFT, ICR_INIT);
	cpus_pause();
}

static void map(uint64_t page)
{
	pt_map(&l1_tables, page, page, 1, PT_RW | PT_PCD | PT_PWT);
}

static void check_refused(const char *name, void (*send)(void))
{
	point(name);
	hostile_restart_all();
	send();
	if (machine.bare)
		check("stands still", cpus_stands_still(&cpu_by_id(1)->alive), true);
	else
		check("is alive", cpus_counts(&cpu_by_id(1)->alive), true);
	hostile_all_answer(1);
}

void hostile_messages(void)
{
	if (!tap_group("hostile", "message"))
		return;
	if (hostile_count() < 2) {
		point("INIT by messages");
		point_skip("there is one processor");
		point_end();
		return;
	}
	map(IO_APIC);
	map(MESSAGES | 1u << MESSAGE_ID_SHIFT);
	check_refused("INIT by an I/O APIC", by_io_apic);
	if (machine.qemu)
		check_refused("INIT by a store to where messages go", by_message);
}
