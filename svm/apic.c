/*
 * What L1 writes to its local APICs. Relies on svm/apic_decode.h for the instruction, on
 * svm/processors.h for INIT and SIPI.
 */
#include "svm/apic.h"
#include "hv/exception.h"
#include "hv/log.h"
#include "hv/phys.h"
#include "svm/apic_decode.h"
#include "svm/emulate.h"
#include "svm/event.h"
#include "svm/features.h"
#include "svm/l1_memory.h"
#include "svm/processors.h"

/* Offsets of registers in the page; in x2APIC mode they are MSRs, a sixteenth of it from 800h. */
enum {
	APIC_ID = 0x20,
	APIC_LDR = 0xd0,
	APIC_DFR = 0xe0,
	APIC_SPURIOUS = 0xf0,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_TIMER = 0x320,
	APIC_LINT0 = 0x350,
	APIC_LINT1 = 0x360,
	APIC_ERROR = 0x370,

	APIC_STEP = 0x10,
	ID_SHIFT = 24, /* of ID, LDR and ICR's high half */
	SPURIOUS_ENABLE = 1 << 8,
	SPURIOUS_VECTOR = 0xff,
	LVT_MASKED = 1 << 16,
	LVT_NMI = 4 << 8,
	LVT_EXTINT = 7 << 8,
	DFR_MODEL_SHIFT = 28,
	DFR_FLAT = 0xf,
	DFR_CLUSTER = 0,
};

/* ICR; APM vol. 2, section 16.5. */
enum {
	ICR_VECTOR = 0xff,
	ICR_MODE = 7 << 8,
	ICR_MODE_INIT = 5 << 8,
	ICR_MODE_STARTUP = 6 << 8,
	ICR_LOGICAL = 1 << 11,
	ICR_ASSERT = 1 << 14,
	ICR_LEVEL = 1 << 15,
	ICR_SHORTHAND = 3 << 18,
	ICR_TO_SELF = 1 << 18,
	ICR_TO_ALL = 2 << 18,
	ICR_TO_OTHERS = 3 << 18,
};
#define X2APIC_ICR_RESERVED 0xfff33000ull

#define MSR_X2APIC   0x800u
#define PAGE_OFFSET  ((uint64_t)PAGE_SIZE - 1)
#define APIC_ON      ((uint64_t)(APIC_BASE_X2APIC | APIC_BASE_ENABLE))
#define BASE_FLAGS   (APIC_ON | APIC_BASE_BSP)
#define NO_PAGE      (~0ull)
#define BROADCAST    0xffu
#define BROADCAST_X2 0xffffffffu

enum { FETCHED_COUNT = 0xf }; /* of the VMCB's field; APM vol. 2, section 15.8.4 */

/* The pages that some APIC has: one, unless L1 moves them apart. */
enum { PAGES_MAX = 8 };

static uint64_t pages[PAGES_MAX];
static unsigned int page_count;

bool apic_is_shared(void)
{
	return vcpu_count() > 1;
}

bool apic_covers(uint64_t gpa, uint64_t size)
{
	for (unsigned int i = 0; i < page_count; i++) {
		if (pages[i] - gpa < size)
			return true;
	}
	return false;
}

static uint64_t address_of(uint64_t base)
{
	return base & ~PAGE_OFFSET & ((1ull << features.phys_bits) - 1);
}

static uint32_t read_register(const struct vcpu *vcpu, unsigned int offset)
{
	if (vcpu->apic.page == NO_PAGE)
		return low32(rdmsr(MSR_X2APIC + offset / APIC_STEP));
	return *(volatile uint32_t *)phys(vcpu->apic.page + offset);
}

static void write_register(const struct vcpu *vcpu, unsigned int offset, uint32_t value)
{
	if (vcpu->apic.page == NO_PAGE)
		wrmsr(MSR_X2APIC + offset / APIC_STEP, value);
	else
		*(volatile uint32_t *)phys(vcpu->apic.page + offset) = value;
}

/* By what others find this processor. */
static void read_names(struct vcpu *vcpu)
{
	struct local_apic *apic = &vcpu->apic;

	apic->id = read_register(vcpu, APIC_ID);
	apic->ldr = read_register(vcpu, APIC_LDR);
	if (apic->page == NO_PAGE)
		return;
	apic->id >>= ID_SHIFT;
	apic->dfr = read_register(vcpu, APIC_DFR);
}

/* The pages of all processors, anew. False: they are too many. */
static bool collect_pages(void)
{
	page_count = 0;
	for (unsigned int i = 0; i < vcpu_count(); i++) {
		uint64_t page = vcpu_at(i)->apic.page;

		if (page == NO_PAGE || !page || apic_covers(page, PAGE_SIZE))
			continue;
		if (page_count == PAGES_MAX)
			return false;
		pages[page_count++] = page;
	}
	return true;
}

