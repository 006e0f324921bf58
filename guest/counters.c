/*
 * The L1 image `counters`: Nestling's own CPUID leaf, hypercall and counters, as L1 and L2 see
 * them. Relies on guest/lib and svm/look/interface.h; on other machines it has nothing to test.
 */
#include "guest/counters/counters.h"
#include "guest/points/paging.h"

enum { ROUNDS = 10, VMMCALL_OF_NOBODY = 0x4e53ffff };

static void read_counter(void *number)
{
	counter((uint32_t)(uintptr_t)number);
}

static void write_counter(void *number)
{
	wrmsr(MSR_NESTLING_COUNTERS + (uint32_t)(uintptr_t)number, 0);
}

static uint32_t hypercall(uint32_t number)
{
	uint32_t result;

	__asm__ volatile("vmmcall" : "=a"(result) : "a"(number) : "memory");
	return result;
}

static void call_nobody(void *unused)
{
	(void)unused;
	hypercall(VMMCALL_OF_NOBODY);
}

static void leaf(void)
{
	struct cpuid_regs r = cpuid(LEAF_HYPERVISOR_COUNTERS, 0);

	if (!tap_group("counters", "leaf"))
		return;
	point("the leaf tells where the counters and the hypercall are");
	check("the last leaf", cpuid(LEAF_HYPERVISOR, 0).eax,
	      cpuid(LEAF_HYPERVISOR_TIMING, 0).eax ? LEAF_HYPERVISOR_TIMING
	                                           : LEAF_HYPERVISOR_COUNTERS);
	check("EAX", r.eax, MSR_NESTLING_COUNTERS);
	check("EBX", r.ebx, COUNTERS_NAMED);
	check_range("ECX", r.ecx, 1, 255);
	check("EDX", r.edx, HYPERCALL_DUMP);
}

static void count_l1(void)
{
	uint64_t cpuids, msrs;

	if (!tap_group("counters", "L1"))
		return;
	point("each exit of L1 counts once");
	cpuids = exits(COUNTER_EXITS_L1, VMEXIT_CPUID);
	msrs = exits(COUNTER_EXITS_L1, VMEXIT_MSR);
	for (int i = 0; i < ROUNDS; i++)
		cpuid(0, 0);
	check("CPUID", exits(COUNTER_EXITS_L1, VMEXIT_CPUID) - cpuids, ROUNDS);
	check("RDMSR", exits(COUNTER_EXITS_L1, VMEXIT_MSR) - msrs, 2);

	point("the pool has pages, and some are free");
	check_range("free", counter(COUNTER_pool_free), 1, counter(COUNTER_pool_pages));

	point("a counter cannot be written");
	check("vector", (uint64_t)(int64_t)try_call(write_counter, NULL), VEC_GP);

	point("registers that no counter has read 0 up to the last");
	check("vector", (uint64_t)(int64_t)try_call(read_counter, (void *)(COUNTERS_END - 1ul)),
	      (uint64_t)-1);
	check("value", counter(COUNTERS_END - 1), 0);
	check("behind the named ones", counter(COUNTERS_NAMED), 0);
}

static void count_l2(void)
{
	uint64_t vmruns, vmmcalls, reflected, fills, cpuids, cpuids_of_l1;
	struct l2 *l2;

	if (!tap_group("counters", "L2"))
		return;
	l2 = l2_new(0, l2_widest());
	point("exits of L2 count apart, and those that L1 got");
	l2_read(l2, L2_SMALL);
	vmruns = exits(COUNTER_EXITS_L1, VMEXIT_VMRUN);
	vmmcalls = exits(COUNTER_EXITS_L2, VMEXIT_VMMCALL);
	reflected = counter(COUNTER_reflected);
	for (int i = 0; i < ROUNDS; i++)
		l2_read(l2, L2_SMALL);
	check("VMRUN", exits(COUNTER_EXITS_L1, VMEXIT_VMRUN) - vmruns, ROUNDS);
	check("VMMCALL", exits(COUNTER_EXITS_L2, VMEXIT_VMMCALL) - vmmcalls, ROUNDS);
	check("reflected", counter(COUNTER_reflected) - reflected, ROUNDS);

	point("what L1 does not intercept is L0's, and of L2");
	cpuids = exits(COUNTER_EXITS_L2, VMEXIT_CPUID);
	cpuids_of_l1 = exits(COUNTER_EXITS_L1, VMEXIT_CPUID);
	reflected = counter(COUNTER_reflected);
	l2_start(l2, L2_CPUID);
	check("CPUID of L2", exits(COUNTER_EXITS_L2, VMEXIT_CPUID) - cpuids, 1);
	check("CPUID of L1", exits(COUNTER_EXITS_L1, VMEXIT_CPUID) - cpuids_of_l1, 0);
	check("reflected", counter(COUNTER_reflected) - reflected, 1); /* the VMMCALL behind it */

	point("the first touch of a page is one fill");
	fills = counter(COUNTER_fills);
	l2_read(l2, L2_SMALL + PAGE_SIZE);
	check("fills", counter(COUNTER_fills) - fills, 1);
	l2_read(l2, L2_SMALL + PAGE_SIZE);
	check("fills", counter(COUNTER_fills) - fills, 1);

	point("L2 cannot read the counters");
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_GP;
	l2->vmcb->save.rax = 0x5eed;
	l2->regs.rdx = 0x5eed;
	l2->regs.rcx = MSR_NESTLING_COUNTERS + COUNTER_pool_pages;
	l2_start(l2, L2_RDMSR);
	if (l2->vmcb->control.exit_code == VMEXIT_VMMCALL) /* QEMU: no register is unknown */
		check("EAX", l2_eax(l2), 0);
	else
		l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_GP);

	point("L2's VMMCALL, not intercepted, raises #UD");
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= 1u << VEC_UD;
	l2->vmcb->control.intercepts[INTERCEPT_MISC2] &= ~MISC2_VMMCALL;
	l2->vmcb->save.rax = HYPERCALL_DUMP;
	l2_start(l2, L2_VMMCALL);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_UD);
}

static void calls(void)
{
	if (!tap_group("counters", "hypercall"))
		return;
	point("an unknown hypercall raises #UD");
	check("vector", (uint64_t)(int64_t)try_call(call_nobody, NULL), VEC_UD);
	point("the counters are dumped");
	check("EAX", hypercall(HYPERCALL_DUMP), HYPERCALL_DONE);
}

static void call_as_user(void)
{
	struct user user = {.ax = HYPERCALL_DUMP, .flags = RFLAGS_FIXED};

	if (!paging_group("hypercall"))
		return;
	point("VMMCALL at CPL 3 raises #UD");
	user.ip = (uintptr_t)region(REGION_USER) + user_code_at(USER_VMMCALL);
	user.sp = (uintptr_t)region(REGION_USER) + 2 * PAGE_SIZE;
	check("vector", (uint64_t)(int64_t)user_run(&user), (uint64_t)-1);
	check("where", trap_last.ip, user.ip);
	paging_end();
}

static void run(void)
{
	if (cpuid(LEAF_HYPERVISOR, 0).ebx != NESTLING_EBX)
		run_skipped("this machine is not Nestling's");
	leaf();
	count_l1();
	count_l2();
	calls();
	call_as_user();
	if (cmdline_value("hotkey"))
		counters_ports();
	point_end();
}

const struct image image = {.name = "counters", .format = pt_format_of_width, .run = run};
