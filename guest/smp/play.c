/*
 * A play: one tester edits, all others access, until the script is done; then every processor must
 * see everything as it is at last. Relies on smp.h.
 */
#include "guest/smp/smp.h"

enum {
	HOLD_EVERY = 16, /* edits; a hold lasts for half of it */
	RESTART_EVERY = 16,
	POKE_EVERY = 4,
	ACCESSES = 4,   /* of the editor's own, between two edits, at most */
	ALL_EVERY = 16, /* edits, until all of L1's own translations are flushed */
	LAG_VERSIONS = 6,
	STALLED = 50000, /* accesses of L2s without an edit: the editor does not answer */
	REPORTED = 6,
};

struct tester testers[TESTERS];
unsigned int tester_count;

static struct script now;
static volatile bool stop;

void testers_init(void)
{
	cpus_find();
	testers[tester_count++].cpu = cpu_self();
	for (uint32_t id = 0; id < CPUS_MAX && tester_count < TESTERS; id++) {
		if (cpu_by_id(id)->starts)
			testers[tester_count++].cpu = cpu_by_id(id);
	}
	for (unsigned int i = 0; i < tester_count; i++) {
		testers[i].number = i;
		testers[i].random = (smp_seed() + i * 0x9e3779b9u) | 1;
	}
}

static struct tester *any_other(struct tester *tester, unsigned int first)
{
	unsigned int n = first + smp_random(tester, tester_count - first);

	if (&testers[n] == tester)
		n = n + 1 < tester_count ? n + 1 : first;
	return &testers[n];
}

/* Waits until all have flushed for what is due, or all but the last few versions. */
static bool wait_for_all(struct tester *editor)
{
	uint32_t version = scene.own ? scene.due : scene.finished;

	if ((now.options & LAG) && !scene.own)
		version -= version > LAG_VERSIONS ? LAG_VERSIONS : version;
	for (unsigned int i = 0; i < tester_count; i++) {
		if (&testers[i] == editor || testers[i].out || testers[i].held)
			continue;
		if (cpus_wait_for(&testers[i].acked, version) < version && !stop)
			return fail(&testers[i], "no answer to the editor", NULL);
	}
	return !stop;
}

static bool make_known(struct tester *editor, unsigned int n, uint64_t what)
{
	if (scene.own && n % ALL_EVERY == 0)
		what = SHOOT_ALL;
	if (scene.own && what) {
		shoot_own(editor, what);
		return shoot_others(editor, what);
	}
	return true;
}

/* One of the others does not flush from here on, or does again. */
static bool hold(struct tester *editor, unsigned int n, struct tester **held)
{
	if (n % HOLD_EVERY == 1) {
		*held = any_other(editor, 0);
		(*held)->held = true;
	} else if (n % HOLD_EVERY == HOLD_EVERY / 2 && *held) {
		(*held)->held = false;
		*held = NULL;
		return make_known(editor, 0, SHOOT_ALL);
	}
	return true;
}

/* INIT to one of the others; SIPI some edits later. */
static bool restart(struct tester *editor, unsigned int n, struct tester **gone)
{
	if (n % RESTART_EVERY == 3) {
		*gone = any_other(editor, 1);
		if ((*gone)->out || (*gone)->held) {
			*gone = NULL;
			return true;
		}
		(*gone)->out = true;
		cpus_send_init((*gone)->cpu->id, 0);
		for (unsigned int i = 0; i < cpus_pauses / 50; i++)
			cpu_relax();
	} else if (n % RESTART_EVERY == 9 && *gone) {
		if (!cpu_start((*gone)->cpu))
			return fail(*gone, "it does not start again after INIT and SIPI", NULL);
		(*gone)->out = false;
		*gone = NULL;
	}
	return true;
}

