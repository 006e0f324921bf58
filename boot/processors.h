/*
 * Taking the machine's further processors, whatever the firmware left them in. Relies on
 * svm/start/machine.h for what each then does.
 */
#ifndef BOOT_PROCESSORS_H
#define BOOT_PROCESSORS_H

#include "svm/start/start_state.h"

#include <stdint.h>

/*
 * Finds all processors but the one that calls, by INIT and SIPI to all: whatever tables tell of
 * them, none may be unknown to L0 when L1 runs. Each says its APIC id, and waits for SIPI then.
 * told: ids that firmware tells of, sorted (0 of them: nothing is known), for how long to wait and
 * what to say; page: hpa of a page of memory below 1 MiB, which is as it was afterwards; others:
 * hpa below 4 GiB of room for PROCESSORS_MAX ids, sorted in the end. Returns how many there are.
 */
unsigned int processors_find(const uint32_t *told, unsigned int told_count, uint64_t page,
                             uint64_t others);

/* Pages of the heap that processors_start() takes for so many. */
uint64_t processors_heap_pages(unsigned int others);

/*
 * Starts the processors that were found, all at once: each makes itself a host and waits for L1's
 * SIPI. ids: in L0's memory below 4 GiB, used up by it; page: as above. One that does not answer is
 * left out, and that is logged. Returns how many there are in all.
 */
unsigned int processors_start(uint32_t *ids, unsigned int count, uint64_t page);

/* How processors come that wait for L0 amid the firmware. */
struct processors_door {
	uint64_t page; /* hpa of one that is L0's, and mapped one to one where the image is */
	uint64_t information; /* for open */
	/* Lets them go to the address in 32-bit mode, with the argument in EBX. */
	void (*open)(uint64_t information, uint32_t entry, uint32_t argument);
};

/*
 * Takes them, all at once, each to begin L1 as its start says. One that does not come would run
 * beside L0: that is the end.
 */
void processors_take(uint32_t *ids, unsigned int count, const struct l1_start *starts,
                     const struct processors_door *door);

#endif
