/*
 * Where an image keeps its report so that it outlives a warm reset: the layout, which the EFI
 * program and the images share, and how what is found afterwards is judged. Nothing that is found
 * is believed: it may be anything. Relies on nothing of EFI's.
 */
#ifndef BOOT_EFI_REPORT_H
#define BOOT_EFI_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_MAGIC 0x32545250454c544eull

/* Places in the region, and sizes, in bytes. */
enum {
	REPORT_REGION = 2 << 20,
	REPORT_STATE_AT = 1024, /* the EFI program's own: boot/efi/run_state.h */
	REPORT_TEXT_AT = 4096,
	REPORT_KEPT_AT = 960 << 10,
	REPORT_RESIDENT_AT = 2 * REPORT_KEPT_AT, /* a program: boot/efi/resident/resident.h */
	REPORT_STATE_ROOM = REPORT_TEXT_AT - REPORT_STATE_AT,
	REPORT_TEXT_ROOM = REPORT_KEPT_AT - REPORT_TEXT_AT,
	REPORT_RESIDENT_ROOM = REPORT_REGION - REPORT_RESIDENT_AT,
};

/* How the image ended. */
enum report_end { REPORT_OPEN, REPORT_GOOD, REPORT_BAD };

/*
 * The image writes text first, then length and checksum, then, once, end; and takes each out of
 * the processor's caches, which a reset forgets.
 */
struct report_header {
	uint64_t magic;
	uint32_t run, step; /* whose report it is: of the EFI program */
	uint32_t length;    /* bytes of text at REPORT_TEXT_AT */
	uint32_t checksum;  /* report_sum() of them */
	uint32_t end;       /* enum report_end */
	uint32_t kept_step; /* the report before it, at REPORT_KEPT_AT */
	uint32_t kept_length, kept_checksum;
	uint32_t resident; /* not 0: there is a program at REPORT_RESIDENT_AT to end with */
	uint32_t unused;
};

_Static_assert(offsetof(struct report_header, length) == 16, "the same for 32 and 64 bits");
_Static_assert(sizeof(struct report_header) == 48, "the same for 32 and 64 bits");

/* FNV-1a of 32 bits, which goes on from the sum of what came before; the first is of nothing. */
#define REPORT_SUM_OF_NOTHING 0x811c9dc5u

static inline uint32_t report_sum(uint32_t sum, const void *bytes, size_t length)
{
	const uint8_t *byte = (const uint8_t *)bytes;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ byte[i]) * 0x01000193u;
	return sum;
}

/* What is found in a region after the reset. */
enum report_found {
	REPORT_LOST,       /* not there: the firmware wrote over it, or it is of another step */
	REPORT_DAMAGED,    /* it is there, but its text is not what was summed */
	REPORT_UNFINISHED, /* the image never came to its end */
	REPORT_ENDED_GOOD,
	REPORT_ENDED_BAD,
};

/* A text in the region; of a damaged report, what begins it and looks like text. */
struct report_text {
	const char *at;
	size_t length;
};

/* Looks for the report of that run and step in the region's REPORT_REGION bytes. */
enum report_found report_find(const void *region, uint32_t run, uint32_t step,
                              struct report_text *text);

/* The text that report_keep() has kept of that run and step; a length of 0 when it is not there. */
struct report_text report_kept(const void *region, uint32_t run, uint32_t step);

/*
 * Begins the report of a step; what is kept stays if it is of the same run. resident: there is a
 * program for the image to end with.
 */
void report_begin(void *region, uint32_t run, uint32_t step, bool resident);

/* Keeps the text that report_find() gave for when the next step's is there. */
void report_keep(void *region, const struct report_text *text, uint32_t step);

/*
 * As the text goes to a file: what is neither printable ASCII nor the end of a line becomes a "?",
 * and a line that looks like a heading ("===") begins with a blank. at_line tells whether a line
 * begins, before and after; to has twice the room of from. Returns the bytes in to.
 */
size_t report_clean(const char *from, size_t length, char *to, int *at_line);

#endif
