/*
 * svm/emulate/msr.c with svm/emulate/msr_list.c and svm/emulate/perf.c, on a machine whose every
 * MSR keeps what is written: what reaches it of L1's accesses, of each register there can be; what
 * systems write on AMD's processors; that the map lets pass what the list does, and nothing else.
 */
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

void finish_instruction(struct vcpu *of, unsigned int length)
{
	(void)of, (void)length;
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

bool is_counter(const struct vcpu *of, uint32_t msr)
{
	(void)of, (void)msr;
	return false;
}

uint64_t counter_read(const struct vcpu *of, uint32_t msr)
{
	(void)of, (void)msr;
	return 0;
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

static int read_of(uint32_t msr, uint64_t *value)
{
	raised = -1;
	vcpu.gpr[GPR_RCX] = msr;
	vmcb.control.exit_info1 = 0;
	emulate_msr(&vcpu);
	*value = vcpu.gpr[GPR_RDX] << 32 | low32(vmcb.save.rax);
	return raised;
}

static int write_of(uint32_t msr, uint64_t value)
{
	raised = -1;
	vcpu.gpr[GPR_RCX] = msr;
	vcpu.gpr[GPR_RDX] = value >> 32;
	vmcb.save.rax = low32(value);
	vmcb.control.exit_info1 = 1;
	emulate_msr(&vcpu);
	return raised;
}

static void machine_has(uint32_t msr, uint64_t value)
{
	machine = (struct machine){.msr = msr, .value = value, .exists = true, .can_read = true};
}

/* A processor with everything, or with nothing that CPUID tells of registers. */
static void begin(bool everything, bool npt)
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

static uint64_t map_bits(uint32_t msr)
{
	int bit = msrpm_bit(msr);

	return bit < 0 ? 3 : msrpm[bit / 64] >> (bit % 64) & 3;
}

/*
 * What systems write: Linux on families 10h to 1Ah (arch/x86/kernel/cpu/amd.c, mce/amd.c,
 * events/amd, acpi-cpufreq, amd-pstate, resctrl, KVM), which must arrive; bits, where it is those
 * only.
 */
static const struct {
	uint32_t msr;
	uint64_t bits;
} written[] = {
	{0x10, ~0ull},   /* TSC */
	{0x48, ~0ull},   /* SPEC_CTRL */
	{0x49, ~0ull},   /* PRED_CMD */
	{0xe7, ~0ull},   /* MPERF */
	{0xe8, ~0ull},   /* APERF */
	{0x174, ~0ull},  /* SYSENTER_CS */
	{0x176, ~0ull},  /* SYSENTER_EIP */
	{0x17a, ~0ull},  /* MCG_STATUS */
	{0x17b, ~0ull},  /* MCG_CTL */
	{0x1d9, 1 << 1}, /* DEBUGCTL: BTF */
	{0x400, ~0ull},  /* MC0_CTL */
	{0x413, ~0ull},  /* MC4_MISC: thresholds */
	{0x417, ~0ull},
	{0x6a0, ~0ull},      /* U_CET */
	{0x6a7, ~0ull},      /* PL3_SSP */
	{0x80b, ~0ull},      /* x2APIC: EOI */
	{0xc8d, ~0ull},      /* QM_EVTSEL */
	{0xc8f, ~0ull},      /* PQR_ASSOC */
	{0xc90, ~0ull},      /* L3 masks */
	{0xda0, 3 << 11},    /* XSS */
	{0xc0000081, ~0ull}, /* STAR */
	{0xc0000084, ~0ull}, /* SFMASK */
	{0xc0000100, ~0ull}, /* FS_BASE */
	{0xc0000102, ~0ull}, /* KERNEL_GS_BASE */
	{0xc0000103, ~0ull}, /* TSC_AUX */
	{0xc0000200, ~0ull}, /* bandwidth */
	{0xc0000300, ~0ull}, /* PERF_CNTR_GLOBAL_* */
	{0xc0000301, ~0ull},
	{0xc0000302, ~0ull},
	{0xc0000408, ~0ull}, /* MC4_MISC1 */
	{0xc0000410, ~0ull}, /* CU_DEFER_ERR */
	{0xc0002000, ~0ull}, /* SMCA's banks */
	{0xc0002004, ~0ull},
	{0xc00023ff, ~0ull},
	{0xc0010004, ~0ull}, /* PERFCTR0 */
	{0xc0010201, ~0ull}, /* PERF_CTR0 */
	{0xc001020b, ~0ull},
	/* HWCR: FFDIS, users' MONITOR, wrap, McStatusWrEn, frequencies, boost */
	{0xc0010015, 1 << 6 | 3 << 9 | 3 << 17 | 3 << 24 | 1 << 27},
	{0xc001001f, 1ull << 46}, /* NB_CFG: extended configuration */
	{0xc0010062, ~0ull},      /* P-state */
	{0xc001011f, ~0ull},      /* VIRT_SPEC_CTRL */
	{0xc00102b1, ~0ull},      /* CPPC_ENABLE */
	{0xc00102b3, ~0ull},      /* CPPC_REQ */
	{0xc00102f0, ~0ull},      /* PPIN_CTL */
	{0xc0011019, ~0ull},      /* masks of breakpoints */
	{0xc0011027, ~0ull},
	{0xc0011020, 1ull << 10 | 1 << 15 | 1ull << 33 | 1ull << 54}, /* LS_CFG: SSBD, erratum */
	{0xc0011021, 0x1e},            /* IC_CFG: family 15h's way access */
	{0xc0011022, 1ull << 47},      /* DC_CFG: erratum 383 */
	{0xc0011028, 1 << 9},          /* FP_CFG: Zen 1's denormals */
	{0xc0011029, 1 << 1 | 1 << 9}, /* DE_CFG: LFENCE, Zenbleed */
	{0xc001102a, 1 << 24},         /* BU_CFG2: family 10h */
	{0xc001102e, 1 << 5},          /* BP_CFG: erratum 1485 */
	{0xc00110e3, 1 << 1},          /* Zen 2's spectral chicken */
};

/* What moves memory, finds L0, or acts outside of L1: never written. */
static const uint32_t kept[] = {
	0x11,       0x12,       0x40000000, 0x40000001, 0x4b564d00, 0x4b564d01, 0x4b564d05,
	0xc0000104, 0xc0000105, 0xc0000106, 0xc000010e, 0xc000010f, 0xc0010016, 0xc0010017,
	0xc0010018, 0xc0010019, 0xc001001a, 0xc001001d, 0xc0010050, 0xc0010051, 0xc0010054,
	0xc0010055, 0xc0010056, 0xc0010058, 0xc0010111, 0xc0010112, 0xc0010113, 0xc001011b,
	0xc001011e, 0xc0010130, 0xc0010131, 0xc0010132, 0xc0010133, 0xc0010136, 0xc0010138,
	0xc0010230, 0xc0010240, 0xc0010300, 0xc0010800, 0xc0011030, 0xc0011033, 0xc001103a,
	0xc001103d, 0xc00000e9,
};

static void what_systems_write_arrives(void **state)
{
	(void)state;
	begin(true, true);
	for (size_t i = 0; i < sizeof(written) / sizeof(*written); i++) {
		machine_has(written[i].msr, 0);
		assert_int_equal(write_of(written[i].msr, written[i].bits), -1);
		if (machine.value != written[i].bits)
			fail_msg("MSR %x: %llx", written[i].msr, (unsigned long long)machine.value);
		machine.value = ~0ull;
		assert_int_equal(write_of(written[i].msr, 0), -1);
		if (machine.value != ~written[i].bits && written[i].msr != MSR_XSS)
			fail_msg("MSR %x cleared: %llx", written[i].msr,
			         (unsigned long long)machine.value);
		/* What is all L1's does not even exit. */
		if (written[i].bits == ~0ull && msrpm_bit(written[i].msr) >= 0)
			assert_int_equal(map_bits(written[i].msr), 0);
	}
}

static void what_is_kept_is_never_written(void **state)
{
	(void)state;
	for (unsigned int open = 0; open < 2; open++) {
		begin(true, true);
		msr_list_open = open;
		msr_init_map(&vcpu);
		for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
			machine_has(kept[i], 0x5a);
			assert_int_equal(write_of(kept[i], 0xa5), VEC_GP);
			if (machine.writes || !(map_bits(kept[i]) & 2))
				fail_msg("MSR %x was written", kept[i]);
		}
	}
}

/* Is it a register of the test's lists, or one that L0 virtualizes? */
static bool is_named(uint32_t msr)
{
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		if (kept[i] == msr)
			return true;
	}
	return find(msr) || msr_rule(msr)->last != ~0u || perf_select_of(msr) >= 0;
}

