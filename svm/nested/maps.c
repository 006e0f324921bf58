/*
 * The permission maps of L2: L1's merged with L0's. Relies on svm/memory/l1_memory.h,
 * svm/emulate/emulate.h and svm/emulate/ports.h.
 */
#include "hv/memory.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/emulate/emulate.h"
#include "svm/features.h"
#include "svm/memory/l1_memory.h"
#include "svm/emulate/msr_list.h"
#include "svm/nested/nested.h"
#include "svm/emulate/ports.h"
#include "svm/cpus/processors.h"

enum { WORDS_PER_PAGE = PAGE_SIZE / sizeof(uint64_t) };

/* A map that lies where L1 has no memory reads as all ones. */
static uint64_t all_ones[IOPM_SIZE / sizeof(uint64_t)] __attribute__((aligned(PAGE_SIZE)));

void nested_maps_init(void)
{
	memset(all_ones, 0xff, sizeof(all_ones));
}

void merged_maps_init(struct merged_maps *maps, const uint64_t *l0, unsigned int pages,
                      unsigned int count)
{
	maps->l0 = l0;
	maps->l0_hpa = hpa_of(l0);
	maps->pages = pages;
	maps->count = count;
	maps->last = maps->map;
	for (unsigned int i = 0; i < count; i++) {
		maps->map[i].marked = ~0ull; /* not the map at gpa 0 */
		maps->map[i].stale = ALL_STALE;
	}
}

static const uint64_t *map_page(uint64_t base, unsigned int page)
{
	uint64_t gpa = (base & ~(uint64_t)(PAGE_SIZE - 1)) + (uint64_t)page * PAGE_SIZE;

	return l1_page(NULL, gpa);
}

static unsigned int size_of(const struct merged_maps *maps)
{
	return maps->pages * PAGE_SIZE;
}

static bool is_valid(const struct merged_map *map)
{
	return !__atomic_load_n(&map->stale, __ATOMIC_SEQ_CST);
}

/* A word that is as it was is not written: a hypervisor below would have to merge its page, too. */
static void merge_page(const struct merged_maps *maps, const struct merged_map *merged,
                       unsigned int page)
{
	const volatile uint64_t *l1 = map_page(merged->gpa, page);
	const uint64_t *l0 = maps->l0 + page * WORDS_PER_PAGE;
	uint64_t *to = merged->map + page * WORDS_PER_PAGE;

	for (unsigned int i = 0; i < WORDS_PER_PAGE; i++) {
		uint64_t word = l0[i] | (l1 ? l1[i] : ~0ull);

		if (to[i] != word)
			to[i] = word;
	}
}

static void merge(const struct merged_maps *maps, struct merged_map *merged)
{
	for (unsigned int page = 0; page < maps->pages; page++) {
		if (merged->stale >> page & 1)
			merge_page(maps, merged, page);
	}
	merged->stale = 0;
}

static bool has_page(const struct merged_maps *maps, const struct merged_map *but, uint64_t gpa)
{
	for (unsigned int i = 0; i < maps->count; i++) {
		const struct merged_map *map = &maps->map[i];

		if (map != but && map->used && gpa - map->gpa < size_of(maps))
			return true;
	}
	return false;
}

/* Has any processor a map, besides this one, with the page in it? */
static bool by_another(const struct merged_map *merged, uint64_t gpa)
{
	for (unsigned int i = 0; i < vcpu_count(); i++) {
		const struct vcpu *vcpu = vcpu_at(i);

		if (has_page(&vcpu->nested.msrpms, merged, gpa) ||
		    has_page(&vcpu->nested.iopms, merged, gpa))
			return true;
	}
	return false;
}

static struct merged_map *replace_oldest(struct vcpu *vcpu, struct merged_maps *maps, uint64_t gpa)
{
	struct merged_map *merged = &maps->map[maps->next];

