/*
 * What GCC calls for atomic access to 8 bytes in 32-bit code; there is one instruction that does
 * it. The order asked for counts nothing, as a locked instruction has them all. Relies on nothing.
 */
#include <stdbool.h>
#include <stdint.h>

#define STANDS_FOR(name) __asm__(#name)

/* GCC's own declarations of these have other types. */
uint64_t atomic_load(const volatile void *at, int order) STANDS_FOR(__atomic_load_8);
void atomic_store(volatile void *at, uint64_t value, int order) STANDS_FOR(__atomic_store_8);
bool atomic_compare_exchange(volatile void *at, void *expected, uint64_t value, int success,
                             int failure) STANDS_FOR(__atomic_compare_exchange_8);
uint64_t atomic_exchange(volatile void *at, uint64_t value, int order)
	STANDS_FOR(__atomic_exchange_8);
uint64_t atomic_fetch_and(volatile void *at, uint64_t value, int order)
	STANDS_FOR(__atomic_fetch_and_8);

/* Stores value where old is. Returns what was there. */
static uint64_t swap(volatile uint64_t *at, uint64_t old, uint64_t value)
{
	__asm__ volatile("lock cmpxchg8b %1"
	                 : "+A"(old), "+m"(*at)
	                 : "b"((uint32_t)value), "c"((uint32_t)(value >> 32))
	                 : "cc", "memory");
	return old;
}

uint64_t atomic_load(const volatile void *at, int order)
{
	(void)order;
	return swap((volatile uint64_t *)at, 0, 0); /* stores what is there */
}

bool atomic_compare_exchange(volatile void *at, void *expected, uint64_t value, int success,
                             int failure)
{
	uint64_t wanted = *(uint64_t *)expected, old = swap(at, wanted, value);

	(void)success, (void)failure;
	*(uint64_t *)expected = old;
	return old == wanted;
}

/* The first look may be torn: then the exchange does not take place. */
uint64_t atomic_exchange(volatile void *at, uint64_t value, int order)
{
	uint64_t old = *(volatile uint64_t *)at;

	while (!atomic_compare_exchange(at, &old, value, order, order))
		;
	return old;
}

void atomic_store(volatile void *at, uint64_t value, int order)
{
	atomic_exchange(at, value, order);
}

uint64_t atomic_fetch_and(volatile void *at, uint64_t value, int order)
{
	uint64_t old = *(volatile uint64_t *)at;

	while (!atomic_compare_exchange(at, &old, old & value, order, order))
		;
	return old;
}
