/*
 * Performance counters (APM vol. 2, section 13.2). A select says by two bits whether its counter
 * counts guests, the host, or both; the processor's only host is L0, whose work is nobody's
 * business. Relies on hv/exception.h for registers that this processor may lack.
 */
#include "svm/emulate/perf.h"
#include "hv/exception.h"
#include "hv/x86.h"

#define MSR_SELECT0_LEGACY 0xc0010000u /* of the first four counters, by their old numbers */
#define MSR_SELECT0        0xc0010200u /* every other one is a counter */
#define SELECT_ENABLE      (1ull << 22)
#define SELECT_GUEST       (1ull << 40)
#define SELECT_HOST        (1ull << 41)
#define SELECT_WHO         (SELECT_GUEST | SELECT_HOST)

enum { COUNTERS_LEGACY = 4 };

int perf_select_of(uint32_t msr)
{
	if (msr - MSR_SELECT0_LEGACY < COUNTERS_LEGACY)
		return (int)(msr - MSR_SELECT0_LEGACY);
	if (msr - MSR_SELECT0 < 2 * PERF_COUNTERS && !((msr - MSR_SELECT0) & 1))
		return (int)(msr - MSR_SELECT0) / 2;
	return -1;
}

static bool is_split(uint64_t select)
{
	uint64_t who = select & SELECT_WHO;

	return who == SELECT_GUEST || who == SELECT_HOST;
}

/* The two bits count only with EFER.SVME=1, L1's here. */
static uint64_t real_select(const struct vcpu *vcpu, uint64_t select)
{
	uint64_t wanted = vcpu->guest_mode ? SELECT_GUEST : SELECT_HOST;
	bool counts = !is_split(select) || !(vcpu->efer & EFER_SVME) || (select & wanted);

	select = (select & ~SELECT_WHO) | SELECT_GUEST;
	return counts ? select : select & ~SELECT_ENABLE;
}

static void look_for_splits(struct vcpu *vcpu)
{
	vcpu->perf.split = false;
	for (unsigned int i = 0; i < PERF_COUNTERS; i++)
		vcpu->perf.split |= is_split(vcpu->perf.select[i]);
}

bool perf_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (!wrmsr_safe(msr, real_select(vcpu, value)))
		return false;
	vcpu->perf.select[perf_select_of(msr)] = value;
	look_for_splits(vcpu);
	return true;
}

/* A machine that keeps nothing in the register, as QEMU's own emulation, goes on doing so. */
bool perf_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	uint64_t changed = SELECT_WHO | SELECT_ENABLE;

	if (!rdmsr_safe(msr, value))
		return false;
	if (*value & SELECT_GUEST)
		*value = (*value & ~changed) | (vcpu->perf.select[perf_select_of(msr)] & changed);
	return true;
}

static void rewrite(struct vcpu *vcpu, uint32_t msr)
{
	uint64_t select = vcpu->perf.select[perf_select_of(msr)];

	if (is_split(select))
		wrmsr_safe(msr, real_select(vcpu, select));
}

static void take_over(struct vcpu *vcpu, uint32_t msr)
{
	uint64_t value;

	if (rdmsr_safe(msr, &value) && (value & SELECT_ENABLE))
		perf_write(vcpu, msr, value);
}

void perf_each_select(void (*call)(struct vcpu *vcpu, uint32_t msr), struct vcpu *vcpu)
{
	for (uint32_t i = 0; i < COUNTERS_LEGACY; i++)
		call(vcpu, MSR_SELECT0_LEGACY + i);
	for (uint32_t i = 0; i < PERF_COUNTERS; i++)
		call(vcpu, MSR_SELECT0 + 2 * i);
}

void perf_init(struct vcpu *vcpu)
{
	perf_each_select(take_over, vcpu);
}

void perf_switch(struct vcpu *vcpu)
{
	perf_each_select(rewrite, vcpu);
}
