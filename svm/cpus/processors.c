/*
 * What processors ask of each other. Relies on hv/lapic.h for the NMI that makes one exit.
 */
#include "svm/cpus/processors.h"
#include "hv/lapic.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "svm/event/event.h"
#include "svm/event/priority.h"

/* TSC ticks: after the first a kick counts as lost, after the second its target. */
#define KICK_AGAIN (1ll << 32)
#define PATIENCE   (1ull << 37)

struct lock mmu_lock = {.wait = processors_wait};

static struct vcpu **vcpus;
static unsigned int vcpu_total;

uint64_t processors_table_pages(unsigned int most)
{
	return (most * sizeof(struct vcpu *) + PAGE_SIZE - 1) / PAGE_SIZE;
}

void processors_init(unsigned int most)
{
	vcpus = heap_pages(processors_table_pages(most));
}

unsigned int vcpu_count(void)
{
	return vcpu_total;
}

struct vcpu *vcpu_at(unsigned int index)
{
	return vcpus[index];
}

struct vcpu *vcpu_by_id(uint32_t apic_id)
{
	unsigned int low = 1, high = vcpu_total;

	if (vcpus[0]->cpu.apic_id == apic_id)
		return vcpus[0];
	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (vcpus[middle]->cpu.apic_id == apic_id)
			return vcpus[middle];
		if (vcpus[middle]->cpu.apic_id < apic_id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

void processors_add(struct vcpu *vcpu)
{
	vcpu->cpu.alone = !vcpu_total;
	if (vcpu_total)
		vcpus[0]->cpu.alone = false;
	vcpus[vcpu_total] = vcpu;
	__atomic_store_n(&vcpu_total, vcpu_total + 1, __ATOMIC_RELEASE);
}

/* L1 may have given the APIC another id. */
static void send(const struct vcpu *target, uint32_t command)
{
	lapic_send(target->cpu.ready ? target->apic.id : target->cpu.apic_id, command);
}

void vcpu_smi(struct vcpu *self)
{
	send(self, ICR_SMI);
}

/*
 * One NMI for each time that the flag is raised: a second one would be taken for L1's. The time is
 * the flag, so that of two who kick at once, or find a kick that is lost, one only sends. Another
 * processor's time may be a little ahead.
 */
static void kick(struct vcpu *target)
{
	uint64_t now = rdtsc() | 1, old = __atomic_load_n(&target->cpu.kicked, __ATOMIC_SEQ_CST);

	do { /* P1 */
		if (old && (int64_t)(now - old) < KICK_AGAIN)
			return;
	} while (!__atomic_compare_exchange_n(&target->cpu.kicked, &old, now, false,
	                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	send(target, ICR_NMI); /* P2 */
}

void vcpu_kick(struct vcpu *target)
{
	if (target != this_vcpu())
		kick(target);
}

void vcpu_exit_again(struct vcpu *self)
{
	kick(self);
}

void processors_wait(void)
{
	struct vcpu *self = this_vcpu();

	cpu_relax();
	if (take_signals(self))
		vcpu_nmi(self);
	/* After settle(), or the NMI that was to end the guest behind an event is gone. */
	if (what_is_next(self) != NEXT_NOTHING)
		vcpu_exit_again(self);
}

bool vcpu_was_kicked(struct vcpu *vcpu)
{
	return __atomic_exchange_n(&vcpu->cpu.kicked, 0, __ATOMIC_SEQ_CST); /* P10 */
}

static bool is_in_guest(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->cpu.run, __ATOMIC_SEQ_CST) & 1;
}

void vcpu_init(struct vcpu *target)
{
	uint32_t old = __atomic_load_n(&target->cpu.startup, __ATOMIC_SEQ_CST), new;

	do /* S1: a SIPI that came before it is for nothing */
		new = (old & (STARTUP_WAITING | STARTUP_STOP)) | STARTUP_INIT;
	while (!__atomic_compare_exchange_n(&target->cpu.startup, &old, new, false,
	                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	if ((old & STARTUP_WAITING) || is_in_guest(target))
		vcpu_kick(target); /* S2 */
}

void vcpu_sipi(struct vcpu *target, uint8_t vector)
{
	uint32_t old = __atomic_load_n(&target->cpu.startup, __ATOMIC_SEQ_CST), new;

	do { /* S3 */
		if (!(old & (STARTUP_INIT | STARTUP_WAITING)))
			return;
		new = old;
		if (!(old & STARTUP_SIPI)) /* the first one counts */
			new |= STARTUP_SIPI | (uint32_t)vector << STARTUP_VECTOR_SHIFT;
	} while (!__atomic_compare_exchange_n(&target->cpu.startup, &old, new, false,
	                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	vcpu_kick(target); /* S4 */
}

void vcpu_nmi(struct vcpu *target)
{
	__atomic_or_fetch(&target->cpu.startup, STARTUP_NMI, __ATOMIC_SEQ_CST); /* S5 */
	if (is_in_guest(target))
		vcpu_kick(target); /* S6 */
}

/* Its guest has exited since it was asked to flush, or it has flushed and entered anew. */
static bool has_left(const struct vcpu *vcpu)
{
	/* P7 P8 */
	return !is_in_guest(vcpu) || !__atomic_load_n(&vcpu->cpu.flush, __ATOMIC_SEQ_CST);
}

static void wait_until_left(struct vcpu *vcpu)
{
	uint64_t begin = rdtsc();

	while (!has_left(vcpu)) {
		uint64_t waited = rdtsc() - begin;

		if (waited > PATIENCE)
			panic("processor %u does not leave its guest", vcpu->cpu.apic_id);
		if (waited > KICK_AGAIN)
			vcpu_kick(vcpu); /* P9 */
		processors_wait();
	}
}

void processors_flush_all(void)
{
	struct vcpu *self = this_vcpu();

	for (unsigned int i = 0; i < vcpu_total; i++) {
		__atomic_store_n(&vcpus[i]->cpu.flush, true, __ATOMIC_SEQ_CST); /* P6 */
		if (vcpus[i] != self && is_in_guest(vcpus[i]))
			vcpu_kick(vcpus[i]); /* P3 */
	}
	for (unsigned int i = 0; i < vcpu_total; i++) {
		if (vcpus[i] != self)
			wait_until_left(vcpus[i]);
	}
}

static void stop_soon(struct vcpu *vcpu)
{
	__atomic_or_fetch(&vcpu->cpu.startup, STARTUP_STOP, __ATOMIC_SEQ_CST); /* S7 */
	vcpu_kick(vcpu);
}

void processors_stop(void)
{
	uint64_t begin;

	open_gif(); /* for SMIs: others may be in SMM, which waits for this one, too */
	for (unsigned int i = 0; i < vcpu_total; i++) {
		if (vcpus[i] != this_vcpu())
			stop_soon(vcpus[i]);
	}
	begin = rdtsc();
	for (unsigned int i = 0; i < vcpu_total; i++) {
		while (vcpus[i] != this_vcpu() && is_in_guest(vcpus[i]) &&
		       rdtsc() - begin < KICK_AGAIN)
			cpu_relax();
	}
}

/* Apart, so that the question alone needs no registers. */
static __attribute__((noinline)) void note_written(uint64_t gpa)
{
	lock_take(&mmu_lock);
	mmu_note_write(&mmu, gpa);
	lock_release(&mmu_lock);
}

void l1_written(uint64_t gpa)
{
	if (mmu_wants_note(&mmu, gpa))
		note_written(gpa);
}

uint64_t load_root(struct vcpu *vcpu, const struct guest_tables *tables, uint32_t asid)
{
	uint64_t root = mmu_current_root(&mmu, &vcpu->mmu_cpu, tables, asid);

	if (root)
		return root;
	lock_take(&mmu_lock);
	root = mmu_load_root(&mmu, &vcpu->mmu_cpu, tables, asid);
	lock_release(&mmu_lock);
	return root;
}
