/*
 * svm/emulate/msr.c with svm/emulate/msr_list.c and svm/emulate/perf.c, on a machine whose every
 * MSR keeps what is written: for one file of a test program. Relies on tests/unit/fake_cpuid.h.
 */
#ifndef TESTS_UNIT_MSR_RIG_H
#define TESTS_UNIT_MSR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hv/lock.h"
#include "svm/vcpu.h"
#include "tests/unit/fake_cpuid.h"

/* In place of hv/exception.c: a register that was asked for. */
static struct machine {
	uint32_t msr; /* the only one; all others are not asked for in a test */
	uint64_t value;
	bool exists, can_read;
	unsigned int reads, writes;
} machine;

static bool fake_read(uint32_t msr, uint64_t *value)
{
	machine.reads++;
	*value = msr == machine.msr ? machine.value : 0;
	return machine.exists && machine.can_read;
}

static bool fake_write(uint32_t msr, uint64_t value)
{
	assert_int_equal(msr, machine.msr);
	if (!machine.exists)
		return false;
	machine.writes++;
	machine.value = value;
	return true;
}

#define rdmsr_safe fake_read
#define wrmsr_safe fake_write
#include "svm/emulate/msr.c"
#include "svm/emulate/perf.c"

enum { ASIDS = 64, PHYS_BITS = 40 };

struct mmu mmu;
struct lock mmu_lock;
static struct vcpu vcpu;
enum { MSR_LENGTH = 2 };

static struct vmcb vmcb;
static uint64_t msrpm[MSRPM_SIZE / sizeof(uint64_t)];
static int raised;
static unsigned int logged;

/* The rest of L0. */

void strict_check_length(struct vcpu *of, unsigned int length)
{
	(void)of, (void)length;
}

const struct instruction *decode(struct vcpu *of, uint64_t exit_code)
{
	static const struct instruction instruction = {.length = 2};

	(void)of, (void)exit_code;
	return &instruction;
}

void raise_step(struct vcpu *of)
{
	(void)of;
	fail();
}

bool quirk_hold_back_lme(struct vcpu *of, struct vmcb *vmcb)
{
	(void)of, (void)vmcb;
	return false;
}

void raise_exception(struct vcpu *of, unsigned int vector, uint32_t error_code)
{
	(void)of;
	assert_int_equal(error_code, 0);
	raised = (int)vector;
}

void log_info(const char *format, ...)
{
	(void)format;
	logged++;
}

bool is_x2apic(uint32_t msr)
{
	(void)msr;
	return false;
}

bool x2apic_read_tpr(const struct vcpu *of, uint32_t msr, uint64_t *value)
{
	(void)of;
	*value = 0x35;
	return msr == 0x808 && features.vector0;
}

bool x2apic_write(struct vcpu *of, uint32_t msr, uint64_t value)
{
	(void)of, (void)msr, (void)value;
	return true;
}

uint64_t apic_read_base(struct vcpu *of)
{
	(void)of;
	return 0;
}

bool apic_write_base(struct vcpu *of, uint64_t value)
{
	(void)of, (void)value;
	return true;
}

enum { A_COUNTER = 0x4e530005 };

bool is_counter(uint32_t msr)
{
	return msr == A_COUNTER;
}

bool counter_read(const struct vcpu *of, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = 0xc0;
	return !of->guest_mode;
}

/* svm/memory/memory_types.c's registers, of which the tests know nothing, are the list's as well.
 */

unsigned int memory_msr_exits(uint32_t msr)
{
	(void)msr;
	return 0;
}

bool memory_msr_read(struct vcpu *of, uint32_t msr, uint64_t *value)
{
	(void)of, (void)msr, (void)value;
	return false;
}

bool memory_msr_write(struct vcpu *of, uint32_t msr, uint64_t value)
{
	(void)of, (void)msr, (void)value;
	return false;
}

void shadowed_flush(struct vcpu *of)
{
	(void)of;
}

void watch_gp(struct vcpu *of)
{
	(void)of;
}

/* L1's access. -1, or the vector. */

static inline int read_of(uint32_t msr, uint64_t *value)
{
	raised = -1;
	vcpu.gpr[GPR_RCX] = msr;
	vmcb.control.exit_info1 = 0;
	vmcb.control.next_rip = vmcb.save.rip + MSR_LENGTH;
	emulate_msr(&vcpu);
	*value = vcpu.gpr[GPR_RDX] << 32 | low32(vmcb.save.rax);
	return raised;
}

static inline int write_of(uint32_t msr, uint64_t value)
{
	raised = -1;
	vcpu.gpr[GPR_RCX] = msr;
	vcpu.gpr[GPR_RDX] = value >> 32;
	vmcb.save.rax = low32(value);
	vmcb.control.exit_info1 = 1;
	vmcb.control.next_rip = vmcb.save.rip + MSR_LENGTH;
	emulate_msr(&vcpu);
	return raised;
}

static inline void machine_has(uint32_t msr, uint64_t value)
{
	machine = (struct machine){.msr = msr, .value = value, .exists = true, .can_read = true};
}

/* A processor with everything, or with nothing that CPUID tells of registers. */
static inline void begin(bool everything, bool npt)
{
	fake_processor(~0u, ASIDS, PHYS_BITS);
	fake_ones = everything;
	features_init(&(struct feature_choice){.npt = npt});
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vmcb, 0, sizeof(vmcb));
	vcpu.vmcb = vcpu.vmcb01 = &vmcb;
	vcpu.msrpm01 = msrpm;
	msr_list_open = false;
	msr_init_map(&vcpu);
}

static inline uint64_t map_bits(uint32_t msr)
{
	int bit = msrpm_bit(msr);

	return bit < 0 ? 3 : msrpm[bit / 64] >> (bit % 64) & 3;
}

#endif
