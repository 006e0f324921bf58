/*
 * SMEP and SMAP: what the supervisor may not do with the user's pages. Relies on paging.h; APM
 * 5.6.5 and 5.6.6.
 */
#include "guest/points/paging.h"
#include "guest/points/task.h"

enum {
	VALUE = 0x53a9,
	LDT_TYPE = 0x82,
	LDT_SELECTOR = 7, /* entry 0 of the LDT, RPL 3 */
};

#define DESC_USER_DATA 0x00cff3000000ffffull

extern uint64_t l1_gdt[];

static void cr4(uint32_t bit, bool on)
{
	write_cr4(on ? read_cr4() | bit : read_cr4() & ~(unsigned long)bit);
}

static void stac(void)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xcb" : : : "memory", "cc");
}

static void clac(void)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xca" : : : "memory", "cc");
}

static void set_ac(bool on)
{
	unsigned long flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	flags = on ? flags | RFLAGS_AC : flags & ~(unsigned long)RFLAGS_AC;
	__asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}

static void smep(void)
{
	uint64_t user = small_page(0), supervisor = small_page(1);

	put_code(frame(0), VALUE);
	put_code(frame(1), VALUE + 1);
	set(supervisor, 1, get(supervisor, 1) & ~PT_USER);
	flush();
	may(SUPERVISOR, FETCH, user, VALUE);

	point("SMEP forbids the supervisor to fetch from a user's page");
	cr4(CR4_SMEP, true);
	faults(SUPERVISOR, FETCH, user, PF_PRESENT);
	may(SUPERVISOR, READ, user, frame(0)[0]);
	may(SUPERVISOR, WRITE, user + 16, 1);

	point("SMEP forbids neither the user's own fetches nor the supervisor's");
	may(USER, FETCH, user, VALUE);
	may(SUPERVISOR, FETCH, supervisor, VALUE + 1);

	point("U missing above makes a page the supervisor's for SMEP");
	set(user, 2, get(user, 2) & ~PT_USER);
	flush();
	may(SUPERVISOR, FETCH, user, VALUE);
	set(user, 2, get(user, 2) | PT_USER);
	flush();
	faults(SUPERVISOR, FETCH, user, PF_PRESENT);

	point("without SMEP the supervisor fetches there again");
	cr4(CR4_SMEP, false);
	may(SUPERVISOR, FETCH, user, VALUE);
}

/* LDT in the page, LLDT, and then the user loads FS from it: an access that the processor makes. */
static int load_from_ldt(uint64_t page)
{
	const struct user user = {
		.ax = LDT_SELECTOR,
		.ip = (uintptr_t)region(REGION_USER) + user_code_at(USER_LOAD_FS),
		.sp = (uintptr_t)region(REGION_USER) + 2 * PAGE_SIZE,
		.flags = RFLAGS_FIXED | RFLAGS_AC,
	};
	int vector;

	l1_gdt[L1_TSS_OTHER / 8] =
		7 | (page & 0xffffff) << 16 | (uint64_t)LDT_TYPE << 40 | (page >> 24 & 0xff) << 56;
	l1_gdt[L1_TSS_OTHER / 8 + 1] = page >> 32;
	__asm__ volatile("lldt %w0" : : "r"(L1_TSS_OTHER) : "memory");
	vector = user_run(&user);
	__asm__ volatile("mov %0, %%fs; lldt %w0" : : "r"(0) : "memory");
	return vector;
}

#ifdef __x86_64__
static void fault_task(uint64_t user)
{
	(void)user;
	point_skip("long mode has no hardware task switches");
}
#else
static void ac_in_main(void)
{
	task_main.eflags |= RFLAGS_AC;
}

static void fault_task(uint64_t user)
{
	uint32_t value;

	task_prepare();
	task_gate(VEC_PF, true);
	task_also = ac_in_main;
	__asm__ volatile("movl (%1), %0" : "=r"(value) : "r"((uint32_t)user) : "memory");
	set_ac(false);
	task_gate(VEC_PF, false);
	task_end();
	task_leave();
	user_init();
	check("faults", task_seen.count, 1);
	check("error code", task_seen.pushed, PF_PRESENT);
	check("read", value, frame(2)[0]);
}
#endif

