/*
 * Sleep states that L0 would not come back from: the machine wakes in code of L1's, without L0.
 * Relies on svm/emulate/ports.h for registers at ports, on svm/apic/kept.h for those in memory.
 */
#ifndef SVM_EMULATE_SLEEP_H
#define SVM_EMULATE_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * SLP_TYP and SLP_EN, which are in one byte: the second one of a PM1 control register, the only one
 * of the sleep control register of hardware-reduced ACPI. ACPI 6.5, sections 4.8.3.2.1 and 4.8.3.7.
 */
enum { SLP_TYP_SHIFT = 2, SLP_TYP_MASK = 7, SLP_EN = 1 << 5, PM1_SLEEP_BYTE = 1 };

struct sleep_register {
	uint64_t at;   /* port or hpa of this byte */
	bool memory;   /* hpa */
	uint8_t value; /* 0 or 1: which of a state's values is for it */
};

enum { SLEEP_REGISTERS = 8 };

/* What a machine's ACPI tables say of them; sets of SLP_TYP have a bit for each value. */
struct sleep_states {
	struct sleep_register registers[SLEEP_REGISTERS];
	unsigned int count;
	uint8_t bad;      /* ask for S2 or S3 */
	uint8_t good[2];  /* ask for S1, S4 or S5 */
	bool s5_is_known; /* then no other value is good: S3 may be something that code computes */
};

/*
 * Refuses them from now on, which the log tells. is_free: may L0 keep the page of this hpa from
 * guests?
 */
void sleep_refuse(const struct sleep_states *states, bool (*is_free)(uint64_t hpa));

#endif
