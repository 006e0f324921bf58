/*
 * The part of a report that the firmware's variables have room for: verdict, counts and the points
 * that failed, in pieces of a variable each. As with the rest of a report nothing that is found is
 * believed. Relies on nothing of EFI's.
 */
#ifndef BOOT_EFI_BRIEF_H
#define BOOT_EFI_BRIEF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/efi/report.h"
#include "boot/efi/run_state.h"

enum {
	BRIEF_PIECES = 8,
	BRIEF_PIECE_BYTES = 1024,
	BRIEF_PIECE_TEXT = BRIEF_PIECE_BYTES - 32,
	BRIEF_TEXT = BRIEF_PIECES * BRIEF_PIECE_TEXT,
};

/* What a variable holds: the head, and length bytes of text. */
struct brief_piece {
	uint64_t magic;
	uint32_t checksum; /* report_sum() of all that follows */
	uint32_t run, step;
	uint8_t index, count; /* this is piece index of count */
	uint16_t length;
	struct run_result result;
	char text[BRIEF_PIECE_TEXT];
};
_Static_assert(offsetof(struct brief_piece, run) == 12, "no holes in what is summed");
_Static_assert(offsetof(struct brief_piece, result) == 24, "no holes in what is summed");
_Static_assert(sizeof(struct brief_piece) == BRIEF_PIECE_BYTES, "no holes in what is summed");

struct brief {
	struct run_result result;
	uint32_t length; /* of the text */
	char text[BRIEF_TEXT];
};

/*
 * Takes from a report what counts. Lines that no longer fit are counted in a last one. False where
 * there is no report.
 */
bool brief_make(enum report_found found, const struct report_text *report, struct brief *brief);

/* How many pieces it has: one at least. */
unsigned int brief_pieces(const struct brief *brief);

/* Makes piece index. Returns the bytes of it that are to be kept. */
size_t brief_cut(const struct brief *brief, uint32_t run, uint32_t step, unsigned int index,
                 struct brief_piece *piece);

/* Are these bytes a piece, of any run? */
bool brief_is_piece(const void *bytes, size_t size);

/*
 * Adds piece index, in size bytes of whatever, to what those before it made: piece 0 begins. False
 * when it is none of this run and step, or does not go with the first. *more tells whether another
 * one follows.
 */
bool brief_join(const void *bytes, size_t size, uint32_t run, uint32_t step, unsigned int index,
                struct brief *brief, bool *more);

#endif
