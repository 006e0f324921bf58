/*
 * Names of the processor's registers and bits, and the instructions that C cannot say.
 * Relies on nothing; builds for 32 and 64 bits, in L0 and in the L1 images.
 */
#ifndef HV_X86_H
#define HV_X86_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define SIZE_1M    (1ull << 20)
#define SIZE_2M    (2ull << 20)
#define SIZE_1G    (1ull << 30)
#define SIZE_4G    (4ull << 30)

#define RFLAGS_FIXED (1u << 1)
#define RFLAGS_CF    (1u << 0)
#define RFLAGS_TF    (1u << 8)
#define RFLAGS_IF    (1u << 9)
#define RFLAGS_NT    (1u << 14)
#define RFLAGS_RF    (1u << 16)
#define RFLAGS_VM    (1u << 17)

#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)

#define CR4_VME        (1u << 0)
#define CR4_PVI        (1u << 1)
#define CR4_TSD        (1u << 2)
#define CR4_DE         (1u << 3)
#define CR4_PSE        (1u << 4)
#define CR4_PAE        (1u << 5)
#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_PCE        (1u << 8)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_LA57       (1u << 12)
#define CR4_FSGSBASE   (1u << 16)
#define CR4_PCIDE      (1u << 17)
#define CR4_OSXSAVE    (1u << 18)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)
#define CR4_PKE        (1u << 22)
#define CR4_CET        (1u << 23)
#define CR4_PKS        (1u << 24)

#define XCR0_X87     (1u << 0)
#define XCR0_SSE     (1u << 1)
#define XCR0_AVX     (1u << 2)
#define XCR0_BNDREGS (1u << 3)
#define XCR0_BNDCSR  (1u << 4)
#define XCR0_AVX512  (7u << 5)
#define XCR0_PKRU    (1u << 9)
#define XSS_CET_U    (1u << 11)
#define XSS_CET_S    (1u << 12)

#define DR6_FIXED    0xffff0ff0u
#define DR6_B0_TO_B3 0x0000000fu
#define DR6_BD       (1u << 13)
#define DR6_BS       (1u << 14)
#define DR6_BT       (1u << 15)
#define DR7_FIXED    0x00000400u

#define EFER_SCE     (1u << 0)
#define EFER_LME     (1u << 8)
#define EFER_LMA     (1u << 10)
#define EFER_NXE     (1u << 11)
#define EFER_SVME    (1u << 12)
#define EFER_LMSLE   (1u << 13)
#define EFER_FFXSR   (1u << 14)
#define EFER_TCE     (1u << 15)
#define EFER_MCOMMIT (1u << 17)
#define EFER_INTWB   (1u << 18)
#define EFER_UAIE    (1u << 20)
#define EFER_AIBRSE  (1u << 21)

#define MSR_APIC_BASE         0x0000001bu
#define MSR_PRED_CMD          0x00000049u
#define MSR_MTRR_CAP          0x000000feu
#define MSR_SYSENTER_CS       0x00000174u
#define MSR_SYSENTER_ESP      0x00000175u
#define MSR_SYSENTER_EIP      0x00000176u
#define MSR_DEBUGCTL          0x000001d9u
#define MSR_MTRR_PHYS_BASE0   0x00000200u
#define MSR_MTRR_PHYS_MASK0   0x00000201u
#define MSR_MTRR_FIX64K_00000 0x00000250u
#define MSR_MTRR_FIX16K_80000 0x00000258u
#define MSR_MTRR_FIX16K_A0000 0x00000259u
#define MSR_MTRR_FIX4K_C0000  0x00000268u
#define MSR_MTRR_FIX4K_F8000  0x0000026fu
#define MSR_PAT               0x00000277u
#define MSR_MTRR_DEF_TYPE     0x000002ffu
#define MSR_XSS               0x00000da0u
#define MSR_EFER              0xc0000080u
#define MSR_STAR              0xc0000081u
#define MSR_LSTAR             0xc0000082u
#define MSR_CSTAR             0xc0000083u
#define MSR_SFMASK            0xc0000084u
#define MSR_FS_BASE           0xc0000100u
#define MSR_GS_BASE           0xc0000101u
#define MSR_KERNEL_GS_BASE    0xc0000102u
#define MSR_SYSCFG            0xc0010010u
#define MSR_IORR_BASE0        0xc0010016u
#define MSR_TOP_MEM           0xc001001au
#define MSR_TOP_MEM2          0xc001001du
#define MSR_PATCH_LOADER      0xc0010020u
#define MSR_MMIO_CFG_BASE     0xc0010058u
#define MSR_BP_CFG            0xc001102eu
#define MSR_SMM_BASE          0xc0010111u
#define MSR_SMM_MASK          0xc0010113u
#define MSR_VM_CR             0xc0010114u
#define MSR_IGNNE             0xc0010115u
#define MSR_SMM_CTL           0xc0010116u
#define MSR_VM_HSAVE_PA       0xc0010117u
#define MSR_SVM_KEY           0xc0010118u

/* L0's, on every processor; entries 0 to 3 are those of a reset, and 5 is write-combining. */
#define PAT_OF_L0 0x0007010500070406ull

