/*
 * The table of instructions.asm: what the image runs, and what a test on the host decodes. Relies
 * on nothing.
 */
#ifndef GUEST_HARDWARE_INSTRUCTIONS_H
#define GUEST_HARDWARE_INSTRUCTIONS_H

#include <stddef.h>
#include <stdint.h>

struct instruction_row {
	uint16_t exit_code; /* of its intercept */
	uint8_t length;     /* as the assembler knows it; 0: the end of the table */
	uint8_t decoded;    /* by svm/decode */
	uint8_t code[16];
	char name[44];
};
_Static_assert(sizeof(struct instruction_row) == 64, "ROW_BYTES of instructions.asm");
_Static_assert(offsetof(struct instruction_row, name) == 20, "CODE_BYTES of instructions.asm");

/* For code of so many bits. */
extern const struct instruction_row instructions_16[], instructions_32[], instructions_64[];

#endif