void apic_init(struct vcpu *vcpu)
{
	struct local_apic *apic = &vcpu->apic;

	apic->base = rdmsr(MSR_APIC_BASE);
	apic->page = (apic->base & APIC_BASE_X2APIC) ? NO_PAGE : address_of(apic->base);
	if (!apic_is_shared())
		return;
	read_names(vcpu);
	collect_pages();
	msr_intercept_write(vcpu, MSR_X2APIC_ICR);
}

void apic_was_reset(struct vcpu *vcpu)
{
	read_names(vcpu);
}

static bool matches_logical(const struct local_apic *apic, uint32_t destination)
{
	uint32_t name = apic->ldr >> ID_SHIFT;

	if (apic->page == NO_PAGE) /* a cluster and a bit in it */
		return destination >> 16 == apic->ldr >> 16 && (destination & apic->ldr & 0xffff);
	switch (apic->dfr >> DFR_MODEL_SHIFT) {
	case DFR_FLAT:
		return name & destination;
	case DFR_CLUSTER:
		return name >> 4 == destination >> 4 && (name & destination & 0xf);
	default:
		return false;
	}
}

static bool is_target(const struct vcpu *sender, const struct vcpu *vcpu, uint32_t command,
                      uint32_t destination)
{
	bool x2apic = sender->apic.page == NO_PAGE;

	switch (command & ICR_SHORTHAND) {
	case ICR_TO_SELF:
		return vcpu == sender;
	case ICR_TO_ALL:
		return true;
	case ICR_TO_OTHERS:
		return vcpu != sender;
	default:
		break;
	}
	if (destination == (x2apic ? BROADCAST_X2 : BROADCAST))
		return true;
	if (command & ICR_LOGICAL)
		return matches_logical(&vcpu->apic, destination);
	return vcpu->apic.id == destination;
}

/* INIT and SIPI; all else is the real APIC's to send. */
static bool is_l0s(uint32_t command)
{
	uint32_t mode = command & ICR_MODE;

	return mode == ICR_MODE_INIT || mode == ICR_MODE_STARTUP;
}

