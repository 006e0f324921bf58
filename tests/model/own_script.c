/*
 * Scripts of guests with their own paging: made at random, run, printed. Relies on
 * tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

#include <stdio.h>
#include <string.h>

/* A fault takes five pages, those that it takes are not to be reclaimed for the next one. */
enum { MINIMUM_POOL = 12 };

/* Modes 0 and 1 read the same tables in ways that differ a little, so do 2 and 3. */
static void make_modes(struct own_world *world, const struct setting *setting)
{
	const uint8_t formats[2] = {setting->formats, setting->formats / 16};

	for (unsigned int i = 0; i < OWN_MODES; i++) {
		uint32_t flags = i / 2 ? setting->flags_b : setting->flags_a;

		if (i & 1)
			flags ^= setting->cpus & (MODE_NX | MODE_WP | MODE_SMEP | MODE_SMAP);
		rig_mode(world->rig, &world->tables[i].mode, formats[i / 2],
		         flags & ~MODE_NESTED & 0xff, setting->phys_bits);
		world->pat[i] = rig_pats[i / 2];
		world->tables[i].pat = pack_pat(world->pat[i]);
		world->mode[i] = rig_ref_mode(&world->tables[i].mode);
	}
	world->rig->mmu.phys_bits = world->mode[0].phys_bits;
}

static void start(struct own_world *world, const struct setting *setting)
{
	static const uint32_t pools[] = {1, 3, 6, 12, 24, 64, 200, 16};

	world->rig = own_rig_new(4 + (setting->host & 1), setting->host & 2,
	                         MINIMUM_POOL + pools[setting->pool % 8]);
	own_hook(world);
	world->rig->hole_level = setting->map % 4;
	world->cpus = 1 + setting->map / 4 % RIG_CPUS;
	make_modes(world, setting);
	for (unsigned int i = 0; i < world->cpus; i++) {
		world->cpu[i].mmu = &world->rig->cpu[i];
		for (unsigned int asid = 0; asid < OWN_ASIDS; asid++)
			world->cpu[i].asid[asid].space = OWN_DIRECT; /* as after a reset */
	}
}

static int run(const struct script *script, char *message, size_t size)
{
	static struct own_world world;
	static char why[512];
	static uint32_t at;
	const char *wrong;

	memset(&world, 0, sizeof(world));
	world.run.message = why;
	world.run.size = sizeof(why);
	start(&world, &script->setting);
	at = 0;
	if (setjmp(world.run.failed)) {
		snprintf(message, size, "operation %u: %s", at, why);
		rig_free(world.rig);
		return -1;
	}
	for (; at < script->count; at++)
		own_op(&world, &script->op[at]);
	own_check_all(&world);
	wrong = own_broken_list(world.rig);
	if (wrong)
		own_fail(&world, "%s", wrong);
	rig_free(world.rig);
	return 0;
}

static const struct script_style style = {
	.names = (const char *const[]){"access", "refault", "load", "edit", "mend", "flush",
                                       "flush-all", "invlpg", "drop-large", "reclaim", "watch",
                                       "watched", "race", "check"},
	.weights =
		(const uint8_t[OWN_OP_KINDS]){
			[OWN_OP_ACCESS] = 24,
			[OWN_OP_REFAULT] = 2,
			[OWN_OP_LOAD] = 7,
			[OWN_OP_EDIT] = 16,
			[OWN_OP_MEND] = 10,
			[OWN_OP_FLUSH] = 2,
			[OWN_OP_INVLPG] = 4,
			[OWN_OP_FLUSH_ALL] = 1,
			[OWN_OP_DROP_LARGE] = 1,
			[OWN_OP_RECLAIM] = 1,
			[OWN_OP_WATCH] = 2,
			[OWN_OP_WATCHED] = 2,
			[OWN_OP_RACE] = 8,
			[OWN_OP_CHECK] = 1,
		},
	.kinds = OWN_OP_KINDS,
	.first_optional = OWN_OP_FLUSH,
	.roots = (const uint8_t[]){32, 32, 8, 4, 4, 2, 1, 1},
};

static void make(struct script *script, uint64_t seed, uint32_t count)
{
	script_make_as(&style, script, seed, count);
}

static void print(const struct script *script)
{
	script_print_as(&style, script);
}

const struct script_model own_model = {run, make, print, NULL};
