/*
 * Roots: common ones come from the hash, local ones from the processor's own cache; and how fresh
 * a root has to be for the ASID that it runs under. Relies on mmu/spte.h.
 */
#include "mmu/change.h"
#include "mmu/protect.h"
#include "mmu/spte.h"

#include <stddef.h>

/* Of a cached root: no count of flushes ever comes to it. */
#define FLUSHED (~0ull)

/* Levels of the tables that the processor walks for these. */
static unsigned int levels_for(const struct mmu *mmu, const struct guest_tables *tables)
{
	if (!mmu->shadows_l1_paging)
		return mmu->host_levels;
	/* Outside of long mode that is PAE: the only one with 8-byte entries. */
	return tables->direct || uses_local_roots(&tables->mode) ? 3 : tables->mode.format->levels;
}

static union shadow_role root_role(const struct mmu *mmu, const struct guest_tables *tables)
{
	const struct paging_mode *mode = &tables->mode;
	unsigned int levels = levels_for(mmu, tables);
	union shadow_role role = {.level = levels & 7, .pdptes = levels == 3};

	if (tables->direct) {
		role.direct = 1;
		role.local = 1;
		return role;
	}
	role.local = uses_local_roots(mode);
	role.delta = (levels - mode->format->levels) & 3;
	role.format = mode->id;
	role.mode = shadow_flags(mode->flags) & ((1u << MODE_BITS) - 1);
	role.pat = tables->pat & 0xffffff;
	return role;
}

static bool still_there(const struct cached_root *root)
{
	return root->page && root->page->live && root->page->serial == root->serial;
}

/*
 * A root that runs under several ASIDs has an entry for each: all processors of L1's guest may have
 * the same tables, and going from one to the next is no reason to synchronize.
 */
static bool is_root(const struct cached_root *root, uint64_t gpa, uint64_t role, uint32_t asid)
{
	return root->gpa == gpa && root->role.word == role && root->asid == asid &&
	       still_there(root);
}

/* The entry for this root, or the one to give up for it: mostly where such a one was last. */
static struct cached_root *lookup(struct mmu_cpu *cpu, uint64_t gpa, uint64_t role, uint32_t asid)
{
	uint8_t *place = &cpu->place[(gpa >> PT_PAGE_SHIFT ^ asid) % MMU_CACHED_ROOTS];
	struct cached_root *oldest = &cpu->roots[*place];

	if (is_root(oldest, gpa, role, asid))
		return oldest;
	for (int i = 0; i < MMU_CACHED_ROOTS; i++) {
		struct cached_root *root = &cpu->roots[i];
		bool found = is_root(root, gpa, role, asid);

		if (found || root->used < oldest->used)
			oldest = root;
		if (found)
			break;
	}
	*place = (uint8_t)(oldest - cpu->roots);
	return oldest;
}

/* Nothing but this processor's cache leads to a local root: it ends with its place there. */
static void give_up(struct mmu *mmu, struct mmu_cpu *cpu, struct cached_root *root)
{
	if (!still_there(root) || !root->role.local)
		return;
	if (cpu->current == root->page) {
		root->page->pins--;
		cpu->current = NULL;
	}
	page_zap(mmu, root->page);
}

static void make_current(struct mmu *mmu, struct mmu_cpu *cpu, struct shadow_page *page)
{
	if (cpu->current == page)
		return;
	mmu->counters->root_switches++;
	if (cpu->current)
		cpu->current->pins--;
	page->pins++;
	cpu->current = page;
}

/*
 * Is the root in use, cpu->last if there is one, that for this table, however it is read? It is
 * cpu->current, which stays.
 */
static inline bool is_in_use(const struct mmu_cpu *cpu, uint64_t gpa, uint32_t asid)
{
	return cpu->last->gpa == gpa && cpu->last->asid == asid;
}

/* Would these tables' root have the role of the one in use? */
static inline bool are_read_alike(const struct mmu_cpu *cpu, const struct guest_tables *tables)
{
	const struct cached_root *root = cpu->last;

	return root && root->role.direct == tables->direct &&
	       (tables->direct || (root->role.pat == tables->pat &&
	                           root->role.mode == shadow_flags(tables->mode.flags) &&
	                           root->role.format == tables->mode.id));
}

/*
 * Is it as fresh as its ASID promises? What others change from here on, with or without the lock,
 * they read from L1's tables after this.
 */
