/*
 * INVLPG with every kind of operand, and single steps over it and over moves to control registers.
 * Relies on paging.h, invlpg.asm and step.asm; APM vol. 3, 1.4 and INVLPG.
 */
#include "guest/points/paging.h"

enum { VALUE = 0x1712, MAX_STEPS = 32 };

#define BASE_BELOW 0x5000u /* the base of FS and GS is below the page */

extern uint8_t invlpg_window[]; /* guest.ld; of a 32-bit L1 it is in the region */

extern uint64_t l1_gdt[];
extern uint64_t invlpg_address, invlpg_base;
typedef void (*const form)(void);
extern form invlpg_forms[];
void step_run(void);
extern const uintptr_t step_ips[];

/* FS and GS with the base. */
static void set_base(uint64_t base)
{
	invlpg_base = base;
#ifdef __x86_64__
	wrmsr(MSR_FS_BASE, base);
	wrmsr(MSR_GS_BASE, base);
#else
	l1_gdt[L1_TSS_OTHER / 8] =
		0x00cf93000000ffffull | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
	__asm__ volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(L1_TSS_OTHER));
#endif
}

static void no_base(void)
{
#ifdef __x86_64__
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
#else
	__asm__ volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(0));
#endif
}

/* Runs the section of forms on the page; the next section. */
static form *section(form *next, uint64_t page)
{
	uint64_t a = get(small_page(0), 1), b = get(small_page(1), 1);

	invlpg_address = page;
	for (unsigned int i = 0; *next; i++, next++) {
		set(page, 1, a);
		flush();
		may(SUPERVISOR, READ, page, VALUE);
		set(page, 1, b);
		(*next)();
		if (!may(SUPERVISOR, READ, page, VALUE + 1)) {
			point_fail("# form %u of its section\n", i);
			break;
		}
	}
	while (*next)
		next++;
	return next + 1;
}

static void operands(void)
{
	form *next = invlpg_forms;
	uint64_t page = small_page(2), window = (uintptr_t)invlpg_window;

	frame(0)[0] = VALUE;
	frame(1)[0] = VALUE + 1;

	point("INVLPG by each register");
	next = section(next, page);
	point("INVLPG by base, index, scale and displacement");
	next = section(next, page);

	point("INVLPG by displacement alone, relative to RIP, and with other address sizes");
	map(window, frame(0), 1, PT_RWU);
	flush();
	set_base(window);
	next = section(next, window);
#ifdef __x86_64__
	set(window, 3, 0);
#else
	map(window, frame(0), 1, PT_RWU);
#endif
	flush();

	point("INVLPG with segment overrides and bases");
	set_base(page - BASE_BELOW);
	section(next, page);
	no_base();
}

static void do_invlpg(void *address)
{
	invlpg(*(uint64_t *)address);
}

static void harmless(void)
{
	static const uint64_t addresses[] = {
		0,
		0x123,
		0x7ffff000,
		0xfffffffc,
#ifdef __x86_64__
		1ull << 47,
		1ull << 56,
		0x8000000000000000ull,
		0xdeadbeefdeadbeefull,
		~0ull - 100,
#endif
	};

	point("INVLPG of an address that is not mapped, or not canonical, does not fault");
	for (unsigned int i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		uint64_t address = addresses[i];

		check("vector", (uint64_t)(int64_t)try_call(do_invlpg, &address), (uint64_t)-1);
	}
	invlpg(region(REGION_FREE));
	may(SUPERVISOR, READ, small_page(0), VALUE);
}

static uintptr_t steps[MAX_STEPS];
static unsigned int step_count;

static bool on_step(struct trap_frame *frame)
{
	if (frame->vector != VEC_DB)
		return false;
	if (step_count < MAX_STEPS)
		steps[step_count++] = frame->ip;
	return true;
}

static void single_step(void)
{
	unsigned int expected = 0;
	uint64_t page = small_page(2), b = get(small_page(1), 1);

	point("TF steps over MOV to control registers, INVLPG, CLTS, SMSW and LMSW one by one");
	may(SUPERVISOR, READ, page, frame(1)[0]);
	set(page, 1, b);
	invlpg_address = page;
	step_count = 0;
	trap_handler = on_step;
	step_run();
	trap_handler = NULL;
	for (; step_ips[expected]; expected++)
		check("ip of a step", expected < step_count ? steps[expected] : 0,
		      step_ips[expected]);
	check("steps", step_count, expected);
	may(SUPERVISOR, READ, page, VALUE + 1);
}

void paging_invlpg(void)
{
	if (!paging_group("invlpg"))
		return;
	operands();
	harmless();
	single_step();
	paging_end();
}
