/*
 * Devices' pages that are kept from guests' stores: guests only read them (svm/apic/apic.h), and L0
 * performs what they store, or not, as the owner of the page says. The largest are where a store
 * may make or become an interrupt message that is not an APIC's own: the registers of I/O APICs,
 * and FEE00000h to FEEFFFFFh, where devices write their messages. Relies on hv/phys.h.
 */
#ifndef SVM_APIC_KEPT_H
#define SVM_APIC_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A guest's store of size bytes, of 8 the low half. False: nobody does that there, #GP. */
typedef bool kept_store(uint64_t gpa, unsigned int size, uint32_t value);

/*
 * Keeps the page of this hpa, below 4 GiB and no memory. To be called at boot. False: there is no
 * room for one more, or it is another's.
 */
bool kept_add(uint64_t hpa, kept_store *store);

/* Is one of these pages in [gpa, gpa + size)? */
bool kept_covers(uint64_t gpa, uint64_t size);

/* Whose page it is; that of no page is message_store. */
kept_store *kept_owner(uint64_t gpa);

/* One access to the device, of 1, 2 or 4 bytes. False: of other sizes, or beyond the page's end. */
bool kept_read(uint64_t gpa, unsigned int size, uint32_t *value);
bool kept_write(uint64_t gpa, unsigned int size, uint32_t value);

/* Would this make an INIT or a STARTUP, as ICR, an entry of an APIC's tables, or a message's data?
 */
static inline bool is_init_or_startup(uint32_t value)
{
	enum { MODE = 7 << 8, MODE_INIT = 5 << 8, MODE_STARTUP = 6 << 8 };

	return (value & MODE) == MODE_INIT || (value & MODE) == MODE_STARTUP;
}

/*
 * The owner of where messages come from: INIT and STARTUP would start processors behind L0's back.
 * Refused ones have no effect, and that is logged.
 */
kept_store message_store;

#endif
