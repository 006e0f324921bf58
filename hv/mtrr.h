/*
 * The memory type range registers: what they may hold, and which type they give to memory. The real
 * ones stay as the firmware left them; L1 has virtual ones of the same form. Relies on hv/x86.h.
 * APM vol. 2, section 7.7.
 */
#ifndef HV_MTRR_H
#define HV_MTRR_H

#include <stdbool.h>
#include <stdint.h>

enum { MTRR_FIXED = 11, MTRR_VARIABLE_MAX = 16 };
enum mtrr_type { MTRR_UC, MTRR_WC, MTRR_WT = 4, MTRR_WP, MTRR_WB };

#define MTRR_FIXED_ENABLE (1u << 10) /* of def_type */
#define MTRR_ENABLE       (1u << 11)
#define MTRR_MASK_VALID   (1u << 11) /* of a mask */

/* RdMem and WrMem of each of the eight ranges of a fixed-range register; section 7.9.1. */
#define MTRR_FIXED_DRAM 0x1818181818181818ull

/* One processor's. */
struct mtrr {
	uint64_t def_type;
	uint64_t fixed[MTRR_FIXED];
	uint64_t base[MTRR_VARIABLE_MAX], mask[MTRR_VARIABLE_MAX];
};

/* The real ones, on every processor. */
extern struct mtrr mtrr_real;

/* Reads the boot processor's; addresses have phys_bits bits. */
void mtrr_init(unsigned int phys_bits);

/* On another processor: reads into *own what the firmware left there, then makes it mtrr_real. */
void mtrr_join(struct mtrr *own);

/* MTRRcap. 0: the processor has no such registers. */
uint64_t mtrr_cap(void);

/* Where the register is; NULL: it is none. */
uint64_t *mtrr_register(struct mtrr *mtrr, uint32_t msr);

/* May one of them have this value? Else WRMSR raises #GP. */
bool mtrr_is_valid(uint32_t msr, uint64_t value);

/*
 * The type of [base, base + size), an aligned block of 4 KiB to 1 GiB. False: it has more than one,
 * and no large page may reach across (section 7.7.4). The first MiB has one for each 4 KiB.
 */
bool mtrr_type_of(const struct mtrr *mtrr, uint64_t base, uint64_t size, enum mtrr_type *type);

#endif
