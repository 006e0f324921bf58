/*
 * What nested SVM stands on, for unit tests: memory that is an array, a world switch that only
 * exits, other parts of L0 that note what they are asked. Relies on tests/unit/nested_rig.h.
 */
#include "tests/unit/nested_rig.h"

#include <stdio.h>

#include "hv/stack.h"
#include "svm/emulate/control_registers.h"
#include "svm/shadowed/paging.h"

static unsigned long fake_cr8(void);
static void set_cr8(unsigned long value);
static void set_cr2(unsigned long value);
static void no_port(uint16_t port, uint8_t value);
static struct stack_base base;
static unsigned int pending_nmis;
unsigned int machine_checks_in_window;

/* What cannot be executed here. */
#define stack_base() (&base)
#define open_gif_window()                                                                          \
	(base.machine_checks += machine_checks_in_window, base.nmis += pending_nmis,               \
	 pending_nmis = 0)
#define open_gif() ((void)0)
#define read_cr8   fake_cr8
#define write_cr8  set_cr8
#define outb       no_port
#define write_cr2  set_cr2

#include "hv/reset.c"
#include "svm/exit.c"
#include "svm/settle.c"
#include "svm/event/interrupt.c"
#include "svm/event/machine_check.c"
#include "svm/nested/string_io.c"

struct vcpu vcpu;
struct vmcb vmcb01, vmcb02, entered;
static struct vmcb more_vmcb02s[VMCB02S - 1], seen[1 + VMCB02S];
struct vmcb *const vmcb12 = (struct vmcb *)ram;
uint64_t merged_msrpms[MERGED_MSRPMS][MSRPM_SIZE / sizeof(uint64_t)]
	__attribute__((aligned(PAGE_SIZE)));
uint64_t merged_iopms[IOPMS][IOPM_SIZE / sizeof(uint64_t)];
struct noted noted;
void (*processor_runs)(struct vmcb *vmcb);
char panicked[256];
unsigned long cr8;
uint64_t cr2;
static struct {
	bool due;
	uint64_t code, info1, info2;
} exit_to_come;
static jmp_buf stopped;

static unsigned long fake_cr8(void)
{
	return cr8;
}

static void set_cr8(unsigned long value)
{
	cr8 = value;
}

static void set_cr2(unsigned long value)
{
	cr2 = value;
}

/* No QEMU is below. */
bool refused_cr_write(struct vcpu *self)
{
	(void)self;
	return false;
}

static void no_port(uint16_t port, uint8_t value)
{
	snprintf(panicked, sizeof(panicked), "reset by %x, %x", port, value);
	longjmp(stopped, 1);
}

void panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(panicked, sizeof(panicked), format, arguments);
	va_end(arguments);
	longjmp(stopped, 1);
}

void log_set_serial(bool on)
{
	assert_true(on);
}

void log_info(const char *format, ...)
{
	(void)format;
}

void log_aloud(const char *format, ...)
{
	(void)format;
}

void processors_stop(void)
{
}

void report_guest(void)
{
}

void log_debug(const char *format, ...)
{
	(void)format;
}

/* Other processors, and what interrupt.c asks of them. */

unsigned int vcpu_count(void)
{
	return 1;
}

struct vcpu *vcpu_at(unsigned int index)
{
	assert_int_equal(index, 0);
	return &vcpu;
}

void vcpu_init(struct vcpu *target)
{
	assert_ptr_equal(target, &vcpu);
}

void vcpu_exit_again(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
	noted.ended_early++;
}

bool vcpu_was_kicked(struct vcpu *of)
{
	(void)of;
	return false;
}

bool nmi_may_be_l1s(struct vcpu *of)
{
	(void)of;
	return false;
}

/* L0's handlers; where they would perform an instruction, it cannot be decoded. */

const struct instruction *decode(struct vcpu *of, uint64_t exit_code)
{
	assert_ptr_equal(of, &vcpu);
	noted.handled = exit_code;
	return NULL;
}