static void smap(void)
{
	uint64_t user = small_page(2), supervisor = small_page(3);
	int vector;

	frame(2)[0] = VALUE;
	frame(3)[0] = VALUE;
	set(supervisor, 1, get(supervisor, 1) & ~PT_USER);
	flush();
	may(SUPERVISOR, READ, user, VALUE);

	point("SMAP forbids the supervisor to read and write a user's page");
	cr4(CR4_SMAP, true);
	faults(SUPERVISOR, READ, user, PF_PRESENT);
	faults(SUPERVISOR, WRITE, user, PF_PRESENT);
	check("L1 sees", frame(2)[0], VALUE);
	may(SUPERVISOR, READ, supervisor, VALUE);
	may(SUPERVISOR, WRITE, supervisor, VALUE);

	point("SMAP forbids the user nothing");
	may(USER, READ, user, VALUE);
	may(USER, WRITE, user, VALUE + 1);

	point("STAC allows it, and CLAC forbids it again");
	for (unsigned int i = 0; i < 3; i++) {
		stac();
		may(SUPERVISOR, READ, user, VALUE + 1 + i);
		may(SUPERVISOR, WRITE, user, VALUE + 2 + i);
		clac();
		faults(SUPERVISOR, READ, user, PF_PRESENT);
		faults(SUPERVISOR, WRITE, user, PF_PRESENT);
	}

	point("so does POPF of AC");
	set_ac(true);
	may(SUPERVISOR, READ, user, VALUE + 4);
	set_ac(false);
	faults(SUPERVISOR, READ, user, PF_PRESENT);

	point("the task of #PF sets AC in the flags of the one that it goes back to");
	fault_task(user);
	faults(SUPERVISOR, READ, user, PF_PRESENT);

	point("AC changes no right but that of SMAP");
	set(user, 1, get(user, 1) & ~PT_WRITE);
	flush();
	set_ac(true);
	may(SUPERVISOR, READ, user, VALUE + 4);
	faults(SUPERVISOR, WRITE, user, PF_PRESENT);
	set_ac(false);
	faults(SUPERVISOR, WRITE, user, PF_PRESENT);
	set(user, 1, get(user, 1) | PT_WRITE);
	flush();

	point("U missing above makes a page the supervisor's for SMAP");
	set(user, 2, get(user, 2) & ~PT_USER);
	flush();
	may(SUPERVISOR, READ, user, VALUE + 4);
	set(user, 2, get(user, 2) | PT_USER);
	flush();
	faults(SUPERVISOR, READ, user, PF_PRESENT);

	point("the processor's own access for the user falls under SMAP, AC or not");
	*(uint64_t *)(void *)frame(4) = *(uint64_t *)(void *)frame(5) = DESC_USER_DATA;
	set(small_page(5), 1, get(small_page(5), 1) & ~PT_USER);
	flush();
	check("vector with the LDT in a supervisor's page",
	      (uint64_t)(int64_t)load_from_ldt(small_page(5)), (uint64_t)-1);
	vector = load_from_ldt(small_page(4));
	check_known("vector with the LDT in a user's page", (uint64_t)(int64_t)vector, VEC_PF,
	            (uint64_t)-1, BOCHS, "the access for the user does not fall under SMAP");
	if (vector == VEC_PF) {
		check("error code", trap_last.error, PF_PRESENT);
		check("CR2's page", trap_last.cr2 & ~0xfffull, small_page(4));
	}

	point("without SMAP the supervisor reads there again");
	cr4(CR4_SMAP, false);
	may(SUPERVISOR, READ, user, VALUE + 4);
	check("vector with the LDT in a user's page",
	      (uint64_t)(int64_t)load_from_ldt(small_page(4)), (uint64_t)-1);
}

void paging_smap(void)
{
	if (!paging_group("smap"))
		return;
	if (machine.smep) {
		smep();
	} else {
		point("SMEP forbids the supervisor to fetch from a user's page");
		point_skip("the processor has no SMEP");
	}
	if (machine.smap) {
		smap();
	} else {
		point("SMAP forbids the supervisor to read and write a user's page");
		point_skip("the processor has no SMAP");
	}
	paging_end();
}
