/*
 * L2s: their memory, modes and code, and what L1 does with them. An L2 starts directly in its mode,
 * runs a snippet of l2_code.inc on registers that L1 set, and comes back by VMMCALL. Relies on
 * paging.h, svm.h and tap.h.
 *
 * L2's memory (ngpa). Nested tables map it to frames elsewhere; L2's own tables, if it has any, map
 * the first 16 MiB to themselves and once more at kind->alias, through which tests read and write:
 *
 * - L2_GDT, L2_IDT, L2_STACK, L2_SCRATCH, L2_CODE, L2_BOOT, L2_EXEC: 4 KiB nested pages, one each;
 * - L2_TABLES: its own page tables, likewise up to L2_LOW_END;
 * - L2_SMALL: L2_SMALL_PAGES nested pages of 4 KiB; the n-th one's frame is l2_small_frame(l2, n);
 * - L2_LARGE: 4 MiB in nested pages of level 2, if the format has such;
 * - L2_HOLE: nothing, and no nested table either.
 *
 * Where there is no nested paging (l2_lacks_nesting), L1 runs every L2 by shadow tables of its own
 * instead: l2->npt then maps L2's virtual addresses, in the format of L2's mode, L2 has no tables
 * of its own (l2->own is the same set), and a nested fault is a #PF that L1 intercepts. Both views
 * share the tables below the root, so that a test edits l2->npt by ngpa either way.
 */
#ifndef GUEST_L2_H
#define GUEST_L2_H

#include "guest/lib/paging.h"
#include "guest/lib/svm.h"

#define L2_SLOTS 4

#define L2_GDT         0x3000u
#define L2_IDT         0x4000u
#define L2_STACK       0x5000u
#define L2_STACK_TOP   0x6000u
#define L2_SCRATCH     0x7000u
#define L2_CODE        0x8000u
#define L2_BOOT        0x9000u
#define L2_EXEC        0xf000u
#define L2_TABLES      0x10000u
#define L2_LOW_END     0x40000u
#define L2_SMALL       0x400000u
#define L2_SMALL_PAGES 16u
#define L2_HOLE        0xc00000u
#define L2_LARGE       0x800000u
#define L2_LARGE_BYTES 0x400000u
#define L2_END         0x1000000u

/* Known to l2_code.asm, too. */
#define L2_STUBS         0x400u
#define L2_VECTORS       64u
#define L2_FETCHED_VALUE 0x600df00du
#define L2_SOFT_VECTOR   0x31u
#define VMMCALL_BYTES    3u

/* What every mode has in CR0, besides its own bits. */
#define L2_CR0 (CR0_ET | CR0_NE)

/* L2's selectors. */
#define L2_CODE32_SEL 0x08u
#define L2_DATA_SEL   0x10u
#define L2_CODE64_SEL 0x18u
#define L2_BASED_SEL  0x20u /* data, with base L2_SCRATCH */

/* The snippets, in the order of l2_code.inc, which tells their registers. */
enum l2_snippet {
	L2_COMPUTE,
	L2_READ,
	L2_WRITE,
	L2_ADD,
	L2_FETCHED,
	L2_CPUID,
	L2_RDMSR,
	L2_WRMSR,
	L2_IN,
	L2_OUT,
	L2_HLT,
	L2_UD2,
	L2_INT3,
	L2_SOFT,
	L2_STI,
	L2_RDTSC,
	L2_STATE,
	L2_CLOBBER,
	L2_READ_FS,
	L2_LOAD_FS,
	L2_RETURN,
	L2_WRITE_CR3,
	L2_INVLPG,
	L2_VMRUN,
	L2_VMLOAD,
	L2_VMSAVE,
	L2_STGI,
	L2_CLGI,
	L2_SKINIT,
	L2_INVLPGA,
	L2_VMMCALL,
	L2_TIME_CPUID,
	L2_TIME_READ,
	L2_TIME_WRITE,
	L2_SUM_PAGES,
	L2_ADD_PAGES,
	L2_FENCED_CPUID,
	L2_FENCED_READ,
	L2_FENCED_WRITE,
};

/* A mode of L2. */
struct l2_kind {
	const char *name;
	unsigned int bits;
	const struct pt_format *format; /* of its own tables; NULL: CR0.PG=0 */
	uint64_t cr0, cr4, efer;
	uint64_t alias;
};

extern const struct l2_kind l2_real, l2_prot, l2_2level, l2_pse, l2_pae, l2_long, l2_la57;

/* All kinds, for a loop up to the NULL; and the widest one that this image can run. */
extern const struct l2_kind *const l2_kinds[];
const struct l2_kind *l2_widest(void);

/* Can this image, on this machine, run such an L2? */
bool l2_possible(const struct l2_kind *kind);

