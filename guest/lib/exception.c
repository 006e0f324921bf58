/*
 * L1's IDT and what happens behind it. Relies on vectors.asm for the stubs and the way out of
 * try_call().
 */
#include "guest/lib/exception.h"
#include "guest/lib/apic.h"
#include "guest/lib/svm.h"
#include "guest/lib/tap.h"
#include "hv/x86.h"

enum {
	STUB_BYTES = 16, /* as in vectors.asm */
	GATE_PRESENT_INTERRUPT = 0x8e,
	GATE_USER = 0x60, /* DPL 3 */
	CPL_MASK = 3,
	FIRST_INTERRUPT = 32,
};

struct gate {
	uint16_t offset_low, selector;
	uint8_t zero, type;
	uint16_t offset_middle;
#ifdef __x86_64__
	uint32_t offset_high, reserved;
#endif
};
_Static_assert(sizeof(struct gate) == 2 * sizeof(void *), "IDT entry");

extern char vector_stubs[], try_unwind[];
void trap(struct trap_frame *frame);
uintptr_t try_stack; /* of the running try_call(), or 0 */

struct trap_record trap_last;
volatile unsigned int interrupt_count[VECTORS];
void (*nmi_handler)(void);
bool (*trap_handler)(struct trap_frame *frame);

static struct gate idt[VECTORS] __attribute__((aligned(16)));

void exception_load(void)
{
	struct {
		uint16_t limit;
		uintptr_t base;
	} __attribute__((packed)) pointer = {sizeof(idt) - 1, (uintptr_t)idt};

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void exception_init(void)
{
	for (unsigned int vector = 0; vector < VECTORS; vector++) {
		uintptr_t stub = (uintptr_t)vector_stubs + vector * STUB_BYTES;

		idt[vector].offset_low = (uint16_t)stub;
		idt[vector].offset_middle = (uint16_t)(stub >> 16);
		idt[vector].selector = L1_CODE;
		idt[vector].type = GATE_PRESENT_INTERRUPT;
	}
	idt[USER_RETURN_VECTOR].type |= GATE_USER;
	exception_load();
}

static void record(const struct trap_frame *frame)
{
	trap_last.vector = (uint32_t)frame->vector;
	trap_last.error = frame->error;
	trap_last.ip = frame->ip;
	trap_last.cr2 = read_cr2();
	trap_last.ax = frame->ax;
	trap_last.sp = (uintptr_t)frame;
}

/* From CPL 3 and from virtual 8086 mode everything leads back to L1's try_call(). */
static void leave_user(struct trap_frame *frame)
{
	bool returns = frame->vector == USER_RETURN_VECTOR || frame->vector == VEC_UD;

	frame->ax = returns ? (uintptr_t)-1 : frame->vector;
	frame->ip = (uintptr_t)try_unwind;
	frame->cs = L1_CODE;
	frame->flags = RFLAGS_FIXED;
#ifdef __x86_64__
	frame->ss = L1_DATA;
#endif
}

void trap(struct trap_frame *frame)
{
	if (trap_handler && trap_handler(frame))
		return;
	if (try_stack && (frame->cs & CPL_MASK || frame->flags & RFLAGS_VM)) {
		record(frame);
		leave_user(frame);
		return;
	}
	if (frame->vector >= FIRST_INTERRUPT) {
		interrupt_count[frame->vector]++;
		apic_eoi((uint8_t)frame->vector);
		return;
	}
	if (frame->vector == VEC_NMI && nmi_handler) {
		interrupt_count[VEC_NMI]++;
		nmi_handler();
		return;
	}
	record(frame);
	if (!try_stack)
		run_failed("# exception %u in L1: error code 0x%llx, rip 0x%llx, cr2 0x%llx\n",
		           trap_last.vector, (unsigned long long)trap_last.error,
		           (unsigned long long)trap_last.ip, (unsigned long long)trap_last.cr2);
	frame->ax = frame->vector;
	frame->ip = (uintptr_t)try_unwind;
}
