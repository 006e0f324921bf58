/*
 * One access of a processor's, by its L2 or by L1 itself, and whether it may have come out so.
 * Relies on smp.h, which tells the rules, and on probe.asm.
 */
#include "guest/smp/smp.h"

enum {
	MSR = 0x174,
	PORT = 0x80,
	INTERRUPTS_MAX = 1000, /* of one run */
	OWN_WORD = 8,          /* a tester's first word in each frame */
};

int probe_read(uintptr_t at, uint32_t *value);
int probe_write(uintptr_t at, uint32_t value);

static uint32_t load(const volatile uint32_t *field)
{
	return __atomic_load_n(field, __ATOMIC_SEQ_CST);
}

bool fail(struct tester *tester, const char *what, const struct access *access)
{
	if (tester->failure)
		return false;
	if (access)
		tester->failed = *access;
	tester->failure = what;
	return false;
}

/* The VMCB says what the TLB is to do; interrupts of L1's only interrupt it. */
static void run_on(struct tester *tester, struct l2 *l2)
{
	struct vmcb_control *control = &l2->vmcb->control;

	for (unsigned int i = 0; i < INTERRUPTS_MAX; i++) {
		svm_run_on(tester->cpu->host, &l2->regs, l2->vmcb);
		control->tlb_control = TLB_CONTROL_NONE;
		if (control->exit_code != VMEXIT_INTR)
			return;
	}
}

void run_l2(struct tester *tester, struct l2 *l2, enum l2_snippet snippet)
{
	l2_aim(l2, snippet);
	run_on(tester, l2);
}

static bool is_done(const struct l2 *l2)
{
	uint64_t stubs = L2_CODE + L2_STUBS;

	return l2->vmcb->control.exit_code == VMEXIT_VMMCALL && l2->vmcb->save.rip < stubs;
}

bool l2_reads(struct tester *tester, uint64_t address, uint32_t *value)
{
	struct l2 *l2 = tester->l2;

	l2->regs.rbx = l2->alias + address;
	run_l2(tester, l2, L2_READ);
	*value = l2_eax(l2);
	return is_done(l2);
}

bool l2_writes(struct tester *tester, struct l2 *l2, uint64_t address, uint32_t value)
{
	struct access access = {.thing = THINGS, .write = true, .value = (uint32_t)address};

	l2->regs.rbx = l2->alias + address;
	l2->vmcb->save.rax = value;
	if (l2 == &tester->writer && tester->writer_flush) {
		l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
		tester->writer_flush = false;
	}
	run_l2(tester, l2, L2_WRITE);
	if (is_done(l2) || l2 != &tester->writer)
		return is_done(l2);
	access.outcome = ODD;
	access.code = l2->vmcb->control.exit_code;
	access.info = l2->vmcb->control.exit_info2;
	return fail(tester, "the L2 that edits could not write", &access);
}

static unsigned int asid_count(void)
{
	return (machine.asids < ASIDS ? machine.asids : ASIDS) - 1; /* the last is the writer's */
}

static void use_root(struct l2 *l2, unsigned int tree)
{
	if (l2->nested)
		l2->vmcb->control.nested_cr3 = scene.tree[tree].root;
	else
		l2->vmcb->save.cr3 = scene.tree[tree].root;
}

/* Nothing is cached any more under any ASID but the first, which is in use from now on. */
static void begin_asids(struct tester *tester, uint32_t known, unsigned int tree)
{
	tester->asid = 1;
	tester->next_asid = 2;
	tester->seen[1] = known;
	tester->tree[1] = tree;
}

void access_begin(struct tester *tester)
{
	uint32_t known = load(&scene.finished);
	bool again = tester->begun;

	tester->begun = true;
	if (scene.own) {
		write_cr3(read_cr3());
		for (unsigned int i = 0; i < PAGES; i++)
			tester->seen_page[i] = known;
	} else {
		scene_restore_vmcb(tester);
		use_root(tester->l2, 0);
		/* INIT leaves the TLB empty: APM vol. 2, table 14-1. */
		begin_asids(tester, known, 0);
		tester->flush_first = !again;
		tester->writer_flush = true;
	}
	tester->acked = known;
}

