/*
 * svm/apic.c and svm/apic_base.c: which processors INIT and SIPI reach, what passes to the real
 * APIC, how a store that exited is performed, and APIC_BASE. The real APICs are arrays here. Relies
 * on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "svm/vcpu.h"

static uint64_t fake_rdmsr(uint32_t msr);
static void fake_wrmsr(uint32_t msr, uint64_t value);

#define rdmsr fake_rdmsr
#define wrmsr fake_wrmsr
#include "svm/apic.c"
#include "svm/apic_base.c"
#include "svm/apic_decode.c"
#include "svm/operand.c"

enum { MAX = 10, NOTHING = -1, INIT = 256 /* else the vector of a SIPI */ };
#define PAGE  0xfee00000ull
#define OTHER 0xfed40000ull
#define ON    ((uint64_t)APIC_BASE_ENABLE)
#define X2    ((uint64_t)APIC_BASE_X2APIC)

struct features features;
struct mmu mmu;

static struct vcpu vcpus[MAX];
static struct vmcb vmcb;
static unsigned int count;
static uint32_t registers[MAX][PAGE_SIZE / 4]; /* of the real APICs; rows beyond are memory */
static uint64_t real_base, x2_msr[256], icr_msr;
static unsigned int icr_writes, base_writes;
static bool wrmsr_faults;
static int got[MAX];
static uint64_t dropped[8];
static unsigned int drops;
static int exception;
static unsigned int finished;
static uint8_t code[INSTRUCTION_MAX];
static unsigned int code_length;
static uint64_t in_delivery, memory_at;
static unsigned int intercepted, lines;

static unsigned int current; /* the processor that the test is on */

static uint64_t fake_rdmsr(uint32_t msr)
{
	if (msr == MSR_APIC_BASE)
		return real_base;
	assert_in_range(msr, MSR_X2APIC, MSR_X2APIC + 255);
	return x2_msr[msr - MSR_X2APIC];
}

static void fake_wrmsr(uint32_t msr, uint64_t value)
{
	if (msr == MSR_APIC_BASE) {
		real_base = value;
		base_writes++;
		return;
	}
	assert_in_range(msr, MSR_X2APIC, MSR_X2APIC + 255);
	x2_msr[msr - MSR_X2APIC] = value;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	if (wrmsr_faults)
		return false;
	if (msr == MSR_X2APIC_ICR) {
		icr_msr = value;
		icr_writes++;
		return true;
	}
	fake_wrmsr(msr, value);
	return true;
}

/* Each processor sees its own APIC at its page. */
void *phys(uint64_t hpa)
{
	uint64_t page = hpa & ~APIC_PAGE_OFFSET;

	if (page == address_of(real_base))
		return (char *)registers[current] + (hpa & APIC_PAGE_OFFSET);
	return (char *)registers[MAX - 1] + (hpa & APIC_PAGE_OFFSET);
}

unsigned int vcpu_count(void)
{
	return count;
}

struct vcpu *vcpu_at(unsigned int index)
{
	assert_true(index < count);
	return &vcpus[index];
}

void vcpu_init(struct vcpu *target)
{
	assert_int_equal(got[target - vcpus], NOTHING);
	got[target - vcpus] = INIT;
}

void vcpu_sipi(struct vcpu *target, uint8_t vector)
{
	assert_int_equal(got[target - vcpus], NOTHING);
	got[target - vcpus] = vector;
}

void mmu_drop_page(struct mmu *of, uint64_t gpa)
{
	assert_ptr_equal(of, &mmu);
	dropped[drops++ % 8] = gpa;
}

void *l1_page(void *context, uint64_t gpa)
{
	(void)context;
	return gpa == memory_at ? registers[MAX - 1] : NULL;
}

bool l1_memory_hidden(uint64_t gpa, uint64_t size)
{
	return size && gpa == 0x7f000000;
}

void msr_intercept_write(struct vcpu *vcpu, uint32_t msr)
{
	assert_int_equal(msr, 0x830);
	assert_ptr_equal(vcpu, &vcpus[current]);
	intercepted++;
}

void raise_exception(struct vcpu *vcpu, unsigned int vector, uint32_t error_code)
{
	assert_ptr_equal(vcpu, &vcpus[current]);
	assert_int_equal(error_code, 0);
	exception = (int)vector;
}

bool makes_double_fault(struct vcpu *vcpu, unsigned int vector)
{
	(void)vcpu;
	assert_int_equal(vector, VEC_GP);
	if (in_delivery)
		exception = VEC_DF;
	return in_delivery;
}

uint64_t interrupted_event(struct vcpu *vcpu)
{
	(void)vcpu;
	return in_delivery;
}