#define LAST_MSR 0xc0012080u

/* All registers of the three ranges, and some of the others. */
static uint32_t next_msr(uint32_t msr)
{
	if (msr == 0x1fff)
		return 0x3fffff80;
	if (msr == 0x40000080)
		return 0xbfffff80;
	return msr + 1;
}

static void what_is_not_listed_is_read_only(void **state)
{
	unsigned int count = 0;

	(void)state;
	begin(true, true);
	logged = 0;
	for (uint32_t msr = 0; msr < LAST_MSR; msr = next_msr(msr)) {
		uint64_t value;

		if (is_named(msr))
			continue;
		count++;
		machine_has(msr, 0x1122334455667788);
		assert_int_equal(read_of(msr, &value), -1);
		assert_int_equal(value, 0x1122334455667788);
		assert_int_equal(write_of(msr, 1), -1);
		assert_int_equal(machine.writes, 0);
		if (msrpm_bit(msr) >= 0)
			assert_int_equal(map_bits(msr), 2);
		machine.exists = false;
		assert_int_equal(read_of(msr, &value), VEC_GP);
		assert_int_equal(write_of(msr, 1), VEC_GP);
	}
	assert_true(count > 20000);
	assert_int_equal(logged, 32); /* each register once, and not for ever */
	machine_has(0xc0010064, 7);
	assert_int_equal(write_of(0xc0010064, 7), -1); /* nothing would change */
	assert_int_equal(logged, 32);
}

