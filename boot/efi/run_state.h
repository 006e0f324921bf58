/*
 * "Everything": which step is next, and what came of those before. A step is one image, bare or on
 * Nestling; the state is kept on the stick and beside the report, and neither is believed: what is
 * read is bounded, and names no file. Relies on nothing of EFI's.
 */
#ifndef BOOT_EFI_RUN_STATE_H
#define BOOT_EFI_RUN_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUN_IMAGES_MAX = 64, RUN_STEPS_MAX = 2 * RUN_IMAGES_MAX, RUN_NAME_SIZE = 64 };

/* What is to run: file[+word]... of everything=, separated by commas. */
struct run_image {
	const char *name; /* in the list's text */
	size_t length;
	const char *words; /* separated by "+" */
	size_t words_length;
};

struct run_list {
	struct run_image image[RUN_IMAGES_MAX];
	uint32_t count;
};

/* Reads the list; false when it is empty, has more images than fit, or a name is empty or too long.
 */
bool run_list_read(const char *text, struct run_list *list);

enum run_verdict {
	RUN_NOT_YET,
	RUN_GOOD,
	RUN_BAD,        /* a point failed, or the report is not whole */
	RUN_SKIPPED,    /* the image says that it has nothing to try here */
	RUN_UNFINISHED, /* no end: it hung, or the machine was reset */
	RUN_LOST,       /* nothing of it was there after the reset */
	RUN_NOT_BEGUN,  /* its file cannot be read */
	RUN_VERDICTS,
};

struct run_result {
	uint8_t verdict;  /* enum run_verdict */
	uint8_t compared; /* with the bare one */
	uint16_t points, failed, differences;
};

struct run_state {
	uint64_t magic;
	uint32_t checksum; /* of all that follows */
	uint32_t whose;    /* the list and the machine: of another one it counts for nothing */
	uint32_t run;      /* any number, so that an old report is not taken for this run's */
	uint32_t count;    /* of steps */
	uint32_t step;     /* the one that is next, or was begun */
	uint32_t begun;
	struct run_result result[RUN_STEPS_MAX];
};

/* A run's beginning. */
void run_state_new(struct run_state *state, uint32_t whose, uint32_t run, uint32_t images);

/* Takes it from size bytes of whatever; false when it is no state, or not of this list. */
bool run_state_read(const void *bytes, size_t size, uint32_t whose, uint32_t images,
                    struct run_state *state);

/* To be called before it is written. */
void run_state_seal(struct run_state *state);

/* The one of the two that is further, when both are of one run; else the first. */
const struct run_state *run_state_later(const struct run_state *a, const struct run_state *b);

/* Notes what came of the step that was begun, and goes on to the next. */
void run_state_done(struct run_state *state, const struct run_result *result);

static inline bool run_step_is_bare(uint32_t step)
{
	return !(step & 1);
}

static inline uint32_t run_step_image(uint32_t step)
{
	return step / 2;
}

/* "good", "not good" and the like. */
const char *run_verdict_text(uint8_t verdict);

#endif