void finish_instruction(struct vcpu *vcpu, unsigned int length)
{
	(void)vcpu;
	finished = length;
}

uint64_t linear_rip(const struct vmcb_save *save)
{
	return save->rip;
}

unsigned int fetch(struct vcpu *vcpu, uint64_t linear, uint8_t *to, unsigned int bytes)
{
	(void)vcpu;
	assert_true(linear == vmcb.save.rip && bytes == INSTRUCTION_MAX);
	memcpy(to, code, code_length);
	return code_length;
}

const uint8_t *code_at_rip(struct vcpu *vcpu)
{
	(void)vcpu;
	return code_length == INSTRUCTION_MAX ? code : NULL;
}

void log_info(const char *format, ...)
{
	(void)format;
	lines++;
}

uint64_t read_gpr(const struct vcpu *of, unsigned int number)
{
	return number == GPR_RAX ? vmcb.save.rax : of->gpr[number];
}

void write_gpr(struct vcpu *of, unsigned int number, uint64_t value)
{
	of->gpr[number] = value;
}

static void forget(void)
{
	for (unsigned int i = 0; i < MAX; i++)
		got[i] = NOTHING;
	exception = NOTHING;
	finished = drops = 0;
}

static void on(unsigned int processor)
{
	current = processor;
	real_base = vcpus[processor].apic.page == APIC_NO_PAGE ? PAGE | ON | X2 : PAGE | ON;
}

/* 32-bit code; processors with ids 0, 2, 4 ... and flat logical names of one bit. */
static void machine(unsigned int processors)
{
	memset(vcpus, 0, sizeof(vcpus));
	memset(registers, 0, sizeof(registers));
	memset(&vmcb, 0, sizeof(vmcb));
	memset(x2_msr, 0, sizeof(x2_msr));
	vmcb.save.cs.attributes = SEG_ATTR_DB;
	vmcb.save.rip = 0x1234;
	features = (struct features){.phys_bits = 40};
	mmu.frame_count = 0x8000000000 >> PAGE_SHIFT;
	count = processors;
	intercepted = icr_writes = base_writes = 0;
	wrmsr_faults = false;
	in_delivery = memory_at = 0;
	page_count = 0;
	real_base = PAGE | ON;
	for (unsigned int i = 0; i < processors; i++) {
		current = i;
		registers[i][APIC_ID / 4] = 2 * i << 24;
		registers[i][APIC_LDR / 4] = 1u << i << 24;
		registers[i][APIC_DFR / 4] = 0xffffffff;
		vcpus[i].vmcb = &vmcb;
		apic_init(&vcpus[i]);
	}
	on(0);
	forget();
}

/* MOV [disp32], EAX */
static void store(unsigned int offset, uint32_t value)
{
	static const uint8_t mov[] = {0xa3, 0, 0, 0, 0};

	memcpy(code, mov, sizeof(mov));
	code_length = sizeof(mov);
	vmcb.save.rax = value;
	forget();
	assert_true(apic_npf(&vcpus[current], PAGE + offset));
	assert_int_equal(finished, sizeof(mov));
	assert_int_equal(exception, NOTHING);
}

static void command(uint32_t destination, uint32_t low)
{
	store(APIC_ICR_HIGH, destination << 24);
	registers[current][APIC_ICR / 4] = 0x55;
	store(APIC_ICR, low);
}

/* Those with a bit in who got this, the others nothing; nothing reached the real APIC. */
static void assert_got(unsigned int who, int what)
{
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(got[i], who >> i & 1 ? what : NOTHING);
	assert_int_equal(registers[current][APIC_ICR / 4], 0x55);
}

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

static void all_else_passes(void **state)
{
	static const uint32_t commands[] = {0x4030, 0x4130,  0x4200, 0x4400,
	                                    0x4700, 0xc40fd, 0x440fd};

	(void)state;
	machine(2);
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		command(2, commands[i]);
		assert_int_equal(registers[0][APIC_ICR / 4], commands[i]);
		assert_int_equal(registers[0][APIC_ICR_HIGH / 4], 2 << 24);
		assert_true(got[0] == NOTHING && got[1] == NOTHING);
	}
	for (unsigned int offset = 0; offset < PAGE_SIZE; offset += APIC_STEP) {
		store(offset, 0x10500 + offset);
		if (offset != APIC_ICR && offset != APIC_ID)
			assert_int_equal(registers[0][offset / 4], 0x10500 + offset);
	}
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
	assert_int_equal(finished, sizeof(narrow));
	memcpy(code, byte, code_length = sizeof(byte));
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR + 1));
	assert_int_equal(finished, sizeof(byte));
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

