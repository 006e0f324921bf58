/*
 * Scripts: made at random, shrunk, printed. Relies on tests/model/script.h.
 */
#include "tests/model/script.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MOST_KINDS 16
_Static_assert((unsigned int)OP_KINDS <= MOST_KINDS, "habits have a weight for each");

/* SplitMix64. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Each script has its own habits: some never flush, some use two roots and four addresses. */
struct habits {
	const struct script_style *style;
	uint32_t weight[MOST_KINDS], sum;
	unsigned int roots;
	uint8_t addresses;
};

static void choose_habits(struct habits *habits, uint64_t *state)
{
	static const uint8_t addresses[] = {0xff, 0xff, 0x35, 0x05, 0x03, 0x15, 0x07, 0xc1};
	const struct script_style *style = habits->style;

	habits->sum = 0;
	for (unsigned int kind = 0; kind < style->kinds; kind++) {
		uint32_t factor = next(state) % 4; /* three of four times: about the average */

		habits->weight[kind] = style->weights[kind] * 4u / (factor ? 1 : 4);
		if (kind >= style->first_optional && next(state) % 4 == 0)
			habits->weight[kind] = 0;
		habits->sum += habits->weight[kind];
	}
	habits->roots = style->roots[next(state) % 8];
	habits->addresses = addresses[next(state) % 8];
}

static uint8_t random_kind(const struct habits *habits, uint64_t *state)
{
	uint32_t n = next(state) % habits->sum;
	uint8_t kind = 0;

	while (n >= habits->weight[kind])
		n -= habits->weight[kind++];
	return kind;
}

void script_make_as(const struct script_style *style, struct script *script, uint64_t seed,
                    uint32_t count)
{
	uint64_t state = seed;
	uint64_t setting = next(&state);
	struct habits habits = {.style = style};

	choose_habits(&habits, &state);
	memcpy(&script->setting, &setting, sizeof(setting));
	script->count = count > SCRIPT_MAX ? SCRIPT_MAX : count;
	for (uint32_t i = 0; i < script->count; i++) {
		uint64_t bits = next(&state);
		struct op *op = &script->op[i];

		memcpy(op, &bits, sizeof(*op));
		op->kind = random_kind(&habits, &state);
		op->root = (uint8_t)(next(&state) % habits.roots);
		op->address &= habits.addresses;
	}
}

void script_shrink(struct script *script, int (*fails)(const struct script *script))
{
	static struct script smaller;

	for (uint32_t chunk = script->count / 2; chunk; chunk /= 2) {
		for (uint32_t at = 0; at + chunk <= script->count;) {
			smaller.setting = script->setting;
			smaller.count = script->count - chunk;
			memcpy(smaller.op, script->op, at * sizeof(struct op));
			memcpy(smaller.op + at, script->op + at + chunk,
			       (smaller.count - at) * sizeof(struct op));
			if (fails(&smaller))
				*script = smaller;
			else
				at += chunk;
		}
	}
}

void script_print_as(const struct script_style *style, const struct script *script)
{
	const struct setting *s = &script->setting;

	printf("setting: formats %u flags %#x %#x phys-bits %u host %u pool %u cpus %#x map %u\n",
	       s->formats, s->flags_a, s->flags_b, s->phys_bits, s->host, s->pool, s->cpus, s->map);
	for (uint32_t i = 0; i < script->count; i++) {
		const struct op *op = &script->op[i];

		printf("%4u %-10s cpu %#x asid %u root %u address %#x level %u how %#x value %#x\n",
		       i, style->names[op->kind % style->kinds], op->cpu, op->asid, op->root,
		       op->address, op->level, op->how, op->value);
	}
}

static const struct script_style nested = {
	.names = (const char *const[]){"access", "refault", "load", "edit", "mend", "flush",
                                       "flush-all", "race", "direct", "drop-large", "reclaim",
                                       "watch", "watched", "check"},
	.weights =
		(const uint8_t[OP_KINDS]){
			[OP_ACCESS] = 22,
			[OP_REFAULT] = 2,
			[OP_LOAD] = 9,
			[OP_EDIT] = 12,
			[OP_MEND] = 8,
			[OP_FLUSH] = 3,
			[OP_FLUSH_ALL] = 1,
			[OP_RACE] = 2,
			[OP_DIRECT] = 3,
			[OP_DROP_LARGE] = 1,
			[OP_RECLAIM] = 1,
			[OP_WATCH] = 1,
			[OP_WATCHED] = 1,
			[OP_CHECK] = 2,
		},
	.kinds = OP_KINDS,
	.first_optional = OP_FLUSH,
	.roots = (const uint8_t[]){24, 24, 4, 3, 2, 1, 1, 1},
};

void script_random(struct script *script, uint64_t seed, uint32_t count)
{
	script_make_as(&nested, script, seed, count);
}

void script_print(const struct script *script)
{
	script_print_as(&nested, script);
}

_Noreturn void script_fail(struct script_run *run, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(run->message, run->size, format, arguments);
	va_end(arguments);
	longjmp(run->failed, 1);
}
