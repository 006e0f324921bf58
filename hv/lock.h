/*
 * A lock that processors get in the order in which they asked. Relies on hv/x86.h.
 */
#ifndef HV_LOCK_H
#define HV_LOCK_H

#include "hv/x86.h"

struct lock {
	uint32_t next, serving;
	void (*wait)(void); /* what a processor does again and again until it is its turn */
};

/* Not to be taken twice by one processor. */
static inline void lock_take(struct lock *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_ACQUIRE); /* P4 */

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		lock->wait();
}

static inline void lock_release(struct lock *lock)
{
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE); /* P5 */
}

#endif
