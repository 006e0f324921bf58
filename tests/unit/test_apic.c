/*
 * svm/apic/apic.c: which processors INIT and SIPI reach, what passes to the real APIC, and how a
 * store that exited is performed.
 */
#include "tests/unit/apic_rig.h"

static void physical(void **state)
{
	(void)state;
	machine(4);
	command(2, 0x4500);
	assert_got(1 << 1, INIT);
	command(2, 0x8500); /* de-assert */
	assert_got(0, 0);
	command(6, 0xc500);
	assert_got(1 << 3, INIT);
	command(6, 0x500); /* as Linux does for some: edge, without the level bit */
	assert_got(1 << 3, INIT);
	command(4, 0x46a5);
	assert_got(1 << 2, 0xa5);
	command(4, 0x600);
	assert_got(1 << 2, 0);
	command(3, 0x4500);
	assert_got(0, 0);
	command(0, 0x4500); /* itself */
	assert_got(1, INIT);
	command(0xff, 0x4608);
	assert_got(0xf, 8);
}

static void shorthands(void **state)
{
	(void)state;
	machine(4);
	on(2);
	command(2, 0x44500);
	assert_got(1 << 2, INIT);
	command(2, 0x84500);
	assert_got(0xf, INIT);
	command(2, 0xc4500);
	assert_got(0xb, INIT);
	command(2, 0xc4699);
	assert_got(0xb, 0x99);
	command(2, 0xc8500);
	assert_got(0, 0);
}

static void logical(void **state)
{
	(void)state;
	machine(4);
	command(0x0a, 0x4d00);
	assert_got(0xa, INIT);
	command(0x05, 0x4e11);
	assert_got(0x5, 0x11);
	command(0, 0x4d00);
	assert_got(0, 0);
	command(0xff, 0x4d00);
	assert_got(0xf, INIT);
	/* Clusters: each processor says so itself, by stores that pass by. */
	for (unsigned int i = 0; i < 4; i++) {
		on(i);
		store(APIC_DFR, 0x0fffffff);
		store(APIC_LDR, (i / 2 << 4 | 1u << i % 2) << 24);
	}
	on(0);
	command(0x13, 0x4d00);
	assert_got(0xc, INIT);
	command(0x01, 0x4d00);
	assert_got(0x1, INIT);
	command(0x20, 0x4d00);
	assert_got(0, 0);
	store(APIC_ID, 0x77000000);
	assert_int_equal(registers[0][APIC_ID / 4], 0);
	command(0x77, 0x4500);
	assert_got(0, 0);
	command(0, 0x4500);
	assert_got(1, INIT);
	/* INIT of a processor takes its logical name. */
	on(3);
	registers[3][APIC_LDR / 4] = 0;
	registers[3][APIC_DFR / 4] = 0xffffffff;
	apic_was_reset(&vcpus[3]);
	on(0);
	command(0x13, 0x4d00);
	assert_got(0x4, INIT);
}

/* NMIs are L0's, too: the processor that gets one could not tell it from a kick. */
static void nmis(void **state)
{
	(void)state;
	machine(4);
	command(2, 0x4400);
	assert_got(1 << 1, NMI);
	command(0, 0x400); /* itself */
	assert_got(1, NMI);
	command(0, 0xc4400);
	assert_got(0xe, NMI);
	command(0, 0x84400);
	assert_got(0xf, NMI);
	command(0x0a, 0x4c00);
	assert_got(0xa, NMI);
}

static void all_else_passes(void **state)
{
	static const uint32_t commands[] = {0x4030, 0x4130, 0x4200, 0x4700, 0xc40fd, 0x440fd};

	(void)state;
	machine(2);
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		command(2, commands[i]);
		assert_int_equal(registers[0][APIC_ICR / 4], commands[i]);
		assert_int_equal(registers[0][APIC_ICR_HIGH / 4], 2 << 24);
		assert_true(got[0] == NOTHING && got[1] == NOTHING);
	}
	for (unsigned int offset = 0; offset < PAGE_SIZE; offset += APIC_STEP) {
		uint32_t value = 0x10400 + (offset & 0xf0);

		store(offset, value);
		if (offset != APIC_ICR && offset > APIC_ID)
			assert_int_equal(registers[0][offset / 4], value);
	}
}

