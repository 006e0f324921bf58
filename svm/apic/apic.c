/*
 * What L1 writes to its local APICs, and to pages that are kept from it likewise. Relies on
 * svm/apic/decode.h for the instruction, on svm/cpus/processors.h for what processors get by it,
 * and on svm/apic/kept.h for the other pages.
 */
#include "svm/apic/apic.h"
#include "hv/apic.h"
#include "hv/exception.h"
#include "hv/log.h"
#include "svm/apic/decode.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/apic/kept.h"
#include "svm/cpus/processors.h"
#include "svm/quirks/quirks.h"

#define X2APIC_ICR_RESERVED 0xfff33000ull

#define BROADCAST    0xffu
#define BROADCAST_X2 0xffffffffu

enum { FETCHED_COUNT = 0xf }; /* of the VMCB's field; APM vol. 2, section 15.8.4 */

static bool matches_logical(const struct local_apic *apic, uint32_t destination)
{
	uint32_t name = apic->ldr >> APIC_ID_SHIFT;

	if (apic->page == APIC_NO_PAGE) /* a cluster and a bit in it */
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

static bool is_broadcast(const struct vcpu *sender, uint32_t destination)
{
	return destination == (sender->apic.page == APIC_NO_PAGE ? BROADCAST_X2 : BROADCAST);
}

static bool is_target(const struct vcpu *sender, const struct vcpu *vcpu, uint32_t command,
                      uint32_t destination)
{
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
	if (is_broadcast(sender, destination))
		return true;
	if (command & ICR_LOGICAL)
		return matches_logical(&vcpu->apic, destination);
	return vcpu->apic.id == destination;
}

/*
 * INIT and SIPI, and NMI, which a processor could not tell from L0's kicks; all else is the real
 * APIC's to send.
 */
static bool is_l0s(uint32_t command)
{
	uint32_t mode = command & ICR_MODE;

	return mode == ICR_NMI || mode == ICR_INIT || mode == ICR_STARTUP;
}

/* One that was plugged in, or that was left out: it would run beside L0. */
static void tell_unknown(uint32_t command, uint32_t destination)
{
	log_once(log_aloud,
	         "%s to a processor that Nestling does not have is refused: its APIC id is %u",
	         (command & ICR_MODE) == ICR_INIT ? "INIT" : "STARTUP", destination);
}

static void give(struct vcpu *target, uint32_t command)
{
	uint32_t mode = command & ICR_MODE;

	if (mode == ICR_NMI)
		vcpu_nmi(target);
	else if (mode == ICR_INIT)
		vcpu_init(target);
	else
		vcpu_sipi(target, command & ICR_VECTOR);
}

/* Most name one processor, by the id that it has had from reset on: that is found at once. */
static struct vcpu *only_target(const struct vcpu *sender, uint32_t command, uint32_t destination)
{
	struct vcpu *target = NULL;

	if (!(command & (ICR_SHORTHAND | ICR_LOGICAL)) && !is_broadcast(sender, destination))
		target = vcpu_by_id(destination);
	return target && target->apic.id == destination ? target : NULL;
}

static void send(const struct vcpu *sender, uint32_t command, uint32_t destination)
{
	uint32_t mode = command & ICR_MODE;
	struct vcpu *only = only_target(sender, command, destination);
	bool known = only;

	if (mode == ICR_INIT && (command & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return; /* the end of a level, which means nothing */
	if (only)
		give(only, command);
	for (unsigned int i = 0; !only && i < vcpu_count(); i++) {
		struct vcpu *target = vcpu_at(i);

		if (!is_target(sender, target, command, destination))
			continue;
		known = true;
		give(target, command);
	}
	if (!known && mode != ICR_NMI && !(command & (ICR_SHORTHAND | ICR_LOGICAL)))
		tell_unknown(command, destination);
}

static bool is_lvt(unsigned int offset)
{
	return (offset >= APIC_TIMER && offset <= APIC_ERROR) || offset >= APIC_EXTENDED_LVT;
}

/*
 * A store of L1's to a register of its own APIC; EOI is the one to be quick with. The id stays what
 * it is, as on newer processors: L0's kicks find processors by it. Where no register is, QEMU has
 * messages; a local source that sends INIT is reserved, and an APIC of KVM's takes it.
 */
static void write_own(struct vcpu *vcpu, unsigned int offset, uint32_t value)
{
	if (offset == APIC_ICR && is_l0s(value)) {
		send(vcpu, value, apic_read(vcpu->apic.page, APIC_ICR_HIGH) >> APIC_ID_SHIFT);
		return;
	}
	if (offset <= APIC_ID || (is_lvt(offset) && is_init_or_startup(value)))
		return;
	if (offset == APIC_TPR && features.vector0)
		quirk_write_tpr(vcpu, (uint8_t)value);
	else
		apic_write(vcpu->apic.page, offset, value);
	if (offset == APIC_LDR || offset == APIC_DFR)
		apic_read_names(vcpu);
}

typedef bool decoder(const struct vcpu *vcpu, const uint8_t *bytes, unsigned int have,
                     struct apic_store *store);

/* From the bytes that the processor fetched; only some tell, and not always all that it takes. */
static bool decode_assisted(const struct vcpu *vcpu, decoder *decode, struct apic_store *store)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;

	return has(SVM_FEATURE_DECODE) &&
	       decode(vcpu, control->fetched, control->fetched_bytes & FETCHED_COUNT, store);
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

/* Does an instruction access it for itself, and not the processor for it: a stack, a table? */
static bool is_by_instruction(struct vcpu *vcpu)
{
	const struct vmcb_control *control = &vcpu->vmcb->control;

	return !interrupted_event(vcpu) && !(control->exit_info1 & NPF_FETCH) &&
	       !(control->exit_code == VMEXIT_NPF && (control->exit_info1 & NPF_TABLE));
}

/* What nobody does to such a page raises #GP: no other way keeps INIT from the real one. */
static void refuse(struct vcpu *vcpu, uint64_t gpa)
{
	log_once(
		log_info,
		"an access to a kept page at %llx by an instruction at rip %llx that is not known: "
		"#GP",
		(unsigned long long)gpa, (unsigned long long)vcpu->vmcb->save.rip);
	raise_fault(vcpu, VEC_GP, 0);
}

/* The source of MOVS, which is memory; what an APIC says is nothing that anybody copies so. */
static bool read_source(struct vcpu *vcpu, struct apic_store *store)
{
	uint32_t source = 0;
	unsigned int bytes = store->size < sizeof(source) ? store->size : sizeof(source);

	if (store->operation != APIC_MOVS)
		return true;
	if (fetch(vcpu, store->from, (uint8_t *)&source, bytes) != bytes)
		return false;
	store->source = source;
	return true;
}

/*
 * Registers of a local APIC are 32 bits at multiples of 16: other writes have no effect. APM
 * 16.3.2. Another processor's page is nobody's here. False: #GP.
 */
static bool perform(struct vcpu *vcpu, const struct apic_store *store, uint64_t gpa)
{
	bool own = (gpa & ~APIC_PAGE_OFFSET) == vcpu->apic.page;
	uint32_t old = 0, value;

	if (own && (store->size != sizeof(old) || gpa % sizeof(old)))
		return true;
	if (apic_reads(store) && !kept_read(gpa, store->size, &old))
		return false;
	value = apic_execute(vcpu, store, old);
	if (!own)
		return kept_owner(gpa)(gpa, store->size, value);
	if (gpa % APIC_STEP == 0)
		write_own(vcpu, (unsigned int)(gpa & APIC_PAGE_OFFSET), value);
	return true;
}

static bool perform_store(struct vcpu *vcpu, struct apic_store *store, uint64_t gpa)
{
	return read_source(vcpu, store) && perform(vcpu, store, gpa);
}

/* All of the page is the guest's to read, but for the TPR, which may be L0's. False: #GP. */
static bool perform_load(struct vcpu *vcpu, struct apic_store *load, uint64_t gpa)
{
	uint32_t value;

	if (!kept_read(gpa, load->size < sizeof(value) ? load->size : sizeof(value), &value))
		return false;
	if (gpa - (vcpu->apic.page + APIC_TPR) < sizeof(value))
		value = (uint32_t)quirk_read_tpr(vcpu) >> 8 * (gpa % sizeof(value));
	apic_load(vcpu, load, value);
	return true;
}

bool apic_npf(struct vcpu *vcpu, uint64_t gpa)
{
	bool write = vcpu->vmcb->control.exit_info1 & NPF_WRITE, known;
	decoder *decode = write ? apic_decode : apic_decode_load;
	uint64_t page = gpa & ~APIC_PAGE_OFFSET;
	uint8_t bytes[INSTRUCTION_MAX];
	struct apic_store store;

	if (!(write ? apic_covers(page, PAGE_SIZE) : apic_hides(page, PAGE_SIZE)))
		return false;
	known = is_by_instruction(vcpu);
	if (known && !decode_assisted(vcpu, decode, &store)) {
		unsigned int have = read_code(vcpu, bytes);

		if (!have) {
			not_decoded(vcpu);
			return true;
		}
		known = decode(vcpu, bytes, have, &store);
	}
	if (!known || !(write ? perform_store : perform_load)(vcpu, &store, gpa)) {
		refuse(vcpu, gpa);
		return true;
	}
	vcpu->counters.apic_writes += write;
	apic_advance(vcpu, &store);
	finish_instruction(vcpu, store.length);
	return true;
}

static bool x2apic_write_icr(struct vcpu *vcpu, uint64_t value)
{
	if (!(vcpu->apic.base & APIC_BASE_X2APIC) || (value & X2APIC_ICR_RESERVED))
		return false;
	if (!is_l0s(low32(value)))
		return wrmsr_safe(X2APIC_MSR(APIC_ICR), value);
	send(vcpu, low32(value), (uint32_t)(value >> 32));
	return true;
}

bool is_x2apic(uint32_t msr)
{
	return msr >= MSR_X2APIC && msr < MSR_X2APIC + X2APIC_MSRS;
}

static bool is_watched_tpr(const struct vcpu *vcpu, uint32_t msr)
{
	return msr == X2APIC_MSR(APIC_TPR) && features.vector0 &&
	       (vcpu->apic.base & APIC_BASE_X2APIC);
}

bool x2apic_read_tpr(const struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	if (!is_watched_tpr(vcpu, msr))
		return false;
	*value = quirk_read_tpr(vcpu);
	return true;
}

bool x2apic_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (msr == X2APIC_MSR(APIC_ICR))
		return x2apic_write_icr(vcpu, value);
	if (is_watched_tpr(vcpu, msr)) {
		if (value <= UINT8_MAX)
			quirk_write_tpr(vcpu, (uint8_t)value);
		return value <= UINT8_MAX;
	}
	return !is_init_or_startup(low32(value)) && wrmsr_safe(msr, value);
}
