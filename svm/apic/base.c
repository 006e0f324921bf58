/*
 * Where L1's local APICs are: APIC_BASE, and the pages that are kept from guests. Relies on
 * svm/cpus/processors.h and, for what a move takes, on mmu/mmu.h.
 */
#include "hv/apic.h"
#include "hv/exception.h"
#include "hv/window.h"
#include "svm/apic/apic.h"
#include "svm/emulate/emulate.h"
#include "svm/features.h"
#include "svm/quirks/quirks.h"
#include "svm/memory/l1_memory.h"
#include "svm/apic/kept.h"
#include "svm/cpus/processors.h"

#define APIC_ON    ((uint64_t)(APIC_BASE_X2APIC | APIC_BASE_ENABLE))
#define BASE_FLAGS (APIC_ON | APIC_BASE_BSP)

/*
 * The pages that some APIC has: one, unless L1 moves them apart; and how many have it. So a move
 * costs the same however many processors there are.
 */
enum { PAGES_MAX = 8 };

static struct apic_page {
	uint64_t gpa;
	unsigned int users;
} pages[PAGES_MAX];
static unsigned int page_count;

/* A processor has an id that no xAPIC can send to. */
static bool wide_ids;
enum { XAPIC_IDS = 0xff };

static struct apic_page *find_page(uint64_t gpa, uint64_t size)
{
	for (unsigned int i = 0; i < page_count; i++) {
		if (overlap(pages[i].gpa, PAGE_SIZE, gpa, size))
			return &pages[i];
	}
	return NULL;
}

bool apic_covers(uint64_t gpa, uint64_t size)
{
	return find_page(gpa, size) || kept_covers(gpa, size);
}

bool apic_hides(uint64_t gpa, uint64_t size)
{
	return features.vector0 && find_page(gpa, size);
}

static uint64_t address_of(uint64_t base)
{
	return base & ~APIC_PAGE_OFFSET & ((1ull << features.phys_bits) - 1);
}

void apic_read_names(struct vcpu *vcpu)
{
	struct local_apic *apic = &vcpu->apic;
	bool x2apic = apic->page == APIC_NO_PAGE;
	uint32_t id = apic_read(vcpu->apic.page, APIC_ID);

	/* Each is written once, and whole: others kick this processor by its id meanwhile. */
	__atomic_store_n(&apic->id, x2apic ? id : id >> APIC_ID_SHIFT, __ATOMIC_RELAXED);
	__atomic_store_n(&apic->ldr, apic_read(vcpu->apic.page, APIC_LDR), __ATOMIC_RELAXED);
	if (!x2apic)
		__atomic_store_n(&apic->dfr, apic_read(vcpu->apic.page, APIC_DFR),
		                 __ATOMIC_RELAXED);
}

/* One more APIC is there; in x2APIC mode it is nowhere. False: they are in too many places. */
static bool enter_page(uint64_t gpa)
{
	struct apic_page *page;

	if (gpa == APIC_NO_PAGE || !gpa)
		return true;
	page = find_page(gpa, PAGE_SIZE);
	if (!page && page_count == PAGES_MAX)
		return false;
	if (!page) {
		page = &pages[page_count++];
		*page = (struct apic_page){.gpa = gpa};
	}
	page->users++;
	return true;
}

static void leave_page(uint64_t gpa)
{
	struct apic_page *page = find_page(gpa, PAGE_SIZE);

	if (gpa != APIC_NO_PAGE && page && !--page->users)
		*page = pages[--page_count];
}

static void intercept_x2apic(struct vcpu *vcpu)
{
	msr_intercept_write(vcpu, X2APIC_MSR(APIC_ICR));
	for (unsigned int lvt = APIC_TIMER; lvt <= APIC_ERROR; lvt += APIC_STEP)
		msr_intercept_write(vcpu, X2APIC_MSR(lvt));
	for (unsigned int i = 0; i < EXTENDED_LVTS; i++)
		msr_intercept_write(vcpu, X2APIC_MSR(APIC_EXTENDED_LVT) + i);
}

void apic_watch_tpr(struct vcpu *vcpu)
{
	msr_intercept_both(vcpu, X2APIC_MSR(APIC_TPR));
}

void apic_init(struct vcpu *vcpu)
{
	struct local_apic *apic = &vcpu->apic;

	apic->base = rdmsr(MSR_APIC_BASE);
	apic->page = (apic->base & APIC_BASE_X2APIC) ? APIC_NO_PAGE : address_of(apic->base);
	if (apic->page != APIC_NO_PAGE)
		window_device(apic->page); /* before L1 runs there are tables for it */
	apic_read_names(vcpu);
	enter_page(apic->page);
	wide_ids |= vcpu->cpu.apic_id >= XAPIC_IDS;
	intercept_x2apic(vcpu);
}