static void open_passes_the_rest(void **state)
{
	(void)state;
	begin(true, true);
	msr_list_open = true;
	msr_init_map(&vcpu);
	for (uint32_t msr = 0; msr < LAST_MSR; msr = next_msr(msr)) {
		if (is_named(msr))
			continue;
		machine_has(msr, 0);
		assert_int_equal(write_of(msr, 1), -1);
		assert_int_equal(machine.value, 1);
		if (msrpm_bit(msr) >= 0)
			assert_int_equal(map_bits(msr), 0);
	}
}

/* The map says what would be done: what passes there would have been the machine's own. */
static void the_map_is_the_list(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		begin(i & 1, i & 2);
		for (uint32_t msr = 0; msr < LAST_MSR; msr = next_msr(msr)) {
			uint64_t bits = map_bits(msr), value;

			machine_has(msr, 0x5a);
			if (!(bits & 1)) {
				assert_int_equal(read_of(msr, &value), -1);
				assert_true(value == 0x5a || perf_select_of(msr) >= 0);
			}
			if (!(bits & 2)) {
				assert_int_equal(write_of(msr, ~0ull), -1);
				assert_int_equal(machine.value, ~0ull);
			}
		}
	}
}

/* Registers of features that L0 hides are not there; without the feature the machine decides. */
static void hidden_features_have_no_registers(void **state)
{
	static const uint32_t hidden[] = {0xc0011030, 0xc0011033, 0xc00000e9, 0xc0000104,
	                                  0xc0010230, 0xc0010240, 0xc0000105, 0xc000010e};
	uint64_t value;

	(void)state;
	begin(true, true);
	for (size_t i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
		machine_has(hidden[i], 1);
		assert_int_equal(read_of(hidden[i], &value), VEC_GP);
		assert_int_equal(write_of(hidden[i], 1), VEC_GP);
		assert_int_equal(map_bits(hidden[i]), 3);
	}
	begin(true, false); /* npt=off */
	machine_has(0x6a0, 0);
	assert_int_equal(read_of(0x6a0, &value), VEC_GP); /* shadow stacks */
	assert_int_equal(write_of(0x6a0, 0), VEC_GP);
	machine_has(MSR_XSS, 0);
	assert_int_equal(write_of(MSR_XSS, 1 << 11), VEC_GP);
	assert_int_equal(write_of(MSR_XSS, 0), -1);
	begin(false, true);
	machine_has(0xc0011030, 1);
	assert_int_equal(read_of(0xc0011030, &value), -1);
	assert_int_equal(value, 0);
}