/* QEMU takes the first register for a message; KVM's local vectors may send INIT. */
static void init_by_other_registers(void **state)
{
	(void)state;
	machine(2);
	for (unsigned int offset = 0; offset < PAGE_SIZE; offset += APIC_STEP) {
		bool lvt = (offset >= 0x320 && offset <= 0x370) || offset >= 0x500;

		if (offset == APIC_ICR)
			continue;
		registers[0][offset / 4] = 0x30;
		store(offset, 0x507);
		assert_int_equal(registers[0][offset / 4], lvt || offset <= 0x20 ? 0x30 : 0x507);
		store(offset, 0x607);
		assert_int_equal(registers[0][offset / 4], lvt || offset <= 0x20 ? 0x30 : 0x607);
	}
}

/* One that L0 does not have: what is meant for it reaches nobody, and the log says so once. */
static void unknown(void **state)
{
	(void)state;
	machine(2);
	lines = 0;
	command(6, 0x4400);
	command(0, 0xc4500);
	command(0x40, 0x4d00);
	assert_int_equal(lines, 0);
	command(6, 0x4500);
	assert_got(0, 0);
	assert_int_equal(lines, 1);
	command(6, 0x4608);
	command(8, 0x4608);
	assert_got(0, 0);
	assert_int_equal(lines, 1);
}

/* Not of 4 bytes, not at a multiple of 16: without effect, above all on ICR. */
static void odd_accesses(void **state)
{
	static const uint8_t narrow[] = {0x66, 0xa3, 0, 0, 0, 0}, byte[] = {0xa2, 0, 0, 0, 0};
	uint32_t before[PAGE_SIZE / 4];

	(void)state;
	machine(2);
	memcpy(before, registers[0], sizeof(before));
	for (unsigned int offset = 0x2f0; offset < 0x320; offset++) {
		if (offset % APIC_STEP)
			store(offset, 0xc4500);
	}
	vmcb.save.rax = 0xc4500;
	memcpy(code, narrow, code_length = sizeof(narrow));
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
	assert_int_equal(finished(), sizeof(narrow));
	memcpy(code, byte, code_length = sizeof(byte));
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR + 1));
	assert_int_equal(finished(), sizeof(byte));
	assert_memory_equal(before, registers[0], sizeof(before));
	assert_true(got[0] == NOTHING && got[1] == NOTHING);
}

static void read_modify_write(void **state)
{
	static const uint8_t or [] = {0x81, 0x0d, 0xf0, 0, 0xe0, 0xfe, 0, 1, 0, 0};
	static const uint8_t xchg[] = {0x87, 0x0d, 0, 0, 0, 0};

	(void)state;
	machine(2);
	registers[0][APIC_SPURIOUS / 4] = 0xff;
	memcpy(code, or, code_length = sizeof(or));
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_SPURIOUS));
	assert_int_equal(registers[0][APIC_SPURIOUS / 4], 0x1ff);
	registers[0][APIC_ICR / 4] = 0x1234;
	vcpus[0].gpr[GPR_RCX] = 0xc4500;
	memcpy(code, xchg, code_length = sizeof(xchg));
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
	assert_int_equal(vcpus[0].gpr[GPR_RCX], 0x1234);
	assert_true(got[0] == NOTHING && got[1] == INIT);
	/* What arithmetic makes of it counts. */
	forget();
	registers[0][APIC_ICR / 4] = 0xc4400;
	memcpy(code, or, code_length = sizeof(or));
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
	assert_true(got[0] == NOTHING && got[1] == INIT);
	assert_int_equal(registers[0][APIC_ICR / 4], 0xc4400);
}