void apic_was_reset(struct vcpu *vcpu)
{
	apic_read_names(vcpu);
}

uint64_t apic_read_base(struct vcpu *vcpu)
{
	return vcpu->apic.base;
}

/*
 * Other processors could not be made to exit by a processor whose APIC is off: it stays on, and
 * does what the pins of the processor do then.
 */
static void seem_disabled(struct vcpu *vcpu)
{
	apic_write(vcpu->apic.page, APIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_VECTOR);
	for (unsigned int lvt = APIC_TIMER; lvt <= APIC_ERROR; lvt += APIC_STEP)
		apic_write(vcpu->apic.page, lvt, LVT_MASKED);
	apic_write(vcpu->apic.page, APIC_LINT0, LVT_EXTINT);
	apic_write(vcpu->apic.page, APIC_LINT1, LVT_NMI);
}

/* Beyond 4 GiB L0 reaches memory only, below it some devices; and L1's memory must not change under
 * L0. */
static bool may_be_at(uint64_t page)
{
	return page && page < SIZE_4G && !l1_page(NULL, page);
}

/*
 * What guests may do at a page changes when the first APIC comes there, or the last one goes.
 * False: L0 has no room to know it, or none to reach it.
 */
static bool set_page(struct vcpu *vcpu, uint64_t page)
{
	uint64_t old = vcpu->apic.page;
	bool was_there = find_page(page, PAGE_SIZE);

	if (page == old)
		return true;
	if (page != APIC_NO_PAGE && !window_device(page))
		return false;
	leave_page(old);
	if (!enter_page(page)) {
		enter_page(old);
		return false;
	}
	vcpu->apic.page = page;
	if (old != APIC_NO_PAGE && !find_page(old, PAGE_SIZE))
		mmu_drop_page(&mmu, old);
	if (page != APIC_NO_PAGE && !was_there)
		mmu_drop_page(&mmu, page);
	return true;
}

/*
 * QEMU's own emulation knows neither x2APIC mode nor another page, and an APIC that was disabled
 * once stays so: for APIC_BASE it takes what it is given, and goes on at the old address.
 */
static bool write_base_in_place(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vcpu->apic.base;

	vcpu->apic.base =
		address_of(value) | (old & APIC_BASE_BSP) | (old & value & APIC_BASE_ENABLE);
	if (old & ~value & APIC_BASE_ENABLE)
		seem_disabled(vcpu);
	return true;
}

/*
 * Modes follow one another in a certain order; APM vol. 2, section 16.9. Where a processor could
 * not be kicked from xAPIC mode x2APIC mode is for good, as firmware may lock it elsewhere.
 */
static bool is_mode_change(uint64_t old, uint64_t new)
{
	bool x2apic = old & APIC_BASE_X2APIC, enabled = new &APIC_BASE_ENABLE;

	if (new &APIC_BASE_X2APIC)
		return enabled && (old & APIC_BASE_ENABLE);
	return !x2apic || (!enabled && !wide_ids);
}

static bool write_base(struct vcpu *vcpu, uint64_t value)
{
	uint64_t page = (value & APIC_BASE_X2APIC) ? APIC_NO_PAGE : address_of(value);
	uint64_t before = vcpu->apic.page;

	if (!may_be_at(address_of(value)) || !is_mode_change(vcpu->apic.base, value))
		return false;
	if (!(value & APIC_BASE_ENABLE)) {
		if (vcpu->apic.base & APIC_BASE_ENABLE)
			seem_disabled(vcpu);
		vcpu->apic.base = value;
		return true;
	}
	if (!set_page(vcpu, page))
		return false;
	if (before == APIC_NO_PAGE && page != APIC_NO_PAGE)
		wrmsr(MSR_APIC_BASE, value & ~APIC_ON); /* the way from x2APIC mode */
	if (!wrmsr_safe(MSR_APIC_BASE, value)) {
		set_page(vcpu, before);
		return false;
	}
	vcpu->apic.base = value;
	quirk_apic_moved(vcpu);
	apic_read_names(vcpu);
	return true;
}

bool apic_write_base(struct vcpu *vcpu, uint64_t value)
{
	if (l1_memory_hidden(address_of(value), PAGE_SIZE))
		return false;
	if (value & ~(BASE_FLAGS | address_of(value)))
		return false;
	return quirk_apic_stays() ? write_base_in_place(vcpu, value) : write_base(vcpu, value);
}
