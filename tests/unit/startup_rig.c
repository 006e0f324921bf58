/*
 * A processor between INIT and SIPI, with its fellow, for tests of svm/start/startup.c,
 * svm/event/interrupt.c and svm/cpus/processors.c. Relies on tests/unit/startup_rig.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hv/stack.h"
#include "hv/x86.h"

struct stack_base base;
static void fake_window(void);
static void ignore(uint64_t value);
static uint64_t zero(void);
static uint64_t fake_rdtsc(void);

/* What cannot be executed here. */
#define stack_base()            (&base)
#define open_gif_window         fake_window
#define open_gif()              ((void)0)
#define clear_debug_addresses() ((void)0)
#define cpuid(leaf, subleaf)    ((struct cpuid_regs){.eax = 0x60fb1})
#define rdmsr(msr)              zero()
#define rdtsc                   fake_rdtsc
#define read_cr0                zero
#define read_cr3                zero
#define read_cr4                zero
#define read_cr8                zero
#define write_cr8               ignore
#define write_cr2               ignore

#include "tests/unit/startup_rig.h"

#include "svm/event/interrupt.c"
#include "svm/event/priority.c"
#include "svm/settle.c"
#include "svm/cpus/processors.c"
#include "svm/start/startup.c"

struct features features;
struct mmu mmu;
struct vcpu first, vcpu;
struct vmcb vmcb01, vmcb02;
unsigned int pending_nmis, pending_inits;
unsigned int sent, sent_smis, inits;
int exception;
uint64_t exit_code;
unsigned int (*while_waiting)(void);
uint64_t tsc;
void (*meanwhile)(void);

static struct vmcb halt;
static struct vcpu *table[PROCESSORS_MAX];
static jmp_buf ended; /* by a reset, or by a wait that nothing ends */

static void fake_window(void)
{
	base.nmis += pending_nmis;
	base.inits += pending_inits;
	pending_nmis = pending_inits = 0;
}

static void ignore(uint64_t value)
{
	(void)value;
}

static uint64_t zero(void)
{
	return 0;
}

static uint64_t fake_rdtsc(void)
{
	uint64_t now = ++tsc;
	void (*then)(void) = meanwhile;

	meanwhile = NULL;
	if (then)
		then();
	return now;
}

void *heap_pages(uint64_t pages)
{
	assert_int_equal(pages, processors_table_pages(PROCESSORS_MAX));
	memset(table, 0, sizeof(table));
	return table;
}

void lapic_send(uint32_t id, uint32_t command)
{
	(void)id;
	if (command == ICR_SMI) {
		sent_smis++;
		return;
	}
	assert_int_equal(command, ICR_NMI);
	sent++;
}

void lapic_init(void)
{
	assert_false(vcpu.quirks.tpr_held); /* what it leaves in the TPR is L1's */
	inits++;
}

void look_for_machine_checks(struct vcpu *vcpu)
{
	(void)vcpu;
}

void perf_switch(struct vcpu *vcpu)
{
	(void)vcpu;
}

uint8_t quirk_read_tpr(const struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
	return 0;
}

void quirk_write_tpr(struct vcpu *of, uint8_t value)
{
	(void)of, (void)value;
	fail(); /* INIT takes what was in V_TPR with it */
}

unsigned int holds;

void quirk_hold_interrupts(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
	assert_true(of->event.due.hold);
	holds++;
}

void apic_was_reset(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
}

void machine_init_control(struct vcpu *of)
{
	memset(&of->vmcb01->control, 0, sizeof(of->vmcb01->control));
}

void machine_init_segments(struct vcpu *of, const struct l1_start *start)
{
	assert_null(start);
	start_state_init(&of->vmcb01->save);
}

void intercept_for_l0(struct vmcb_control *control)
{
	(void)control;
}

bool nmi_may_be_l1s(struct vcpu *of)
{
	(void)of;
	return false;
}

void reset_machine(const char *why)
{
	assert_non_null(why);
	longjmp(ended, RESET);
}

void panic(const char *format, ...)
{
	fail_msg("%s", format);
	__builtin_unreachable();
}

void step_begin(struct vcpu *of)
{
	(void)of;
	fail();
}

enum step_end step_end(struct vcpu *of, bool loads_rflags)
{
	(void)of, (void)loads_rflags;
	fail();
	return STEP_DONE;
}

