/*
 * What svm/apic/apic.c, svm/apic/base.c and svm/apic/kept.c stand on, for unit tests: registers
 * and MSRs that are arrays, other parts of L0 that note what they are asked. Relies on
 * tests/unit/apic_rig.h.
 */
#include "svm/vcpu.h"

static uint64_t fake_rdmsr(uint32_t msr);
static void fake_wrmsr(uint32_t msr, uint64_t value);

#define rdmsr fake_rdmsr
#define wrmsr fake_wrmsr
#include "tests/unit/apic_rig.h"

#include "svm/apic/apic.c"
#include "svm/apic/base.c"
#include "svm/apic/decode.c"
#include "svm/apic/kept.c"
#include "svm/decode/operand.c"
#include "svm/quirks/vector0.c"

struct features features;
struct mmu mmu;

struct vcpu vcpus[MAX];
struct vmcb vmcb;
static unsigned int count;
uint32_t registers[MAX][PAGE_SIZE / 4];
uint64_t real_base, x2_msr[256], icr_msr;
unsigned int icr_writes, base_writes;
bool wrmsr_faults;
int got[MAX];
uint64_t dropped[8];
unsigned int drops;
int exception;
uint8_t code[INSTRUCTION_MAX];
unsigned int code_length;
uint64_t in_delivery, memory_at, data_at;
void (*guest_runs)(struct vmcb *vmcb);
uint32_t data;
unsigned int intercepted, lines, looked_at;
uint64_t in_window;
bool window_is_full;
enum { RIP = 0x1234 };

static unsigned int current; /* the processor that the test is on */
const unsigned int pages_max = PAGES_MAX;

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
	if (msr == X2APIC_MSR(APIC_ICR)) {
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

	/* Others kick a processor by its id at any time, while its INIT reads its names, too. */
	assert_in_range(vcpus[current].apic.id, 0, 0xffffff);
	if (page == address_of(real_base))
		return (char *)registers[current] + (hpa & APIC_PAGE_OFFSET);
	return (char *)registers[MAX - 1] + (hpa & APIC_PAGE_OFFSET);
}

bool window_device(uint64_t hpa)
{
	in_window = hpa & ~APIC_PAGE_OFFSET;
	return !window_is_full;
}

unsigned int vcpu_count(void)
{
	return count;
}

struct vcpu *vcpu_at(unsigned int index)
{
	assert_true(index < count);
	looked_at++;
	return &vcpus[index];
}

struct vcpu *vcpu_by_id(uint32_t apic_id)
{
	for (unsigned int i = 0; i < count; i++) {
		if (vcpus[i].cpu.apic_id == apic_id)
			return &vcpus[i];
	}
	return NULL;
}

void vcpu_init(struct vcpu *target)
{
	assert_int_equal(got[target - vcpus], NOTHING);
	got[target - vcpus] = INIT;
}

