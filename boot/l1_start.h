/*
 * What L1 begins with, by the protocol that it was loaded by. Relies on boot/load.h.
 */
#ifndef BOOT_L1_START_H
#define BOOT_L1_START_H

#include "boot/load.h"
#include "svm/start/start_state.h"

/*
 * 32-bit protected mode with flat segments and paging off, or real mode; IF=0. pat: the firmware's.
 */
struct l1_start l1_start_loaded(const struct l1_entry *entry, uint64_t pat);

#endif