static inline bool is_fresh(const struct mmu *mmu, const struct mmu_cpu *cpu)
{
	const struct cached_root *root = cpu->last;

	/* What the guest stored before it came here is to be read by them. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* A2 */
	/* A3 */
	return root && root->seen == __atomic_load_n(&mmu->changes, __ATOMIC_SEQ_CST) &&
	       root->flush_all == cpu->flush_all;
}

uint64_t mmu_current_root(const struct mmu *mmu, const struct mmu_cpu *cpu,
                          const struct guest_tables *tables, uint32_t asid)
{
	return is_fresh(mmu, cpu) && is_in_use(cpu, tables->root, asid) &&
	                       are_read_alike(cpu, tables)
	               ? cpu->last->hpa
	               : 0;
}

uint64_t mmu_same_root(const struct mmu *mmu, const struct mmu_cpu *cpu, uint64_t gpa,
                       uint32_t asid)
{
	return is_fresh(mmu, cpu) && is_in_use(cpu, gpa, asid) ? cpu->last->hpa : 0;
}

static struct cached_root *find_root(struct mmu *mmu, struct mmu_cpu *cpu, uint64_t gpa,
                                     uint64_t role, uint32_t asid)
{
	struct cached_root *root = lookup(cpu, gpa, role, asid);

	root->used = ++cpu->clock;
	if (!is_root(root, gpa, role, asid)) {
		bool found;

		give_up(mmu, cpu, root);
		pool_reserve(mmu, pages_for(mmu, 1));
		root->gpa = gpa;
		root->role.word = role;
		root->asid = asid;
		root->page = page_get(mmu, gpa, root->role, &found);
		root->hpa = page_hpa(mmu, root->page);
		root->serial = root->page->serial;
		root->flush_all = FLUSHED;
		mmu->counters->roots_built += !found;
	}
	return root;
}

uint64_t mmu_load_root(struct mmu *mmu, struct mmu_cpu *cpu, const struct guest_tables *tables,
                       uint32_t asid)
{
	bool alike = are_read_alike(cpu, tables);
	struct cached_root *root;

	mmu_serve(mmu, cpu);
	if (!alike || !is_in_use(cpu, tables->root, asid)) {
		uint64_t role = alike ? cpu->last->role.word : root_role(mmu, tables).word;

		cpu->last = find_root(mmu, cpu, tables->root, role, asid);
		make_current(mmu, cpu, cpu->last->page);
	}
	root = cpu->last;
	page_touch(mmu, root->page);
	if (root->flush_all != cpu->flush_all) {
		if (mmu->shadows_l1_paging)
			protect_collect(mmu, true);
		freshen(mmu, &tables->mode, root->page);
		root->flush_all = cpu->flush_all;
	} else if (root->seen != mmu->changes) {
		catch_up(mmu, &tables->mode, root); /* A4 */
	}
	root->seen = mmu->changes;
	return root->hpa;
}

void mmu_invlpg(struct mmu *mmu, struct mmu_cpu *cpu, const struct guest_tables *tables,
                uint64_t address)
{
	struct shadow_page *page = cpu->current;

	mmu_serve(mmu, cpu);
	/* Without EFER.TCE INVLPG drops all upper entries, of whatever address; APM vol. 2, 3.1.7.
	 */
	if (mmu->dirty_upper)
		protect_collect(mmu, true);
	/* The PDPTEs may have been loaded again without a flush, as #VMEXIT does it. */
	if (page)
		sync_local(mmu, &tables->mode, page);
	while (page && !page->role.direct) {
		unsigned int index = shadow_index(page->role.level, address);
		uint64_t spte = page->table[index];

		if (page->role.level == 1 && (spte & PTE_P))
			sync_leaf(mmu, &tables->mode, page, index);
		page = spte_is_leaf(spte, page->role.level) || !(spte & PTE_P)
		               ? NULL
		               : page_of_spte(mmu, spte);
	}
	saw_changes(mmu, cpu);
}

void mmu_flush_asid(struct mmu_cpu *cpu, uint32_t asid)
{
	for (int i = 0; i < MMU_CACHED_ROOTS; i++) {
		if (cpu->roots[i].asid == asid)
			cpu->roots[i].flush_all = FLUSHED;
	}
}

void mmu_flush_all_asids(struct mmu_cpu *cpu)
{
	cpu->flush_all++;
	cpu->flushes_all = true;
}