	maps->next = maps->next + 1 < maps->count ? maps->next + 1 : 0;
	for (unsigned int page = 0; merged->used && page < maps->pages; page++) {
		uint64_t old = merged->gpa + page * PAGE_SIZE;

		if (!by_another(merged, old))
			mmu_unwatch(&mmu, old);
	}
	merged->gpa = gpa;
	merged->used = true;
	merged->stale = ALL_STALE;
	for (unsigned int page = 0; page < maps->pages; page++)
		mmu_watch(&mmu, &vcpu->mmu_cpu, gpa + page * PAGE_SIZE);
	return merged;
}

static void forget(struct merged_maps *maps, uint64_t gpa)
{
	for (unsigned int i = 0; i < maps->count; i++) {
		uint64_t offset = gpa - maps->map[i].gpa;

		if (offset < size_of(maps))
			__atomic_or_fetch(&maps->map[i].stale, 1u << offset / PAGE_SIZE,
			                  __ATOMIC_SEQ_CST);
	}
}

void nested_map_written(struct vcpu *vcpu, uint64_t gpa)
{
	forget(&vcpu->nested.msrpms, gpa);
	forget(&vcpu->nested.iopms, gpa);
}

/* Behind forget(): who lends a copy from then on finds it out of use. */
static bool take_back(struct merged_maps *maps, uint64_t gpa)
{
	bool any = false;

	for (unsigned int i = 0; i < maps->count; i++) {
		if (gpa - maps->map[i].gpa < size_of(maps))
			any |= __atomic_exchange_n(&maps->map[i].lent, false, __ATOMIC_SEQ_CST);
	}
	return any;
}

bool nested_map_opens(struct vcpu *vcpu, uint64_t gpa)
{
	bool msr, io;

	nested_map_written(vcpu, gpa);
	msr = take_back(&vcpu->nested.msrpms, gpa);
	io = take_back(&vcpu->nested.iopms, gpa);
	return msr || io;
}

/* Before it is asked whether the copy is valid; mostly it is lent already. */
static inline void lend(struct merged_map *map)
{
	if (!__atomic_load_n(&map->lent, __ATOMIC_SEQ_CST))
		__atomic_store_n(&map->lent, true, __ATOMIC_SEQ_CST);
}

/* Without the lock: whoever ends a copy's use asks for another flush after that. */
static uint64_t renew(const struct merged_maps *maps, uint64_t hpa)
{
	for (unsigned int i = 0; i < maps->count; i++) {
		const struct merged_map *map = &maps->map[i];

		if (map->hpa == hpa && map->used && !is_valid(map))
			return hpa_of(all_ones);
	}
	return hpa;
}

void nested_maps_renew(struct vcpu *vcpu)
{
	struct vmcb_control *control = &vcpu->vmcb02->control;

	control->msrpm_base_pa = renew(&vcpu->nested.msrpms, control->msrpm_base_pa);
	control->iopm_base_pa = renew(&vcpu->nested.iopms, control->iopm_base_pa);
	control->clean &= ~CLEAN_IOPM;
	control_edited(vcpu);
}

static struct merged_map *find(struct vcpu *vcpu, struct merged_maps *maps, uint64_t gpa)
{
	for (unsigned int i = 0; i < maps->count; i++) {
		if (maps->map[i].used && maps->map[i].gpa == gpa)
			return &maps->map[i];
	}
	return replace_oldest(vcpu, maps, gpa);
}

static __attribute__((noinline)) uint64_t merge_anew(struct vcpu *vcpu, struct merged_maps *maps,
                                                     uint64_t key)
{
	uint64_t gpa = key & ~(uint64_t)(PAGE_SIZE - 1);
	struct merged_map *merged;
	bool open = false;

	/* L2 writes by NPT01, as L1 does: what is seen of that is seen too late. */
	if (features.npt && !(key & NESTED_CTL_NP_ENABLE))
		return hpa_of(all_ones);
	lock_take(&mmu_lock);
	merged = find(vcpu, maps, gpa);
	maps->last = merged;
	for (unsigned int page = 0; page < maps->pages; page++) {
		mmu_watch_written(&mmu, &vcpu->mmu_cpu, gpa + page * PAGE_SIZE);
		open |= mmu_watch_is_open(&mmu, gpa + page * PAGE_SIZE);
	}
	if (open)
		merged->stale = ALL_STALE;
	else if (merged->stale)
		merge(maps, merged);
	merged->marked = mmu_watch_marks(&mmu, gpa, maps->pages, &merged->marks) ? key : ~0ull;
	lend(merged);
	lock_release(&mmu_lock);
	return open ? hpa_of(all_ones) : merged->hpa;
}

