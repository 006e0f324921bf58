/*
 * The local APIC. Relies on hv/x86.h; register numbers are APM vol. 2, table 16-2.
 */
#include "guest/lib/apic.h"
#include "guest/lib/cmdline.h"
#include "guest/lib/tap.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	APIC_ID = 0x20,
	APIC_EOI = 0xb0,
	APIC_SPURIOUS = 0xf0,
	APIC_ISR = 0x100,
	APIC_IRR = 0x200,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_DIVIDE = 0x3e0,

	SPURIOUS_ENABLE = 1 << 8,
	SPURIOUS_VECTOR = 0xff,
	LVT_MASKED = 1 << 16,
	DIVIDE_BY_1 = 0xb,
	X2APIC_MSR = 0x800,
	LEAF_FEATURES = 1,
	ECX_X2APIC = 1 << 21,
	ID_SHIFT = 24,

	PIC1_MASK = 0x21,
	PIC2_MASK = 0xa1,
	WAIT_POLLS = 100000,
};

static uint64_t base;

uint64_t apic_base(void)
{
	return rdmsr(MSR_APIC_BASE) & ~0xfffull & ((1ull << 52) - 1);
}

bool apic_is_x2(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

static uint32_t apic_read(uint32_t reg)
{
	if (apic_is_x2())
		return (uint32_t)rdmsr(X2APIC_MSR + reg / 16);
	return *(volatile uint32_t *)(uintptr_t)(base + reg);
}

static void apic_write(uint32_t reg, uint32_t value)
{
	if (apic_is_x2())
		wrmsr(X2APIC_MSR + reg / 16, value);
	else
		*(volatile uint32_t *)(uintptr_t)(base + reg) = value;
}

void apic_turn_on_x2(void)
{
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
}

/* By the word x2apic=on. */
static void choose_mode(void)
{
	const char *word = cmdline_value("x2apic");

	if (!word || strcmp(word, "on") != 0)
		return;
	if (!(cpuid(LEAF_FEATURES, 0).ecx & ECX_X2APIC))
		run_skipped(
			"x2apic=on: the processor has no x2APIC mode, as CPUID 1 ECX bit 21 says");
	apic_turn_on_x2();
}

void apic_init(void)
{
	base = apic_base();
	choose_mode();
	outb(PIC1_MASK, 0xff);
	outb(PIC2_MASK, 0xff);
	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_VECTOR);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | SPURIOUS_VECTOR);
	apic_write(APIC_LVT_LINT0, LVT_MASKED | SPURIOUS_VECTOR);
	apic_write(APIC_TIMER_INITIAL, 0);
	/* Whatever the firmware left in the APIC comes now, and is only counted. */
	__asm__ volatile("sti");
	for (unsigned int i = 0; i < 1000; i++)
		cpu_relax();
	__asm__ volatile("cli");
}

static unsigned int in_register(uint32_t first, uint8_t vector)
{
	return apic_read(first + vector / 32 * 16) >> (vector % 32) & 1;
}

void apic_self(uint8_t vector)
{
	apic_write(APIC_ICR_LOW, ICR_SELF | vector);
	for (unsigned int i = 0; i < WAIT_POLLS && !in_register(APIC_IRR, vector); i++)
		cpu_relax();
}

void apic_self_nmi(void)
{
	/* The shorthand for oneself takes fixed interrupts only (APM vol. 2, table 16-4). */
	apic_send(apic_id(), ICR_NMI);
}

uint32_t apic_id(void)
{
	uint32_t id = apic_read(APIC_ID);

	return apic_is_x2() ? id : id >> ID_SHIFT;
}

void apic_send(uint32_t id, uint32_t command)
{
	if (apic_is_x2()) {
		wrmsr(X2APIC_MSR + APIC_ICR_LOW / 16, (uint64_t)id << 32 | command);
		return;
	}
	apic_write(APIC_ICR_HIGH, id << ID_SHIFT);
	apic_write(APIC_ICR_LOW, command);
	for (unsigned int i = 0; i < WAIT_POLLS && (apic_read(APIC_ICR_LOW) & ICR_PENDING); i++)
		cpu_relax();
}

void apic_timer(uint8_t vector, uint32_t counts)
{
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, vector);
	apic_timer_again(counts);
}

void apic_timer_again(uint32_t counts)
{
	apic_write(APIC_TIMER_INITIAL, counts);
}

void apic_timer_stop(void)
{
	apic_write(APIC_LVT_TIMER, LVT_MASKED | SPURIOUS_VECTOR);
	apic_write(APIC_TIMER_INITIAL, 0);
}

void apic_eoi(uint8_t vector)
{
	if (in_register(APIC_ISR, vector))
		apic_write(APIC_EOI, 0);
}