static void edit_loop(struct tester *editor)
{
	struct tester *held = NULL, *gone = NULL;
	bool ok = true;

	if (now.options & SILENT)
		editor->acked = UINT32_MAX;
	for (unsigned int n = 0; n < now.edits && ok && !stop; n++) {
		if (now.options & HOLD)
			ok = hold(editor, n, &held);
		if (ok && (now.options & RESTART))
			ok = restart(editor, n, &gone);
		if ((now.options & POKE) && n % POKE_EVERY == 0 && tester_count > 1) {
			const struct tester *other = any_other(editor, 0);

			if (!other->out)
				apic_send(other->cpu->id, POKE_VECTOR);
		}
		ok = ok &&
		     make_known(editor, n + 1, edit_once(editor, now.kinds, now.options & BY_L2));
		for (unsigned int i = smp_random(editor, ACCESSES);
		     ok && i && !(now.options & SILENT); i--)
			ok = access_any(editor, now.kinds);
		ok = ok && !editor->failure && wait_for_all(editor);
	}
	if (held)
		hold(editor, HOLD_EVERY / 2, &held);
	if (gone)
		restart(editor, 9, &gone);
	stop = true;
}

static void access_loop(struct tester *tester)
{
	uint32_t version = 0;
	unsigned int stalled = 0, patience = scene.own ? cpus_polls : STALLED;

	while (!stop) {
		if (version != scene.started)
			stalled = 0;
		version = scene.started;
		if (++stalled == patience) {
			fail(&testers[now.editor], "no edit any more", NULL);
			stop = true;
		}
		if (!access_any(tester, now.kinds))
			stop = true;
	}
}

/* What each processor sees in the end. */
static void sweep(struct tester *tester)
{
	if (scene.own)
		shoot_own(tester, SHOOT_ALL);
	for (unsigned int thing = 0; thing < (scene.own ? PAGES : THINGS); thing++) {
		if (!access_thing(tester, thing, false) ||
		    (thing < PAGES && !access_thing(tester, thing, true)))
			return;
	}
}

static void work(struct cpu *cpu)
{
	struct tester *tester = tester_self();

	(void)cpu;
	access_begin(tester);
	sti();
	if (tester->number == now.editor)
		edit_loop(tester);
	else
		access_loop(tester);
	sweep(tester);
	cli();
}

bool play(const struct script *script)
{
	bool ok = true;

	now = *script;
	stop = false;
	for (unsigned int i = 0; i < tester_count; i++) {
		testers[i].begun = false;
		testers[i].failure = NULL;
		testers[i].acked = scene.finished;
	}
	for (unsigned int i = 1; i < tester_count; i++) {
		if (!testers[i].out)
			cpu_call(testers[i].cpu, work);
	}
	work(testers[0].cpu);
	for (unsigned int i = 1; i < tester_count; i++) {
		if (!testers[i].out && !cpu_wait(testers[i].cpu))
			fail(&testers[i], "it does not end", NULL);
	}
	for (unsigned int i = 0; i < tester_count; i++)
		ok &= !testers[i].failure;
	return ok;
}

static void report_states(const struct access *access)
{
	uint32_t version =
		access->last - access->low < REPORTED ? access->low : access->last - REPORTED;

	for (; version <= access->last && access->thing < THINGS; version++) {
		const struct state *state = scene_state(version, access->thing);

		point_fail("#   version %u: %s%s, frame %u\n", version,
		           state->present ? "there" : "not there",
		           state->writable ? ", writable" : "", state->frame);
	}
}

void report_failures(const struct script *script)
{
	static const char *const outcomes[] = {"done", "missing", "read-only", "intercepted",
	                                       "odd"};

	for (unsigned int i = 0; i < tester_count; i++) {
		const struct tester *t = &testers[i];
		const struct access *a = &t->failed;

		if (!t->failure)
			continue;
		point_fail("# processor %u: %s\n", i, t->failure);
		point_fail("#   editor %u, kinds 0x%x, options 0x%x, seed %u\n", script->editor,
		           script->kinds, script->options, smp_seed());
		point_fail("#   %s of %u: %s, value 0x%x, code 0x%llx, info 0x%llx\n",
		           a->write ? "write" : "read", a->thing, outcomes[a->outcome], a->value,
		           (unsigned long long)a->code, (unsigned long long)a->info);
		point_fail("#   versions: seen %u, known %u, last %u; structural %u\n", a->low,
		           a->known, a->last, scene.structural);
		report_states(a);
	}
}
