/*
 * Instructions, MSRs, ports and exceptions, intercepted and not. Relies on guest/lib. Exit codes
 * are APM vol. 2, appendix C; IOIO is 15.10, MSR 15.11, exceptions 15.12.
 */
#include "guest/points/points.h"

enum {
	CPUID_VENDOR = 0,
	PORT_DIAGNOSTIC = 0x80, /* nobody listens */
	PORT_SCRATCH = 0x3ff,   /* COM1's scratch register */
	IOIO_PORT_SHIFT = 16,
	MSR_READ = 1,
	MSR_WRITE = 2,
};

static void instructions(struct l2 *l2)
{
	uint32_t *misc1 = &l2->vmcb->control.intercepts[INTERCEPT_MISC1];
	struct cpuid_regs vendor = cpuid(CPUID_VENDOR, 0);
	uint64_t rip;

	point("CPUID, not intercepted, runs");
	l2->vmcb->save.rax = CPUID_VENDOR;
	l2->regs.rcx = 0;
	l2_start(l2, L2_CPUID);
	l2_check_done(l2);
	check("ebx", (uint32_t)l2->regs.rbx, vendor.ebx);
	check("edx", (uint32_t)l2->regs.rdx, vendor.edx);

	point("CPUID, intercepted, exits before it runs");
	*misc1 |= MISC1_CPUID;
	l2->vmcb->save.rax = CPUID_VENDOR;
	l2->regs.rbx = 0x1b;
	l2_aim(l2, L2_CPUID);
	rip = l2->vmcb->save.rip;
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_CPUID);
	check("rip", l2->vmcb->save.rip, rip);
	check("ebx", (uint32_t)l2->regs.rbx, 0x1b);
	*misc1 &= ~MISC1_CPUID;

	point("HLT, intercepted, exits");
	l2_aim(l2, L2_HLT);
	rip = l2->vmcb->save.rip;
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_HLT);
	check("rip", l2->vmcb->save.rip, rip);

	point("VMMCALL, intercepted, exits and goes on behind it");
	l2_aim(l2, L2_VMMCALL);
	rip = l2->vmcb->save.rip;
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_VMMCALL);
	check("rip", l2->vmcb->save.rip, rip);
	l2_pass_vmmcall(l2);
	l2_run(l2);
	l2_check_exit(l2, VMEXIT_VMMCALL);
	check("rip", l2->vmcb->save.rip, rip + VMMCALL_BYTES);

	point("RDTSC, intercepted, exits");
	*misc1 |= MISC1_RDTSC;
	l2_start(l2, L2_RDTSC);
	l2_check_exit(l2, VMEXIT_RDTSC);
	*misc1 &= ~MISC1_RDTSC;
}

/* L2's own SVM instructions: what L1 intercepts must reach L1, whatever else is under it. */
static void svm_instructions(struct l2 *l2)
{
	static const struct {
		enum l2_snippet snippet;
		uint32_t intercept;
		enum vmexit_code code;
	} cases[] = {
		{L2_VMRUN, MISC2_VMRUN, VMEXIT_VMRUN},    {L2_VMLOAD, MISC2_VMLOAD, VMEXIT_VMLOAD},
		{L2_VMSAVE, MISC2_VMSAVE, VMEXIT_VMSAVE}, {L2_STGI, MISC2_STGI, VMEXIT_STGI},
		{L2_CLGI, MISC2_CLGI, VMEXIT_CLGI},       {L2_SKINIT, MISC2_SKINIT, VMEXIT_SKINIT},
	};
	uint32_t *misc1 = &l2->vmcb->control.intercepts[INTERCEPT_MISC1];
	uint32_t *misc2 = &l2->vmcb->control.intercepts[INTERCEPT_MISC2];
	uint32_t usual = *misc2;
	uint64_t rip;

	point("SVM's own instructions, intercepted, exit before they run");
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		*misc2 = usual | cases[i].intercept;
		l2->vmcb->save.rax = L2_SCRATCH;
		l2_aim(l2, cases[i].snippet);
		rip = l2->vmcb->save.rip;
		l2_run(l2);
		l2_check_exit(l2, cases[i].code);
		check("rip", l2->vmcb->save.rip, rip);
	}
	*misc2 = usual;
	*misc1 |= MISC1_INVLPGA;
	l2_start(l2, L2_INVLPGA);
	l2_check_exit(l2, VMEXIT_INVLPGA);
	*misc1 &= ~MISC1_INVLPGA;
}

/* L2 without an IDT meets an exception: the end of L2, and of nothing else. */
static void shutdown(struct l2 *l2)
{
	point("a triple fault of L2 exits as SHUTDOWN");
	if (emulator_is(BOCHS)) {
		point_known(BOCHS, "a triple fault of L2 resets the machine: not tried");
		return;
	}
	l2->vmcb->save.idtr.limit = 0;
	l2_start(l2, L2_UD2);
	l2_check_exit(l2, VMEXIT_SHUTDOWN);
}