/* Microcode: what is to be loaded is swallowed, and there is nothing to read. */
static void microcode(void **state)
{
	uint64_t value;

	(void)state;
	begin(true, true);
	machine_has(MSR_PATCH_LOADER, 0);
	assert_int_equal(read_of(MSR_PATCH_LOADER, &value), VEC_GP);
	machine.can_read = false;
	assert_int_equal(write_of(MSR_PATCH_LOADER, 0x12345678), -1);
	assert_int_equal(machine.writes, 0);
}

#define ENABLE (1ull << 22)
#define GUEST  (1ull << 40)
#define HOST   (1ull << 41)

/* What the counter of a select does while L1 runs, and while its L2 does. */
static void assert_counts(uint64_t select, bool svme, bool in_l1, bool in_l2)
{
	uint64_t event = 0x76 | ENABLE, value;

	begin(true, true);
	vcpu.efer = svme ? EFER_SVME : 0;
	machine_has(0xc0010200, 0);
	assert_int_equal(write_of(0xc0010200, event | select), -1);
	assert_int_equal(machine.value & (GUEST | HOST), GUEST); /* never L0 */
	assert_int_equal(!!(machine.value & ENABLE), in_l1);
	assert_int_equal(read_of(0xc0010200, &value), -1);
	assert_int_equal(value, event | select);
	vcpu.guest_mode = true;
	if (vcpu.perf.split) {
		machine.exists = true;
		rewrite(&vcpu, 0xc0010200);
	}
	assert_int_equal(machine.value & (GUEST | HOST), GUEST);
	assert_int_equal(!!(machine.value & ENABLE), in_l2);
	vcpu.guest_mode = false;
	assert_int_equal(read_of(0xc0010200, &value), -1);
	assert_int_equal(value, event | select);
}

static void counters_never_count_l0(void **state)
{
	(void)state;
	assert_counts(0, true, true, true);
	assert_counts(GUEST | HOST, true, true, true);
	assert_counts(GUEST, true, false, true);
	assert_counts(HOST, true, true, false);
	assert_counts(HOST, false, true, true); /* the bits mean nothing without SVME */
	assert_counts(GUEST, false, true, true);
}

/* The old numbers are names of the same registers; a machine that keeps nothing goes on so. */
static void selects_by_two_names(void **state)
{
	uint64_t value;

	(void)state;
	begin(true, true);
	assert_int_equal(perf_select_of(0xc0010003), 3);
	assert_int_equal(perf_select_of(0xc0010004), -1);
	assert_int_equal(perf_select_of(0xc0010206), 3);
	assert_int_equal(perf_select_of(0xc0010207), -1);
	assert_int_equal(perf_select_of(0xc001020a), 5);
	assert_int_equal(perf_select_of(0xc001020c), -1);
	machine_has(0xc0010001, 0);
	assert_int_equal(write_of(0xc0010001, ENABLE | HOST), -1);
	assert_true(vcpu.perf.split);
	machine.value = 0;
	assert_int_equal(read_of(0xc0010001, &value), -1);
	assert_int_equal(value, 0);
	assert_int_equal(write_of(0xc0010001, 0), -1);
	assert_false(vcpu.perf.split);
}

/* With branch records of its own L2's register is in the VMCB, else it is L1's. */
static void branch_records(void **state)
{
	(void)state;
	begin(true, true);
	machine_has(MSR_DEBUGCTL, 0);
	assert_int_equal(write_of(MSR_DEBUGCTL, 3), -1);
	assert_int_equal(machine.value, 2);
	vmcb.control.virt_ext = VIRT_EXT_LBR;
	vmcb.control.clean = CLEAN_ALL;
	assert_int_equal(write_of(MSR_DEBUGCTL, 3), -1);
	assert_int_equal(vmcb.save.dbgctl, 3);
	assert_int_equal(vmcb.control.clean, CLEAN_ALL & ~CLEAN_LBR);
	assert_int_equal(machine.value, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_systems_write_arrives),
		cmocka_unit_test(what_is_kept_is_never_written),
		cmocka_unit_test(what_is_not_listed_is_read_only),
		cmocka_unit_test(open_passes_the_rest),
		cmocka_unit_test(the_map_is_the_list),
		cmocka_unit_test(hidden_features_have_no_registers),
		cmocka_unit_test(microcode),
		cmocka_unit_test(counters_never_count_l0),
		cmocka_unit_test(selects_by_two_names),
		cmocka_unit_test(branch_records),
	};

	return cmocka_run_group_tests_name("msr", tests, NULL, NULL);
}
