/*
 * The task state segment that leads from CPL 3 to L1, and the copies of user.asm's code. Relies on
 * entry.asm for the GDT; the layouts are APM vol. 2, 12.2.5.
 */
#include "guest/lib/user.h"
#include "guest/lib/exception.h"
#include "guest/lib/svm.h"
#include "hv/string.h"

enum {
	STACK_BYTES = 8192,
	TYPE_TSS = 0x89, /* present, available */
};

#ifdef __x86_64__
static struct {
	uint32_t reserved;
	uint32_t rsp[3][2]; /* not aligned to 8 */
	uint32_t reserved2[2], ist[7][2], reserved3[2];
	uint16_t more, iopb;
} tss;
_Static_assert(sizeof(tss) == 104, "TSS");
#else
static struct {
	uint32_t link, esp0, ss0, other_stacks[4], cr3, state[17];
	uint16_t trap, iopb;
} tss;
_Static_assert(sizeof(tss) == 104, "TSS");
#endif

static uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));

extern uint64_t l1_gdt[];
extern const uint8_t user_code_begin[], user_code_end[];
_Noreturn void user_enter(const struct user *user);

void user_set_stack(uintptr_t top)
{
	if (!top)
		top = (uintptr_t)stack + STACK_BYTES;
#ifdef __x86_64__
	tss.rsp[0][0] = (uint32_t)top;
	tss.rsp[0][1] = (uint32_t)(top >> 32);
#else
	tss.esp0 = top;
	tss.ss0 = L1_DATA;
#endif
}

#ifdef __x86_64__
void user_set_ist(uintptr_t top)
{
	tss.ist[0][0] = (uint32_t)top;
	tss.ist[0][1] = (uint32_t)(top >> 32);
}
#else
void user_set_cr3(uintptr_t cr3)
{
	tss.cr3 = cr3;
}
#endif

void user_init(void)
{
	uint64_t base = (uintptr_t)&tss;

	user_set_stack(0);
	tss.iopb = sizeof(tss);
	l1_gdt[L1_TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 |
	                     (uint64_t)TYPE_TSS << 40 | (base >> 24 & 0xff) << 56;
	l1_gdt[L1_TSS / 8 + 1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(L1_TSS) : "memory");
}

void user_copy_code(void *to)
{
	memcpy(to, user_code_begin, (size_t)(user_code_end - user_code_begin));
}

uintptr_t user_code_at(enum user_code code)
{
	return ((const uint16_t *)(const void *)user_code_begin)[code];
}

static void enter(void *user)
{
	user_enter(user);
}

int user_run(const struct user *user)
{
	struct user copy = *user;

	return try_call(enter, &copy);
}