bool x2apic_read_tpr(const struct vcpu *of, uint32_t msr, uint64_t *value)
{
	(void)of, (void)msr, (void)value;
	return false;
}

bool apic_npf(struct vcpu *of, uint64_t gpa)
{
	(void)of, (void)gpa;
	return false;
}

#define HANDLER(name)                                                                              \
	void name(struct vcpu *of)                                                                 \
	{                                                                                          \
		noted.handled = of->vmcb->control.exit_code;                                       \
	}

HANDLER(emulate_cpuid)
HANDLER(handle_clgi)
HANDLER(handle_cr_read)
HANDLER(handle_cr_write)
HANDLER(handle_gp)
HANDLER(handle_invlpg)
HANDLER(handle_invlpga)
HANDLER(handle_invpcid)
HANDLER(handle_page_fault)
HANDLER(handle_skinit)
HANDLER(handle_stgi)
HANDLER(handle_task_switch)
HANDLER(handle_vmload)
HANDLER(handle_vmmcall)
HANDLER(handle_vmrun)
HANDLER(handle_vmsave)
HANDLER(handle_xsetbv)

/* The world switch. */

void svm_enter(struct vcpu *of)
{
	struct vmcb_control *control = &of->vmcb->control;

	if (!exit_to_come.due)
		longjmp(stopped, 1);
	exit_to_come.due = false;
	entered = *of->vmcb;
	control->exit_code = exit_to_come.code;
	control->exit_info1 = exit_to_come.info1;
	control->exit_info2 = exit_to_come.info2;
	pending_nmis = exit_to_come.code == VMEXIT_NMI;
	if (processor_runs)
		processor_runs(of->vmcb);
}

void svm_enter_untrain(struct vcpu *of)
{
	assert_true(of->guest_mode); /* it is for nothing after L1 */
	noted.untrained++;
	svm_enter(of);
}

void run(void (*call)(void))
{
	panicked[0] = 0;
	if (!setjmp(stopped))
		call();
}

static void go_on(void)
{
	vcpu_run(&vcpu);
}

void good_vmcb12(void)
{
	struct vmcb_control *control = &vmcb12->control;
	struct vmcb_save *save = &vmcb12->save;

	memset(vmcb12, 0, sizeof(*vmcb12));
	control->intercepts[INTERCEPT_MISC2] = MISC2_VMRUN;
	control->asid = 1;
	control->iopm_base_pa = IOPM12;
	control->msrpm_base_pa = MSRPM12;
	save->efer = EFER_SVME;
	save->cr0 = CR0_PE;
	save->dr6 = DR6_FIXED;
	save->dr7 = DR7_FIXED;
	save->rflags = RFLAGS_FIXED;
	save->g_pat = HOST_PAT;
}

static void init_vcpu(void)
{
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.vmcb = vcpu.vmcb01 = &vmcb01;
	for (unsigned int i = 0; i < VMCB02S; i++)
		vcpu.nested.vmcb02s[i] = (struct vmcb02){
			.vmcb = i ? &more_vmcb02s[i - 1] : &vmcb02,
			.hpa = VMCB02_HPA + i * PAGE_SIZE,
			.gpa = ~0ull,
		};
	vcpu.nested.slot = &vcpu.nested.vmcb02s[0];
	vcpu.vmcb02 = &vmcb02;
	vcpu.vmcb_hpa = vcpu.vmcb01_hpa = VMCB01_HPA;
	vcpu.vmcb02_hpa = VMCB02_HPA;
	for (unsigned int i = 0; i <= VMCB02S; i++)
		vcpu.seen[i] = &seen[i];
	vcpu.event.gif = true;
	vcpu.cpu.alone = true;
	vcpu.efer = EFER_SVME;
	vcpu.npt01 = NPT01_HPA;
	vcpu.msrpm01 = msrpm01;
	merged_maps_init(&vcpu.nested.msrpms, msrpm01, MSRPM_SIZE / PAGE_SIZE, MERGED_MSRPMS);
	merged_maps_init(&vcpu.nested.iopms, iopm01, IOPM_SIZE / PAGE_SIZE, MERGED_IOPMS);
	for (unsigned int i = 0; i < MERGED_MSRPMS; i++) {
		vcpu.nested.msrpms.map[i].map = merged_msrpms[i];
		vcpu.nested.msrpms.map[i].hpa = MERGED_MSRPM_HPA + i * MSRPM_SIZE;
	}
	for (unsigned int i = 0; i < IOPMS; i++) {
		vcpu.nested.iopms.map[i].map = merged_iopms[i];
		vcpu.nested.iopms.map[i].hpa = MERGED_IOPM_HPA + i * IOPM_SIZE;
	}
}