static void refused(void **state)
{
	(void)state;
	machine(2);
	code[0] = 0xab; /* STOSD */
	code_length = INSTRUCTION_MAX;
	lines = 0;
	for (int i = 0; i < 2; i++) {
		forget();
		assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
		assert_int_equal(exception, VEC_GP);
		assert_int_equal(finished, 0);
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
	assert_int_equal(finished, 5);
	/* Code that is not there any more is tried again. */
	code_length = 0;
	forget();
	assert_true(apic_npf(&vcpus[0], PAGE + 0x80));
	assert_int_equal(exception, NOTHING);
	assert_int_equal(finished, 0);
	assert_false(apic_npf(&vcpus[0], PAGE + PAGE_SIZE));
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
	assert_int_equal(finished, sizeof(mov));
	/* Too few of them: those in memory count. */
	memcpy(code, mov, code_length = sizeof(mov));
	code[6] = 0xfe;
	vmcb.control.fetched_bytes = 0xf0 | (sizeof(mov) - 1);
	assert_true(apic_npf(&vcpus[0], PAGE + APIC_ICR));
	assert_int_equal(registers[0][APIC_ICR / 4], 0xc40fe);
	assert_int_equal(exception, NOTHING);
}

static void one_processor(void **state)
{
	(void)state;
	machine(1);
	assert_false(apic_is_shared());
	assert_int_equal(intercepted, 0);
	assert_false(apic_covers(PAGE, PAGE_SIZE));
	assert_false(apic_npf(&vcpus[0], PAGE + APIC_ICR));
	assert_true(apic_write_base(&vcpus[0], OTHER | ON));
	assert_true(real_base == (OTHER | ON));
	assert_true(apic_read_base(&vcpus[0]) == (OTHER | ON));
	assert_int_equal(drops, 0);
	assert_false(apic_write_base(&vcpus[0], 0x7f000000 | ON));
}

static void it_moves(void **state)
{
	(void)state;
	machine(2);
	assert_int_equal(intercepted, 2);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	assert_true(apic_covers(0xfe000000, 0x1000000));
	assert_false(apic_covers(PAGE + PAGE_SIZE, PAGE_SIZE));
	assert_false(apic_covers(PAGE - PAGE_SIZE, PAGE_SIZE));
	assert_true(apic_write_base(&vcpus[0], OTHER | ON));
	assert_true(real_base == (OTHER | ON));
	assert_true(apic_read_base(&vcpus[0]) == (OTHER | ON));
	assert_true(apic_covers(PAGE, PAGE_SIZE) && apic_covers(OTHER, PAGE_SIZE));
	assert_int_equal(drops, 2);
	assert_true(dropped[0] == PAGE && dropped[1] == OTHER);
	/* There its registers are; at the other's page there is nothing of its own. */
	store(APIC_ICR, 0xc4500);
	assert_true(got[0] == NOTHING && got[1] == NOTHING);
	assert_int_equal(registers[MAX - 1][APIC_ICR / 4], 0xc4500);
	forget();
	assert_true(apic_npf(&vcpus[0], OTHER + APIC_ICR));
	assert_true(got[0] == NOTHING && got[1] == INIT);
	on(1);
	assert_true(apic_write_base(&vcpus[1], OTHER | ON));
	assert_false(apic_covers(PAGE, PAGE_SIZE));
	assert_true(apic_write_base(&vcpus[1], OTHER | ON));
}

static void it_may_not_move(void **state)
{
	const uint64_t bad[] = {
		0x7f000000 | ON,   /* L0's memory */
		0x5000 | ON,       /* L1's memory */
		0x9000000000 | ON, /* where L0 does not see it */
		PAGE | ON | 1,     /* reserved bits */
		PAGE | ON | 1ull << 40,
		PAGE | X2, /* a mode that is none */
		ON,
	};

	(void)state;
	machine(2);
	memory_at = 0x5000;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(apic_write_base(&vcpus[0], bad[i]));
		assert_true(apic_read_base(&vcpus[0]) == (PAGE | ON));
	}
	wrmsr_faults = true;
	assert_false(apic_write_base(&vcpus[0], OTHER | ON));
	assert_false(apic_covers(OTHER, PAGE_SIZE));
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	assert_int_equal(base_writes, 0);
	wrmsr_faults = false;
	/* So many pages and no more. */
	machine(MAX - 1);
	for (unsigned int i = 0; i < MAX - 1; i++) {
		on(i);
		assert_int_equal(apic_write_base(&vcpus[i], (OTHER + i * PAGE_SIZE) | ON),
		                 i + 1 < PAGES_MAX || i == MAX - 2);
		if (i + 1 == PAGES_MAX) /* the last one leaves PAGE: then there is room */
			assert_true(apic_write_base(&vcpus[i], OTHER | ON));
	}
}

