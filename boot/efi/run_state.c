/*
 * The steps of "Everything". Relies on boot/efi/report.h for the sum.
 */
#include "boot/efi/run_state.h"
#include "boot/efi/report.h"
#include "hv/string.h"

#define RUN_MAGIC 0x31455441545354ull /* "TSTATE1" */

_Static_assert(sizeof(struct run_state) <= REPORT_STATE_ROOM, "it stands beside the report");
_Static_assert(sizeof(struct run_result) == 8, "no holes in what is summed");
_Static_assert(offsetof(struct run_state, whose) == 12, "no holes in what is summed");
_Static_assert(offsetof(struct run_state, result) == 32, "no holes in what is summed");

static bool add_image(struct run_list *list, const char *text, size_t length)
{
	struct run_image *image = &list->image[list->count];
	size_t name = 0;

	while (name < length && text[name] != '+')
		name++;
	if (!name || name >= RUN_NAME_SIZE || list->count == RUN_IMAGES_MAX)
		return false;
	image->name = text;
	image->length = name;
	image->words = name < length ? text + name + 1 : text + name;
	image->words_length = name < length ? length - name - 1 : 0;
	list->count++;
	return true;
}

bool run_list_read(const char *text, struct run_list *list)
{
	list->count = 0;
	for (;;) {
		size_t length = 0;

		while (text[length] && text[length] != ',')
			length++;
		if (!add_image(list, text, length))
			return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

static uint32_t sum_of(const struct run_state *state)
{
	return report_sum(REPORT_SUM_OF_NOTHING, &state->whose,
	                  sizeof(*state) - offsetof(struct run_state, whose));
}

void run_state_new(struct run_state *state, uint32_t whose, uint32_t run, uint32_t images)
{
	memset(state, 0, sizeof(*state));
	state->magic = RUN_MAGIC;
	state->whose = whose;
	state->run = run;
	state->count = 2 * images;
}

bool run_state_read(const void *bytes, size_t size, uint32_t whose, uint32_t images,
                    struct run_state *state)
{
	if (size < sizeof(*state))
		return false;
	memcpy(state, bytes, sizeof(*state));
	if (state->magic != RUN_MAGIC || state->checksum != sum_of(state) ||
	    state->whose != whose || state->count != 2 * images || state->count > RUN_STEPS_MAX ||
	    state->step > state->count || state->begun > (state->step < state->count))
		return false;
	for (uint32_t i = 0; i < RUN_STEPS_MAX; i++)
		if (state->result[i].verdict >= RUN_VERDICTS)
			return false;
	return true;
}

void run_state_seal(struct run_state *state)
{
	state->checksum = sum_of(state);
}

const struct run_state *run_state_later(const struct run_state *a, const struct run_state *b)
{
	if (a->run != b->run)
		return a;
	return 2 * b->step + b->begun > 2 * a->step + a->begun ? b : a;
}

void run_state_done(struct run_state *state, const struct run_result *result)
{
	if (state->step >= state->count)
		return;
	state->result[state->step++] = *result;
	state->begun = 0;
}

const char *run_verdict_text(uint8_t verdict)
{
	static const char *const texts[RUN_VERDICTS] = {
		[RUN_NOT_YET] = "not yet",       [RUN_GOOD] = "good",
		[RUN_BAD] = "NOT GOOD",          [RUN_SKIPPED] = "skipped",
		[RUN_UNFINISHED] = "UNFINISHED", [RUN_LOST] = "LOST",
		[RUN_NOT_BEGUN] = "NOT BEGUN",
	};

	return verdict < RUN_VERDICTS ? texts[verdict] : "?";
}
