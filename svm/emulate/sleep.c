/*
 * SLP_EN with the type of S2 or S3 is dropped, at the registers of ACPI's tables and at that of
 * AMD's FCH, which nothing moves. Relies on svm/emulate/ports.h and svm/apic/kept.h.
 */
#include "svm/emulate/sleep.h"
#include "hv/lock.h"
#include "hv/log.h"
#include "svm/apic/kept.h"
#include "svm/cpus/processors.h"
#include "svm/emulate/ports.h"

/*
 * AMD's FCH has its registers in memory, too. Of its parts ACPI is the one with PM1 control, and PM
 * says at which port PM1 control is and, before family 17h, where all this is in memory. PM is at
 * ports as well, by an index. BKDG of family 16h, models 00h-0Fh; SB700 has PM1's port elsewhere.
 */
#define FCH_BASE 0xfed80000ull
#define FCH_PM   (FCH_BASE + 0x300)
#define FCH_PM1  (FCH_BASE + 0x804)
enum {
	PM_INDEX = 0xcd6,
	PM_DATA,
	PM_REGISTERS = 0x100,
	PM_SB700_PM1 = 0x22, /* two bytes, and right behind them four, AcpiMmioEn */
	PM_ACPI_MMIO_END = 0x28,
	PM_PM1 = 0x62,
	PM_PM1_END = 0x64,
};

static struct sleep_states refused;

static bool is_refused(const struct sleep_register *reg, uint32_t type)
{
	return (refused.s5_is_known && !(refused.good[reg->value] >> type & 1)) ||
	       (refused.bad >> type & 1);
}

static bool asks_for_sleep(bool memory, uint64_t at, unsigned int size, uint64_t value)
{
	for (unsigned int i = 0; i < refused.count; i++) {
		const struct sleep_register *reg = &refused.registers[i];
		uint32_t byte;

		if (reg->memory != memory || reg->at - at >= size)
			continue;
		byte = (uint8_t)(value >> 8 * (reg->at - at));
		if ((byte & SLP_EN) && is_refused(reg, byte >> SLP_TYP_SHIFT & SLP_TYP_MASK)) {
			log_aloud("L1 asks for ACPI sleep state S3: refused, L0 would be lost");
			return true;
		}
	}
	return false;
}

/* Firmware has put them where they are for good. */
static bool moves_pm1(unsigned int pm_register)
{
	if ((pm_register < PM_SB700_PM1 || pm_register >= PM_ACPI_MMIO_END) &&
	    (pm_register < PM_PM1 || pm_register >= PM_PM1_END))
		return false;
	log_once(log_aloud, "L1 moves ACPI's registers (PM register %x): refused", pm_register);
	return true;
}

static bool store(uint64_t gpa, unsigned int size, uint32_t value)
{
	for (uint64_t reg = gpa - FCH_PM; reg < gpa - FCH_PM + size; reg++) {
		if (reg < PM_REGISTERS && moves_pm1((unsigned int)reg))
			return true;
	}
	if (asks_for_sleep(true, gpa, size, value))
		return true;
	return kept_write(gpa, size, value);
}

static bool may_write(struct port_access *access)
{
	return !asks_for_sleep(false, access->port, access->size, access->value);
}

static const struct port_watcher watcher = {.write = may_write};

/* Byte for byte, with the index that is judged: another processor, or SMM, may change it. */
static bool write_pm(struct port_access *access)
{
	static struct lock lock = {.wait = processors_wait};
	static uint8_t index;

	lock_take(&lock);
	for (unsigned int i = 0; i < access->size; i++) {
		uint16_t port = (uint16_t)(access->port + i);
		uint8_t byte = (uint8_t)(access->value >> 8 * i);

		if (port == PM_DATA && moves_pm1(index))
			continue;
		if (port == PM_INDEX)
			index = byte;
		else if (port == PM_DATA)
			outb(PM_INDEX, index);
		outb(port, byte);
	}
	lock_release(&lock);
	return false;
}

static const struct port_watcher pm_watcher = {.write = write_pm};

static void watch(const struct sleep_register *reg, bool (*is_free)(uint64_t hpa))
{
	if (!reg->memory)
		ports_watch((uint16_t)reg->at, 1, &watcher);
	else if (!is_free(reg->at) || !kept_add(reg->at, store))
		log_info("ACPI's sleep register at %llx cannot be watched",
		         (unsigned long long)reg->at);
}

void sleep_refuse(const struct sleep_states *states, bool (*is_free)(uint64_t hpa))
{
	static const struct sleep_register fch = {FCH_PM1 + PM1_SLEEP_BYTE, true, 0};

	refused = *states;
	if (!refused.count || !(refused.bad || refused.s5_is_known)) {
		log_info("ACPI's tables tell of no sleep states: S3 is not refused");
		return;
	}
	for (unsigned int i = 0; i < refused.count; i++)
		watch(&refused.registers[i], is_free);
	refused.registers[refused.count++] = fch;
	watch(&fch, is_free);
	ports_watch(PM_INDEX, 2, &pm_watcher);
}
