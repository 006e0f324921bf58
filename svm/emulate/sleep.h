/*
 * Sleep states that L0 would not come back from: the machine wakes in code of L1's, without L0.
 * Relies on svm/ports.h.
 */
#ifndef SVM_EMULATE_SLEEP_H
#define SVM_EMULATE_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

enum { SLEEP_TYPES = 8 };

/* What a machine's ACPI tables say of such states. */
struct sleep_states {
	uint16_t pm1_control[2];    /* ports; 0: there is none */
	uint8_t types[SLEEP_TYPES]; /* values of SLP_TYP that ask for S2 or S3 */
	unsigned int count;
	/* For each register, a bit for each value that asks for S1, S4 or S5. */
	uint8_t good[2];
	bool s5_is_known; /* then no other value is good: S3 may be something that code computes */
};

/* PM1 control registers; ACPI 6.5, section 4.8.3.2.1. */
enum {
	PM1_SLP_TYP_SHIFT = 10,
	PM1_SLP_TYP_MASK = 7,
	PM1_SLP_EN = 1 << 13,
	PM1_CONTROL_BYTES = 2,
};

/* Refuses them from now on, which the log tells. */
void sleep_refuse(const struct sleep_states *states);

#endif
