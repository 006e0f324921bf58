/*
 * What an spte says for an entry of the guest's. Relies on mmu/format.h for the guest's side.
 */
#include "mmu/spte.h"
#include "mmu/protect.h"
#include "mmu/track.h"

/* The order of HOST_PAT. Types 2 and 3 are reserved: WRMSR refuses them. */
const uint8_t pat_index_of_type[8] = {
	[TYPE_WB] = 0, [TYPE_WT] = 1, [TYPE_UC_MINUS] = 2,
	[TYPE_UC] = 3, [TYPE_WP] = 4, [TYPE_WC] = 5,
	[2] = 3,       [3] = 3,
};
const uint8_t small_type_bits[8] = {
	[TYPE_WB] = 0,
	[TYPE_WT] = PTE_PWT,
	[TYPE_UC_MINUS] = PTE_PCD,
	[TYPE_UC] = PTE_PCD | PTE_PWT,
	[TYPE_WP] = PTE_PAT,
	[TYPE_WC] = PTE_PAT | PTE_PWT,
	[2] = PTE_PCD | PTE_PWT,
	[3] = PTE_PCD | PTE_PWT,
};

uint32_t pack_pat(uint64_t pat)
{
	uint32_t packed = 0;

	for (int i = 0; i < 8; i++)
		packed |= (uint32_t)(pat >> (8 * i) & 7) << (3 * i);
	return packed;
}

unsigned int guest_index_of(const struct paging_mode *mode, const struct shadow_page *page,
                            unsigned int index)
{
	int level = page->role.level;
	uint64_t at = (uint64_t)page->role.quadrant << shadow_shift(level + 1);

	at |= (uint64_t)index << shadow_shift(level);
	return guest_index(mode->format, level, at);
}

/* Which part of the guest's table the child of spte number index shadows. */
static unsigned int child_quadrant(const struct paging_mode *mode, unsigned int child_level,
                                   unsigned int index)
{
	if (mode->id != PT_2LEVEL || child_level > 2)
		return 0;
	return index & ((1u << child_level) - 1);
}

static struct target to_table(const struct shadow_page *page, uint64_t gpa, uint64_t rights)
{
	struct target target = {.kind = TARGET_TABLE, .gpa = gpa, .rights = rights};

	target.role = page->role;
	target.role.level = page->role.level - 1u;
	target.role.quadrant = 0;
	if (page->role.pdptes) {
		target.role.pdptes = 0;
		target.role.local = page->role.npt01; /* else all below it is common */
		target.rights = 0;
	}
	return target;
}

/*
 * What a leaf's type becomes by that of the memory, as the processor combines PAT and MTRRs (APM
 * vol. 2, section 7.8.5). Pairs that are said to be undefined are uncached.
 */
static unsigned int combined_type(unsigned int memory, unsigned int leaf)
{
	if (memory == TYPE_WB || leaf == TYPE_UC || leaf == TYPE_WC)
		return leaf;
	if (leaf == TYPE_WB || leaf == memory)
		return memory;
	if (leaf == TYPE_UC_MINUS && memory == TYPE_WC)
		return TYPE_WC;
	return memory == TYPE_UC ? TYPE_UC : TYPE_UC_MINUS;
}

/* Both types are indexes into HOST_PAT. */
static unsigned int type_over(const struct host_mapping *host, unsigned int type)
{
	return host_pat_index(combined_type(host->type, HOST_PAT >> (8 * type) & 7));
}

struct host_mapping host_of(const struct mmu *mmu, uint64_t gpa)
{
	struct mmu_cpu *cpu = mmu->self;
	uint64_t now = mmu->maps;
	struct host_mapping host;

	if (is_mapped(mmu, cpu, gpa))
		return (struct host_mapping){.hpa = gpa + cpu->mapped_offset,
		                             .level = cpu->mapped_level};
	host = mmu->ops->map(mmu->context, gpa);
	if (cpu && host.level > 1 && !host.typed) {
		cpu->mapped_mask = ~0ull << shadow_shift(host.level);
		cpu->mapped_gpa = gpa & cpu->mapped_mask;
		cpu->mapped_at = now;
		cpu->mapped_level = host.level;
		cpu->mapped_offset = host.hpa - gpa;
	}
	return host;
}

uint64_t small_leaf_over(const struct mmu *mmu, uint64_t gpa, unsigned int type, uint64_t rights)
{
	struct host_mapping host = host_of(mmu, gpa);

	type = host_pat_index(type);
	if (host.typed)
		type = type_over(&host, type);
	if (host.read_only)
		rights &= ~PTE_W;
	return host.hidden ? 0 : leaf_spte(host.hpa, 1, type, rights);
}