bool step_was_all(struct vcpu *of)
{
	(void)of;
	fail();
	return false;
}

void raise_exception(struct vcpu *of, unsigned int vector, uint32_t error_code)
{
	assert_ptr_equal(of, &vcpu);
	assert_int_equal(error_code, 1);
	exception = (int)vector;
}

void shut_down(struct vcpu *of)
{
	(void)of;
	fail();
}

bool has_error_code(unsigned int vector)
{
	(void)vector;
	return false;
}

uint64_t interrupted_event(struct vcpu *of)
{
	return of->vmcb->control.exit_int_info;
}

void log_set_serial(bool on)
{
	(void)on;
}

void report_guest(void)
{
}

void nested_exit(struct vcpu *of, uint64_t code, uint64_t info1, uint64_t info2)
{
	assert_true(of->guest_mode && !info1 && !info2);
	exit_code = code;
	of->guest_mode = false;
	of->vmcb = of->vmcb01;
	of->event.gif = false;
}

void svm_enter(struct vcpu *of)
{
	assert_int_equal(of->vmcb_hpa, of->cpu.halt_hpa);
	pending_nmis = while_waiting ? while_waiting() : 0;
	if (!pending_nmis)
		longjmp(ended, WAITS);
	halt.control.exit_code = VMEXIT_NMI;
}

uint64_t mmu_current_root(const struct mmu *of, const struct mmu_cpu *cpu,
                          const struct guest_tables *tables, uint32_t asid)
{
	(void)of, (void)cpu, (void)tables, (void)asid;
	return 0;
}

uint64_t mmu_load_root(struct mmu *of, struct mmu_cpu *cpu, const struct guest_tables *tables,
                       uint32_t asid)
{
	(void)of, (void)cpu, (void)tables, (void)asid;
	return 0;
}

bool mmu_wants_note(const struct mmu *of, uint64_t gpa)
{
	(void)of, (void)gpa;
	return false;
}

void mmu_note_write(struct mmu *of, uint64_t gpa)
{
	(void)of, (void)gpa;
}

void mmu_flush_all_asids(struct mmu_cpu *cpu)
{
	assert_ptr_equal(cpu, &vcpu.mmu_cpu);
}

uint64_t iopm01[IOPM_SIZE / sizeof(uint64_t)];

uint64_t hpa_of(const void *at)
{
	return (uintptr_t)at;
}

int rig_setup(void **state)
{
	(void)state;
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.nested.slot = &vcpu.nested.vmcb02s[0];
	memset(&vmcb01, 0, sizeof(vmcb01));
	memset(&vmcb02, 0, sizeof(vmcb02));
	memset(&base, 0, sizeof(base));
	vcpu.vmcb = vcpu.vmcb01 = &vmcb01;
	vcpu.vmcb02 = &vmcb02;
	vcpu.cpu.halt = &halt;
	vcpu.cpu.halt_hpa = 0x5000;
	vcpu.vmcb01_hpa = 0x1000;
	vcpu.event.gif = true;
	vcpus = table;
	vcpus[0] = &first;
	vcpus[1] = &vcpu;
	vcpu_total = 2;
	base.processor = &vcpu;
	exception = -1;
	exit_code = 0;
	inits = sent = sent_smis = pending_nmis = pending_inits = 0;
	while_waiting = NULL;
	meanwhile = NULL;
	return 0;
}

int attend(void)
{
	int how = setjmp(ended);

	if (how)
		return how;
	settle(&vcpu);
	while (vcpu.cpu.startup) {
		startup_attend(&vcpu);
		settle(&vcpu);
	}
	return 0;
}

void run_l2(uint32_t intercepts)
{
	vcpu.guest_mode = true;
	vcpu.vmcb = &vmcb02;
	vcpu.nested.ctl.intercepts[INTERCEPT_MISC1] = intercepts;
}

void exits_after_event(void)
{
	vcpu.vmcb->control.event_inj = 0;
	vcpu.vmcb->control.exit_code = VMEXIT_NMI;
	pending_nmis = 1;
	handle_signal(&vcpu);
}

void rig_vcpu_is_first(void)
{
	vcpus[0] = &vcpu;
}

void rig_no_processors(void)
{
	processors_init(PROCESSORS_MAX);
	vcpu_total = 0;
}

void rig_attend_nmi(uint32_t startup)
{
	attend_nmi(&vcpu, startup);
}