/* An ASID that has the tree, and nothing that is due; or 0. */
static unsigned int find_asid(const struct tester *tester, unsigned int tree, uint32_t due,
                              uint32_t known)
{
	unsigned int asid = tester->asid;

	for (unsigned int i = 1; i < tester->next_asid; i++) {
		if (tester->tree[asid] == tree && tester->seen[asid] >= due &&
		    known - tester->seen[asid] < VERSIONS / 2)
			return asid;
		asid = asid + 1 < tester->next_asid ? asid + 1 : 1;
	}
	return 0;
}

/* Makes the tree current, with a flush if one is due, by any of the ways that there are. */
static void make_current(struct tester *tester, unsigned int tree, uint32_t due, uint32_t known)
{
	struct vmcb_control *control = &tester->l2->vmcb->control;
	bool by_asid = machine.svm_features & SVM_FEATURE_FLUSH_ASID;
	unsigned int way = smp_random(tester, 3), asid = find_asid(tester, tree, due, known);

	if (tester->flush_first) {
		way = 0;
		asid = 0;
	}
	if (asid) {
		tester->asid = asid;
	} else if (way == 2 && tester->next_asid < asid_count()) {
		tester->asid = tester->next_asid++;
	} else if (way == 1 && by_asid) {
		control->tlb_control = TLB_CONTROL_FLUSH_ASID;
	} else {
		control->tlb_control = TLB_CONTROL_FLUSH_ALL;
		begin_asids(tester, known, tree);
		tester->flush_first = false;
	}
	control->asid = tester->asid;
	use_root(tester->l2, tree);
	if (asid)
		return;
	tester->seen[tester->asid] = known;
	tester->tree[tester->asid] = tree;
}

static uint32_t own_word(const struct tester *tester)
{
	return (OWN_WORD + tester->number) * (uint32_t)sizeof(uint32_t);
}

static void perform_l2(struct tester *tester, struct access *access)
{
	struct l2 *l2 = tester->l2;
	struct vmcb_control *control = &l2->vmcb->control;
	uint64_t address, fault;

	if (access->thing >= PAGES) {
		bool msr = access->thing == THE_MSR;

		l2->regs.rcx = MSR;
		l2->regs.rdx = PORT;
		run_l2(tester, l2, msr ? L2_RDMSR : L2_IN);
		access->outcome = is_done(l2) ? DONE : ODD;
		if (control->exit_code == (msr ? VMEXIT_MSR : VMEXIT_IOIO))
			access->outcome = INTERCEPTED;
	} else {
		address = scene_address(access->thing);
		if (access->write) {
			address += own_word(tester);
			l2_writes(tester, l2, address, access->value);
		} else {
			l2_reads(tester, address, &access->value);
		}
		access->outcome = is_done(l2) ? DONE : ODD;
		fault = address + (l2->nested ? 0 : l2->alias);
		if (control->exit_code == l2_fault_exit(l2) && control->exit_info2 == fault &&
		    !(control->exit_info1 & NPF_RESERVED) &&
		    !(control->exit_info1 & NPF_WRITE) == !access->write)
			access->outcome = control->exit_info1 & NPF_PRESENT ? READ_ONLY : MISSING;
	}
	access->code = control->exit_code;
	access->info = access->outcome == ODD ? control->exit_info2 : control->exit_info1;
}

static void perform_own(struct tester *tester, struct access *access)
{
	uintptr_t at = (uintptr_t)scene_address(access->thing);
	int fault;

	if (access->write)
		fault = probe_write(at + own_word(tester), access->value);
	else
		fault = probe_read(at, &access->value);
	access->outcome = DONE;
	if (fault)
		access->outcome = tester->probe_error & NPF_PRESENT ? READ_ONLY : MISSING;
	access->code = fault;
	access->info = tester->probe_error;
}

