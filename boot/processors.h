/*
 * Taking the machine's further processors, whatever the firmware left them in. Relies on
 * svm/machine.h for what each then does.
 */
#ifndef BOOT_PROCESSORS_H
#define BOOT_PROCESSORS_H

#include <stdint.h>

/* Pages of the heap that each further processor needs. */
uint64_t processor_pages(void);

/*
 * Starts the processors with these APIC ids, but for the one that calls, one after the other: each
 * makes itself a host and waits for L1's SIPI. page: hpa of a page of memory below 1 MiB, which is
 * as it was afterwards. One that does not answer is left out, and that is logged. Returns how many
 * there are in all.
 */
unsigned int processors_start(const uint32_t *ids, unsigned int count, uint64_t page);

#endif
