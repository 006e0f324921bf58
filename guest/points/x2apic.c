/*
 * The local APIC in x2APIC mode: its registers are MSRs, ids have 32 bits, and ICR is one register.
 * INIT, SIPI and NMI to others are the images' own points, which run in that mode then. Relies on
 * guest/lib/apic.h; APM vol. 2, sections 16.9 and what follows.
 */
#include "guest/points/points.h"

enum {
	MSR_ID = 0x802,
	MSR_VERSION = 0x803,
	MSR_EOI = 0x80b,
	MSR_LDR = 0x80d,
	MSR_DFR = 0x80e, /* xAPIC's only */
	MSR_ICR = 0x830,
	MSR_ICR_HIGH = 0x831, /* likewise */
	MSR_SELF = 0x83f,

	LEAF_FEATURES = 1,
	LEAF_TOPOLOGY = 0xb,
	ID_SHIFT = 24,
	CLUSTER_SHIFT = 4,

	VECTOR = 0x61,
	ANOTHER_ID = 1 << 8, /* beyond what xAPIC has of an id */
	WINDOW = 1000,
};

struct access {
	uint32_t msr;
	bool write;
	uint64_t value;
};

static void do_access(void *argument)
{
	const struct access *access = argument;

	if (access->write)
		wrmsr(access->msr, access->value);
	else
		(void)rdmsr(access->msr);
}

static void check_gp(uint32_t msr, bool write, uint64_t value)
{
	struct access access = {msr, write, value};

	check("vector", (uint64_t)(int64_t)try_call(do_access, &access), VEC_GP);
}

/* How many come by what was sent. */
static void check_comes(unsigned int count)
{
	interrupt_count[VECTOR] = 0;
	__asm__ volatile("sti");
	for (unsigned int i = 0; i < WINDOW; i++)
		cpu_relax();
	__asm__ volatile("cli");
	check("interrupts", interrupt_count[VECTOR], count);
}

static void names(void)
{
	uint32_t id = apic_id();

	point("the id has 32 bits, and is CPUID's");
	check("8-bit id", cpuid(LEAF_FEATURES, 0).ebx >> ID_SHIFT, id & 0xff);
	check("32-bit id", cpuid(LEAF_TOPOLOGY, 0).edx, id);
	point("the logical id follows from it");
	check("LDR", rdmsr(MSR_LDR), (uint64_t)(id >> CLUSTER_SHIFT) << 16 | 1u << (id & 0xf));
}

static void sends(void)
{
	uint64_t icr = (uint64_t)apic_id() << 32 | ICR_ASSERT | VECTOR;

	point("ICR is one register of 64 bits, and brings an interrupt to the id");
	wrmsr(MSR_ICR, icr);
	check("ICR", rdmsr(MSR_ICR), icr);
	check_comes(1);
	point("its shorthand brings one to oneself");
	apic_self(VECTOR);
	check_comes(1);
	point("and to all");
	apic_send(0, ICR_ALL | VECTOR);
	check_comes(1);
	point("SELF_IPI brings one");
	wrmsr(MSR_SELF, VECTOR);
	check_comes(1);
	point("an id that differs above its lowest 8 bits names another");
	apic_send(apic_id() + ANOTHER_ID, ICR_ASSERT | VECTOR);
	check_comes(0);
}

static void registers(void)
{
	point("what is not to be read raises #GP");
	check_gp(MSR_EOI, false, 0);
	check_gp(MSR_DFR, false, 0);
	check_gp(MSR_ICR_HIGH, false, 0);
	check_gp(MSR_SELF, false, 0);
	point("what is not to be written raises #GP");
	check_gp(MSR_ID, true, rdmsr(MSR_ID));
	check_gp(MSR_VERSION, true, rdmsr(MSR_VERSION));
	check_gp(MSR_LDR, true, rdmsr(MSR_LDR));
	check_gp(MSR_DFR, true, ~0u);
	check_gp(MSR_ICR_HIGH, true, 0);
}

static void modes(void)
{
	uint64_t x2 = rdmsr(MSR_APIC_BASE), x1 = x2 & ~(uint64_t)APIC_BASE_X2APIC;
	uint32_t id = apic_id();

	point("x2APIC mode does not go over to xAPIC mode, nor is it there without the APIC");
	check_gp(MSR_APIC_BASE, true, x1);
	check_gp(MSR_APIC_BASE, true, x2 & ~(uint64_t)APIC_BASE_ENABLE);
	check("APIC_BASE", rdmsr(MSR_APIC_BASE), x2);
	point("it goes over to no APIC, then to xAPIC mode");
	wrmsr(MSR_APIC_BASE, x1 & ~(uint64_t)APIC_BASE_ENABLE);
	check_gp(MSR_APIC_BASE, true, x2);
	wrmsr(MSR_APIC_BASE, x1);
	check("x2APIC mode", apic_is_x2(), false);
	check("id", apic_id(), id);
	check_gp(MSR_ID, false, 0);
	point("and back");
	apic_init();
	check("APIC_BASE", rdmsr(MSR_APIC_BASE), x2);
	check("id", apic_id(), id);
	apic_self(VECTOR);
	check_comes(1);
}

void points_x2apic(void)
{
	if (!tap_group("x2apic", "mode"))
		return;
	names();
	sends();
	registers();
	modes();
	point_end();
}
