/*
 * The virtual processor that L0 shows to L1, and how it enters the guest. Each processor of the
 * machine has one. Relies on svm/vmcb.h and mmu/mmu.h.
 */
#ifndef SVM_VCPU_H
#define SVM_VCPU_H

#include "hv/mtrr.h"
#include "hv/x86.h"
#include "mmu/mmu.h"
#include "svm/apic/state.h"
#include "svm/cpus/state.h"
#include "svm/decode/state.h"
#include "svm/emulate/state.h"
#include "svm/event/state.h"
#include "svm/look/counters.h"
#include "svm/nested/state.h"
#include "svm/quirks/state.h"
#include "svm/shadowed/state.h"
#include "svm/vmcb.h"

/*
 * General registers by the number that instructions use. RAX and RSP are the VMCB's; R12 to R15 are
 * in the processor all the time, as nothing of L0 is compiled to use them: see write_gpr().
 */
enum gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R9,
	GPR_R10,
	GPR_R11,
	GPR_R12,
	GPR_R13,
	GPR_R14,
	GPR_R15,
	GPRS
};

/* ASID 1 is L1's; L2 runs under the number that L1 chose plus one. */
enum { ASID_L1 = 1, ASID_SHIFT = 1 };

struct vcpu {
	uint64_t gpr[GPRS];
	uint64_t vmcb_hpa;   /* of the VMCB in use */
	uint64_t host_flags; /* RFLAGS at VMRUN: IF decides where V_INTR_MASKING=1 */

	struct vmcb *vmcb; /* in use: VMCB01, or the VMCB02 of nested.slot */
	struct vmcb *vmcb01, *vmcb02;
	uint64_t vmcb01_hpa, vmcb02_hpa;
	bool guest_mode;   /* L2 runs */
	bool npt01_shared; /* L2s have run on NPT01, under ASIDs of their own */

	struct processor cpu;
	struct event event;
	struct nested nested;

	/* What L1 has written to the registers that L0 virtualizes. */
	uint64_t efer; /* with SVME as L1 has it, and LME where an emulator cannot have it */
	uint64_t hsave_pa;
	uint64_t vm_cr;
	struct mtrr mtrr;  /* svm/memory/memory_types.h */
	uint64_t syscfg;   /* those bits that are L1's */
	bool types_differ; /* mtrr is not what the real ones are */
	struct performance perf;

	uint64_t *msrpm01; /* L0's own */
	uint64_t npt01;    /* hpa of the root */
	struct mmu_cpu mmu_cpu;
	struct shadowed shadowed; /* without nested paging */
	struct local_apic apic;
	struct quirks quirks;
#if STRICT
	struct vmcb *seen[1 + VMCB02S]; /* VMCB01 and VMCB02s as their last #VMEXIT left them */
#endif
	struct decode decode;
	struct vcpu_counters counters;
};

_Static_assert(offsetof(struct vcpu, vmcb_hpa) == 128, "svm/enter.asm");
_Static_assert(offsetof(struct vcpu, host_flags) == 136, "svm/enter.asm");

/*
 * svm/enter.asm: svm_enter runs the guest until its next #VMEXIT; registers come from and go to
 * gpr. svm_enter_untrain does the same, and then nothing that the guest has trained predicts
 * anything (features.untrain). Neither keeps a register of its caller's: who runs guests for good
 * has none to keep.
 */
#ifdef NESTLING_HOST_TEST
void svm_enter(struct vcpu *vcpu);
void svm_enter_untrain(struct vcpu *vcpu);
#define ENTER_GUEST(how, vcpu) how(vcpu)
#define LOAD_KEPT(vcpu)
#elif defined(__x86_64__)
#define ENTER_GUEST(how, vcpu)                                                                     \
	__asm__ volatile("call " #how                                                              \
	                 :                                                                         \
	                 : "b"(vcpu)                                                               \
	                 : "rax", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11",     \
	                   "cc", "memory")
/* R12 to R15 of the guest, which are in the processor from here on, are those of the vcpu. */
#define LOAD_KEPT(vcpu)                                                                            \
	__asm__ volatile("mov %0, %%r12; mov %1, %%r13; mov %2, %%r14; mov %3, %%r15"              \
	                 :                                                                         \
	                 : "m"((vcpu)->gpr[GPR_R12]), "m"((vcpu)->gpr[GPR_R13]),                   \
	                   "m"((vcpu)->gpr[GPR_R14]), "m"((vcpu)->gpr[GPR_R15]))
#else
#define ENTER_GUEST(how, vcpu)                                                                     \
	__asm__ volatile("call " #how                                                              \
	                 :                                                                         \
	                 : "b"(vcpu)                                                               \
	                 : "eax", "ecx", "edx", "esi", "edi", "ebp", "cc", "memory")
#define LOAD_KEPT(vcpu)
#endif

/*
 * L0 edits the control area of VMCB02, where it was built from VMCB12: intercepts and maps. All is
 * built anew at the next VMRUN.
 */
static inline void control_edited(struct vcpu *vcpu)
{
	vcpu->nested.slot->again = false;
}

/* Runs L1, and its guests, for good. */
_Noreturn void vcpu_run(struct vcpu *vcpu);

/* The mmu that all processors share, and what this machine has. */
extern struct mmu mmu;

static inline uint32_t low32(uint64_t value)
{
	return (uint32_t)value;
}

static inline bool in_long_mode(const struct vmcb_save *save)
{
	return (save->efer & EFER_LMA) != 0;
}

/* Does L2 run, and L1 intercept this of it? Exit codes number the intercept bits: APM, appendix C.
 */
static inline bool l1_intercepts(const struct vcpu *vcpu, uint64_t code)
{
	return vcpu->guest_mode && (vcpu->nested.ctl.intercepts[code / 32] >> (code % 32) & 1);
}

/* Does L2, which runs or is about to, have nested paging of L1's? */
static inline bool nested_npt_enabled(const struct vcpu *vcpu)
{
	return vcpu->nested.ctl.nested_ctl & NESTED_CTL_NP_ENABLE;
}

/* 64-bit code: long mode and a code segment with L=1. */
static inline bool in_64bit_code(const struct vmcb_save *save)
{
	return in_long_mode(save) && (save->cs.attributes & SEG_ATTR_L);
}

/* The format of a guest's page tables, by its registers; APM vol. 2, section 5.1. */
static inline enum pt_format_id paging_format(const struct vmcb_save *save)
{
	if (save->efer & EFER_LMA)
		return (save->cr4 & CR4_LA57) ? PT_5LEVEL : PT_4LEVEL;
	return (save->cr4 & CR4_PAE) ? PT_PAE : PT_2LEVEL;
}

/* All that decides how these tables are read: never 0, so that 0 stands for "not known yet". */
static inline uint64_t paging_key(const struct vmcb_save *save)
{
	return (save->efer & (EFER_LMA | EFER_NXE)) | (save->cr4 & (CR4_PAE | CR4_PSE)) |
	       (uint64_t)(save->cr4 & CR4_LA57) << 8 | 1;
}

#endif
