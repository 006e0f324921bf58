/*
 * INIT to a processor that cannot take it yet, whose L2 L1 has put under an intercept of INIT, or
 * that wants an exception instead; and NMI to one that waits for SIPI. APM vol. 2,
 * sections 15.13.4, 15.17, 15.28.
 */
#include "guest/hostile/hostile.h"

#define NO_HOLD       "INIT does not wait for GIF"
#define NO_REDIRECT   "VM_CR does not exist, and INIT is not redirected"
#define NO_ERROR_CODE "QEMU delivers #SX without its error code"

enum { PAUSES_BARE = 20 };

static struct l2 *other_l2;
static volatile bool go_on;
static volatile uint32_t phase, told, exit_code;

static bool one_alone(const char *name)
{
	if (hostile_count() > 1)
		return false;
	point(name);
	point_skip("there is one processor");
	point_end();
	return true;
}

static void live_until_told(struct cpu *cpu)
{
	while (!go_on)
		cpu->alive++;
	told = true;
}

static void tell(void)
{
	go_on = true;
	cpus_wait_for(&told, true);
}

static void with_gif0(struct cpu *cpu)
{
	clgi();
	phase = 1;
	live_until_told(cpu);
	phase = 2;
	stgi();
	phase = 3;
}

static void send_init(unsigned int number)
{
	cpus_send_init(number, 0);
	cpus_pause();
}

static void begin(void (*function)(struct cpu *))
{
	go_on = false;
	phase = told = exit_code = 0;
	hostile_seen[1].exceptions = hostile_seen[1].error_code = 0;
	check("starts", cpu_restart(cpu_by_id(1)), true);
	cpu_call(cpu_by_id(1), function);
	check("has begun", cpus_wait_for(&phase, 1), 1);
	cpus_pause();
}

/* phase 1: it waited; 2: it went on; 3: INIT did not stop it then. */
static void held_by_gif(void)
{
	uint32_t starts;

	if (!tap_group("hostile", "init-gif") || one_alone("INIT while GIF is 0"))
		return;
	point("INIT while GIF is 0 waits");
	begin(with_gif0);
	starts = cpu_by_id(1)->starts;
	send_init(1);
	check_known("is alive", cpus_counts(&cpu_by_id(1)->alive), true, false, QEMU_BARE, NO_HOLD);

	point("SIPI meanwhile does nothing");
	cpus_send_sipi(1, 0, CPUS_PAGE);
	cpus_pause();
	check_known("starts", cpu_by_id(1)->starts - starts, 0, 1, QEMU_BARE, NO_HOLD);

	point("STGI lets it in");
	tell();
	check_known("stands still", cpus_stands_still(&cpu_by_id(1)->alive), true, false, QEMU_BARE,
	            NO_HOLD);
	if (emulator_is(QEMU_BARE))
		point_known(QEMU_BARE, NO_HOLD); /* it has begun anew */
	else
		check("phase", phase, 2);

	hostile_all_answer(1);
}

/* L2 computes for longer than anybody waits: 0 stands for 2^32 rounds. */
static void exits_by_init(struct cpu *cpu)
{
	struct vmcb *vmcb = other_l2->vmcb;

	other_l2->regs.rcx = 0;
	l2_aim(other_l2, L2_COMPUTE);
	phase = 1;
	clgi();
	svm_run_gif0(&other_l2->regs, vmcb);
	exit_code = (uint32_t)vmcb->control.exit_code;
	phase = 2;
	live_until_told(cpu);
	stgi();
	phase = 3;
}

static void make_l2(bool intercepts)
{
	other_l2 = hostile_l2(1);
	if (intercepts)
		other_l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_INIT;
}

static void intercepted(void)
{
	if (!tap_group("hostile", "init-intercept") || one_alone("INIT while L2 runs"))
		return;
	point("INIT while L2 runs exits, if L1 wants that");
	make_l2(true);
	begin(exits_by_init);
	send_init(1);
	check_known("phase", cpus_wait_for(&phase, 2), 2, 1, QEMU_BARE, NO_HOLD);
	check_known("exit code", exit_code, VMEXIT_INIT, 0, QEMU_BARE, NO_HOLD);

	point("it stays pending while GIF is 0");
	check_known("is alive", cpus_counts(&cpu_by_id(1)->alive), true, false, QEMU_BARE, NO_HOLD);

	point("STGI lets it in");
	tell();
	check("stands still", cpus_stands_still(&cpu_by_id(1)->alive), true);
	check_known("phase", phase, 2, 1, QEMU_BARE, NO_HOLD);

	point("INIT while L2 runs ends both, if L1 does not");
	make_l2(false);
	begin(exits_by_init);
	send_init(1);
	check("stands still", cpus_stands_still(&cpu_by_id(1)->alive), true);
	check("phase", phase, 1);

	hostile_all_answer(1);
}

