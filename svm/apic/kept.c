/*
 * Kept pages and their owners, and stores to I/O APICs and to where messages go. The delivery mode
 * has bits 10:8 in a redirection entry and in a message's data alike, and all other registers there
 * have zeros in them (82093AA, section 3; APM vol. 2, section 16.8): so a value is judged without a
 * look at what it is for, of which an I/O APIC's second register, which says that, would be another
 * processor's to change.
 */
#include "svm/apic/kept.h"
#include "hv/log.h"
#include "hv/phys.h"
#include "hv/window.h"
#include "hv/x86.h"

enum {
	KEPT_MAX = 72,
	SELECT = 0,          /* of an I/O APIC: the register that its window shows */
	SELECT_BYTE = 0xff,  /* all that it has */
	REPEATED_EACH = 256, /* some do not decode more of the address */
};

static struct kept {
	uint64_t base, size;
	kept_store *store;
} kept[KEPT_MAX] = {{0xfee00000, 0x100000, message_store}};
static unsigned int kept_count = 1;

static const struct kept *find(uint64_t gpa, uint64_t size)
{
	for (unsigned int i = 0; i < kept_count; i++) {
		if (overlap(kept[i].base, kept[i].size, gpa, size))
			return &kept[i];
	}
	return NULL;
}

bool kept_add(uint64_t hpa, kept_store *store)
{
	uint64_t page = hpa & ~(uint64_t)(PAGE_SIZE - 1);

	if (find(page, PAGE_SIZE))
		return kept_owner(page) == store;
	if (kept_count == KEPT_MAX || !window_device(page))
		return false;
	kept[kept_count++] = (struct kept){page, PAGE_SIZE, store};
	return true;
}

bool kept_covers(uint64_t gpa, uint64_t size)
{
	return find(gpa, size);
}

kept_store *kept_owner(uint64_t gpa)
{
	const struct kept *page = find(gpa, 1);

	return page ? page->store : message_store;
}

/* A register need not be aligned. */
typedef volatile uint16_t __attribute__((aligned(1))) any_u16;
typedef volatile uint32_t __attribute__((aligned(1))) any_u32;

static bool is_access(uint64_t gpa, unsigned int size)
{
	return size <= sizeof(uint32_t) && gpa % PAGE_SIZE + size <= PAGE_SIZE;
}

bool kept_read(uint64_t gpa, unsigned int size, uint32_t *value)
{
	const volatile uint8_t *at = phys(gpa);

	if (is_access(gpa, size))
		*value = size == 1 ? *at : size == 2 ? *(const any_u16 *)at : *(const any_u32 *)at;
	return is_access(gpa, size);
}

bool kept_write(uint64_t gpa, unsigned int size, uint32_t value)
{
	volatile uint8_t *at = phys(gpa);

	if (!is_access(gpa, size))
		return false;
	if (size == 1)
		*at = (uint8_t)value;
	else if (size == 2)
		*(any_u16 *)at = (uint16_t)value;
	else
		*(any_u32 *)at = value;
	return true;
}

static void tell_refused(uint64_t gpa, uint32_t value)
{
	log_once(log_aloud,
	         "INIT or STARTUP by an I/O APIC or a message is refused: %x written to %llx",
	         value, (unsigned long long)gpa);
}

/* Registers have 32 bits; the one that selects has 8, and some software writes no more. */
bool message_store(uint64_t gpa, unsigned int size, uint32_t value)
{
	if (gpa % REPEATED_EACH == SELECT && size < sizeof(value))
		value &= SELECT_BYTE;
	else if (size != sizeof(value) || gpa % sizeof(value))
		return true;
	if (is_init_or_startup(value))
		tell_refused(gpa, value);
	else
		kept_write(gpa, sizeof(value), value);
	return true;
}
