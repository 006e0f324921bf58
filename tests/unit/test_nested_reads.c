/*
 * A VMCB12 that another processor of L1's writes while VMRUN reads it: each byte is read once, so
 * what was checked is what runs. Every access to the page traps, and what was read changes behind
 * it. Relies on x86's single step.
 */
#include "tests/unit/nested_rig.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { ERROR_WRITE = 2, EFLAGS_TF = 1 << 8 };

static volatile unsigned int reads[PAGE_SIZE], writes[PAGE_SIZE];
static volatile size_t at; /* of the access that is let through */
static volatile bool writing;
static bool hostile; /* what was read is inverted at once */

static void let(int protection)
{
	if (mprotect(ram, PAGE_SIZE, protection))
		abort();
}

static void on_access(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	at = (size_t)((uint8_t *)info->si_addr - ram);
	if (at >= PAGE_SIZE || (registers[REG_EFL] & EFLAGS_TF))
		abort();
	writing = registers[REG_ERR] & ERROR_WRITE;
	if (writing)
		writes[at]++;
	else
		reads[at]++;
	let(PROT_READ | PROT_WRITE);
	registers[REG_EFL] |= EFLAGS_TF;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	if (hostile && !writing)
		ram[at] = (uint8_t)~ram[at];
	let(PROT_NONE);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)EFLAGS_TF;
}

static void watch_vmcb12(void (*call)(void))
{
	static struct sigaction old_segv, old_trap;
	struct sigaction action = {.sa_sigaction = on_access, .sa_flags = SA_SIGINFO};

	memset((void *)reads, 0, sizeof(reads));
	memset((void *)writes, 0, sizeof(writes));
	sigaction(SIGSEGV, &action, &old_segv);
	action.sa_sigaction = on_step;
	sigaction(SIGTRAP, &action, &old_trap);
	let(PROT_NONE);
	call();
	let(PROT_READ | PROT_WRITE);
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGTRAP, &old_trap, NULL);
}

static void do_vmrun(void)
{
	nested_vmrun(&vcpu, VMCB12);
}

static void do_exit(void)
{
	nested_exit(&vcpu, VMEXIT_HLT, 1, 2);
}

static unsigned int sum(const volatile unsigned int *counts)
{
	unsigned int all = 0;

	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		all += counts[i];
	return all;
}

/* With all that a VMRUN can move. */
static void everything(void)
{
	struct vmcb_control *control = &vmcb12->control;

	machine(ALL_FEATURES, true);
	fake_leaves[FAKE_STRUCTURED].ecx = 1 << 7; /* shadow stacks */
	features_init(&(struct feature_choice){.npt = true, .untried = true});
	control->intercepts[INTERCEPT_MISC1] = MISC1_MSR_PROT | MISC1_IOIO_PROT;
	control->nested_ctl = NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = NCR3;
	control->virt_ext = VIRT_EXT_LBR;
	control->int_ctl = INT_CTL_V_GIF_ENABLE | INT_CTL_V_INTR_MASKING;
	control->event_inj = EVENT_VALID | 0x31;
	control->tlb_control = TLB_CONTROL_FLUSH_ASID;
	vmcb12->save.rip = vmcb12->save.rax = vmcb12->save.cr2 = 0x1234;
	vmcb12->save.spec_ctrl = 1;
}

static void assert_read_once(void)
{
	for (unsigned int i = 0; i < PAGE_SIZE; i++) {
		if (reads[i] > 1)
			fail_msg("offset %x was read %u times", i, reads[i]);
	}
}

/* Each field that counts, once; only padding and what #VMEXIT or VMLOAD needs is not looked at. */
static void vmrun_reads_once(void **state)
{
	(void)state;
	everything();
	watch_vmcb12(do_vmrun);
	assert_true(vcpu.guest_mode);
	assert_read_once();
	assert_int_equal(sum(writes), 0);
	assert_int_equal(reads[offsetof(struct vmcb, control.asid)], 1);
	assert_int_equal(reads[offsetof(struct vmcb, save.efer)], 1);
	assert_int_equal(reads[offsetof(struct vmcb, save.dbgctl)], 1);
	assert_int_equal(reads[offsetof(struct vmcb, save.ssp)], 1);
	assert_int_equal(reads[offsetof(struct vmcb, control.clean)], 0);
	assert_int_equal(reads[offsetof(struct vmcb, save.spec_ctrl)], 0);
}

/* What runs is what was there first, whatever comes behind each read. */
static void what_was_checked_runs(void **state)
{
	static struct vmcb quiet;
	static struct nested_control ctl;

	(void)state;
	everything();
	watch_vmcb12(do_vmrun);
	assert_true(vcpu.guest_mode);
	quiet = vmcb02;
	ctl = vcpu.nested.ctl;
	everything();
	hostile = true;
	watch_vmcb12(do_vmrun);
	hostile = false;
	assert_true(vcpu.guest_mode);
	assert_memory_not_equal(ram, (uint8_t[PAGE_SIZE]){0}, 0x20);
	assert_memory_equal(&vmcb02, &quiet, sizeof(quiet));
	assert_memory_equal(&vcpu.nested.ctl, &ctl, sizeof(ctl));
	assert_int_equal(vmcb12->control.asid, 0xfe); /* it was another processor's turn indeed */
}

static void a_refusal_reads_once(void **state)
{
	(void)state;
	everything();
	vmcb12->control.asid = 0;
	hostile = true;
	watch_vmcb12(do_vmrun);
	hostile = false;
	assert_false(vcpu.guest_mode);
	assert_read_once();
	assert_int_equal(sum(writes), 5);
}

/* #VMEXIT reads only what it has to keep: int_ctl's other bits, and gPAT. */
static void an_exit_reads_what_it_keeps(void **state)
{
	const unsigned int int_ctl = offsetof(struct vmcb, control.int_ctl);
	const unsigned int g_pat = offsetof(struct vmcb, save.g_pat);

	(void)state;
	everything();
	assert_true(vmrun());
	hostile = true;
	watch_vmcb12(do_exit);
	hostile = false;
	assert_false(vcpu.guest_mode);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		assert_in_range(reads[i], 0, i == int_ctl || i == g_pat);
	/* Once each, or L1 could read what is between. */
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		assert_in_range(writes[i], 0, 1);
	assert_int_equal(writes[int_ctl], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vmrun_reads_once),
		cmocka_unit_test(what_was_checked_runs),
		cmocka_unit_test(a_refusal_reads_once),
		cmocka_unit_test(an_exit_reads_what_it_keeps),
	};

	return cmocka_run_group_tests_name("nested_reads", tests, NULL, NULL);
}
