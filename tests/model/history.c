/*
 * The model TLB. Relies on tests/model/history.h.
 */
#include "tests/model/history.h"

enum { DIRTY = 1 << 6 };

void windows_open(struct windows *windows, size_t now)
{
	unsigned int last = windows->count - 1;

	if (windows->count && windows->at[last].end >= now) { /* nothing has changed meanwhile */
		windows->at[last].end = WINDOW_OPEN;
		return;
	}
	if (windows->count == WINDOWS) { /* the time between the first two is granted */
		windows->at[1].begin = windows->at[0].begin;
		for (unsigned int i = 1; i < WINDOWS; i++)
			windows->at[i - 1] = windows->at[i];
		windows->count--;
	}
	windows->at[windows->count].begin = now;
	windows->at[windows->count++].end = WINDOW_OPEN;
}

void windows_close(struct windows *windows, size_t now)
{
	if (windows->count && windows->at[windows->count - 1].end == WINDOW_OPEN)
		windows->at[windows->count - 1].end = now;
}

size_t windows_from(const struct windows *windows, size_t time)
{
	for (unsigned int i = 0; i < windows->count; i++) {
		if (time <= windows->at[i].end)
			return time > windows->at[i].begin ? time : windows->at[i].begin;
	}
	return WINDOW_NONE;
}

size_t windows_next_change(const struct windows *windows, const struct ram *ram, uint64_t gpa,
                           size_t time)
{
	size_t change = ram_next_change(ram, gpa, time);

	return change ? windows_from(windows, change) : WINDOW_NONE;
}

struct search {
	const struct history *history;
	history_match match;
	void *context;
	const struct ref_access *access; /* a fault is looked for */
	uint32_t code;
};

static bool matches(const struct search *search, uint64_t entry, const struct ref_step *step)
{
	const struct ref_state *rights = &step->next;

	/* A translation without D is no use to a write: the processor walks again and sets it. */
	return rights->user && search->match(search->context, step->gpa, step->pat,
	                                     rights->write && (entry & DIRTY), rights->execute);
}

static bool faults(const struct search *search, const struct ref_step *step)
{
	const struct ref_mode *mode = search->history->mode;

	if (step->verdict == REF_FAULT)
		return ref_code(mode, *search->access, step->why) == search->code;
	return step->verdict == REF_PAGE && !ref_allows(mode, &step->next, *search->access) &&
	       ref_code(mode, *search->access, 1) == search->code;
}

/* All that the entry was read as from time on, and below each all that was read then or later. */
static bool look_from(const struct search *search, const struct ref_state *state, size_t time)
{
	const struct history *history = search->history;
	unsigned int size = ref_entry_size(history->mode);
	uint64_t gpa = ref_entry_gpa(history->mode, state, history->address);

	while (time != WINDOW_NONE) {
		uint64_t entry = ram_read_at(history->ram, gpa, size, time);
		struct ref_step step = ref_look(history->mode, state, history->address, entry);
		bool usable = (entry & step.accessed) == step.accessed;

		if (search->access && faults(search, &step))
			return true;
		/* Nothing is cached before A is set. */
		if (step.verdict == REF_PAGE && !search->access && usable &&
		    matches(search, entry, &step))
			return true;
		if (step.verdict == REF_TABLE && (usable || search->access) &&
		    look_from(search, &step.next, time))
			return true;
		time = windows_next_change(history->windows, history->ram, gpa, time);
	}
	return false;
}

static bool look(const struct search *search)
{
	const struct history *history = search->history;
	struct ref_state state = ref_start(history->mode, history->cr3);

	if (!ref_in_range(history->mode, history->address))
		return search->access &&
		       ref_code(history->mode, *search->access, 0) == search->code;
	return look_from(search, &state, windows_from(history->windows, 0));
}

bool history_may_have(const struct history *history, history_match match, void *context)
{
	return look(&(struct search){.history = history, .match = match, .context = context});
}

bool history_may_fault(const struct history *history, struct ref_access access, uint32_t code)
{
	return look(&(struct search){.history = history, .access = &access, .code = code});
}

bool history_may_fault_from(const struct history *history, const struct ref_state *state,
                            struct ref_access access, uint32_t code)
{
	struct search search = {.history = history, .access = &access, .code = code};

	return look_from(&search, state, windows_from(history->windows, 0));
}
