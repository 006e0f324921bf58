/*
 * Exceptions whose delivery raises them again, without end and inside the processor, if nobody
 * intercepts them (CVE-2015-5307, CVE-2015-8104): in an L2 of another processor, which must still
 * be reached.
 */
#include "guest/hostile/hostile.h"

enum {
	DPL_3 = 3 << 5, /* of a segment's attributes */
	RPL_3 = 3,
	GATE_BYTES_64 = 16,
	TSS_IST1 = 0x24,
	IST1_TOP = L2_SCRATCH + 0x800,
	IST_1 = 1,
	DR7_G0 = 1 << 1,
	DR7_WRITE0 = 1 << 16,
	DR7_8_BYTES0 = 2 << 18,
	WORD = 8,
};
#define DESCRIPTOR_DPL_3 (3ull << 45)
#define RFLAGS_AC        (1u << 18)

static struct l2 *looping;
static volatile uint32_t phase;

static void run_it(struct cpu *cpu)
{
	(void)cpu;
	phase = 1;
	svm_run(&looping->regs, looping->vmcb);
	phase = 2;
}

static void run_with_breakpoint(struct cpu *cpu)
{
	__asm__ volatile("mov %0, %%dr0" : : "r"((uintptr_t)(IST1_TOP - WORD)));
	run_it(cpu);
}

static void let_it_loop(void (*function)(struct cpu *))
{
	phase = 0;
	check("starts", cpu_restart(cpu_by_id(1)), true);
	cpu_call(cpu_by_id(1), function);
	check("has begun", cpus_wait_for(&phase, 1) != 0, true);
	cpus_pause();
	for (int i = 0; i < 20; i++)
		hostile_flush();
}

/* At CPL 3, to a handler at CPL 3, on the stack that is in use, which is not aligned. */
static void make_ac_loop(void)
{
	struct vmcb_save *save;
	uint64_t *gdt;

	looping = hostile_l2(1);
	save = &looping->vmcb->save;
	gdt = (void *)(looping->low + L2_GDT);
	gdt[L2_CODE32_SEL / 8] |= DESCRIPTOR_DPL_3;
	gdt[L2_DATA_SEL / 8] |= DESCRIPTOR_DPL_3;
	save->cs.attributes |= DPL_3;
	save->cs.selector |= RPL_3;
	save->ss.attributes |= DPL_3;
	save->ss.selector |= RPL_3;
	save->cpl = 3;
	save->cr0 |= CR0_AM;
	save->rflags |= RFLAGS_AC;
	save->rsp = L2_STACK_TOP - 2;
	looping->regs.rbx = looping->alias + L2_SCRATCH + 1;
	l2_aim(looping, L2_READ);
}

/* A breakpoint on the stack that the handler of #DB gets anew each time. */
static void make_db_loop(void)
{
	uint64_t top = IST1_TOP;
	struct vmcb_save *save;
	uint32_t *gate;

	looping = l2_new(1, &l2_long);
	save = &looping->vmcb->save;
	gate = (void *)(looping->low + L2_IDT + VEC_DB * GATE_BYTES_64);
	gate[1] |= IST_1;
	memcpy(looping->low + L2_SCRATCH + TSS_IST1, &top, sizeof(top));
	save->tr.base = L2_SCRATCH;
	save->dr7 = DR7_FIXED | DR7_G0 | DR7_WRITE0 | DR7_8_BYTES0;
	looping->regs.rbx = IST1_TOP - WORD;
	l2_aim(looping, L2_WRITE);
}

void hostile_loops(void)
{
	if (!tap_group("hostile", "loop"))
		return;
	if (hostile_count() < 2) {
		point("all of the group");
		point_skip("there is one processor");
		point_end();
		return;
	}
	point("#AC while #AC is delivered");
	make_ac_loop();
	let_it_loop(run_it);
	hostile_all_answer(1);

	point("#DB while #DB is delivered");
	if (l2_possible(&l2_long)) {
		make_db_loop();
		let_it_loop(run_with_breakpoint);
	} else {
		point_skip("it takes 64-bit code");
	}
	hostile_all_answer(1);
}