/* The copy is good for this map: what says so is asked without the lock. */
static inline bool holds(struct merged_map *map, uint64_t key)
{
	lend(map);
	return map->marked == key && mmu_watch_holds(&map->marks) && is_valid(map);
}

/* L2s with maps of their own alternate. */
static __attribute__((noinline)) uint64_t find_merged(struct vcpu *vcpu, struct merged_maps *maps,
                                                      uint64_t key)
{
	for (unsigned int i = 0; i < maps->count; i++) {
		struct merged_map *map = &maps->map[i];

		if (map->marked != key || !holds(map, key))
			continue;
		maps->last = map;
		return map->hpa;
	}
	return merge_anew(vcpu, maps, key);
}

/* Mostly it is the copy used last. */
static inline uint64_t merged_map(struct vcpu *vcpu, struct merged_maps *maps, uint64_t base)
{
	struct merged_map *last = maps->last;
	uint64_t key = (base & ~(uint64_t)(PAGE_SIZE - 1)) | vcpu->nested.ctl.nested_ctl;

	return __builtin_expect(holds(last, key), true) ? last->hpa : find_merged(vcpu, maps, key);
}

uint64_t msrpm_for_l2(struct vcpu *vcpu)
{
	return vcpu->nested.ctl.intercepts[INTERCEPT_MISC1] & MISC1_MSR_PROT
	               ? merged_map(vcpu, &vcpu->nested.msrpms, vcpu->nested.ctl.msrpm_base_pa)
	               : vcpu->nested.msrpms.l0_hpa;
}

uint64_t iopm_for_l2(struct vcpu *vcpu)
{
	return vcpu->nested.ctl.intercepts[INTERCEPT_MISC1] & MISC1_IOIO_PROT
	               ? merged_map(vcpu, &vcpu->nested.iopms, vcpu->nested.ctl.iopm_base_pa)
	               : vcpu->nested.iopms.l0_hpa;
}

uint64_t iopm_for_step(struct vcpu *vcpu)
{
	struct merged_map *now = &vcpu->nested.iopms.map[STEP_IOPM];

	if (!(vcpu->nested.ctl.intercepts[INTERCEPT_MISC1] & MISC1_IOIO_PROT))
		return vcpu->nested.iopms.l0_hpa;
	now->gpa = vcpu->nested.ctl.iopm_base_pa & ~(uint64_t)(PAGE_SIZE - 1);
	now->stale = ALL_STALE;
	merge(&vcpu->nested.iopms, now);
	return now->hpa;
}

/* A bit of a map as L1 has it now; all ones where it has no memory. */
static uint64_t bits_at(uint64_t base, unsigned int bit, unsigned int count)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < count; i++, bit++) {
		const volatile uint8_t *page =
			(const volatile uint8_t *)map_page(base, bit / (PAGE_SIZE * 8));

		bits |= (!page || (page[bit / 8 % PAGE_SIZE] >> bit % 8 & 1)) ? 1ull << i : 0;
	}
	return bits;
}

bool io_is_intercepted(struct vcpu *vcpu, uint64_t info)
{
	if (!(vcpu->nested.ctl.intercepts[INTERCEPT_MISC1] & MISC1_IOIO_PROT))
		return false;
	return bits_at(vcpu->nested.ctl.iopm_base_pa, info >> IOIO_PORT_S & 0xffff,
	               info >> IOIO_SIZE_S & IOIO_SIZE);
}

bool msr_is_intercepted(struct vcpu *vcpu, uint32_t msr, bool write)
{
	int bit = msrpm_bit(msr);

	if (!(vcpu->nested.ctl.intercepts[INTERCEPT_MISC1] & MISC1_MSR_PROT))
		return false;
	if (bit < 0)
		return true; /* registers that the map does not cover exit; APM 15.11 */
	return bits_at(vcpu->nested.ctl.msrpm_base_pa, (unsigned int)bit + write, 1);
}
