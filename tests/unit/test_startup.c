/*
 * svm/start/startup.c, svm/event/interrupt.c and svm/cpus/processors.c: what INIT, SIPI and NMI do
 * to a processor that waits, runs L1 or L2, with GIF 0 or 1 (AMD64 APM vol. 2,
 * sections 15.13.4, 15.17, 15.28), behind an event that is being injected (15.20), or while L0
 * waits for another processor; INIT that comes to L0 as #SX, and internal SMIs (15.22), which no
 * emulator has. The world switch is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/stack.h"
#include "hv/x86.h"

static struct stack_base base;
static void fake_window(void);
static void ignore(uint64_t value);
static uint64_t zero(void);
static uint64_t fake_rdtsc(void);

/* What cannot be executed here. */
#define stack_base()            (&base)
#define open_gif_window         fake_window
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

#include "svm/event/interrupt.c"
#include "svm/event/priority.c"
#include "svm/settle.c"
#include "svm/cpus/processors.c"
#include "svm/start/startup.c"

struct features features;
struct mmu mmu;
static struct vcpu first, vcpu;
static struct vmcb vmcb01, vmcb02, halt;
static struct vcpu *table[PROCESSORS_MAX];
static unsigned int pending_nmis, pending_inits; /* that the next window takes */
static unsigned int sent;                        /* NMIs, to any processor */
static unsigned int sent_smis;
static unsigned int inits; /* that were taken */
static int exception;
static uint64_t exit_code;
static jmp_buf ended; /* by a reset, or by a wait that nothing ends */
enum { RESET = 1, WAITS };
static unsigned int (*while_waiting)(void); /* NMIs that come; 0: none ever will */

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

/* A processor may be interrupted, so to say, where it looks at the time: by what another does. */
static uint64_t tsc;
static void (*meanwhile)(void);

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

void apic_was_reset(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
}

void machine_init_control(struct vcpu *of)
{
	memset(&of->vmcb01->control, 0, sizeof(of->vmcb01->control));
}

void machine_init_segments(struct vcpu *of, void (*change)(struct vmcb_save *save))
{
	change(&of->vmcb01->save);
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

static int setup(void **state)
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
	return 0;
}

/* 0: the guest may run; else how it ended. */
static int attend(void)
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

static void run_l2(uint32_t intercepts)
{
	vcpu.guest_mode = true;
	vcpu.vmcb = &vmcb02;
	vcpu.nested.ctl.intercepts[INTERCEPT_MISC1] = intercepts;
}

static void init_makes_it_wait(void **state)
{
	(void)state;
	vcpu_init(&vcpu);
	assert_int_equal(attend(), WAITS);
	assert_int_equal(inits, 1);
	vcpu_sipi(&vcpu, 0x9e);
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.save.cs.base, 0x9e000);
	vcpu_sipi(&vcpu, 0x11); /* it runs */
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.save.cs.base, 0x9e000);
}

/* However many there are, whatever their ids are; the first one's stands where it will. */
static void processors_have_ids(void **state)
{
	static struct vcpu all[PROCESSORS_MAX];
	static const unsigned int counts[] = {1, 2, 3, 8, 254, 255, 256, 257, 1000, PROCESSORS_MAX};

	(void)state;
	for (unsigned int n = 0; n < sizeof(counts) / sizeof(*counts); n++) {
		unsigned int total = counts[n], self = total / 2;

		processors_init(PROCESSORS_MAX);
		vcpu_total = 0;
		for (unsigned int i = 0; i < total; i++) {
			unsigned int place = i == 0 ? self : i <= self ? i - 1 : i;

			all[i].cpu.apic_id = 3 * place + (place > 300 ? 1u << 20 : 0);
			processors_add(&all[i]);
		}
		assert_int_equal(vcpu_count(), total);
		assert_int_equal(all[0].cpu.alone, total == 1);
		for (unsigned int i = 0; i < total; i++) {
			assert_ptr_equal(vcpu_at(i), &all[i]);
			assert_ptr_equal(vcpu_by_id(all[i].cpu.apic_id), &all[i]);
			assert_null(vcpu_by_id(all[i].cpu.apic_id + 1));
		}
		assert_null(vcpu_by_id(UINT32_MAX));
	}
}

