/*
 * SVM as L1 uses it: turning it on, the instructions, VMRUN. Relies on svm/vmcb.h for the layout
 * and on vmrun.asm.
 */
#ifndef GUEST_SVM_H
#define GUEST_SVM_H

#include "hv/x86.h"
#include "svm/vmcb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* L1's selectors, as entry.asm lays out the GDT. */
#define L1_CODE32      0x08
#define L1_DATA        0x10
#define L1_CODE64      0x18
#define L1_USER_CODE32 0x23
#define L1_USER_DATA   0x2b
#define L1_USER_CODE64 0x33
#define L1_CODE16      0x38
#define L1_DATA16      0x40
#define L1_TSS         0x48 /* two descriptors wide */
#define L1_TSS_OTHER   0x58
#ifdef __x86_64__
#define L1_CODE L1_CODE64
#else
#define L1_CODE L1_CODE32
#endif

/* L2's registers that are not in the VMCB. A 32-bit L1 moves the lower halves only. */
struct l2_regs {
	uint64_t rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8_to_r15[8];
	uint64_t host_rax; /* out: L1's rAX right after #VMEXIT */
};
_Static_assert(offsetof(struct l2_regs, r8_to_r15) == 48, "vmrun.asm");
_Static_assert(offsetof(struct l2_regs, host_rax) == 112, "vmrun.asm");

/* What each processor needs for itself: the area of VM_HSAVE_PA, and its own FS, GS, TR, ... */
struct svm_host {
	uint8_t save[PAGE_SIZE];
	struct vmcb state;
} __attribute__((aligned(PAGE_SIZE)));

/* Sets EFER.SVME and VM_HSAVE_PA of this processor, and keeps its state in the host. */
void svm_begin(struct svm_host *host);

/* svm_run() on the processor whose host it is. */
void svm_run_on(const struct svm_host *host, struct l2_regs *regs, struct vmcb *vmcb);

/* svm_begin() for the first processor; ends the run as skipped if the firmware forbids it. */
void svm_init(void);

/* VMRUN, once. The caller has GIF=0 and has done VMLOAD. */
void vmrun_once(struct l2_regs *regs, struct vmcb *vmcb);

/* The usual round: CLGI, VMLOAD, VMRUN, VMSAVE, L1's own VMLOAD, STGI. */
void svm_run(struct l2_regs *regs, struct vmcb *vmcb);

/* The same without CLGI at its start and STGI at its end. */
void svm_run_gif0(struct l2_regs *regs, struct vmcb *vmcb);

static inline void stgi(void)
{
	__asm__ volatile("stgi" : : : "memory");
}

static inline void clgi(void)
{
	__asm__ volatile("clgi" : : : "memory");
}

static inline void sti(void)
{
	__asm__ volatile("sti; nop" : : : "memory");
}

static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline void vmload(const struct vmcb *vmcb)
{
	__asm__ volatile("vmload" : : "a"(vmcb) : "memory");
}

static inline void vmsave(struct vmcb *vmcb)
{
	__asm__ volatile("vmsave" : : "a"(vmcb) : "memory");
}

/* Drops the translation of one ngva under the ASID; a 32-bit L1 can name the lower 4 GiB only. */
static inline void invlpga(uint64_t ngva, uint32_t asid)
{
	__asm__ volatile("invlpga" : : "a"((uintptr_t)ngva), "c"(asid) : "memory");
}

#endif