/* Maps a page of L1's memory at the spte's level or, where L0 may not, through a direct table. */
static struct target to_memory(const struct mmu *mmu, const struct shadow_page *page, uint64_t gpa,
                               unsigned int type, uint64_t rights)
{
	int level = page->role.level;
	struct host_mapping host = host_of(mmu, gpa);
	struct target target = {.kind = TARGET_LEAF};
	bool npt01 = is_npt01(page);

	if (npt01 || mmu->shadows_l1_paging)
		host.level = track_level(mmu, gpa, host.level);
	if (host.level >= level && (level < 3 || (mmu->host_1g && !page->role.pdptes))) {
		if (mmu->shadows_l1_paging && is_protected(mmu, gpa))
			rights &= ~PTE_W; /* the next write faults */
		if (host.read_only)
			rights &= ~PTE_W;
		if (host.hidden)
			return target; /* a leaf that lets nothing through */
		target.spte = leaf_spte(host.hpa, level, host.typed ? type_over(&host, type) : type,
		                        rights);
		if (npt01 && is_tracked(mmu, gpa))
			target.spte &= ~PTE_D; /* the processor tells of the next write */
		return target;
	}
	target = to_table(page, gpa, rights);
	if (!page->role.direct)
		target.role = (union shadow_role){
			.level = page->role.level - 1u, .direct = 1, .type = type};
	return target;
}

static struct target below_passthrough(const struct paging_mode *mode,
                                       const struct shadow_page *page, unsigned int index)
{
	struct target target = to_table(page, page->gpa, PTE_W | PTE_U);

	target.role.delta = page->role.delta - 1u;
	target.role.quadrant = child_quadrant(mode, target.role.level, index);
	target.role.local = uses_local_roots(mode) && target.role.level >= 3;
	return target;
}

/*
 * The rights of an entry in a guest's own tables. The processor runs with CR0.WP=1, whatever the
 * guest has: with WP=0 a page that only supervisors reach is writable for them; one that users may
 * read is either theirs to read or, from a supervisor's write until the next access of a user, the
 * supervisor's alone. SMEP does not show in the latter, so it loses the right to execute.
 */
static uint64_t own_rights(const struct paging_mode *mode, uint64_t entry, bool past_wp)
{
	uint64_t rights = entry & SPTE_RIGHTS;

	if ((mode->flags & (MODE_WP | MODE_NESTED)) || (rights & PTE_W))
		return rights;
	if (!(rights & PTE_U))
		return rights | PTE_W;
	if (!past_wp)
		return rights;
	if (mode->flags & MODE_SMEP)
		rights |= PTE_NX;
	return (rights | PTE_W) & ~PTE_U;
}

struct target spte_target(const struct mmu *mmu, const struct paging_mode *mode,
                          const struct shadow_page *page, unsigned int index, uint64_t entry,
                          bool past_wp)
{
	static const struct target none = {.kind = TARGET_NONE};
	int level = page->role.level;
	uint64_t offset = (uint64_t)index << shadow_shift(level);
	uint64_t rights = PTE_W | PTE_U;
	struct target target;

	if (page->role.direct)
		return to_memory(mmu, page, page->gpa + offset, page->role.type, rights);
	if (is_passthrough(page))
		return below_passthrough(mode, page, index);
	if (!(entry & PTE_P) || entry_reserved(mode, level, entry))
		return none;
	if (mode->format->level[level].rights) {
		if (!is_used(mode, entry))
			return none;
		rights = own_rights(mode, entry, past_wp);
	}
	if (level == 1 && (mode->flags & MODE_NESTED)) {
		target.kind = TARGET_LEAF;
		target.spte = small_leaf(mmu, mmu->self, mode, page, entry);
		return target;
	}
	if (entry_is_leaf(mode, level, entry)) {
		uint64_t frame = leaf_frame(mode, level, entry);
		uint64_t within = (1ull << level_shift(mode, level)) - 1;
		unsigned int type = page->role.pat >> (3 * leaf_pat_index(level, entry)) & 7;

		/* Until D is set the page is not writable, so that the first write sets it. */
		if (!(entry & PTE_D))
			rights &= ~PTE_W;
		return to_memory(mmu, page, frame | (offset & within), host_pat_index(type),
		                 rights);
	}
	target = to_table(page, entry & mode->address_mask, rights);
	target.role.quadrant = child_quadrant(mode, page->role.level - 1u, index);
	target.role.local = 0;
	return target;
}
