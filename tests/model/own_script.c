/*
 * Scripts of guests with their own paging: made at random, run, printed. Relies on
 * tests/model/own_world.h.
 */
#include "tests/model/own_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A fault takes five pages, those that it takes are not to be reclaimed for the next one. */
enum { MINIMUM_POOL = 12 };

static const uint64_t pats[2] = {0x0007040600070406ull, 0x0605040106050400ull};

_Noreturn void own_fail(struct own_world *world, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(world->message, world->message_size, format, arguments);
	va_end(arguments);
	longjmp(world->failed, 1);
}

static void on_flush(struct rig *rig)
{
	own_forget_all(rig->context);
}

static void on_changed(struct rig *rig, uint64_t gpa)
{
	struct own_world *world = rig->context;

	ram_collect(&rig->ram);
	world->watch[ram_page_number(gpa)].since = ram_now(&rig->ram);
}

/* Modes 0 and 1 read the same tables in ways that differ a little, so do 2 and 3. */
static void make_modes(struct own_world *world, const struct setting *setting)
{
	static const uint8_t phys_bits[] = {40, 48, 52, 36};
	uint8_t formats[2] = {setting->formats % PT_FORMATS, setting->formats / 16 % PT_FORMATS};

	for (unsigned int i = 0; i < OWN_MODES; i++) {
		uint32_t flags = i / 2 ? setting->flags_b : setting->flags_a;
		enum pt_format_id id = formats[i / 2];

		if (i & 1)
			flags ^= setting->cpus & (MODE_NX | MODE_WP | MODE_SMEP | MODE_SMAP);
		if (id == PT_5LEVEL && world->rig->mmu.host_levels == 4)
			id = PT_4LEVEL; /* L1 has no LA57 under a 4-level L0 */
		paging_mode_init(&world->tables[i].mode, id, flags & ~MODE_NESTED & 0xff,
		                 phys_bits[setting->phys_bits % 4]);
		world->pat[i] = pats[i / 2];
		world->tables[i].pat = pack_pat(pats[i / 2]);
		world->mode[i] = rig_ref_mode(&world->tables[i].mode);
	}
	world->rig->mmu.phys_bits = world->mode[0].phys_bits;
}

static void start(struct own_world *world, const struct setting *setting)
{
	static const uint32_t pools[] = {1, 3, 6, 12, 24, 64, 200, 16};

	world->rig = own_rig_new(4 + (setting->host & 1), setting->host & 2,
	                         MINIMUM_POOL + pools[setting->pool % 8]);
	world->rig->context = world;
	world->rig->on_flush = on_flush;
	world->rig->on_changed = on_changed;
	world->rig->hole_level = setting->map % 4;
	world->cpu = &world->rig->cpu[0];
	make_modes(world, setting);
	for (unsigned int asid = 0; asid < OWN_ASIDS; asid++)
		world->asid[asid].space = OWN_DIRECT; /* as after a reset */
}

static struct ref_access access_of(const struct op *op)
{
	return (struct ref_access){.write = op->level % 3 == 1,
	                           .fetch = op->level % 3 == 2,
	                           .user = op->how & 1,
	                           .ac = op->how & 2};
}

static void access_guest(struct own_world *world, const struct op *op)
{
	struct own_asid *at = &world->asid[world->now];
	uint64_t address =
		own_address(op->address % own_addresses(world, at->space)) | (op->value & 15) << 8;
	struct ref_access access = access_of(op);
	struct own_seen seen;

	if (!at->running)
		own_load(world, world->now, at->space, false);
	if (op->kind % OWN_OP_KINDS == OWN_OP_REFAULT) {
		struct page_fault fault = {.address = address, .access = own_access_flags(access)};

		seen = own_walk(world->rig, own_start(world->root, own_levels(&at->tables)),
		                address);
		if (!own_permits(own_mode(world, at->space), &seen, access) ||
		    own_ref_walk(&world->rig->ram, &at->used[at->space].tables, address, access)
		            .fault)
			return;
		if (mmu_fault(&world->rig->mmu, world->cpu, &at->tables, &fault) == FAULT_REFLECT)
			own_fail(world, "address %#lx: what is allowed was reflected", address);
		ram_collect(&world->rig->ram);
	}
	own_do_access(world, address, access);
}

