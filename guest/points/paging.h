/*
 * L1's own paging, as the processor does it: a region of L1's address space that a test may map as
 * it likes, accesses to it as supervisor and as user, and what they must bring. Relies on
 * guest/lib; APM vol. 2, chapter 5.
 */
#ifndef GUEST_POINTS_PAGING_H
#define GUEST_POINTS_PAGING_H

#include "guest/lib/guest.h"
#include "guest/lib/user.h"

/* Error code of #PF; APM 8.2.15. */
#define PF_PRESENT  (1u << 0)
#define PF_WRITE    (1u << 1)
#define PF_USER     (1u << 2)
#define PF_RESERVED (1u << 3)
#define PF_FETCH    (1u << 4)

#define PT_GLOBAL (1ull << 8)
#define RFLAGS_AC (1u << 18)
#define AD        (PT_ACCESSED | PT_DIRTY)

/* The region: small pages, the user's code and stack, and a place for a large page. */
#define REGION_PAGES 8u
#define REGION_USER  (4u << 20)
#define REGION_LARGE (8u << 20)
#define REGION_FREE  (12u << 20) /* nothing is there */

enum who { SUPERVISOR, USER };
enum what { READ, WRITE, FETCH };

/* The groups; each starts and ends with the region as paging_group() makes it. */
void points_paging(void);
void paging_bits(void);     /* A and D */
void paging_rights(void);   /* present, W, U, NX, reserved bits */
void paging_wp(void);       /* CR0.WP=0 */
void paging_smap(void);     /* SMEP and SMAP */
void paging_change(void);   /* edits of last-level entries */
void paging_upper(void);    /* edits of upper-level entries, large pages */
void paging_tables(void);   /* tables that are also something else */
void paging_roots(void);    /* several CR3s */
void paging_pdpte(void);    /* PAE: PDPTEs */
void paging_modes(void);    /* from one mode of paging to another */
void paging_control(void);  /* control registers */
void paging_invlpg(void);   /* INVLPG's operands, single steps */
void paging_delivery(void); /* faults while an exception is delivered */
void paging_event(void);    /* each event, by each gate, that meets a fault */
void paging_task(void);     /* hardware task switches */

/* Opens the group "paging.name" with a fresh region; false if it is filtered out. */
bool paging_group(const char *name);
/* Takes the region away, and gives its tables back. */
void paging_end(void);

/* The address in the region, and what L1's identity has for the frame of small page n. */
uint64_t region(uint64_t offset);
static inline uint64_t small_page(unsigned int n)
{
	return region((uint64_t)n * PAGE_SIZE);
}
uint32_t *frame(unsigned int n);

/* The entry for the address, in L1's own tables. */
uint64_t get(uint64_t address, unsigned int level);
void set(uint64_t address, unsigned int level, uint64_t value);
void map(uint64_t address, const void *to, unsigned int level, uint64_t flags);

/* Has an entry of the level W, U, NX and A? (PDPTEs of PAE have not.) */
bool has_rights(unsigned int level);
bool has_large(void);

/* Makes a function that returns the value of the bytes there. */
void put_code(void *to, uint32_t value);

static inline void invlpg(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"((uintptr_t)address) : "memory");
}
static inline void flush(void)
{
	write_cr3(read_cr3());
}
void flush_global(void);

/* One access. -1, or the vector; value is written, or is what came. */
int try_access(enum who who, enum what what, uint64_t address, uint32_t *value);

/* Checks of the open point. Reads and fetches must bring the value, writes write it. */
bool may(enum who who, enum what what, uint64_t address, uint32_t value);
/* #PF with PF_PRESENT and PF_RESERVED as given, the other bits as the access, and CR2. */
bool faults(enum who who, enum what what, uint64_t address, uint32_t error);

/* Does the control register take the value, or does it raise #GP? */
int try_cr0(unsigned long value);
int try_cr3(unsigned long value);
int try_cr4(unsigned long value);

/*
 * QEMU's own MOV to a control register checks little, and where it does it leaves for a host that
 * may not be there. Is it QEMU that would execute one now? With NPT nobody intercepts it.
 */
bool qemu_moves_cr(void);

/* A point's name that ends with a level. */
const char *at_level(const char *text, unsigned int level);

#endif
