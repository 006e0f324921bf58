/*
 * What reaches the machine's MSRs of L1's accesses, of each register there can be; what systems
 * write on AMD's processors; that the map lets pass what the list does, and nothing else.
 */
#include "tests/unit/msr_rig.h"

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

/* Where L0 runs on a Nestling the processor has such registers, too: they are that one's L1's. */
static void counters_of_a_nestling_below_are_nobodys(void **state)
{
	uint64_t value = 0;

	(void)state;
	machine = (struct machine){.msr = A_COUNTER, .value = 5, .exists = true, .can_read = true};
	memset(&vcpu, 0, sizeof(vcpu));
	assert_true(read_msr(&vcpu, A_COUNTER, &value));
	assert_int_equal(value, 0xc0);
	assert_false(write_msr(&vcpu, A_COUNTER, 1));
	vcpu.guest_mode = true;
	assert_false(read_msr(&vcpu, A_COUNTER, &value));
	assert_false(write_msr(&vcpu, A_COUNTER, 1));
	assert_int_equal(machine.reads + machine.writes, 0);
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
		cmocka_unit_test(counters_of_a_nestling_below_are_nobodys),
	};

	return cmocka_run_group_tests_name("msr", tests, NULL, NULL);
}