static void init_of_the_first_resets(void **state)
{
	(void)state;
	vcpus[0] = &vcpu;
	vcpu_init(&vcpu);
	assert_int_equal(attend(), RESET);
}

static void gif_holds_init_and_sipi_is_lost(void **state)
{
	(void)state;
	set_gif(&vcpu, false);
	vcpu_init(&vcpu);
	vcpu_sipi(&vcpu, 6);
	assert_int_equal(attend(), 0);
	vcpu_sipi(&vcpu, 7);
	assert_int_equal(attend(), 0);
	assert_int_equal(inits, 0);
	set_gif(&vcpu, true);
	assert_int_equal(attend(), WAITS);
	assert_int_equal(inits, 1);
	assert_false(vcpu.event.due.init);
	assert_int_equal(vcpu.cpu.startup, STARTUP_WAITING);
}

/* The event has been injected, and the NMI that L0 sent itself ends the guest. */
static void exits_after_event(void)
{
	vcpu.vmcb->control.event_inj = 0;
	vcpu.vmcb->control.exit_code = VMEXIT_NMI;
	pending_nmis = 1;
	handle_signal(&vcpu);
}

static void l1_intercepts_init(void **state)
{
	(void)state;
	run_l2(MISC1_INIT);
	/* First what is to be injected; then the processor exits, for L0 to look again. */
	vmcb02.control.event_inj = EVENT_VALID | 0x31;
	vcpu_init(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(exit_code, 0);
	assert_int_equal(vmcb02.control.event_inj, EVENT_VALID | 0x31);
	assert_int_equal(sent, 1);
	exits_after_event();
	assert_int_equal(attend(), 0);
	assert_int_equal(exit_code, VMEXIT_INIT);
	assert_int_equal(vmcb02.control.exit_int_info, 0);
	assert_int_equal(inits, 0);
	set_gif(&vcpu, true);
	assert_int_equal(attend(), WAITS);
	assert_int_equal(inits, 1);
}

static void l1_does_not(void **state)
{
	(void)state;
	run_l2(0);
	vcpu_init(&vcpu);
	assert_int_equal(attend(), WAITS);
	assert_false(vcpu.guest_mode);
	assert_int_equal(exit_code, 0);
}

static void redirected(void **state)
{
	(void)state;
	vcpu.vm_cr = VM_CR_R_INIT;
	vcpu_init(&vcpu);
	vcpu_sipi(&vcpu, 6);
	assert_int_equal(attend(), 0);
	assert_int_equal(exception, VEC_SX);
	assert_int_equal(vcpu.cpu.startup, 0);
	/* Behind an event that is to be injected. */
	exception = -1;
	vmcb01.control.event_inj = EVENT_VALID | VEC_GP;
	vcpu_init(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(exception, -1);
	assert_int_equal(sent, 1);
	exits_after_event();
	assert_false(vcpu.event.due.nmi);
	assert_int_equal(attend(), 0);
	assert_int_equal(exception, VEC_SX);
}

static unsigned int an_init_then_sipi(void)
{
	pending_inits = inits == 1;
	if (inits == 2)
		vcpu_sipi(&vcpu, 6);
	vcpu.cpu.kicked = 0;
	return 1;
}

/* From an I/O APIC, say. An NMI in the same window is not lost. */
static void init_by_no_icr(void **state)
{
	(void)state;
	pending_inits = pending_nmis = 1;
	handle_signal(&vcpu);
	assert_true(vcpu.event.due.nmi && vcpu.event.due.init);
	assert_int_equal(attend(), WAITS);
	assert_int_equal(inits, 1);
	assert_false(vcpu.event.due.nmi || vcpu.event.due.init);
	/* One that waits for SIPI does so anew. */
	while_waiting = an_init_then_sipi;
	assert_int_equal(attend(), 0);
	assert_int_equal(inits, 2);
	assert_false(vcpu.event.due.init);
}

static unsigned int an_nmi_then_sipi(void)
{
	vcpu_sipi(&vcpu, 6);
	vcpu.cpu.kicked = 0;
	return 1;
}

static void nmi_waits_for_sipi(void **state)
{
	uint64_t nmi = VEC_NMI | (uint64_t)EVENT_NMI << EVENT_TYPE_SHIFT | EVENT_VALID;

	(void)state;
	vcpu_nmi(&vcpu);
	vcpu_init(&vcpu); /* takes it away */
	assert_int_equal(attend(), WAITS);
	vcpu_nmi(&vcpu);
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), WAITS);
	vcpu_sipi(&vcpu, 6);
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.control.event_inj, nmi);
	assert_false(vcpu.event.due.nmi);
	/* A physical one. */
	vmcb01.control.event_inj = 0;
	vcpu_init(&vcpu);
	while_waiting = an_nmi_then_sipi;
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.control.event_inj, nmi);
}

