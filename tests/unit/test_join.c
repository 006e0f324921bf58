/*
 * svm/start/join.c: when a further processor begins, what it has when it says that it has come, and
 * that it leaves the identity map that it came by. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/stack.h"
#include "hv/x86.h"

static struct stack_base base;
static jmp_buf ended;
static uint64_t fake_rdmsr(uint32_t msr);
static void fake_wrmsr(uint32_t msr, uint64_t value);
#define stack_base()         (&base)
#define halt_for_good()      longjmp(ended, HALTS)
#define rdmsr                fake_rdmsr
#define wrmsr                fake_wrmsr
#define cpuid(leaf, subleaf) ((struct cpuid_regs){.eax = 0x60fb1})

enum { HALTS = 1, RUNS };
#include "svm/start/join.c"

struct features features;
struct mmu mmu;
struct lock mmu_lock;
static struct vcpu vcpu, other;
static struct vmcb vmcb01;
static uint64_t vm_cr, efer, hsave;
static bool is_host, has_identity, has_names;
static unsigned int waits; /* until all are here */

static uint64_t fake_rdmsr(uint32_t msr)
{
	return msr == MSR_VM_CR ? vm_cr : msr == MSR_EFER ? efer : 0;
}

static void fake_wrmsr(uint32_t msr, uint64_t value)
{
	assert_int_equal(vcpu.cpu.join, JOIN_BEGUN); /* nobody gives it up any more */
	if (msr == MSR_EFER)
		efer = value;
	if (msr == MSR_VM_HSAVE_PA)
		hsave = value;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	(void)msr, (void)value;
	return false;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	(void)msr, (void)value;
	return false;
}

void exception_load(void)
{
}

void memory_types_init(struct vcpu *of, bool boot)
{
	assert_ptr_equal(of, &vcpu);
	assert_false(boot);
	assert_int_equal(of->cpu.join, JOIN_BEGUN);
}

void perf_init(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
}

void startup_init_halt(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
}

uint64_t mmu_direct_root(struct mmu *of, struct mmu_cpu *cpu)
{
	assert_ptr_equal(of, &mmu);
	assert_ptr_equal(cpu, &vcpu.mmu_cpu);
	assert_false(lock_try(&mmu_lock));
	return 0x7000;
}

void machine_init_control(struct vcpu *of)
{
	assert_int_equal(of->npt01, 0x7000);
}

void machine_init_segments(struct vcpu *of, const struct l1_start *start)
{
	assert_null(start);
	is_host = of == &vcpu && (efer & EFER_SVME) && hsave == 0x9000;
}

static const struct l1_start *begun_at;

void machine_begin_at(struct vcpu *of, const struct l1_start *start)
{
	begun_at = start;
	is_host = of == &vcpu && (efer & EFER_SVME) && hsave == 0x9000;
}

void update_interrupt_gate(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
}

/* The first processor says that all are here; until then the others need the map. */
void processors_wait(void)
{
	assert_int_equal(vcpu.cpu.join, JOIN_DONE);
	assert_true(has_identity && is_host && !has_names);
	assert_true(lock_try(&mmu_lock));
	lock_release(&mmu_lock);
	if (++waits == 3)
		all_are_here = true;
}

void paging_forget_identity(void)
{
	assert_true(all_are_here);
	has_identity = false;
}

/* On an old KVM: when the APIC is known, before anybody runs a guest. */
static unsigned int probes, watches;

void quirk_probe_vector0(struct vcpu *of)
{
	assert_ptr_equal(of, this_vcpu());
	features.vector0 = features.kvm;
	probes++;
}

void apic_watch_tpr(struct vcpu *of)
{
	assert_ptr_equal(of, this_vcpu());
	watches++;
}

void apic_init(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
	has_names = true;
}

unsigned int vcpu_count(void)
{
	return 2;
}

struct vcpu *vcpu_at(unsigned int index)
{
	return index ? &other : &vcpu;
}

void vcpu_run(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
	longjmp(ended, RUNS);
}

static int fresh(void **state)
{
	(void)state;
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.vmcb01 = &vmcb01;
	vcpu.cpu.hsave_hpa = 0x9000;
	base.processor = &vcpu;
	features = (struct features){.npt = true};
	mmu_lock = (struct lock){0};
	vm_cr = efer = hsave = 0;
	has_identity = true;
	is_host = has_names = all_are_here = false;
	waits = 0;
	return 0;
}

static int join(void)
{
	int how = setjmp(ended);

	if (!how)
		machine_join();
	return how;
}

static void joins(void **state)
{
	(void)state;
	assert_int_equal(join(), RUNS);
	assert_true(is_host && has_names && vcpu.cpu.ready);
	assert_false(has_identity);
	assert_int_equal(vcpu.cpu.startup, STARTUP_WAITING);
	assert_true(lock_try(&mmu_lock));
}

/* One that was taken amid the firmware goes on there, and waits for no SIPI. */
static void goes_on_where_it_was_taken(void **state)
{
	static const struct l1_start start;

	(void)state;
	vcpu.cpu.start = &start;
	assert_int_equal(join(), RUNS);
	assert_ptr_equal(begun_at, &start);
	assert_true(is_host && has_names && vcpu.cpu.ready);
	assert_int_equal(vcpu.cpu.startup, 0);
}

/* It touches nothing: INIT comes at any time. */
static void does_not_begin_when_given_up(void **state)
{
	(void)state;
	assert_true(join_decide(&vcpu, JOIN_GIVEN_UP));
	assert_int_equal(join(), HALTS);
	assert_false(is_host);
	assert_int_equal(efer, 0);
	assert_int_equal(vcpu.cpu.join, JOIN_GIVEN_UP);
	fresh(NULL);
	vm_cr = VM_CR_SVMDIS;
	assert_int_equal(join(), HALTS);
	assert_true(join_decide(&vcpu, JOIN_GIVEN_UP));
}

static void is_not_given_up_once_it_has_begun(void **state)
{
	(void)state;
	assert_int_equal(join(), RUNS);
	assert_false(join_decide(&vcpu, JOIN_GIVEN_UP));
	assert_int_equal(vcpu.cpu.join, JOIN_DONE);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(joins),
		TEST(goes_on_where_it_was_taken),
		TEST(does_not_begin_when_given_up),
		TEST(is_not_given_up_once_it_has_begun),
	};

	return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