static void invlpg(struct own_world *world, const struct op *op)
{
	struct own_asid *at = &world->asid[world->now];
	uint64_t address = own_address(op->address % own_addresses(world, at->space));
	struct own_epochs *epochs = &at->used[at->space].epochs;
	size_t now = ram_now(&world->rig->ram);

	if (!at->running || epochs->count == OWN_EPOCHS)
		own_load(world, world->now, at->space, true);
	mmu_invlpg(&world->rig->mmu, world->cpu, &at->tables, address | (op->value & 15) << 8);
	own_forget_page(world, address);
	epochs->load[epochs->count] = at->used[at->space].tables.loads - 1;
	epochs->begin[epochs->count++] = now;
	for (unsigned int n = 0; n < OWN_ADDRESSES; n++) {
		for (unsigned int size = 0; size < OWN_SHIFTS; size++) {
			if (!((own_address(n) ^ address) >> own_shifts[size]))
				at->used[at->space].dropped[n].at[size] = now;
		}
	}
	own_check_all(world);
}

static void watch(struct own_world *world, unsigned int page)
{
	world->watch[page].on = !world->watch[page].on;
	world->watch[page].since = ram_now(&world->rig->ram);
	if (world->watch[page].on)
		mmu_watch(&world->rig->mmu, &world->rig->cpu[0], ram_page_gpa(page));
	else
		mmu_unwatch(&world->rig->mmu, ram_page_gpa(page));
}

static void watched(struct own_world *world, unsigned int page)
{
	if (!world->watch[page].on)
		return;
	mmu_watch_written(&world->rig->mmu, world->cpu, ram_page_gpa(page));
	if (ram_page_changed(&world->rig->ram, page, world->watch[page].since))
		own_fail(world, "the watched page %u was written, and nothing told", page);
}

static void run_op(struct own_world *world, const struct op *op)
{
	unsigned int asid = op->asid % OWN_ASIDS;

	switch ((enum own_op)(op->kind % OWN_OP_KINDS)) {
	case OWN_OP_ACCESS:
	case OWN_OP_REFAULT:
		access_guest(world, op);
		break;
	case OWN_OP_LOAD:
		if (op->value & 0x20) /* a world switch alone */
			own_load(world, asid, world->asid[asid].space, false);
		else
			own_load(world, asid, op->how % 16 ? op->root % OWN_DIRECT : OWN_DIRECT,
			         !(op->value & 0xc0));
		break;
	case OWN_OP_EDIT:
		own_edit(world, op);
		break;
	case OWN_OP_MEND:
		own_mend(world, op);
		break;
	case OWN_OP_FLUSH:
		own_flush(world, asid);
		break;
	case OWN_OP_FLUSH_ALL:
		mmu_flush_all_asids(world->cpu);
		for (asid = 0; asid < OWN_ASIDS; asid++)
			own_flush(world, asid);
		break;
	case OWN_OP_INVLPG:
		invlpg(world, op);
		break;
	case OWN_OP_DROP_LARGE:
		mmu_drop_large(&world->rig->mmu);
		break;
	case OWN_OP_RECLAIM:
		pool_reserve(&world->rig->mmu, op->value % 8);
		break;
	case OWN_OP_WATCH:
		watch(world, op->value % RAM_PAGES);
		break;
	case OWN_OP_WATCHED:
		watched(world, op->value % RAM_PAGES);
		break;
	case OWN_OP_CHECK:
	case OWN_OP_KINDS:
		own_check_all(world);
		break;
	}
	own_observe(world);
}