static void nmis_and_kicks(void **state)
{
	(void)state;
	vcpu.cpu.kicked = 1;
	pending_nmis = 1;
	handle_signal(&vcpu);
	assert_false(vcpu.event.due.nmi);
	vcpu.cpu.kicked = 1;
	pending_nmis = 2;
	handle_signal(&vcpu);
	assert_true(vcpu.event.due.nmi);
	vcpu.event.due.nmi = false;
	pending_nmis = 1;
	handle_signal(&vcpu);
	assert_true(vcpu.event.due.nmi);
}

/* startup.pml, S14: an NMI, the INIT that takes it away, an NMI behind it, amid attend_nmi(). */
static void nmi_behind_init_is_kept(void **state)
{
	(void)state;
	vcpu_nmi(&vcpu);
	vcpu_init(&vcpu);
	vcpu_nmi(&vcpu);
	attend_nmi(&vcpu, STARTUP_NMI);
	assert_false(vcpu.event.due.nmi);
	assert_int_equal(vcpu.cpu.startup, STARTUP_INIT | STARTUP_NMI);
}

static void kick_by_another(void)
{
	vcpu_kick(&vcpu);
}

/* processors.pml, P1: each of them would send one, and L1 would get the second. */
static void two_kick_at_once(void **state)
{
	(void)state;
	base.processor = &first;
	meanwhile = kick_by_another;
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 1);
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 1);
	/* One that is lost is sent again, once. */
	tsc += (uint64_t)KICK_AGAIN;
	meanwhile = kick_by_another;
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 2);
	assert_true(vcpu_was_kicked(&vcpu));
	assert_false(vcpu_was_kicked(&vcpu));
	vcpu_kick(&vcpu);
	assert_int_equal(sent, 3);
}

#define EVENT_OF_NMI (VEC_NMI | (uint64_t)EVENT_NMI << EVENT_TYPE_SHIFT | EVENT_VALID)
#define EVENT_OF_UD  (VEC_UD | (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT | EVENT_VALID)

static void nmi_behind_an_event(void **state)
{
	(void)state;
	vmcb01.control.event_inj = EVENT_OF_UD;
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.control.event_inj, EVENT_OF_UD);
	assert_int_equal(sent, 1);
	exits_after_event();
	assert_true(vcpu.event.due.nmi);
	settle(&vcpu);
	assert_int_equal(vmcb01.control.event_inj, EVENT_OF_NMI);
	/* The next one waits for IRET, which exits anyway. */
	vmcb01.control.event_inj = EVENT_OF_UD;
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(sent, 1);
}

static void nmi_behind_an_event_of_l2(void **state)
{
	(void)state;
	run_l2(MISC1_NMI);
	vcpu.event.nmi_blocked =
		true; /* in L1, which has come here from its handler: it exits all the same */
	vmcb02.control.event_inj = EVENT_OF_UD;
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(exit_code, 0);
	assert_int_equal(sent, 1);
	exits_after_event();
	settle(&vcpu);
	assert_int_equal(exit_code, VMEXIT_NMI);
	assert_true(vcpu.event.due.nmi);
}

