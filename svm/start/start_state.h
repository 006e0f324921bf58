/*
 * The states that a processor of L1's begins with: any that boot/ names, the one that INIT leaves,
 * and where SIPI starts it. Relies on svm/vcpu.h.
 */
#ifndef SVM_START_START_STATE_H
#define SVM_START_START_STATE_H

#include "svm/vcpu.h"

/*
 * All that L1 begins with, whoever says so: what a boot protocol promises, or what a processor was
 * amid its firmware. What is not in here stays as the processor has it: the registers of SYSCALL
 * and SYSENTER, the FPU's, the APIC's.
 */
struct l1_start {
	uint64_t gpr[GPRS]; /* RAX and RSP, too */
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4, efer; /* EFER without SVME */
	uint64_t dr6, dr7, pat;
	struct vmcb_segment es, cs, ss, ds, gdtr, idtr;
	bool others_stay; /* FS, GS, LDTR and TR are as the processor has them, but for these bases:
	                   */
	uint64_t fs_base, gs_base;
	struct vmcb_segment fs, gs, ldtr, tr; /* otherwise */
};

void start_state_set(struct vmcb_save *save, const struct l1_start *start);

/*
 * After INIT: APM vol. 2, section 14.1.3, table 14-1. What INIT does not change stays: CD and NW of
 * CR0, the PAT, and the registers of SYSCALL and SYSENTER. EFER has SVME, as VMRUN demands.
 */
void start_state_init(struct vmcb_save *save);

/* After SIPI: at the beginning of the page whose number is the vector. */
void start_state_sipi(struct vmcb_save *save, uint8_t vector);

#endif