static void init_vmcb01(void)
{
	struct vmcb_control *control = &vmcb01.control;
	struct vmcb_save *save = &vmcb01.save;

	memset(&vmcb01, 0, sizeof(vmcb01));
	intercept_for_l0(control);
	control->iopm_base_pa = IOPM01_HPA;
	control->msrpm_base_pa = MSRPM01_HPA;
	control->asid = ASID_L1;
	control->nested_ctl = NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = NPT01_HPA;
	save->efer = EFER_SVME | EFER_LME | EFER_LMA;
	save->cr0 = CR0_PG | CR0_PE;
	save->cr4 = CR4_PAE;
	save->dr7 = DR7_FIXED;
	save->rflags = RFLAGS_FIXED;
	save->g_pat = HOST_PAT;
}

void machine(uint32_t svm, bool untried)
{
	fake_processor(svm, ASIDS, PHYS_BITS);
	features_init(&(struct feature_choice){.npt = true, .untried = untried});
	memset(ram, 0, sizeof(ram));
	memset(&vmcb02, 0, sizeof(vmcb02));
	memset(more_vmcb02s, 0, sizeof(more_vmcb02s));
	memset(seen, 0, sizeof(seen));
	memset(msrpm01, 0, sizeof(msrpm01));
	memset(frames, 0, sizeof(frames));
	memset(&base, 0, sizeof(base));
	init_vcpu();
	init_vmcb01();
	good_vmcb12();
	nested_maps_init();
	noted = (struct noted){.handled = NOBODY};
	machine_checks_in_window = 0;
	processor_runs = NULL;
	exit_to_come.due = false;
	panicked[0] = 0;
	cr8 = cr2 = 0;
}

static uint64_t vmrun_gpa;

static void do_vmrun(void)
{
	nested_vmrun(&vcpu, vmrun_gpa);
}

void vmrun_of(uint64_t gpa)
{
	vmrun_gpa = gpa;
	run(do_vmrun);
	if (panicked[0])
		fail_msg("%s", panicked);
}

bool vmrun(void)
{
	mark_frames();
	vmrun_of(VMCB12);
	assert_true(vcpu.vmcb == (vcpu.guest_mode ? &vmcb02 : &vmcb01));
	assert_int_equal(vcpu.vmcb_hpa, vcpu.guest_mode ? VMCB02_HPA : VMCB01_HPA);
	return vcpu.guest_mode;
}

void l2_exits(uint64_t code, uint64_t info1, uint64_t info2)
{
	assert_true(vcpu.guest_mode);
	exit_to_come.due = true;
	exit_to_come.code = code;
	exit_to_come.info1 = info1;
	exit_to_come.info2 = info2;
	noted.handled = NOBODY;
	run(go_on);
	if (panicked[0])
		fail_msg("%s", panicked);
}

void run_l2(uint64_t code)
{
	assert_true(vmrun());
	l2_exits(code, 0, 0);
	assert_false(vcpu.guest_mode);
	assert_true(vcpu.vmcb == &vmcb01 && vcpu.vmcb_hpa == VMCB01_HPA);
}