static void disabled(void **state)
{
	(void)state;
	machine(2);
	registers[0][APIC_TIMER / 4] = 0x20030;
	assert_true(apic_write_base(&vcpus[0], PAGE));
	assert_true(apic_read_base(&vcpus[0]) == PAGE);
	assert_true(real_base == (PAGE | ON));
	assert_int_equal(registers[0][APIC_LINT0 / 4], 0x700);
	assert_int_equal(registers[0][APIC_TIMER / 4], 0x10000);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	assert_false(apic_write_base(&vcpus[0], PAGE | ON | X2));
	assert_true(apic_write_base(&vcpus[0], PAGE | ON));
	assert_true(apic_read_base(&vcpus[0]) == (PAGE | ON));
}

static void x2apic(void **state)
{
	(void)state;
	machine(3);
	assert_false(x2apic_write_icr(&vcpus[0], 0xc40fd));
	for (unsigned int i = 0; i < 3; i++) {
		on(i);
		x2_msr[APIC_ID / 16] = 0x100 + i;
		x2_msr[APIC_LDR / 16] = 0x100000 | 1u << i;
		assert_true(apic_write_base(&vcpus[i], PAGE | ON | X2));
		assert_true(real_base == (PAGE | ON | X2));
	}
	assert_false(apic_covers(PAGE, PAGE_SIZE));
	on(0);
	forget();
	registers[0][APIC_ICR / 4] = 0x55;
	assert_true(x2apic_write_icr(&vcpus[0], 0x10200004500));
	assert_got(1 << 2, INIT);
	forget();
	assert_true(x2apic_write_icr(&vcpus[0], 0x10000500004e21)); /* logical */
	assert_got(1 << 0 | 1 << 2, 0x21);
	forget();
	assert_true(x2apic_write_icr(&vcpus[0], 0x20000500004e21));
	assert_got(0, 0);
	assert_true(x2apic_write_icr(&vcpus[0], 0xffffffff00004500));
	assert_got(7, INIT);
	forget();
	assert_true(x2apic_write_icr(&vcpus[0], 0xff00004500));
	assert_got(0, 0);
	assert_true(x2apic_write_icr(&vcpus[0], 0xc4612));
	assert_got(6, 0x12);
	assert_int_equal(icr_writes, 0);
	assert_true(x2apic_write_icr(&vcpus[0], 0x101000040fd));
	assert_true(icr_msr == 0x101000040fd);
	assert_false(x2apic_write_icr(&vcpus[0], 1ull << 12 | 0x4500));
	assert_false(x2apic_write_icr(&vcpus[0], 1ull << 20 | 0x40fd));
	assert_int_equal(icr_writes, 1);
	/* Straight to xAPIC mode is no way; by disabling it is. */
	assert_false(apic_write_base(&vcpus[0], PAGE | ON));
	assert_true(apic_write_base(&vcpus[0], PAGE));
	assert_false(x2apic_write_icr(&vcpus[0], 0xc40fd));
	assert_true(real_base == (PAGE | ON | X2));
	base_writes = 0;
	assert_true(apic_write_base(&vcpus[0], PAGE | ON));
	assert_int_equal(base_writes, 2);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
}

static void on_tcg(void **state)
{
	(void)state;
	machine(2);
	features.tcg = true;
	vcpus[0].apic.base |= APIC_BASE_BSP;
	assert_true(apic_write_base(&vcpus[0], OTHER | ON | X2));
	assert_true(apic_read_base(&vcpus[0]) == (OTHER | ON | APIC_BASE_BSP));
	assert_int_equal(base_writes, 0);
	assert_true(apic_covers(PAGE, PAGE_SIZE));
	assert_true(apic_write_base(&vcpus[0], PAGE));
	assert_true(apic_write_base(&vcpus[0], PAGE | ON));
	assert_true(apic_read_base(&vcpus[0]) == (PAGE | APIC_BASE_BSP));
	command(2, 0x4500);
	assert_got(2, INIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(physical),        cmocka_unit_test(shorthands),
		cmocka_unit_test(logical),         cmocka_unit_test(all_else_passes),
		cmocka_unit_test(odd_accesses),    cmocka_unit_test(read_modify_write),
		cmocka_unit_test(refused),         cmocka_unit_test(decode_assists),
		cmocka_unit_test(one_processor),   cmocka_unit_test(it_moves),
		cmocka_unit_test(it_may_not_move), cmocka_unit_test(disabled),
		cmocka_unit_test(x2apic),          cmocka_unit_test(on_tcg),
	};

	return cmocka_run_group_tests_name("apic", tests, NULL, NULL);
}