static void send(const struct vcpu *sender, uint32_t command, uint32_t destination)
{
	bool init = (command & ICR_MODE) == ICR_MODE_INIT;

	if (init && (command & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return; /* the end of a level, which means nothing */
	for (unsigned int i = 0; i < vcpu_count(); i++) {
		struct vcpu *target = vcpu_at(i);

		if (!is_target(sender, target, command, destination))
			continue;
		if (init)
			vcpu_init(target);
		else
			vcpu_sipi(target, command & ICR_VECTOR);
	}
}

/*
 * A store of L1's to a register of its own APIC; EOI is the one to be quick with. The id stays what
 * it is, as on newer processors: L0's kicks find processors by it.
 */
static void write_own(struct vcpu *vcpu, unsigned int offset, uint32_t value)
{
	if (offset == APIC_ICR && is_l0s(value)) {
		send(vcpu, value, read_register(vcpu, APIC_ICR_HIGH) >> ID_SHIFT);
		return;
	}
	if (offset == APIC_ID)
		return;
	write_register(vcpu, offset, value);
	if (offset == APIC_LDR || offset == APIC_DFR)
		read_names(vcpu);
}

/* From the bytes that the processor fetched; only some tell, and not always all that it takes. */
static bool decode_assisted(const struct vcpu *vcpu, struct apic_store *store)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;

	return has(SVM_FEATURE_DECODE) &&
	       apic_decode(vcpu, control->fetched, control->fetched_bytes & FETCHED_COUNT, store);
}

/* From memory: the bytes that there are, or 0 if there are none; then the guest tries again. */
static unsigned int read_code(struct vcpu *vcpu, uint8_t bytes[INSTRUCTION_MAX])
{
	const uint8_t *code = code_at_rip(vcpu);

	if (!code)
		return fetch(vcpu, linear_rip(&vcpu->vmcb->save), bytes, INSTRUCTION_MAX);
	__builtin_memcpy(bytes, code, INSTRUCTION_MAX);
	return INSTRUCTION_MAX;
}

/* Does an instruction write for itself, and not the processor for it: a stack, a table? */
static bool is_by_instruction(struct vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;

	return !interrupted_event(vcpu) &&
	       !(control->exit_code == VMEXIT_NPF && (control->exit_info1 & NPF_TABLE));
}

/* What nobody does to an APIC raises #GP: no other way keeps INIT from the real one. */
static void refuse(struct vcpu *vcpu, uint64_t gpa)
{
	static bool told;

	if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		log_info("a write to the APIC's page at %llx by an instruction at rip %llx that is "
		         "not known: #GP",
		         (unsigned long long)gpa, (unsigned long long)vcpu->vmcb->save.rip);
	if (!makes_double_fault(vcpu, VEC_GP))
		raise_exception(vcpu, VEC_GP, 0);
}

/* Registers are 32 bits at multiples of 16: other writes have no effect. APM 16.3.2. */
static void perform(struct vcpu *vcpu, const struct apic_store *store, uint64_t gpa)
{
	volatile uint32_t *at = phys(gpa);
	uint32_t value;

	if (store->size != sizeof(*at) || (gpa & (APIC_STEP - 1)))
		return;
	value = apic_execute(vcpu, store, apic_reads(store) ? *at : 0);
	if ((gpa & ~PAGE_OFFSET) == vcpu->apic.page)
		write_own(vcpu, (unsigned int)(gpa & PAGE_OFFSET), value);
	else
		*at = value; /* another processor's, which is not here */
}

bool apic_npf(struct vcpu *vcpu, uint64_t gpa)
{
	uint8_t bytes[INSTRUCTION_MAX];
	struct apic_store store;
	unsigned int have;

	if (!apic_covers(gpa & ~PAGE_OFFSET, PAGE_SIZE))
		return false;
	if (!is_by_instruction(vcpu)) {
		refuse(vcpu, gpa);
		return true;
	}
	if (!decode_assisted(vcpu, &store)) {
		have = read_code(vcpu, bytes);
		if (!have)
			return true;
		if (!apic_decode(vcpu, bytes, have, &store)) {
			refuse(vcpu, gpa);
			return true;
		}
	}
	vcpu->counters.apic_writes++;
	perform(vcpu, &store, gpa);
	finish_instruction(vcpu, store.length);
	return true;
}

bool x2apic_write_icr(struct vcpu *vcpu, uint64_t value)
{
	if (!(vcpu->apic.base & APIC_BASE_X2APIC) || (value & X2APIC_ICR_RESERVED))
		return false;
	if (!is_l0s(low32(value)))
		return wrmsr_safe(MSR_X2APIC_ICR, value);
	send(vcpu, low32(value), (uint32_t)(value >> 32));
	return true;
}

uint64_t apic_read_base(struct vcpu *vcpu)
{
	return apic_is_shared() ? vcpu->apic.base : rdmsr(MSR_APIC_BASE);
}

/*
 * Other processors could not be made to exit by a processor whose APIC is off: it stays on, and
 * does what the pins of the processor do then.
 */
static void seem_disabled(struct vcpu *vcpu)
{
	write_register(vcpu, APIC_SPURIOUS, SPURIOUS_ENABLE | SPURIOUS_VECTOR);
	for (unsigned int lvt = APIC_TIMER; lvt <= APIC_ERROR; lvt += APIC_STEP)
		write_register(vcpu, lvt, LVT_MASKED);
	write_register(vcpu, APIC_LINT0, LVT_EXTINT);
	write_register(vcpu, APIC_LINT1, LVT_NMI);
}

/* L0 reaches no page above its window, and L1's memory must not change under L0. */
static bool may_be_at(uint64_t page)
{
	bool in_window = page < SIZE_4G || page >> PAGE_SHIFT < mmu.frame_count;

	return page && in_window && !l1_page(NULL, page);
}

static bool set_page(struct vcpu *vcpu, uint64_t page)
{
	uint64_t old = vcpu->apic.page;
	bool fits;

	if (page == old)
		return true;
	vcpu->apic.page = page;
	fits = collect_pages();
	if (!fits) {
		vcpu->apic.page = old;
		collect_pages();
		return false;
	}
	if (old != NO_PAGE)
		mmu_drop_page(&mmu, old);
	if (page != NO_PAGE)
		mmu_drop_page(&mmu, page);
	return true;
}

/*
 * QEMU's own emulation knows neither x2APIC mode nor another page, and an APIC that was disabled
 * once stays so: for APIC_BASE it takes what it is given, and goes on at the old address.
 */
static bool write_base_on_tcg(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vcpu->apic.base;

	vcpu->apic.base =
		address_of(value) | (old & APIC_BASE_BSP) | (old & value & APIC_BASE_ENABLE);
	if (old & ~value & APIC_BASE_ENABLE)
		seem_disabled(vcpu);
	return true;
}

/* Modes follow one another in a certain order; APM vol. 2, section 16.9. */
static bool is_mode_change(uint64_t old, uint64_t new)
{
	bool x2apic = old & APIC_BASE_X2APIC, enabled = new &APIC_BASE_ENABLE;

	if (new &APIC_BASE_X2APIC)
		return enabled && (old & APIC_BASE_ENABLE);
	return !x2apic || !enabled;
}

static bool write_base(struct vcpu *vcpu, uint64_t value)
{
	uint64_t page = (value & APIC_BASE_X2APIC) ? NO_PAGE : address_of(value);
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
	if (before == NO_PAGE && page != NO_PAGE)
		wrmsr(MSR_APIC_BASE, value & ~APIC_ON); /* the way from x2APIC mode */
	if (!wrmsr_safe(MSR_APIC_BASE, value)) {
		set_page(vcpu, before);
		return false;
	}
	vcpu->apic.base = value;
	read_names(vcpu);
	return true;
}

bool apic_write_base(struct vcpu *vcpu, uint64_t value)
{
	if (l1_memory_hidden(address_of(value), PAGE_SIZE))
		return false;
	if (!apic_is_shared())
		return wrmsr_safe(MSR_APIC_BASE, value);
	if (value & ~(BASE_FLAGS | address_of(value)))
		return false;
	return features.tcg ? write_base_on_tcg(vcpu, value) : write_base(vcpu, value);
}
