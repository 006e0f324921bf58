/*
 * CPUID of a processor that the test makes up. Relies on tests/unit/fake_cpuid.h.
 */
#include "tests/unit/fake_cpuid.h"

#include <string.h>

static bool fake_rdmsr_safe(uint32_t msr, uint64_t *value);
static bool fake_wrmsr_safe(uint32_t msr, uint64_t value);
static uint64_t fake_rdmsr(uint32_t msr);
static void fake_wrmsr(uint32_t msr, uint64_t value);

#define cpuid      fake_cpuid
#define rdmsr      fake_rdmsr
#define wrmsr      fake_wrmsr
#define rdmsr_safe fake_rdmsr_safe
#define wrmsr_safe fake_wrmsr_safe
#include "svm/cpuid_list.c"
#include "svm/features.c"

struct cpuid_regs fake_leaves[FAKE_LEAVES];
uint32_t fake_last_extended = 0x80000022;
bool fake_ones;

bool fake_has_syscfg;
uint64_t fake_syscfg;

bool fake_has_pred_cmd;

uint64_t fake_efer = EFER_LME | EFER_LMA, fake_efer_refused;

static uint64_t fake_rdmsr(uint32_t msr)
{
	return msr == MSR_EFER ? fake_efer : 0;
}

static void fake_wrmsr(uint32_t msr, uint64_t value)
{
	if (msr == MSR_EFER)
		fake_efer = value;
}

static bool fake_wrmsr_safe(uint32_t msr, uint64_t value)
{
	if (msr == MSR_EFER) {
		if (value & fake_efer_refused)
			return false;
		fake_efer = value;
		return true;
	}
	return msr == MSR_PRED_CMD && value == 1 && fake_has_pred_cmd;
}

static bool fake_rdmsr_safe(uint32_t msr, uint64_t *value)
{
	if (msr != MSR_SYSCFG || !fake_has_syscfg)
		return false;
	*value = fake_syscfg;
	return true;
}

static const uint32_t numbers[FAKE_LEAVES] = {
	[FAKE_FEATURES] = 1,
	[FAKE_STRUCTURED] = 7,
	[FAKE_XSAVE] = 0xd,
	[FAKE_HYPERVISOR] = 0x40000000,
	[FAKE_HYPERVISOR_1] = 0x40000001,
	[FAKE_EXTENDED] = 0x80000001,
	[FAKE_ADDRESS_SIZES] = 0x80000008,
	[FAKE_SVM] = 0x8000000a,
	[FAKE_ENCRYPTION] = 0x8000001f,
	[FAKE_EXTENDED_2] = 0x80000021,
	[FAKE_PERFORMANCE_2] = 0x80000022,
};

struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf)
{
	if (!leaf)
		return (struct cpuid_regs){.eax = fake_ones ? 0x30 : 0xd};
	if (leaf == 0x80000000)
		return (struct cpuid_regs){.eax = fake_ones ? 0x80000030 : fake_last_extended};
	if (fake_ones)
		return (struct cpuid_regs){~0u, ~0u, ~0u, ~0u};
	if (leaf == 0xd && subleaf == 1)
		return fake_leaves[FAKE_XSAVE_1];
	for (int i = 0; i < FAKE_LEAVES && !subleaf; i++) {
		if (numbers[i] == leaf)
			return fake_leaves[i];
	}
	return (struct cpuid_regs){0, 0, 0, 0};
}

void fake_processor(uint32_t svm, uint32_t asids, uint8_t phys_bits)
{
	enum {
		PLAIN_FEATURES_EDX = 0x078bfbff,
		PLAIN_EXTENDED_ECX = 1 << 2 | 1 << 12,
		PLAIN_EXTENDED_EDX = 0x2fd3fbff,
		PLAIN_STRUCTURED_EBX = 1 << 7 | 1 << 20
	};

	fake_ones = false;
	memset(fake_leaves, 0, sizeof(fake_leaves));
	fake_leaves[FAKE_FEATURES].edx = PLAIN_FEATURES_EDX;
	fake_leaves[FAKE_STRUCTURED].ebx = PLAIN_STRUCTURED_EBX;
	fake_leaves[FAKE_EXTENDED].ecx = PLAIN_EXTENDED_ECX;
	fake_leaves[FAKE_EXTENDED].edx = PLAIN_EXTENDED_EDX;
	fake_leaves[FAKE_ADDRESS_SIZES].eax = 0x3000u | phys_bits;
	fake_leaves[FAKE_SVM] = (struct cpuid_regs){1, asids, 0, svm};
}
