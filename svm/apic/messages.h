/*
 * Pages where a store may make or become an interrupt message that is not an APIC's own: the
 * registers of I/O APICs, and FEE00000h to FEEFFFFFh, where devices write their messages. INIT and
 * STARTUP there would start processors behind L0's back, so guests cannot write to these pages
 * (svm/apic/apic.h) and L0 performs their stores, but for these. Relies on hv/phys.h.
 */
#ifndef SVM_APIC_MESSAGES_H
#define SVM_APIC_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The I/O APIC whose registers are at this hpa, below 4 GiB, is watched. To be called at boot, for
 * pages that are no memory. False: there is no room for one more.
 */
bool messages_watch(uint64_t io_apic);

/* Is one of these pages in [gpa, gpa + size)? */
bool messages_cover(uint64_t gpa, uint64_t size);

/* Would this make an INIT or a STARTUP, as ICR, an entry of an APIC's tables, or a message's data?
 */
static inline bool is_init_or_startup(uint32_t value)
{
	enum { MODE = 7 << 8, MODE_INIT = 5 << 8, MODE_STARTUP = 6 << 8 };

	return (value & MODE) == MODE_INIT || (value & MODE) == MODE_STARTUP;
}

/* A guest's store of size bytes to such a page. Refused ones have no effect, and that is logged. */
void message_store(uint64_t gpa, unsigned int size, uint32_t value);

#endif