static int run(const struct script *script, char *message, size_t size)
{
	static struct own_world world;
	static char why[512];
	static uint32_t at;
	const char *wrong;

	memset(&world, 0, sizeof(world));
	world.message = why;
	world.message_size = sizeof(why);
	start(&world, &script->setting);
	at = 0;
	if (setjmp(world.failed)) {
		snprintf(message, size, "operation %u: %s", at, why);
		rig_free(world.rig);
		return -1;
	}
	for (; at < script->count; at++)
		run_op(&world, &script->op[at]);
	own_check_all(&world);
	wrong = own_broken_list(world.rig);
	if (wrong)
		own_fail(&world, "%s", wrong);
	rig_free(world.rig);
	return 0;
}

/* SplitMix64. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* How often each kind of operation comes, on the average. */
static const uint8_t weights[OWN_OP_KINDS] = {
	[OWN_OP_ACCESS] = 24,    [OWN_OP_REFAULT] = 2, [OWN_OP_LOAD] = 7,   [OWN_OP_EDIT] = 16,
	[OWN_OP_MEND] = 10,      [OWN_OP_FLUSH] = 2,   [OWN_OP_INVLPG] = 4, [OWN_OP_FLUSH_ALL] = 1,
	[OWN_OP_DROP_LARGE] = 1, [OWN_OP_RECLAIM] = 1, [OWN_OP_WATCH] = 1,  [OWN_OP_WATCHED] = 1,
	[OWN_OP_CHECK] = 1,
};

static void make(struct script *script, uint64_t seed, uint32_t count)
{
	static const uint8_t addresses[] = {0xff, 0xff, 0x35, 0x05, 0x03, 0x15, 0x07, 0xc1};
	static const unsigned int roots[] = {32, 32, 8, 4, 4, 2, 1, 1};
	uint64_t state = seed, setting = next(&state);
	uint32_t weight[OWN_OP_KINDS], sum = 0;
	unsigned int root_count = roots[next(&state) % 8];
	uint8_t mask = addresses[next(&state) % 8];

	/* Each script has its own habits: some never flush, some use two roots. */
	for (int kind = 0; kind < OWN_OP_KINDS; kind++) {
		weight[kind] = weights[kind] * 4u / (next(&state) % 4 ? 1 : 4);
		if (kind >= OWN_OP_FLUSH && next(&state) % 4 == 0)
			weight[kind] = 0;
		sum += weight[kind];
	}
	memcpy(&script->setting, &setting, sizeof(setting));
	script->count = count > SCRIPT_MAX ? SCRIPT_MAX : count;
	for (uint32_t i = 0; i < script->count; i++) {
		uint64_t bits = next(&state);
		uint32_t n = next(&state) % sum;
		struct op *op = &script->op[i];

		memcpy(op, &bits, sizeof(*op));
		for (op->kind = 0; n >= weight[op->kind]; op->kind++)
			n -= weight[op->kind];
		op->root = (uint8_t)(next(&state) % root_count);
		op->address &= mask;
	}
}

static void print(const struct script *script)
{
	static const char *const names[] = {
		"access", "refault",    "load",    "edit",  "mend",    "flush", "flush-all",
		"invlpg", "drop-large", "reclaim", "watch", "watched", "check"};
	const struct setting *s = &script->setting;

	printf("setting: formats %u flags %#x %#x phys-bits %u host %u pool %u cpus %#x map %u\n",
	       s->formats, s->flags_a, s->flags_b, s->phys_bits, s->host, s->pool, s->cpus, s->map);
	for (uint32_t i = 0; i < script->count; i++) {
		const struct op *op = &script->op[i];

		printf("%4u %-10s cpu %#x asid %u root %u address %#x level %u how %#x value %#x\n",
		       i, names[op->kind % OWN_OP_KINDS], op->cpu, op->asid, op->root, op->address,
		       op->level, op->how, op->value);
	}
}

const struct script_model own_model = {run, make, print};
