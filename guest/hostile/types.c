/*
 * Registers that say what memory is, and where addresses lead: MTRRs, SYSCFG, TOP_MEM and the like.
 * L1's memory may become slow, and L0's must stay what it is. APM vol. 2, sections 3.2.1, 7.7, 7.9.
 */
#include "guest/hostile/hostile.h"

enum {
	TYPE_WC = 1,
	TYPE_WB = 6,
	CAP_COUNT = 0xff,
	CAP_FIXED = 1 << 8,
	CAP_WC = 1 << 10,
	WORDS = 1024,
	EDX_MTRR = 1 << 12,
};
#define ENABLE         (1u << 11)
#define FIXED_ENABLE   (1u << 10)
#define VALID          (1u << 11)
#define FIXED_OF(type) ((type)*0x0101010101010101ull)

static const char unchecked[] = "MTRRs take any value";
static const char no_syscfg[] = "SYSCFG reads as 0 and ignores writes";

/* Both emulators do the same here. */
static enum emulator either(void)
{
	return machine.bochs ? BOCHS_BARE : QEMU_BARE;
}

struct access {
	uint32_t msr;
	uint64_t value;
};

static void do_write(void *argument)
{
	const struct access *a = argument;

	wrmsr(a->msr, a->value);
}

static void do_read(void *argument)
{
	struct access *a = argument;

	a->value = rdmsr(a->msr);
}

/* -1, or the vector. */
static uint64_t write_raises(uint32_t msr, uint64_t value)
{
	struct access a = {msr, value};

	return (uint64_t)(int64_t)try_call(do_write, &a);
}

static bool readable(uint32_t msr, uint64_t *value)
{
	struct access a = {msr, 0};
	bool good = try_call(do_read, &a) < 0;

	*value = a.value;
	return good;
}

static void check_keeps(uint32_t msr, uint64_t value)
{
	uint64_t before = rdmsr(msr);

	if (check("vector", write_raises(msr, value), (uint64_t)-1))
		check("read", rdmsr(msr), value);
	wrmsr(msr, before);
}

static void check_refuses(uint32_t msr, uint64_t value)
{
	uint64_t before = rdmsr(msr);

	check_known("vector", write_raises(msr, value), VEC_GP, (uint64_t)-1, QEMU_BARE, unchecked);
	wrmsr(msr, before);
}

/* The last range, which firmware has no use for, as a rule. */
static uint32_t last_base(void)
{
	return MSR_MTRR_PHYS_BASE0 + 2 * (uint32_t)((rdmsr(MSR_MTRR_CAP) & CAP_COUNT) - 1);
}

static uint64_t address_bits(void)
{
	return ((1ull << machine.physical_bits) - 1) & ~0xfffull;
}

static void values(void)
{
	static const uint8_t types[] = {0, TYPE_WC, 4, 5, TYPE_WB};
	uint32_t base = last_base();

	point("MTRRs keep each type and address");
	for (unsigned int i = 0; i < sizeof(types); i++) {
		check_keeps(base, address_bits() | types[i]);
		check_keeps(MSR_MTRR_FIX4K_F8000, FIXED_OF(types[i]));
		check_keeps(MSR_MTRR_DEF_TYPE, ENABLE | FIXED_ENABLE | types[i]);
	}
	check_keeps(base + 1, address_bits());

	point("MTRRs refuse types that there are not, and reserved bits");
	for (uint64_t type = 0; type < 256; type++) {
		bool good = type < 8 && type != 2 && type != 3 && type != 7;

		if (good)
			continue;
		check_refuses(base, type);
		check_refuses(MSR_MTRR_DEF_TYPE, ENABLE | type);
		if ((type & 0xe0) || (type & 7) == 2 || (type & 7) == 3 || (type & 7) == 7)
			check_refuses(MSR_MTRR_FIX4K_F8000, type << 8);
	}
	check_refuses(base, 1 << 8);
	check_refuses(base + 1, 1 << 10);
	check_refuses(MSR_MTRR_DEF_TYPE, ENABLE | 1 << 9);
	check_refuses(MSR_MTRR_DEF_TYPE, 1ull << 32);
	if (machine.physical_bits < 64) {
		check_refuses(base, 1ull << machine.physical_bits);
		check_refuses(base + 1, 1ull << machine.physical_bits);
	}

	point("MTRRcap cannot be written");
	check_known("vector", write_raises(MSR_MTRR_CAP, rdmsr(MSR_MTRR_CAP)), VEC_GP, (uint64_t)-1,
	            QEMU_BARE, unchecked);
}

