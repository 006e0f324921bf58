/*
 * The reference over time. Relies on tests/model/own_history.h.
 */
#include "tests/model/own_history.h"

enum { DIRTY = 1 << 6, WRITE_BACK = 6 };

struct search {
	const struct own_question *question;
	const struct windows *windows;
	size_t begin, end;
	uint32_t missing;
};

struct ref_access own_access(unsigned int number)
{
	return (struct ref_access){
		.write = number % 3 == 1,
		.fetch = number % 3 == 2,
		.user = number < 3,
		.ac = number >= 6,
	};
}

static unsigned int size_index(const struct ref_mode *mode, int level)
{
	if (level == 3)
		return 3;
	return level == 1 ? 0 : mode->format == REF_2LEVEL ? 2 : 1;
}

const unsigned int own_shifts[OWN_SHIFTS] = {12, 21, 22, 30};

static void page_explains(struct search *search, const struct ref_state *state,
                          const struct ref_step *step, uint64_t entry)
{
	const struct own_question *q = search->question;
	const struct ref_mode *mode = &q->tables->mode;

	if (step->gpa >> 12 != q->gpa >> 12 || (q->pat >> (8 * step->pat) & 7) != q->type)
		return;
	if (q->dropped && q->dropped->at[size_index(mode, state->level)] > search->begin)
		return;
	for (unsigned int i = 0; i < OWN_ACCESSES; i++) {
		struct ref_access access = own_access(i);

		/* A translation without D is no use to a write: the processor walks again. */
		if (ref_allows(q->mode, &step->next, access) && (!access.write || (entry & DIRTY)))
			search->missing &= ~(1u << i);
	}
}

/* The entry that the processor reads now. */
static uint64_t entry_now(struct ram *ram, const struct own_tables *tables,
                          const struct ref_state *state, uint64_t gpa)
{
	size_t now = ram_now(ram);

	if (tables->mode.format == REF_PAE && state->level == 3)
		now = tables->load[tables->loads - 1];
	return ram_read_at(ram, gpa, ref_entry_size(&tables->mode), now);
}

/* All that the entry was read as from time on, and below each all that was read then or later. */
static bool look_from(struct search *search, const struct ref_state *state, size_t time)
{
	const struct own_question *q = search->question;
	const struct ref_mode *mode = &q->tables->mode;
	uint64_t gpa = ref_entry_gpa(mode, state, q->address);

	while (time <= search->end) {
		uint64_t entry = ram_read_at(q->ram, gpa, ref_entry_size(mode), time);
		struct ref_step step = ref_look(mode, state, q->address, entry);

		/* Nothing is cached before A is set. */
		if ((entry & step.accessed) == step.accessed) {
			if (step.verdict == REF_PAGE)
				page_explains(search, state, &step, entry);
			else if (step.verdict == REF_TABLE && look_from(search, &step.next, time))
				return true;
		}
		if (!search->missing)
			return true;
		time = windows_next_change(search->windows, q->ram, gpa, time);
	}
	return false;
}

/* Walks within a time, by the PDPTEs loaded first to last. */
static bool look(struct search *search, size_t begin, size_t end, unsigned int first,
                 unsigned int last)
{
	const struct own_question *q = search->question;
	const struct own_tables *tables = q->tables;
	struct ref_state state = ref_start(&tables->mode, tables->cr3);
	uint64_t gpa = ref_entry_gpa(&tables->mode, &state, q->address);

	search->begin = begin;
	search->end = end;
	if (tables->mode.format != REF_PAE)
		return look_from(search, &state, windows_from(search->windows, begin));
	for (unsigned int i = first; i <= last; i++) {
		size_t load = tables->load[i];
		uint64_t entry = ram_read_at(q->ram, gpa, 8, load);
		struct ref_step step = ref_look(&tables->mode, &state, q->address, entry);

		if (step.verdict == REF_TABLE &&
		    look_from(search, &step.next,
		              windows_from(search->windows, load > begin ? load : begin)))
			return true;
	}
	return false;
}

bool own_may_have(const struct own_question *q)
{
	size_t now = ram_now(q->ram), end = now;
	struct windows at_present = WINDOWS_FROM(now);
	struct search search = {.question = q, .windows = &at_present, .missing = q->allowed};
	unsigned int load = q->tables->loads - 1, last = load;

	if (q->tables->direct)
		return q->gpa >> 12 == q->address >> 12 && q->type == WRITE_BACK;
	if (look(&search, now, now, load, load) || !q->epochs)
		return !search.missing;
	search.windows = q->windows;
	for (unsigned int n = q->epochs->count + 1; n-- > 0;) {
		size_t begin = n ? q->epochs->begin[n - 1] : q->tables->load[0];
		unsigned int first = n ? q->epochs->load[n - 1] : 0;

		if (look(&search, begin, end, first, last))
			return true;
		end = begin;
		last = first;
	}
	return false;
}

struct ref_result own_ref_walk(struct ram *ram, const struct own_tables *tables, uint64_t address,
                               struct ref_access access)
{
	const struct ref_mode *mode = &tables->mode;
	struct ref_state state = ref_start(mode, tables->cr3);
	struct ref_result result = {.gpa = address};

	for (; !tables->direct;) {
		unsigned int n = result.entries++;
		uint64_t gpa = ref_entry_gpa(mode, &state, address);
		uint64_t entry = entry_now(ram, tables, &state, gpa);
		struct ref_step step = ref_look(mode, &state, address, entry);

		result.entry[n].gpa = gpa;
		result.entry[n].value = entry;
		if (step.verdict == REF_FAULT ||
		    (step.verdict == REF_PAGE && !ref_allows(mode, &step.next, access))) {
			result.fault = true;
			result.code =
				ref_code(mode, access, step.verdict == REF_FAULT ? step.why : 1);
			return result;
		}
		result.entry[n].set = step.accessed & ~entry;
		if (step.verdict == REF_PAGE) {
			if (access.write)
				result.entry[n].set |= DIRTY & ~entry;
			result.gpa = step.gpa;
			result.pat = step.pat;
			result.rights = step.next;
			return result;
		}
		state = step.next;
	}
	return result;
}

bool own_may_fault(struct ram *ram, const struct own_tables *tables, uint64_t address,
                   struct ref_access access, uint32_t code, size_t since)
{
	const struct ref_mode *mode = &tables->mode;
	struct windows windows = WINDOWS_FROM(since);
	struct history history = {ram, mode, tables->cr3, address, &windows};
	struct ref_state state = ref_start(mode, tables->cr3);

	if (tables->direct)
		return false;
	if (mode->format == REF_PAE) {
		uint64_t gpa = ref_entry_gpa(mode, &state, address);
		struct ref_step step =
			ref_look(mode, &state, address, entry_now(ram, tables, &state, gpa));

		if (step.verdict == REF_FAULT)
			return ref_code(mode, access, step.why) == code;
		state = step.next;
	}
	return history_may_fault_from(&history, &state, access, code);
}
