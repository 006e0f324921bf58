/*
 * What firmware leaves besides memory, for tests of the loader: a screen, and EFI. Relies on
 * tests/unit/load_rig.h.
 */
#ifndef TESTS_UNIT_LOAD_SCREEN_H
#define TESTS_UNIT_LOAD_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/* A screen of 1024 x 768 pixels of 32 bits, as OVMF has it; VGA's text. */
void put_screen(void);
void put_text_screen(void);

/*
 * EFI of the width: free memory, of which boot services have left what begins at an address of it;
 * L0's region is free memory to it.
 */
void put_efi(bool wide, uint64_t left, uint64_t left_bytes);

#endif
