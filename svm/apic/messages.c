/*
 * Stores to I/O APICs and to where messages go. The delivery mode has bits 10:8 in a redirection
 * entry and in a message's data alike, and all other registers there have zeros in them (82093AA,
 * section 3; APM vol. 2, section 16.8): so a value is judged without a look at what it is for, of
 * which an I/O APIC's second register, which says that, would be another processor's to change.
 */
#include "svm/apic/messages.h"
#include "hv/log.h"
#include "hv/phys.h"
#include "hv/x86.h"

enum {
	WATCHED_MAX = 64,
	MESSAGES_SIZE = 0x100000,
	SELECT = 0,          /* of an I/O APIC: the register that its window shows */
	SELECT_BYTE = 0xff,  /* all that it has */
	REPEATED_EACH = 256, /* some do not decode more of the address */
};
#define MESSAGES_BASE 0xfee00000ull

static uint64_t watched[WATCHED_MAX];
static unsigned int watched_count;

static bool overlap(uint64_t base, uint64_t bytes, uint64_t gpa, uint64_t size)
{
	return base - gpa < size || gpa - base < bytes;
}

bool messages_watch(uint64_t io_apic)
{
	uint64_t page = io_apic & ~(uint64_t)(PAGE_SIZE - 1);

	if (messages_cover(page, PAGE_SIZE))
		return true;
	if (watched_count == WATCHED_MAX)
		return false;
	watched[watched_count++] = page;
	return true;
}

bool messages_cover(uint64_t gpa, uint64_t size)
{
	for (unsigned int i = 0; i < watched_count; i++) {
		if (overlap(watched[i], PAGE_SIZE, gpa, size))
			return true;
	}
	return overlap(MESSAGES_BASE, MESSAGES_SIZE, gpa, size);
}

static void tell_refused(uint64_t gpa, uint32_t value)
{
	static bool told;

	if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		log_aloud("INIT or STARTUP by an I/O APIC or a message is refused: %x written to "
		          "%llx",
		          value, (unsigned long long)gpa);
}

/* Registers have 32 bits; the one that selects has 8, and some software writes no more. */
void message_store(uint64_t gpa, unsigned int size, uint32_t value)
{
	volatile uint32_t *at = phys(gpa);

	if (gpa % REPEATED_EACH == SELECT && size < sizeof(value))
		value &= SELECT_BYTE;
	else if (size != sizeof(value) || gpa % sizeof(value))
		return;
	if (is_init_or_startup(value))
		tell_refused(gpa, value);
	else
		*at = value;
}