/* Neither emulator has SYSCFG; QEMU takes these bits all the same, Bochs never. */
static bool takes_dram_bits(void)
{
	uint64_t vector = write_raises(MSR_MTRR_FIX4K_F8000, FIXED_OF(0x1eull));

	check_known("vector", vector, (uint64_t)-1, VEC_GP, BOCHS_BARE, no_syscfg);
	return vector == (uint64_t)-1;
}

/* RdMem and WrMem are part of a type as long as SYSCFG says so. */
static void dram_bits(void)
{
	uint64_t syscfg, types = rdmsr(MSR_MTRR_FIX4K_F8000), without;

	point("RdMem and WrMem read as 0 and keep what they are without SYSCFG[19]");
	if (!readable(MSR_SYSCFG, &syscfg)) {
		point_skip("there is no SYSCFG");
		return;
	}
	without = syscfg & ~(uint64_t)SYSCFG_FIX_DRAM_MOD_EN;
	wrmsr(MSR_SYSCFG, without);
	if (takes_dram_bits())
		check_known("read", rdmsr(MSR_MTRR_FIX4K_F8000), FIXED_OF(6ull), FIXED_OF(0x1eull),
		            QEMU_BARE, no_syscfg);
	wrmsr(MSR_MTRR_FIX4K_F8000, types);

	point("RdMem and WrMem are kept with SYSCFG[19]");
	wrmsr(MSR_SYSCFG, syscfg | SYSCFG_FIX_DRAM_MOD_EN);
	check_known("SYSCFG", rdmsr(MSR_SYSCFG), syscfg | SYSCFG_FIX_DRAM_MOD_EN, without, either(),
	            no_syscfg);
	types = rdmsr(MSR_MTRR_FIX4K_F8000);
	if (takes_dram_bits())
		check("read", rdmsr(MSR_MTRR_FIX4K_F8000), FIXED_OF(0x1eull));
	wrmsr(MSR_MTRR_FIX4K_F8000, types);
	check("as before", rdmsr(MSR_MTRR_FIX4K_F8000), types);
	wrmsr(MSR_SYSCFG, syscfg);
	check("SYSCFG", rdmsr(MSR_SYSCFG), syscfg);
}

static uint64_t seen[CPUS_MAX];
static volatile uint32_t words[CPUS_MAX][WORDS];