/* Can the access have come out so by this version? */
static bool fits(const struct tester *tester, const struct access *access, uint32_t version)
{
	const struct state *state = scene_state(version, access->thing);

	switch (access->outcome) {
	case DONE:
		if (access->thing >= PAGES)
			return !state->present;
		if (!state->present)
			return false;
		if (!access->write)
			return access->value == frame_tag(state->frame);
		return state->writable &&
		       frame_memory(state->frame)[own_word(tester) / 4] == access->value;
	case MISSING:
		return !state->present;
	case READ_ONLY:
		return access->write && state->present && !state->writable;
	case INTERCEPTED:
		return state->present;
	default:
		return false;
	}
}

static bool is_possible(const struct tester *tester, const struct access *access)
{
	uint32_t from = access->low;
	bool denied = access->outcome == MISSING || access->outcome == READ_ONLY;

	/* Permission maps are not cached. */
	if (access->thing >= PAGES || (denied && load(&scene.structural) <= access->low))
		from = access->known;
	for (uint32_t version = from; version <= access->last; version++) {
		if (fits(tester, access, version))
			return true;
	}
	return false;
}

/* With one version only, the leaf has A and, after a write, D. */
static bool has_bits(const struct access *access, unsigned int tree)
{
	const struct pt *pt = &scene.tree[tree];
	uint64_t address = scene_address(access->thing), value;
	uint64_t bits = PT_ACCESSED | (access->write ? PT_DIRTY : 0);
	const volatile uint32_t *entry = pt_entry(pt, address, 2);

	value = entry ? *entry : bits;
	if (!(value & PT_LARGE)) {
		entry = pt_entry(pt, address, 1);
		value = entry ? *entry : bits;
	}
	return (value & bits) == bits || load(&scene.started) != access->last;
}

bool access_thing(struct tester *tester, unsigned int thing, bool write)
{
	struct access access = {.thing = thing, .write = write};
	bool held = tester->held;
	uint32_t due = load(&scene.due);
	unsigned int tree = tester->tree[tester->asid];

	access.known = load(&scene.finished);
	if (write)
		access.value = tester->stamp = (tester->stamp + 1) | tester->number << 24;
	if (scene.own) {
		access.low = tester->seen_page[thing];
		perform_own(tester, &access);
		tree = 0;
	} else {
		if (!held) {
			if (!smp_random(tester, 4))
				tree = smp_random(tester, scene.trees);
			make_current(tester, tree, due, access.known);
		}
		access.low = tester->seen[tester->asid];
		perform_l2(tester, &access);
	}
	access.last = load(&scene.started);
	if (!is_possible(tester, &access))
		return fail(tester, "what came of an access", &access);
	if (thing < PAGES && access.outcome == DONE && access.low == access.last &&
	    !has_bits(&access, tree))
		return fail(tester, "A and D after an access", &access);
	if (!scene.own && !held)
		tester->acked = access.known;
	return !tester->failure;
}

/* The page that tells the tree. */
static bool access_private(struct tester *tester)
{
	struct access access = {.thing = THINGS};
	unsigned int tree = tester->tree[tester->asid];
	uint64_t address = scene_private_address(smp_random(tester, PRIVATE_RANGES));

	if (l2_reads(tester, address, &access.value) && access.value == scene_private_tag(tree))
		return true;
	access.code = tester->l2->vmcb->control.exit_code;
	access.info = tester->l2->vmcb->control.exit_info2;
	return fail(tester, "a tree's own page", &access);
}

bool access_any(struct tester *tester, unsigned int kinds)
{
	bool maps = !scene.own && (kinds & MAPS);

	if (!access_thing(tester, smp_random(tester, maps ? THINGS : PAGES), smp_random(tester, 2)))
		return false;
	return scene.trees < 2 || access_private(tester);
}