struct l2 {
	const struct l2_kind *kind;
	unsigned int slot;
	struct vmcb *vmcb;
	struct l2_regs regs;
	uint8_t *low; /* where L1 sees ngpa 0 to L2_LOW_END */
	struct pt npt, own;
	uint64_t alias; /* what l2_read() and l2_write() add to the ngpa */
	bool nested;    /* by nested paging, not by shadow tables */
	bool flush; /* the next run flushes the TLB; set it after taking rights or frames away */
};

/* The nested format, as L1 itself runs. */
extern const struct pt_format *l2_format;
void l2_init(const struct pt_format *format);

/* NULL, or why there is no nested paging: for point_skip(). */
extern const char *l2_lacks_nesting;

/*
 * A new L2 in one of L2_SLOTS places; the one there before is gone. ASID slot + 1. Intercepts:
 * VMRUN, VMMCALL, HLT, SHUTDOWN, INTR, with V_INTR_MASKING=1; L2's IF is 0.
 */
struct l2 *l2_new(unsigned int slot, const struct l2_kind *kind);

/*
 * Makes L2's own tables in the kind's format: the first 4 MiB in 4 KiB pages, the rest in the
 * largest of level 2, all of it twice. l2_new() does it for a kind with paging.
 */
void l2_make_tables(struct l2 *l2, const struct l2_kind *kind);

/*
 * Starts l2->npt anew in the format and maps L2's memory in it from ngpa 0; maps it once more from
 * base on.
 */
void l2_make_npt(struct l2 *l2, const struct pt_format *format);
void l2_map_npt(struct l2 *l2, uint64_t base, uint64_t flags);

/*
 * Turns nested paging off for a new L2 with paging: l2->npt becomes the shadow of its own tables,
 * in their format, and maps ngva to gpa. L1 must intercept #PF where it wants to see faults.
 */
void l2_use_shadow(struct l2 *l2);

/* The same for an L2 of any kind, as l2_new() does it where there is no nested paging. */
void l2_share_shadow(struct l2 *l2);

/* Lets L2 run on the tables of l2->npt.root: after another root was made. */
void l2_use_root(struct l2 *l2);

/* The maps that all L2s share; l2_new() clears them. Bits count once an L2 intercepts *_PROT. */
extern uint8_t l2_msrpm[MSRPM_SIZE], l2_iopm[IOPM_SIZE];
/* Sets or clears the MSR's two bits: 1 intercepts RDMSR, 2 WRMSR. */
void l2_msr_intercept(uint32_t msr, unsigned int bits);
void l2_port_intercept(uint16_t port, bool on);

/* Frames behind L2_SMALL and L2_LARGE, and two spare ones, as L1 sees them. */
uint32_t *l2_small_frame(const struct l2 *l2, unsigned int page);
uint32_t *l2_large_frame(unsigned int byte);
uint32_t *l2_spare_frame(unsigned int n);
static inline uint64_t l2_gpa(const void *frame)
{
	return (uintptr_t)frame;
}

/* Runs L2 from where it is; with l2_start(), from the snippet. The result is in the VMCB. */
void l2_run(struct l2 *l2);
void l2_aim(struct l2 *l2, enum l2_snippet snippet);
void l2_start(struct l2 *l2, enum l2_snippet snippet);
/* Moves RIP behind the VMMCALL that ended the run. */
void l2_pass_vmmcall(struct l2 *l2);

/* L2 reads or writes 32 bits at the ngpa, through its alias. */
void l2_read(struct l2 *l2, uint64_t ngpa);
void l2_write(struct l2 *l2, uint64_t ngpa, uint32_t value);
/* L2 fetches from L2_EXEC. */
void l2_fetch(struct l2 *l2);

static inline uint32_t l2_eax(const struct l2 *l2)
{
	return (uint32_t)l2->vmcb->save.rax;
}

/* What RDMSR and RDTSC bring. */
static inline uint64_t l2_edx_eax(const struct l2 *l2)
{
	return l2->regs.rdx << 32 | l2_eax(l2);
}

/* The exit code of a nested fault, or of what it is on shadow tables. */
static inline uint64_t l2_fault_exit(const struct l2 *l2)
{
	return l2->nested ? VMEXIT_NPF : VMEXIT_EXCP_BASE + VEC_PF;
}

/* The n-th word, of L2's width, on its stack. */
uint64_t l2_stack(const struct l2 *l2, unsigned int n);

/* Checks of the open point, all of the last run. */
bool l2_check_exit(struct l2 *l2, uint64_t code);
/* It ended by a snippet's VMMCALL. */
bool l2_check_done(struct l2 *l2);
/* It did, and EAX is the value. */
bool l2_check_value(struct l2 *l2, uint32_t value);
/* It arrived in L2's handler of the vector. */
bool l2_check_vector(struct l2 *l2, unsigned int vector);
/*
 * It ended by #VMEXIT(NPF) with these EXITINFO1 and EXITINFO2, or on shadow tables by #PF with what
 * corresponds: no NPF_USER, since L2 runs at CPL 0, and the address through the alias.
 */
bool l2_check_npf(struct l2 *l2, uint64_t info1, uint64_t ngpa);

#endif