/* A wait for another processor lets NMIs in: none is lost, and none is added. */
static void nmis_while_l0_waits(void **state)
{
	(void)state;
	processors_wait();
	assert_int_equal(vcpu.cpu.startup, 0);
	pending_nmis = 1;
	processors_wait();
	processors_wait();
	assert_int_equal(vcpu.cpu.startup, STARTUP_NMI);
	assert_int_equal(attend(), 0);
	assert_int_equal(vmcb01.control.event_inj, EVENT_OF_NMI);
	vcpu.cpu.kicked = true;
	pending_nmis = 1;
	processors_wait();
	assert_int_equal(vcpu.cpu.startup, 0);
	assert_false(vcpu.cpu.kicked);
	pending_inits = 1;
	processors_wait();
	assert_true(vcpu.event.due.init);
	assert_int_equal(sent, 1); /* settle() may be over: the guest exits at once */
}

/* The NMI that was to end the guest behind its event has come too early: there is another. */
static void wait_behind_an_event(void **state)
{
	(void)state;
	vmcb01.control.event_inj = EVENT_OF_UD;
	vcpu_nmi(&vcpu);
	assert_int_equal(attend(), 0);
	assert_int_equal(sent, 1);
	processors_wait(); /* it is still on its way */
	assert_int_equal(sent, 1);
	pending_nmis = 1;
	processors_wait();
	assert_int_equal(sent, 2);
	assert_true(vcpu.cpu.kicked);
	assert_int_equal(vcpu.cpu.startup, 0);
}

static unsigned int turns;

static void another_one_goes_on(void)
{
	processors_wait();
	if (++turns == 3)
		lock_release(&mmu_lock);
}

/* Who waits for a lock lets NMIs in, too, as often as it looks. */
static void nmi_while_waiting_for_a_lock(void **state)
{
	(void)state;
	assert_ptr_equal(mmu_lock.wait, processors_wait);
	lock_take(&mmu_lock);
	mmu_lock.wait = another_one_goes_on;
	pending_nmis = 1;
	lock_take(&mmu_lock);
	lock_release(&mmu_lock);
	mmu_lock.wait = processors_wait;
	assert_int_equal(turns, 3);
	assert_int_equal(vcpu.cpu.startup, STARTUP_NMI);
}

/* An external one is pending still, an internal one is not; APM vol. 2, section 15.22.2. */
static void smis(void **state)
{
	(void)state;
	vmcb01.control.exit_code = VMEXIT_SMI;
	handle_signal(&vcpu);
	assert_int_equal(sent_smis, 0);
	vmcb01.control.exit_info1 = SMI_INTERNAL;
	pending_nmis = 1;
	handle_signal(&vcpu);
	assert_int_equal(sent_smis, 1);
	assert_true(vcpu.event.due.nmi);
	vmcb01.control.exit_code = VMEXIT_NMI; /* whose EXITINFO1 says nothing */
	handle_signal(&vcpu);
	assert_int_equal(sent_smis, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(init_makes_it_wait, setup),
		cmocka_unit_test_setup(processors_have_ids, setup),
		cmocka_unit_test_setup(init_of_the_first_resets, setup),
		cmocka_unit_test_setup(gif_holds_init_and_sipi_is_lost, setup),
		cmocka_unit_test_setup(l1_intercepts_init, setup),
		cmocka_unit_test_setup(l1_does_not, setup),
		cmocka_unit_test_setup(redirected, setup),
		cmocka_unit_test_setup(init_by_no_icr, setup),
		cmocka_unit_test_setup(nmi_behind_an_event, setup),
		cmocka_unit_test_setup(nmi_behind_an_event_of_l2, setup),
		cmocka_unit_test_setup(nmis_while_l0_waits, setup),
		cmocka_unit_test_setup(wait_behind_an_event, setup),
		cmocka_unit_test_setup(nmi_while_waiting_for_a_lock, setup),
		cmocka_unit_test_setup(smis, setup),
		cmocka_unit_test_setup(nmi_waits_for_sipi, setup),
		cmocka_unit_test_setup(nmis_and_kicks, setup),
		cmocka_unit_test_setup(nmi_behind_init_is_kept, setup),
		cmocka_unit_test_setup(two_kick_at_once, setup),
	};

	return cmocka_run_group_tests_name("startup", tests, NULL, NULL);
}
