/*
 * Chainload: L1 is the machine as it was amid its firmware, each of its processors where it left
 * that (boot/efi/become_l1.asm). Relies on boot/boot_info.h.
 */
#ifndef BOOT_CHAIN_H
#define BOOT_CHAIN_H

#include <stdbool.h>

#include "boot/boot_info.h"
#include "boot/layout.h"
#include "svm/start/start_state.h"

/* Is it L1? */
bool chain_is_wanted(const struct boot_info *info);

/* The APIC ids of all but the first, sorted; returns how many. ids has room for chain->count. */
unsigned int chain_ids(const struct boot_chain *chain, uint32_t *ids);

/* Pages of the heap that chain_begin() takes for so many others. */
uint64_t chain_pages(unsigned int others);

/*
 * What the first processor begins with, and in *starts what those begin with whose ids are these,
 * in their order.
 */
struct l1_start chain_begin(const struct boot_chain *chain, const uint32_t *ids,
                            unsigned int others, const struct l1_start **starts);

/* Lets the others out of the firmware to where they are taken. information: hpa of the boot_info.
 */
void chain_open(uint64_t information, uint32_t entry, uint32_t argument);

/* Tells the EFI program, which L1 is in, what L0 has taken. */
void chain_tell(uint64_t information, const struct layout *layout);

#endif
