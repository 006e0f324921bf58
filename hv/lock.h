/*
 * A lock that processors get in the order in which they asked; where processors are somebody's
 * threads, in any order. Relies on hv/x86.h.
 */
#ifndef HV_LOCK_H
#define HV_LOCK_H

#include "hv/x86.h"

struct lock {
	uint32_t next, serving; /* the same: it is free */
	void (*wait)(void);     /* what a processor does again and again until it is its turn */
};

/*
 * A hypervisor or an emulator lets a virtual processor run when it likes to. The lock in order
 * would wait for the one whose turn it is, and who does not run, although it is free. To be set
 * before a second processor runs; one that asks in order and one that does not may meet at a lock.
 */
extern bool lock_any_order;

static inline bool lock_try(struct lock *lock)
{
	uint32_t serving = __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE), next = serving;

	return __atomic_load_n(&lock->next, __ATOMIC_RELAXED) == serving &&
	       __atomic_compare_exchange_n(&lock->next, &next, serving + 1, false, __ATOMIC_ACQUIRE,
	                                   __ATOMIC_RELAXED); /* P18 */
}

/* Not to be taken twice by one processor. */
static inline void lock_take(struct lock *lock)
{
	uint32_t ticket;

	if (lock_any_order) {
		while (!lock_try(lock))
			lock->wait();
		return;
	}
	ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_ACQUIRE); /* P4 */
	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		lock->wait();
}

static inline void lock_release(struct lock *lock)
{
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE); /* P5 */
}

#endif