static void msrs(struct l2 *l2)
{
	uint32_t *misc1 = &l2->vmcb->control.intercepts[INTERCEPT_MISC1];
	uint64_t own = rdmsr(MSR_SYSENTER_CS);

	*misc1 |= MISC1_MSR_PROT;
	point("WRMSR and RDMSR, passed by the MSRPM, run");
	l2->regs.rcx = MSR_SYSENTER_CS;
	l2->regs.rdx = 0;
	l2->vmcb->save.rax = 0x58;
	l2_start(l2, L2_WRMSR);
	l2_check_done(l2);
	l2->vmcb->save.rax = 0;
	l2_start(l2, L2_RDMSR);
	l2_check_value(l2, 0x58);
	check("in the VMCB", l2->vmcb->save.sysenter_cs, 0x58);
	check("L1's own", rdmsr(MSR_SYSENTER_CS), own);

	point("RDMSR, intercepted by the MSRPM, exits");
	l2_msr_intercept(MSR_SYSENTER_CS, MSR_READ);
	l2_start(l2, L2_RDMSR);
	l2_check_exit(l2, VMEXIT_MSR);
	check("EXITINFO1", l2->vmcb->control.exit_info1, 0);

	point("WRMSR, passed where RDMSR is intercepted, runs");
	l2->vmcb->save.rax = 0x68;
	l2_start(l2, L2_WRMSR);
	l2_check_done(l2);
	check("in the VMCB", l2->vmcb->save.sysenter_cs, 0x68);

	point("WRMSR, intercepted by the MSRPM, exits and changes nothing");
	l2_msr_intercept(MSR_SYSENTER_CS, 0);
	l2_msr_intercept(MSR_STAR, MSR_WRITE);
	l2->regs.rcx = MSR_STAR;
	l2->vmcb->save.star = 0x1234;
	l2->vmcb->save.rax = 0x78;
	l2_start(l2, L2_WRMSR);
	l2_check_exit(l2, VMEXIT_MSR);
	check("EXITINFO1", l2->vmcb->control.exit_info1, 1);
	check("STAR", l2->vmcb->save.star, 0x1234);

	point("RDMSR, passed where WRMSR is intercepted, runs");
	l2_start(l2, L2_RDMSR);
	l2_check_value(l2, 0x1234);
	l2_msr_intercept(MSR_STAR, 0);

	/* The map covers three ranges; outside of them everything exits. */
	point("RDMSR outside of the MSRPM's ranges exits");
	l2->regs.rcx = 0x40000000;
	l2_start(l2, L2_RDMSR);
	l2_check_exit(l2, VMEXIT_MSR);
	*misc1 &= ~MISC1_MSR_PROT;
}

/* Port, direction and width; the emulators differ in the other bits. */
static void check_io(struct l2 *l2, uint16_t port, uint32_t bits)
{
	uint32_t mask = 0xffffu << IOIO_PORT_SHIFT | IOIO_SZ8 | IOIO_SZ16 | IOIO_SZ32 |
	                IOIO_TYPE_IN | IOIO_STRING | IOIO_REP;

	l2_check_exit(l2, VMEXIT_IOIO);
	check("EXITINFO1", l2->vmcb->control.exit_info1 & mask,
	      (uint32_t)port << IOIO_PORT_SHIFT | bits);
}

static void ports(struct l2 *l2)
{
	uint32_t *misc1 = &l2->vmcb->control.intercepts[INTERCEPT_MISC1];
	uint64_t rip;

	*misc1 |= MISC1_IOIO_PROT;
	point("OUT and IN, passed by the IOPM, reach the device");
	l2->regs.rdx = PORT_SCRATCH;
	l2->vmcb->save.rax = 0x5a;
	l2_start(l2, L2_OUT);
	l2_check_done(l2);
	check("L1 reads", inb(PORT_SCRATCH), 0x5a);
	outb(PORT_SCRATCH, 0xa5);
	l2->vmcb->save.rax = 0;
	l2_start(l2, L2_IN);
	l2_check_value(l2, 0xa5);

	point("OUT, intercepted by the IOPM, exits and does not reach the device");
	l2_port_intercept(PORT_SCRATCH, true);
	l2->vmcb->save.rax = 0x11;
	l2_aim(l2, L2_OUT);
	rip = l2->vmcb->save.rip;
	l2_run(l2);
	check_io(l2, PORT_SCRATCH, IOIO_SZ8);
	check("rip", l2->vmcb->save.rip, rip);
	check("EXITINFO2, the next rip", l2->vmcb->control.exit_info2, rip + 1);
	check("L1 reads", inb(PORT_SCRATCH), 0xa5);

	point("IN, intercepted by the IOPM, gets what L1 makes up");
	l2_start(l2, L2_IN);
	check_io(l2, PORT_SCRATCH, IOIO_SZ8 | IOIO_TYPE_IN);
	l2->vmcb->save.rax = 0x77;
	l2->vmcb->save.rip = l2->vmcb->control.exit_info2;
	l2_run(l2);
	l2_check_value(l2, 0x77);

	point("a port beside the intercepted one stays passed");
	l2_port_intercept(PORT_SCRATCH, false);
	l2_port_intercept(PORT_SCRATCH - 1, true);
	l2_port_intercept(PORT_DIAGNOSTIC, true);
	l2_start(l2, L2_IN);
	l2_check_value(l2, 0xa5);

	point("OUT to a port in the map's beginning exits as well");
	l2->regs.rdx = PORT_DIAGNOSTIC;
	l2_start(l2, L2_OUT);
	check_io(l2, PORT_DIAGNOSTIC, IOIO_SZ8);
	*misc1 &= ~MISC1_IOIO_PROT;
}