/* SYSCFG; APM vol. 2, section 3.2.1. */
#define SYSCFG_FIX_DRAM_EN     (1u << 18)
#define SYSCFG_FIX_DRAM_MOD_EN (1u << 19)
#define SYSCFG_VAR_DRAM_EN     (1u << 20)
#define SYSCFG_TOM2_EN         (1u << 21)
#define SYSCFG_TOM2_WB         (1u << 22)
#define SYSCFG_MEM_ENCRYPT     (1u << 23)

/* VM_CR; APM 15.30.1. */
#define VM_CR_DPD      (1u << 0)
#define VM_CR_R_INIT   (1u << 1)
#define VM_CR_DIS_A20M (1u << 2)
#define VM_CR_LOCK     (1u << 3)
#define VM_CR_SVMDIS   (1u << 4)

#define PRED_CMD_IBPB      (1u << 0)
#define DEBUGCTL_LBR       (1u << 0)
#define BP_CFG_SPEC_REDUCE (1u << 4)

#define APIC_BASE_BSP    (1u << 8)
#define APIC_BASE_X2APIC (1u << 10)
#define APIC_BASE_ENABLE (1u << 11)

/* CPUID 8000_000A EDX: SVM features; APM vol. 3, appendix E. */
#define SVM_FEATURE_NP            (1u << 0)
#define SVM_FEATURE_LBR           (1u << 1)
#define SVM_FEATURE_LOCK          (1u << 2)
#define SVM_FEATURE_NRIP          (1u << 3)
#define SVM_FEATURE_TSC_RATE      (1u << 4)
#define SVM_FEATURE_CLEAN         (1u << 5)
#define SVM_FEATURE_FLUSH_ASID    (1u << 6)
#define SVM_FEATURE_DECODE        (1u << 7)
#define SVM_FEATURE_PAUSE_FILTER  (1u << 10)
#define SVM_FEATURE_PAUSE_THRESH  (1u << 12)
#define SVM_FEATURE_AVIC          (1u << 13)
#define SVM_FEATURE_VMLOAD_VMSAVE (1u << 15)
#define SVM_FEATURE_VGIF          (1u << 16)
#define SVM_FEATURE_SPEC_CTRL     (1u << 20)
#define SVM_FEATURE_VNMI          (1u << 25)
#define SVM_FEATURE_ADDR_CHECK    (1u << 28)

/* Vectors of exceptions. */
enum exception_vector {
	VEC_DE = 0,
	VEC_DB = 1,
	VEC_NMI = 2,
	VEC_BP = 3,
	VEC_OF = 4,
	VEC_BR = 5,
	VEC_UD = 6,
	VEC_NM = 7,
	VEC_DF = 8,
	VEC_TS = 10,
	VEC_NP = 11,
	VEC_SS = 12,
	VEC_GP = 13,
	VEC_PF = 14,
	VEC_MF = 16,
	VEC_AC = 17,
	VEC_MC = 18,
	VEC_XF = 19,
	VEC_SX = 30,
};

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
	                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
	                 : "a"(leaf), "c"(subleaf));
	return r;
}

/* 64 bits by 32, where the quotient has 32 at most; without a library for 32-bit code. */
static inline uint32_t divide(uint64_t dividend, uint32_t divisor)
{
	uint32_t quotient, rest;

	__asm__("divl %4"
	        : "=a"(quotient), "=d"(rest)
	        : "a"((uint32_t)dividend), "d"((uint32_t)(dividend >> 32)), "rm"(divisor)
	        : "cc");
	return quotient;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
	                 :
	                 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
	                 : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

#define DEFINE_CONTROL_REGISTER(name)                                                              \
	static inline unsigned long read_##name(void)                                              \
	{                                                                                          \
		unsigned long value;                                                               \
                                                                                                   \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_##name(unsigned long value)                                       \
	{                                                                                          \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                    \
	}

DEFINE_CONTROL_REGISTER(cr0)
DEFINE_CONTROL_REGISTER(cr2)
DEFINE_CONTROL_REGISTER(cr3)
DEFINE_CONTROL_REGISTER(cr4)
DEFINE_CONTROL_REGISTER(cr8) /* 32-bit code: AltMovCr8, APM vol. 3, MOV CRn */

static inline void clear_debug_addresses(void)
{
	__asm__ volatile("mov %0, %%dr0\n"
	                 "mov %0, %%dr1\n"
	                 "mov %0, %%dr2\n"
	                 "mov %0, %%dr3"
	                 :
	                 : "r"(0ul));
}

/* GIF=1 for a moment, with IF=0: what GIF alone holds back comes now. */
static inline void open_gif_window(void)
{
	__asm__ volatile("cli; stgi; nop; clgi" : : : "memory");
}

/* Writes back and empties all caches. */
static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

/* GIF=1 for good, with IF=0. Without SVM there is no other state. */
static inline void open_gif(void)
{
	if (rdmsr(MSR_EFER) & EFER_SVME)
		__asm__ volatile("cli; stgi" : : : "memory");
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline _Noreturn void halt_for_good(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

#endif
