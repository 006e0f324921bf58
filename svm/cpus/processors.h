/*
 * The processors of L1's machine, and what they ask of each other. Relies on svm/vcpu.h and, for
 * who it is that asks, on hv/stack.h.
 *
 * A processor that wants something of another says so in memory and then makes it exit, by an NMI
 * (vcpu_kick()). Before each VMRUN a processor marks itself as in the guest and only then looks at
 * what is wanted, so nothing that was said before is missed.
 */
#ifndef SVM_CPUS_PROCESSORS_H
#define SVM_CPUS_PROCESSORS_H

#include "hv/lock.h"
#include "hv/stack.h"
#include "svm/vcpu.h"

/* As many as Linux takes on x86. Nothing in L0 is as large as that; tables are made for those that
 * there are. */
enum { PROCESSORS_MAX = 4096 };

/* What stands in vcpu.cpu.startup: changed by atomic operations only. */
enum {
	STARTUP_INIT = 1 << 0,    /* an INIT is to be taken */
	STARTUP_SIPI = 1 << 1,    /* a SIPI came, behind the INIT if there is one */
	STARTUP_WAITING = 1 << 2, /* the processor waits for SIPI */
	STARTUP_STOP = 1 << 3,    /* another processor panics */
	STARTUP_NMI = 1 << 4,     /* an NMI is to be taken, once it does not wait any more */
	STARTUP_VECTOR_SHIFT = 8,
};

/*
 * What stands in vcpu.cpu.join: a processor that comes begins unless it has been given up, and then
 * nobody may stop it any more, for it takes locks.
 */
enum { JOIN_EXPECTED, JOIN_BEGUN, JOIN_DONE, JOIN_GIVEN_UP };

/* To one of these from JOIN_EXPECTED; false: it is another one already. */
static inline bool join_decide(struct vcpu *vcpu, uint32_t to)
{
	uint32_t expected = JOIN_EXPECTED;

	return __atomic_compare_exchange_n(&vcpu->cpu.join, &expected, to, false, __ATOMIC_SEQ_CST,
	                                   __ATOMIC_SEQ_CST);
}

/* The vcpu of the processor that asks; NULL until it has one. */
static inline struct vcpu *this_vcpu(void)
{
	return stack_base()->processor;
}

/* All processors that L0 has; they stay the same once L1 runs. */
unsigned int vcpu_count(void);
struct vcpu *vcpu_at(unsigned int index); /* index < vcpu_count(); 0 is the boot processor */

/* The one that has had this APIC id from reset on; NULL: there is none. */
struct vcpu *vcpu_by_id(uint32_t apic_id);

/* Pages of the heap for a table of so many; it is made, empty. */
uint64_t processors_table_pages(unsigned int most);
void processors_init(unsigned int most);

/* Adds a processor: at boot only, behind the boot processor in the order of their APIC ids. */
void processors_add(struct vcpu *vcpu);

/*
 * INIT arrives at the target, which any processor may send, to itself, too: it takes effect before
 * the target runs its guest again (APM vol. 2, section 14.1.3).
 */
void vcpu_init(struct vcpu *target);

/* SIPI with this vector; ignored unless the target waits for one, or will when its INIT is done. */
void vcpu_sipi(struct vcpu *target, uint8_t vector);

/*
 * An NMI of L1's arrives at the target, itself or another. One that waits for SIPI takes it when it
 * starts; as on the machine, one at most is pending.
 */
void vcpu_nmi(struct vcpu *target);

/* Makes the target exit soon, if it is another processor. Nobody waits for it. */
void vcpu_kick(struct vcpu *target);

/* Makes this processor exit as soon as it has injected its event. Bochs exits later. */
void vcpu_exit_again(struct vcpu *self);

/*
 * To be called again and again by who waits for another processor, in L0: lets SMIs and NMIs in,
 * which GIF=0 holds back, since the firmware's SMM waits for all processors (APM vol. 2,
 * section 15.22). What came for L1 is looked at before the next VMRUN.
 */
void processors_wait(void);

/* Sends this processor an SMI. */
void vcpu_smi(struct vcpu *self);

/* Was the NMI that this processor has just taken a kick, and no NMI of L1's? */
bool vcpu_was_kicked(struct vcpu *vcpu);

/*
 * Every processor flushes all before it runs a guest again, and none is in a guest that it entered
 * before the call. mmu_ops.flush_all; the mmu's lock is held.
 */
void processors_flush_all(void);

/*
 * Ends what other processors do: this one panics, and goes on with GIF=1. None is in its guest any
 * more, but for one that does not exit within a time.
 */
void processors_stop(void);

/*
 * The lock that mmu/ asks for: around every call that takes a struct mmu. A processor that waits
 * for it is not in a guest, so whoever holds it may wait for guests to exit; and it lets SMIs in
 * meanwhile, as who holds it may be in SMM then.
 */
extern struct lock mmu_lock;

/*
 * mmu_load_root(), with the lock where it is needed: not while a guest goes on as before.
 */
uint64_t load_root(struct vcpu *vcpu, const struct guest_tables *tables, uint32_t asid);

/*
 * L0 has written L1's memory at gpa; to be called after the write, without the lock. Only tracked
 * frames need it: who begins to track one reads it after it has said so (mmu/track.c).
 */
void l1_written(uint64_t gpa);

#endif