static void exceptions(struct l2 *l2)
{
	uint32_t *excp = &l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION];
	uint64_t rip;

	point("#UD, not intercepted, goes to L2's handler");
	l2_aim(l2, L2_UD2);
	rip = l2->vmcb->save.rip;
	l2_run(l2);
	l2_check_vector(l2, VEC_UD);
	check("rip on L2's stack", l2_stack(l2, 0), rip);
	l2->vmcb->save.rsp = L2_STACK_TOP;

	point("#UD, intercepted, exits");
	*excp = 1u << VEC_UD;
	l2_start(l2, L2_UD2);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_UD);
	check("rip", l2->vmcb->save.rip, rip);

	point("#BP, not intercepted, goes to L2's handler");
	l2_aim(l2, L2_INT3);
	rip = l2->vmcb->save.rip;
	l2_run(l2);
	l2_check_vector(l2, VEC_BP);
	check("rip on L2's stack", l2_stack(l2, 0), rip + 1);
	l2->vmcb->save.rsp = L2_STACK_TOP;

	point("#BP, intercepted, exits");
	*excp = 1u << VEC_BP;
	l2_start(l2, L2_INT3);
	check_known("exit code", l2->vmcb->control.exit_code, VMEXIT_EXCP_BASE + VEC_BP,
	            VMEXIT_VMMCALL, QEMU, "INT3 asks for the intercept of INTn only");
	*excp = 0;
	l2->vmcb->save.rsp = L2_STACK_TOP;
}

/* Faults in L2's own tables are L2's, or L1's by intercept; never nested faults. */
static void page_faults(struct l2 *l2)
{
	uint32_t *excp = &l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION];
	uint64_t missing = l2->alias + L2_END + 0x5008, entry;
	uint64_t scratch = l2->alias + L2_SCRATCH;

	point("#PF, intercepted, exits with error code and CR2");
	*excp = 1u << VEC_PF;
	l2->regs.rbx = missing;
	l2->vmcb->save.cr2 = 0x1111;
	l2_start(l2, L2_WRITE);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_PF);
	check("EXITINFO1, the error code", l2->vmcb->control.exit_info1, 2);
	check("EXITINFO2, the address", l2->vmcb->control.exit_info2, missing);

	point("#PF on a read-only page of L2's own exits with P and W");
	entry = pt_get(&l2->own, scratch, 1);
	pt_set(&l2->own, scratch, 1, entry & ~PT_WRITE);
	l2->flush = true;
	l2->regs.rbx = scratch;
	l2_start(l2, L2_WRITE);
	l2_check_exit(l2, VMEXIT_EXCP_BASE + VEC_PF);
	check("EXITINFO1, the error code", l2->vmcb->control.exit_info1, 3);
	check("EXITINFO2, the address", l2->vmcb->control.exit_info2, scratch);
	pt_set(&l2->own, scratch, 1, entry);

	point("#PF, not intercepted, goes to L2's handler with CR2");
	*excp = 0;
	l2->regs.rbx = missing;
	l2_start(l2, L2_READ);
	l2_check_vector(l2, VEC_PF);
	check("error code on L2's stack", l2_stack(l2, 0), 0);
	check("CR2", l2->vmcb->save.cr2, missing);
	l2->vmcb->save.rsp = L2_STACK_TOP;
}

void points_intercept(const struct l2_kind *kind)
{
	struct l2 *l2;

	if (!tap_group(kind->name, "intercept"))
		return;
	l2 = l2_new(0, kind);
	instructions(l2);
	if (kind->bits != 16) /* in real mode they raise #UD before anything else */
		svm_instructions(l2);
	msrs(l2);
	ports(l2);
	exceptions(l2);
	if (kind->format)
		page_faults(l2);
	shutdown(l2_new(0, kind)); /* APM 15.12.1: what it leaves of L2's state is undefined */
}