void vcpu_nmi(struct vcpu *target)
{
	assert_int_equal(got[target - vcpus], NOTHING);
	got[target - vcpus] = NMI;
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

const void *l1_code_page(uint64_t gpa)
{
	return l1_page(NULL, gpa);
}

bool l1_memory_hidden(uint64_t gpa, uint64_t size)
{
	return size && gpa == 0x7f000000;
}

void msr_intercept_both(struct vcpu *vcpu, uint32_t msr)
{
	assert_ptr_equal(vcpu, &vcpus[current]);
	assert_int_equal(msr, 0x808);
	intercepted++;
}

uint64_t hpa_of(const void *at)
{
	assert_ptr_equal(at, vcpus[current].quirks.without_busy);
	return PROBED_HPA;
}

/* The processor of a probe. */
void svm_enter(struct vcpu *vcpu)
{
	assert_int_equal(vcpu->vmcb_hpa, PROBED_HPA);
	assert_int_equal(vcpu->host_flags, RFLAGS_FIXED);
	assert_non_null(guest_runs);
	guest_runs(vcpu->quirks.without_busy);
}

void msr_intercept_write(struct vcpu *vcpu, uint32_t msr)
{
	assert_true(msr == 0x830 || (msr >= 0x832 && msr <= 0x837) ||
	            (msr >= 0x850 && msr <= 0x853));
	assert_ptr_equal(vcpu, &vcpus[current]);
	intercepted++;
}

void raise_exception(struct vcpu *vcpu, unsigned int vector, uint32_t error_code)
{
	assert_ptr_equal(vcpu, &vcpus[current]);
	assert_int_equal(error_code, 0);
	exception = (int)vector;
}

void raise_fault(struct vcpu *vcpu, unsigned int vector, uint32_t error_code)
{
	raise_exception(vcpu, in_delivery ? VEC_DF : vector, error_code);
}

uint64_t interrupted_event(struct vcpu *vcpu)
{
	(void)vcpu;
	return in_delivery;
}

void raise_step(struct vcpu *of)
{
	(void)of;
	fail();
}

unsigned int finished(void)
{
	unsigned int bytes = (unsigned int)(vmcb.save.rip - RIP);

	vmcb.save.rip = RIP;
	return bytes;
}

uint64_t linear_rip(const struct vmcb_save *save)
{
	return save->rip;
}

unsigned int fetch(struct vcpu *vcpu, uint64_t linear, uint8_t *to, unsigned int bytes)
{
	(void)vcpu;
	if (bytes == sizeof(data)) {
		memcpy(to, &data, bytes);
		return linear == data_at ? bytes : 0;
	}
	assert_true(linear == vmcb.save.rip && bytes == INSTRUCTION_MAX);
	memcpy(to, code, code_length);
	return code_length;
}

const uint8_t *code_at_rip(struct vcpu *vcpu)
{
	(void)vcpu;
	return code_length == INSTRUCTION_MAX ? code : NULL;
}

void log_aloud(const char *format, ...)
{
	(void)format;
	lines++;
}

void log_info(const char *format, ...)
{
	(void)format;
	lines++;
}

void not_decoded(struct vcpu *of)
{
	(void)of;
}

void forget(void)
{
	for (unsigned int i = 0; i < MAX; i++)
		got[i] = NOTHING;
	exception = NOTHING;
	drops = looked_at = 0;
	vmcb.save.rip = RIP;
}

void on(unsigned int processor)
{
	current = processor;
	real_base = vcpus[processor].apic.page == APIC_NO_PAGE ? PAGE | ON | X2 : PAGE | ON;
}

void machine(unsigned int processors)
{
	memset(vcpus, 0, RIG_MAX == RIG_FEW ? sizeof(vcpus) : 0);
	memset(registers, 0, RIG_MAX == RIG_FEW ? sizeof(registers) : 0);
	memset(&vmcb, 0, sizeof(vmcb));
	memset(x2_msr, 0, sizeof(x2_msr));
	vmcb.save.cs.attributes = SEG_ATTR_DB;
	vmcb.save.rip = RIP;
	vmcb.control.exit_info1 = NPF_WRITE;
	features = (struct features){.phys_bits = 40};
	mmu.frame_count = 0x8000000000 >> PAGE_SHIFT;
	count = processors;
	intercepted = icr_writes = base_writes = 0;
	wrmsr_faults = false;
	in_delivery = memory_at = 0;
	page_count = 0;
	wide_ids = false;
	kept_count = 1; /* messages */
	real_base = PAGE | ON;
	for (unsigned int i = 0; i < processors; i++) {
		current = i;
		registers[i][APIC_ID / 4] = 2 * i << 24;
		registers[i][APIC_LDR / 4] = (1u << i % 8) << 24;
		registers[i][APIC_DFR / 4] = 0xffffffff;
		vcpus[i].vmcb = &vmcb;
		vcpus[i].cpu.apic_id = 2 * i;
		apic_init(&vcpus[i]);
	}
	on(0);
	forget();
}

void store(unsigned int offset, uint32_t value)
{
	static const uint8_t mov[] = {0xa3, 0, 0, 0, 0};

	memcpy(code, mov, sizeof(mov));
	code_length = sizeof(mov);
	vmcb.save.rax = value;
	forget();
	assert_true(apic_npf(&vcpus[current], PAGE + offset));
	assert_int_equal(finished(), sizeof(mov));
	assert_int_equal(exception, NOTHING);
}

void command(uint32_t destination, uint32_t low)
{
	store(APIC_ICR_HIGH, destination << 24);
	registers[current][APIC_ICR / 4] = 0x55;
	store(APIC_ICR, low);
}

void assert_got(unsigned int who, int what)
{
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(got[i], who >> i & 1 ? what : NOTHING);
	assert_int_equal(registers[current][APIC_ICR / 4], 0x55);
}
