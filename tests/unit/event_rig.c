/* Relies on tests/unit/event_rig.h. */
#include "tests/unit/event_rig.h"

static void load_cr2(uint64_t value);
#define write_cr2 load_cr2

#include "svm/event/event.c"
#include "svm/event/priority.c"
#include "svm/settle.c"

struct features features;
struct vcpu vcpu;
struct vmcb vmcb01, vmcb02;
struct outcome exited;
uint64_t exited_int_info, loaded_cr2;
unsigned int inits, ended_early, watched;
bool unseen, resets;
static bool stopped;
static jmp_buf reset;

static void load_cr2(uint64_t value)
{
	loaded_cr2 = value;
}

void quirk_hold_interrupts(struct vcpu *of)
{
	(void)of;
	fail();
}

void nested_exit(struct vcpu *of, uint64_t code, uint64_t info1, uint64_t info2)
{
	assert_true(of->guest_mode);
	exited = (struct outcome){code, info1, info2};
	exited_int_info = of->vmcb->control.exit_int_info;
	of->guest_mode = of->event.gif = false;
	of->vmcb = of->vmcb01;
}

void vcpu_init(struct vcpu *of)
{
	(void)of;
	inits++;
}

void vcpu_exit_again(struct vcpu *of)
{
	(void)of;
	ended_early++;
}

void watch_iret(struct vcpu *of)
{
	(void)of;
	watched++;
}

bool iret_leaves_unseen(const struct vmcb_save *save)
{
	(void)save;
	return unseen;
}

void processors_stop(void)
{
	stopped = true;
}

/* The others run no L1 amid it. */
void report_guest(void)
{
	assert_true(stopped);
	stopped = false;
}

void log_set_serial(bool on)
{
	(void)on;
}

void log_aloud(const char *format, ...)
{
	(void)format;
}

void reset_machine(const char *why)
{
	assert_non_null(why);
	resets = true;
	longjmp(reset, 1);
}

void panic(const char *format, ...)
{
	fail_msg("%s", format);
	__builtin_unreachable();
}

const struct instruction *decode(struct vcpu *of, uint64_t exit_code)
{
	(void)of, (void)exit_code;
	fail();
	return NULL;
}

void strict_check_length(struct vcpu *of, unsigned int length)
{
	(void)of, (void)length;
}

void begin(void)
{
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vmcb01, 0, sizeof(vmcb01));
	memset(&vmcb02, 0, sizeof(vmcb02));
	vmcb01.save.cr0 = vmcb02.save.cr0 = CR0_PE;
	vmcb01.save.cr4 = vmcb02.save.cr4 = CR4_MCE;
	vcpu.vmcb = vcpu.vmcb01 = &vmcb01;
	vcpu.vmcb02 = &vmcb02;
	vcpu.event.gif = true;
	exited = (struct outcome){NO_EXIT, 0, 0};
	loaded_cr2 = NO_CR2;
	inits = ended_early = watched = 0;
	unseen = resets = false;
}

void begin_l2(uint64_t code, uint64_t other)
{
	begin();
	vcpu.guest_mode = true;
	vcpu.vmcb = &vmcb02;
	vcpu.nested.ctl.intercepts[code / 32] |= 1u << code % 32;
	vcpu.nested.ctl.intercepts[other / 32] |= 1u << other % 32;
}

void settled(void)
{
	if (!setjmp(reset))
		settle(&vcpu);
	assert_int_equal(vcpu.event.due.outcome, OUTCOME_RESUME);
}

void assert_event(uint64_t event)
{
	assert_int_equal(vcpu.vmcb->control.event_inj, event);
}

void goes_on(void)
{
	vcpu.vmcb->control.event_inj = 0;
	vcpu.vmcb->control.exit_code = VMEXIT_NMI;
	ended_early = 0;
	settled();
}