static void redirect(struct cpu *cpu)
{
	wrmsr(MSR_VM_CR, VM_CR_R_INIT);
	phase = 1;
	live_until_told(cpu);
	wrmsr(MSR_VM_CR, 0);
	phase = 2;
}

static void redirect_l2(struct cpu *cpu)
{
	wrmsr(MSR_VM_CR, VM_CR_R_INIT);
	exits_by_init(cpu);
	wrmsr(MSR_VM_CR, 0);
	phase = 4;
}

static void check_redirect(const char *what, uint64_t got, uint64_t expected, uint64_t without)
{
	check_known(what, got, expected, without, machine.bochs ? BOCHS_BARE : QEMU_BARE,
	            NO_REDIRECT);
}

static void check_redirected(void)
{
	check_redirect("#SX", hostile_seen[1].exceptions, VEC_SX + 1, 0);
	check_redirect("error code", hostile_seen[1].error_code, 1, 0);
}

/* A handler for #SX would find a frame that QEMU has made too short. */
static void sx_in_l1(void)
{
	point("INIT with VM_CR.R_INIT is #SX");
	if (machine.qemu) {
		point_skip(NO_ERROR_CODE);
	} else {
		begin(redirect);
		send_init(1);
		cpus_wait_for(&hostile_seen[1].exceptions, 1);
		check_redirected();
		check_redirect("is alive", cpus_counts(&cpu_by_id(1)->alive), true, false);
		tell();
		check_redirect("phase", cpus_wait_for(&phase, 2), 2, 1);
	}

	point("INIT that L2 has left by is #SX after STGI");
	if (machine.qemu) {
		point_skip(NO_ERROR_CODE);
		return;
	}
	make_l2(true);
	begin(redirect_l2);
	send_init(1);
	check("phase", cpus_wait_for(&phase, 2), 2);
	check("exit code", exit_code, VMEXIT_INIT);
	check("no exception yet", hostile_seen[1].exceptions, 0);
	tell();
	check_redirect("phase", cpus_wait_for(&phase, 4), 4, 2);
	check_redirected();
}

static void redirected(void)
{
	if (!tap_group("hostile", "init-redirect") || one_alone("INIT with R_INIT"))
		return;
	sx_in_l1();

	point("INIT while L2 runs is #SX there");
	make_l2(false);
	other_l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_SX;
	begin(redirect_l2);
	send_init(1);
	check_redirect("phase", cpus_wait_for(&phase, 2), 2, 1);
	check_redirect("exit code", exit_code, VMEXIT_EXCP_BASE + VEC_SX, 0);
	check_redirect("error code", other_l2->vmcb->control.exit_info1, 1, 0);
	tell();
	check_redirect("phase", cpus_wait_for(&phase, 4), 4, 1);

	hostile_all_answer(1);
}

static void nmi_while_waiting(void)
{
	uint32_t nmis, starts;

	if (!tap_group("hostile", "nmi-waiting") || one_alone("NMI to one that waits"))
		return;
	point("NMI to a processor that waits for SIPI stays pending");
	check("starts", cpu_restart(cpu_by_id(1)), true);
	send_init(1);
	if (machine.qemu && machine.bare) {
		point_known(QEMU_BARE, "the processor wakes up by it, in the firmware");
	} else {
		starts = cpu_by_id(1)->starts;
		nmis = *hostile_early_nmis + hostile_seen[1].nmis;
		for (int i = 0; i < 3; i++)
			apic_send(1, ICR_NMI | ICR_ASSERT);
		check("stands still", cpus_stands_still(&cpu_by_id(1)->alive), true);
		cpus_send_sipi(1, 0, CPUS_PAGE);
		check("starts", cpus_wait_for(&cpu_by_id(1)->starts, starts + 1) - starts, 1);
		check("is alive", cpus_counts(&cpu_by_id(1)->alive), true);
		check("NMIs", *hostile_early_nmis + hostile_seen[1].nmis - nmis, 1);
	}
	hostile_all_answer(1);
}

void hostile_init(void)
{
	unsigned int polls = cpus_polls;

	if (machine.bare) /* what the emulators do not do is not waited for that long */
		cpus_polls = PAUSES_BARE * cpus_pauses;
	held_by_gif();
	intercepted();
	redirected();
	nmi_while_waiting();
	cpus_polls = polls;
}
