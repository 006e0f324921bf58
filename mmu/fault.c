/*
 * Faults of L2: whose they are, and the short way for those beside the last one. Relies on
 * mmu/walk_step.h for what L1's tables say, on mmu/fill.h for what becomes of it.
 */
#include "mmu/fill.h"
#include "mmu/walk_step.h"

/* Does the processor's way lead to the address, as far as L0's own tables are concerned? */
static inline bool leads_to(const struct mmu *mmu, const struct mmu_cpu *cpu, uint64_t address)
{
	const struct way *way = &cpu->way;

	return way->page && way->number == address >> shadow_shift(2) &&
	       way->unlinks == mmu->unlinks && way->root == cpu->current;
}

static inline bool still_say(const struct way *way, unsigned int size)
{
	for (const struct upper *upper = way->upper; upper != way->end; upper++) {
		if (entry_at(upper->at, size) != upper->said)
			return false;
	}
	return true;
}

/* What a walk would do at the leaf, an entry of this size. WALK_RETRY: it takes a whole walk. */
static inline __attribute__((always_inline)) enum walk_status
walk_leaf(const struct mmu *mmu, const struct way *way, const struct paging_mode *mode,
          unsigned int size, unsigned int index, uint32_t access, struct step *step)
{
	uint64_t offset = (uint64_t)index * size;
	void *at = way->at + offset;

	if (!still_say(way, size))
		return WALK_RETRY;
	step->entry = entry_at(at, size);
	return walk_step(&mmu->memory, mode, true, 1, at, way->table + offset, size, access, step);
}

/* The leaf is what is left. False: it takes the whole way, which begins anew. */
static inline bool short_way(struct mmu *mmu, struct mmu_cpu *cpu, const struct paging_mode *mode,
                             struct page_fault *fault, enum fault_result *result)
{
	const struct way *way = &cpu->way;
	struct shadow_page *page = way->page;
	unsigned int index = shadow_index(1, fault->address);
	struct step step = {.rights = way->rights};
	enum walk_status status =
		mode->format->entry_size == 8
			? walk_leaf(mmu, way, mode, 8, index, fault->access, &step)
			: walk_leaf(mmu, way, mode, 4, index, fault->access, &step);

	if (status == WALK_FAULT) {
		fault->code = step.code;
		cpu->counters.faults_reflected++;
		*result = FAULT_REFLECT;
	} else if (status == WALK_OK &&
	           apply_leaf(mmu, mode, page, index, step.entry,
	                      small_leaf(mmu, cpu, mode, page, step.entry), true)) {
		page_touch(mmu, page);
		cpu->counters.fills++;
		saw_changes(mmu, cpu); /* A8 */
		*result = FAULT_FILLED;
	} else {
		return false;
	}
	cpu->counters.short_ways++;
	return true;
}

/*
 * Remembers the way of a fault that has been filled, if every spte down to level 1 says what the
 * walk has found.
 */
static void remember(struct mmu *mmu, struct mmu_cpu *cpu, const struct paging_mode *mode,
                     uint64_t address, const struct walk *walk)
{
	unsigned int size = mode->format->entry_size;
	struct way *way = &cpu->way;
	struct shadow_page *page;

	if (!(mode->flags & MODE_NESTED) || walk->level != 1)
		return;
	page = descend(mmu, mode, cpu->current, address, walk);
	if (page->role.level != 1)
		return;
	*way = (struct way){.root = cpu->current, .unlinks = mmu->unlinks, .rights = walk->rights};
	way->number = address >> shadow_shift(2);
	way->table = walk->table[1] + guest_index_of(mode, page, 0) * size;
	way->end = way->upper;
	for (int level = mode->format->levels; level > 1; level--) {
		if (!walk->at[level])
			return;
		*way->end++ = (struct upper){walk->at[level], walk->entry[level]};
	}
	way->at = guest_table(&mmu->memory, way->table);
	if (way->at)
		way->page = page;
}

/* Not inlined: the short way shall not pay for its registers. */
static __attribute__((noinline)) enum fault_result long_way(struct mmu *mmu, struct mmu_cpu *cpu,
                                                            const struct guest_tables *tables,
                                                            struct page_fault *fault)
{
	const struct paging_mode *mode = &tables->mode;
	struct walk walk = {.gpa = fault->address};
	enum walk_status status = WALK_OK;
	struct host_mapping host;
	bool filled;

	if (!tables->direct)
		status = guest_walk(&mmu->memory, mode, tables->root, fault->address, fault->access,
		                    &walk);
	switch (status) {
	case WALK_FAULT:
		fault->code = walk.code;
		mmu->counters->faults_reflected++;
		return FAULT_REFLECT;
	case WALK_RETRY:
		mmu->counters->retries++;
		return FAULT_RETRY;
	case WALK_OK:
		break;
	}
	pool_reserve(mmu, pages_for(mmu, PT_MAX_LEVEL));
	filled = fill(mmu, mode, cpu->current, fault->address, fault->access, &walk);
	if (!tables->direct)
		remember(mmu, cpu, mode, fault->address, &walk);
	saw_changes(mmu, cpu); /* A8 */
	if (filled)
		return FAULT_FILLED;
	host = mmu->ops->map(mmu->context, walk.gpa);
	if (!(fault->access & ACCESS_WRITE ? host.read_only : host.hidden))
		return FAULT_SPURIOUS;
	fault->gpa = walk.gpa;
	return FAULT_READ_ONLY;
}

enum fault_result mmu_fault(struct mmu *mmu, struct mmu_cpu *cpu, const struct guest_tables *tables,
                            struct page_fault *fault)
{
	enum fault_result result;

	mmu_serve(mmu, cpu);
	if (leads_to(mmu, cpu, fault->address) &&
	    short_way(mmu, cpu, &tables->mode, fault, &result))
		return result;
	return long_way(mmu, cpu, tables, fault);
}