/* As systems and firmware do it: E off, all written anew, E on. What memory holds stays. */
static void rewrite(struct cpu *cpu)
{
	uint64_t on = rdmsr(MSR_MTRR_DEF_TYPE), kept[2];
	uint32_t base = last_base();

	for (uint32_t i = 0; i < WORDS; i++)
		words[cpu->id][i] = cpu->id << 16 | i;
	__asm__ volatile("wbinvd" : : : "memory");
	wrmsr(MSR_MTRR_DEF_TYPE, on & ~(uint64_t)ENABLE);
	for (uint32_t msr = MSR_MTRR_PHYS_BASE0; msr <= base + 1; msr++)
		wrmsr(msr, rdmsr(msr));
	for (uint32_t msr = MSR_MTRR_FIX4K_C0000; msr <= MSR_MTRR_FIX4K_F8000; msr++)
		wrmsr(msr, rdmsr(msr));
	kept[0] = rdmsr(base);
	kept[1] = rdmsr(base + 1);
	/* 2 MiB of which one is the words': uncached, amid what is one large page else. */
	wrmsr(base, (uintptr_t)words & ~(uint64_t)(SIZE_2M - 1));
	wrmsr(base + 1, (address_bits() & ~(uint64_t)(SIZE_2M - 1)) | VALID);
	seen[cpu->id] = rdmsr(MSR_MTRR_DEF_TYPE) == (on & ~(uint64_t)ENABLE);
	wrmsr(MSR_MTRR_DEF_TYPE, on | ENABLE);
	for (uint32_t i = 0; i < WORDS; i++)
		seen[cpu->id] &= words[cpu->id][i] == (cpu->id << 16 | i);
	seen[cpu->id] &= rdmsr(base + 1) == ((address_bits() & ~(uint64_t)(SIZE_2M - 1)) | VALID);
	wrmsr(base + 1, kept[1]);
	wrmsr(base, kept[0]);
	wrmsr(MSR_MTRR_DEF_TYPE, on);
	cpu->alive++;
}

static void mtrrs(void)
{
	if (!tap_group("hostile", "mtrr"))
		return;
	if (!(cpuid(1, 0).edx & EDX_MTRR) || !(rdmsr(MSR_MTRR_CAP) & CAP_FIXED) ||
	    !(rdmsr(MSR_MTRR_CAP) & CAP_WC) || !(rdmsr(MSR_MTRR_CAP) & CAP_COUNT)) {
		point("MTRRs");
		point_skip("the processor has not all kinds of them");
		point_end();
		return;
	}
	values();
	dram_bits();
	point("MTRRs are turned off, written and turned on by every processor");
	hostile_restart_all();
	for (unsigned int i = 0; i < hostile_count(); i++) {
		if (i)
			check("has done it", hostile_does(i, rewrite), true);
		else
			rewrite(cpu_self());
		check("registers and memory", seen[i], true);
	}
	hostile_all_answer(1);
}

/*
 * Bare, such a write may well end the machine: it is for one that has somebody below, or for
 * emulators, which have no such registers.
 */
static void address_map(void)
{
	static const struct {
		const char *name;
		uint32_t msr;
		uint64_t other;
	} rows[] = {
		{"IORR_BASE0", MSR_IORR_BASE0, 0x18},
		{"IORR_MASK0", MSR_IORR_BASE0 + 1, 1 << 11},
		{"IORR_BASE1", MSR_IORR_BASE0 + 2, 0x18},
		{"IORR_MASK1", MSR_IORR_BASE0 + 3, 1 << 11},
		{"TOP_MEM", MSR_TOP_MEM, 1 << 23},
		{"TOM2", MSR_TOP_MEM2, 1 << 23},
		{"MMIO configuration base", MSR_MMIO_CFG_BASE, 1},
		{"SMM_BASE", MSR_SMM_BASE, 1 << 17},
		{"SMM_ADDR", MSR_SMM_BASE + 1, 1 << 17},
		{"SMM_MASK", MSR_SMM_MASK, 1},
	};

	if (!tap_group("hostile", "address-map"))
		return;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t value, now;

		point(rows[i].name);
		if (machine.bare && !machine.qemu && !machine.bochs) {
			point_skip("it would move the machine's memory");
			continue;
		}
		if (!readable(rows[i].msr, &value)) {
			check("vector", write_raises(rows[i].msr, 0), VEC_GP);
			continue;
		}
		check("its own value", write_raises(rows[i].msr, value), (uint64_t)-1);
		check_known("another one", write_raises(rows[i].msr, value ^ rows[i].other), VEC_GP,
		            (uint64_t)-1, either(), "unknown registers ignore writes");
		readable(rows[i].msr, &now);
		check("stays", now, value);
	}
	hostile_all_answer(1);
}

void hostile_types(void)
{
	mtrrs();
	address_map();
}
