/*
 * The guest (L2): does what its mailbox says, one command after the other. The same code runs in
 * real, protected, PAE and long mode. The runner made descriptors and tables; there is no stack to
 * return by.
 */
#include "guest.h"

#ifdef __x86_64__
#define ENTRY
#else
#define ENTRY __attribute__((regparm(1)))
#endif

static inline void out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

/* Not a constant, which would be one of 16 bits in real mode. */
static inline volatile uint32_t *word(uint32_t address)
{
	__asm__("" : "+r"(address));
	return (volatile uint32_t *)(uintptr_t)address;
}

static void is(volatile struct mailbox *box, uint32_t address, uint32_t expected)
{
	uint32_t found = *word(address);

	if (found == expected || (box->zero_too && found == 0))
		return;
	if (box->wrong++ == 0) {
		box->wrong_at = address;
		box->wrong_is = found;
	}
}

/* One way through the words: check those of `old`, if it is said, write those of `new`, if it is
 * said. */
static void pass(volatile struct mailbox *box, const uint32_t *old, const uint32_t *new)
{
	uint32_t address = box->first;

	for (uint32_t n = box->count; n > 0; n--, address += box->step) {
		if (old)
			is(box, address, guest_pattern(address, *old));
		if (new)
			*word(address) = guest_pattern(address, *new);
	}
}

static void churn(volatile struct mailbox *box)
{
	while (!box->stop) {
		uint32_t old = box->seed, new = old + 1;

		pass(box, &old, &new);
		box->seed = new;
		box->rounds++;
	}
}

static void same(volatile struct mailbox *box)
{
	for (uint32_t i = 0; i < box->count; i++)
		*word(box->first + i * box->step) = box->seed;
}

/* The device answers each word with its complement. */
static void device(volatile struct mailbox *box)
{
	for (uint32_t i = 0; i < box->count; i++) {
		uint32_t address = box->first + i % 64 * sizeof(uint32_t);
		uint32_t sent = guest_pattern(address, box->seed + i);

		*word(address) = sent;
		is(box, address, ~sent);
	}
}

static void wait(volatile struct mailbox *box, int halt)
{
	while (box->interrupts < box->count) {
		if (halt) /* an interrupt that came before the test waits for STI, and ends HLT */
			__asm__ volatile("sti; hlt; cli" ::: "memory");
		else
			__asm__ volatile("sti; nop; cli" ::: "memory");
	}
}

/* By the window, the words of `count` pages, in an order of its own; the entry has 4 or 8 bytes. */
static void remap(volatile struct mailbox *box)
{
	uint32_t bits = *word(WINDOW_ENTRY) & (GUEST_PAGE - 1);

	for (uint32_t i = 0; i < box->count; i++) {
		uint32_t page = box->first + i * 7 % box->count * GUEST_PAGE;

		*word(WINDOW_ENTRY) = page | bits;
		__asm__ volatile("invlpg %0" ::"m"(*word(GUEST_WINDOW)) : "memory");
		for (uint32_t at = 0; at < GUEST_PAGE; at += box->step)
			*word(GUEST_WINDOW + at) = guest_pattern(page + at, box->seed);
	}
}

ENTRY void guest_main(volatile struct mailbox *box)
{
	for (;;) {
		uint32_t seed = box->seed;

		switch (box->command) {
		case GUEST_FILL:
			pass(box, 0, &seed);
			break;
		case GUEST_CHECK:
			pass(box, &seed, 0);
			break;
		case GUEST_SAME:
			same(box);
			break;
		case GUEST_CHURN:
			churn(box);
			break;
		case GUEST_DEVICE:
			device(box);
			break;
		case GUEST_HALT:
		case GUEST_SPIN:
			wait(box, box->command == GUEST_HALT);
			break;
		case GUEST_REMAP:
			remap(box);
			break;
		default:
			box->wrong++;
		}
		out(PORT_DONE, 0);
	}
}
