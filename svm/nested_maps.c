/*
 * The permission maps of L2: L1's MSRPM merged with L0's, and L1's IOPM. Relies on
 * svm/l1_memory.h, svm/emulate.h.
 */
#include "hv/memory.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/emulate.h"
#include "svm/l1_memory.h"
#include "svm/nested.h"
#include "svm/processors.h"

enum { WORDS_PER_PAGE = PAGE_SIZE / sizeof(uint64_t) };

/* A map that lies where L1 has no memory reads as all ones. */
static uint64_t all_ones[IOPM_SIZE / sizeof(uint64_t)] __attribute__((aligned(PAGE_SIZE)));

void nested_maps_init(void)
{
	memset(all_ones, 0xff, sizeof(all_ones));
}

static const uint64_t *map_page(uint64_t base, unsigned int page)
{
	uint64_t gpa = (base & ~(uint64_t)(PAGE_SIZE - 1)) + (uint64_t)page * PAGE_SIZE;

	return l1_page(NULL, gpa);
}

enum { MSRPM_PAGES = MSRPM_SIZE / PAGE_SIZE };

static void merge(struct vcpu *vcpu, struct merged_map *merged)
{
	for (unsigned int page = 0; page < MSRPM_PAGES; page++) {
		const volatile uint64_t *l1 = map_page(merged->gpa, page);
		const uint64_t *l0 = vcpu->msrpm01 + page * WORDS_PER_PAGE;
		uint64_t *to = merged->map + page * WORDS_PER_PAGE;

		for (unsigned int i = 0; i < WORDS_PER_PAGE; i++)
			to[i] = l0[i] | (l1 ? l1[i] : ~0ull);
	}
	merged->valid = true;
}

/* Has any processor a map, besides this one, with the page in it? */
static bool by_another(const struct merged_map *merged, uint64_t gpa)
{
	for (unsigned int i = 0; i < vcpu_count() * MERGED_MAPS; i++) {
		const struct merged_map *other = &vcpu_at(i / MERGED_MAPS)->merged[i % MERGED_MAPS];

		if (other != merged && other->used && gpa - other->gpa < MSRPM_SIZE)
			return true;
	}
	return false;
}

static void unwatch(const struct merged_map *merged)
{
	for (unsigned int page = 0; merged->used && page < MSRPM_PAGES; page++) {
		uint64_t gpa = merged->gpa + page * PAGE_SIZE;

		if (!by_another(merged, gpa))
			mmu_unwatch(&mmu, gpa);
	}
}

static struct merged_map *replace_oldest(struct vcpu *vcpu, uint64_t gpa)
{
	struct merged_map *merged = &vcpu->merged[vcpu->merged_next++ % MERGED_MAPS];

	unwatch(merged);
	merged->gpa = gpa;
	merged->used = true;
	merged->valid = false;
	for (unsigned int page = 0; page < MSRPM_PAGES; page++)
		mmu_watch(&mmu, &vcpu->mmu_cpu, gpa + page * PAGE_SIZE);
	return merged;
}

void msrpm_changed(struct vcpu *vcpu, uint64_t gpa)
{
	for (int i = 0; i < MERGED_MAPS; i++) {
		if (gpa - vcpu->merged[i].gpa < MSRPM_SIZE)
			vcpu->merged[i].valid = false;
	}
}

uint64_t merged_msrpm(struct vcpu *vcpu)
{
	uint64_t gpa = vcpu->ctl.msrpm_base_pa & ~(uint64_t)(PAGE_SIZE - 1);
	struct merged_map *merged = NULL;

	if (!(vcpu->ctl.intercepts[INTERCEPT_MISC1] & MISC1_MSR_PROT))
		return vcpu->msrpm01_hpa;
	lock_take(&mmu_lock);
	for (int i = 0; i < MERGED_MAPS && !merged; i++) {
		if (vcpu->merged[i].used && vcpu->merged[i].gpa == gpa)
			merged = &vcpu->merged[i];
	}
	if (!merged)
		merged = replace_oldest(vcpu, gpa);
	for (unsigned int page = 0; page < MSRPM_PAGES; page++)
		mmu_watch_written(&mmu, &vcpu->mmu_cpu, gpa + page * PAGE_SIZE);
	if (!merged->valid)
		merge(vcpu, merged);
	lock_release(&mmu_lock);
	return merged->hpa;
}

/*
 * L0 keeps no port from L1, so L1's own map serves: what L1 changes in it shows at once, and there
 * is nothing that it could open by that.
 */
uint64_t merged_iopm(struct vcpu *vcpu)
{
	uint64_t base = vcpu->ctl.iopm_base_pa & ~(uint64_t)(PAGE_SIZE - 1);

	if (!(vcpu->ctl.intercepts[INTERCEPT_MISC1] & MISC1_IOIO_PROT))
		return vcpu->msrpm01_hpa; /* not used: any page of L0's will do */
	for (unsigned int page = 0; page < IOPM_SIZE / PAGE_SIZE; page++) {
		if (map_page(base, page))
			continue;
		return hpa_of(all_ones);
	}
	return base;
}

bool msr_is_intercepted(struct vcpu *vcpu, uint32_t msr, bool write)
{
	int bit = msrpm_bit(msr);
	const volatile uint64_t *page;

	if (!(vcpu->ctl.intercepts[INTERCEPT_MISC1] & MISC1_MSR_PROT))
		return false;
	if (bit < 0)
		return true; /* registers that the map does not cover exit; APM 15.11 */
	bit += write;
	page = map_page(vcpu->ctl.msrpm_base_pa, (unsigned int)bit / (PAGE_SIZE * 8));
	if (!page)
		return true;
	bit %= (int)PAGE_SIZE * 8;
	return page[bit / 64] >> (bit % 64) & 1;
}