static void strings(void **state)
{
	(void)state;
	machine(2);
	code[0] = 0xa5; /* MOVSD */
	code_length = 1;
	data = 0xc4500;
	data_at = vcpus[0].gpr[GPR_RSI] = 0x7000;
	vcpus[0].gpr[GPR_RDI] = PAGE + APIC_ICR;
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
	assert_int_equal(finished(), 1);
	assert_true(got[0] == NOTHING && got[1] == INIT);
	assert_int_equal(vcpus[0].gpr[GPR_RSI], 0x7004);
	assert_int_equal(vcpus[0].gpr[GPR_RDI], PAGE + APIC_ICR + 4);
	/* From where no memory is. */
	forget();
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_SPURIOUS));
	assert_int_equal(exception, VEC_GP);
	assert_int_equal(finished(), 0);
	assert_int_equal(vcpus[0].gpr[GPR_RSI], 0x7004);
	/* Of two bytes: without effect, but done. */
	code[0] = 0x66;
	code[1] = 0xab; /* STOSW */
	code_length = 2;
	registers[0][APIC_SPURIOUS / 4] = 0x1ff;
	forget();
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_SPURIOUS));
	assert_int_equal(finished(), 2);
	assert_int_equal(registers[0][APIC_SPURIOUS / 4], 0x1ff);
	assert_int_equal(vcpus[0].gpr[GPR_RDI], PAGE + APIC_ICR + 6);
}

static void refused(void **state)
{
	(void)state;
	machine(2);
	code[0] = 0xf3; /* REP STOSD */
	code[1] = 0xab;
	code_length = INSTRUCTION_MAX;
	lines = 0;
	for (int i = 0; i < 2; i++) {
		forget();
		assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
		assert_int_equal(exception, VEC_GP);
		assert_int_equal(finished(), 0);
	}
	assert_int_equal(lines, 1);
	/* A stack or a table is there: whatever RIP is at, it is not performed. */
	code[0] = 0xa3;
	in_delivery = EVENT_VALID;
	forget();
	assert_true(apic_npf(&vcpus[0], PAGE + 0x80));
	assert_int_equal(exception, VEC_DF);
	in_delivery = 0;
	vmcb.control.exit_code = VMEXIT_NPF;
	vmcb.control.exit_info1 = NPF_WRITE | NPF_TABLE;
	forget();
	assert_true(apic_npf(&vcpus[0], PAGE + 0x80));
	assert_int_equal(exception, VEC_GP);
	vmcb.control.exit_info1 = NPF_WRITE | NPF_FINAL;
	forget();
	assert_true(apic_npf(&vcpus[0], PAGE + 0x80));
	assert_int_equal(finished(), 5);
	/* Code that is not there any more is tried again. */
	code_length = 0;
	forget();
	assert_true(apic_npf(&vcpus[0], PAGE + 0x80));
	assert_int_equal(exception, NOTHING);
	assert_int_equal(finished(), 0);
	assert_false(apic_npf(&vcpus[0], PAGE - 1));
}

static void decode_assists(void **state)
{
	static const uint8_t mov[] = {0xc7, 0x05, 0, 0, 0, 0, 0xfd, 0x40, 0x0c, 0};

	(void)state;
	machine(2);
	features.svm = SVM_FEATURE_DECODE;
	memcpy(vmcb.control.fetched, mov, sizeof(mov));
	vmcb.control.fetched_bytes = 0xf0 | sizeof(mov);
	code_length = 0;
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
	assert_int_equal(registers[0][APIC_ICR / 4], 0xc40fd);
	assert_int_equal(finished(), sizeof(mov));
	/* Too few of them: those in memory count. */
	memcpy(code, mov, code_length = sizeof(mov));
	code[6] = 0xfe;
	vmcb.control.fetched_bytes = 0xf0 | (sizeof(mov) - 1);
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
	assert_int_equal(registers[0][APIC_ICR / 4], 0xc40fe);
	assert_int_equal(exception, NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown), /* these first: the log says it once */
		cmocka_unit_test(refused),
		cmocka_unit_test(physical),
		cmocka_unit_test(shorthands),
		cmocka_unit_test(logical),
		cmocka_unit_test(nmis),
		cmocka_unit_test(all_else_passes),
		cmocka_unit_test(init_by_other_registers),
		cmocka_unit_test(odd_accesses),
		cmocka_unit_test(read_modify_write),
		cmocka_unit_test(strings),
		cmocka_unit_test(decode_assists),
	};

	return cmocka_run_group_tests_name("apic", tests, NULL, NULL);
}
