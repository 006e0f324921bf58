/*
 * SMAP and the processor's own writes: an interrupt stack of long mode that lies in a user's page
 * is written without being read before. RFLAGS.AC=1 lets the supervisor's explicit accesses pass;
 * of implicit ones the manual says so at CPL 3 only. With npt=off L0 has to know which, as nothing
 * in #PF tells them apart (docs/own-paging.md). Relies on guest/points/paging.h; APM 5.6.6.
 */
#include "guest/hardware/hardware.h"
#include "guest/points/paging.h"

#ifdef __x86_64__
enum { GATE_BYTES = 16, GATE_IST = 4, STACK_PAGE = 0 };

static void set_ist(uint8_t ist)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idt;

	__asm__ volatile("sidt %0" : "=m"(idt));
	*(volatile uint8_t *)(idt.base + VEC_BP * GATE_BYTES + GATE_IST) = ist;
}

/* INT3 with RFLAGS.AC as the argument says. */
static void breakpoint(void *ac)
{
	unsigned long flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags));
	flags = *(bool *)ac ? flags | RFLAGS_AC : flags & ~(unsigned long)RFLAGS_AC;
	__asm__ volatile("push %0; popf; int3" : : "r"(flags) : "memory", "cc");
}

static int at_cpl_0(bool ac)
{
	int vector = try_call(breakpoint, &ac);

	__asm__ volatile("pushf; andl %0, (%%rsp); popf" : : "i"(~RFLAGS_AC) : "memory", "cc");
	return vector;
}

/* The vector: #BP was delivered, or its frame was refused. */
static void check_refused(int vector)
{
	if (!check("vector", (uint64_t)(int64_t)vector, VEC_PF))
		return;
	check("error code", trap_last.error, PF_PRESENT | PF_WRITE);
	check("CR2's page", trap_last.cr2 & ~0xfffull, small_page(STACK_PAGE));
}

static void inner_stack(void)
{
	int vector;

	point("an interrupt stack in a user's page takes the frame without SMAP");
	check("vector", (uint64_t)(int64_t)at_cpl_0(false), VEC_BP);
	write_cr4(read_cr4() | CR4_SMAP);

	point("an interrupt stack in a user's page is #PF under SMAP with AC=0");
	check_refused(at_cpl_0(false));

	point("an interrupt stack in a user's page under SMAP with AC=1 is #PF, or not");
	vector = at_cpl_0(true);
	if (vector != VEC_BP)
		check_refused(vector);
	seen("at CPL 0 with AC=1 an implicit write to a user's page is %s",
	     vector == VEC_BP ? "not refused by SMAP" : "refused by SMAP");
	write_cr4(read_cr4() & ~(unsigned long)CR4_SMAP);
}
#endif

void hardware_implicit(void)
{
#ifdef __x86_64__
	if (!paging_group("implicit"))
		return;
	if (machine.smap) {
		user_set_ist((uintptr_t)small_page(STACK_PAGE) + PAGE_SIZE);
		set_ist(1);
		inner_stack();
		set_ist(0);
	} else {
		point("an interrupt stack in a user's page");
		point_skip("the processor has no SMAP");
	}
	paging_end();
#else
	if (!tap_group("paging", "implicit"))
		return;
	point("an interrupt stack in a user's page");
	point_skip("only long mode has a stack that is written first at the same CPL");
	point_end();
#endif
}
