/*
 * The virtual machine control block, as AMD64 APM volume 2, appendix B lays it out, and the
 * names of what stands in it. Relies on nothing; the L1 images in guest/ use it, too.
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

/* Intercept vectors: word and bit, APM vol. 2, table B-1, offsets 000h-014h. */
enum intercept_word {
	INTERCEPT_CR,        /* 000h: reads in bits 15:0, writes in bits 31:16 */
	INTERCEPT_DR,        /* 004h: likewise */
	INTERCEPT_EXCEPTION, /* 008h: one bit per vector */
	INTERCEPT_MISC1,     /* 00Ch */
	INTERCEPT_MISC2,     /* 010h */
	INTERCEPT_MISC3,     /* 014h */
	INTERCEPT_WORDS
};

/* INTERCEPT_MISC1; bit n exits as VMEXIT_INTR + n. */
#define MISC1_INTR          (1u << 0)
#define MISC1_NMI           (1u << 1)
#define MISC1_SMI           (1u << 2)
#define MISC1_INIT          (1u << 3)
#define MISC1_VINTR         (1u << 4)
#define MISC1_CR0_SEL_WRITE (1u << 5)
#define MISC1_IDTR_READ     (1u << 6)
#define MISC1_GDTR_READ     (1u << 7)
#define MISC1_LDTR_READ     (1u << 8)
#define MISC1_TR_READ       (1u << 9)
#define MISC1_IDTR_WRITE    (1u << 10)
#define MISC1_GDTR_WRITE    (1u << 11)
#define MISC1_LDTR_WRITE    (1u << 12)
#define MISC1_TR_WRITE      (1u << 13)
#define MISC1_RDTSC         (1u << 14)
#define MISC1_RDPMC         (1u << 15)
#define MISC1_PUSHF         (1u << 16)
#define MISC1_POPF          (1u << 17)
#define MISC1_CPUID         (1u << 18)
#define MISC1_RSM           (1u << 19)
#define MISC1_IRET          (1u << 20)
#define MISC1_INTN          (1u << 21)
#define MISC1_INVD          (1u << 22)
#define MISC1_PAUSE         (1u << 23)
#define MISC1_HLT           (1u << 24)
#define MISC1_INVLPG        (1u << 25)
#define MISC1_INVLPGA       (1u << 26)
#define MISC1_IOIO_PROT     (1u << 27)
#define MISC1_MSR_PROT      (1u << 28)
#define MISC1_TASK_SWITCH   (1u << 29)
#define MISC1_FERR_FREEZE   (1u << 30)
#define MISC1_SHUTDOWN      (1u << 31)

/* INTERCEPT_MISC2; bit n exits as VMEXIT_VMRUN + n. */
#define MISC2_VMRUN         (1u << 0)
#define MISC2_VMMCALL       (1u << 1)
#define MISC2_VMLOAD        (1u << 2)
#define MISC2_VMSAVE        (1u << 3)
#define MISC2_STGI          (1u << 4)
#define MISC2_CLGI          (1u << 5)
#define MISC2_SKINIT        (1u << 6)
#define MISC2_RDTSCP        (1u << 7)
#define MISC2_ICEBP         (1u << 8)
#define MISC2_WBINVD        (1u << 9)
#define MISC2_MONITOR       (1u << 10)
#define MISC2_MWAIT         (1u << 11)
#define MISC2_MWAIT_ARMED   (1u << 12)
#define MISC2_XSETBV        (1u << 13)
#define MISC2_RDPRU         (1u << 14)
#define MISC2_EFER_TRAP     (1u << 15)
#define MISC2_CR_TRAP_SHIFT 16

/* INTERCEPT_MISC3. */
#define MISC3_INVLPGB         (1u << 0)
#define MISC3_INVLPGB_ILLEGAL (1u << 1)
#define MISC3_INVPCID         (1u << 2)
#define MISC3_MCOMMIT         (1u << 3)
#define MISC3_TLBSYNC         (1u << 4)

/* TLB_CONTROL, offset 05Ch; APM 15.16.2. */
enum tlb_control {
	TLB_CONTROL_NONE = 0,
	TLB_CONTROL_FLUSH_ALL = 1,
	TLB_CONTROL_FLUSH_ASID = 3,
	TLB_CONTROL_FLUSH_ASID_NONGLOBAL = 7,
};

/* int_ctl, offset 060h; APM 15.21. */
#define INT_CTL_V_TPR_MASK      0xffull
#define INT_CTL_V_TPR           0xfull /* of it: what CR8 has */
#define INT_CTL_V_IRQ           (1ull << 8)
#define INT_CTL_V_GIF           (1ull << 9)
#define INT_CTL_V_NMI           (1ull << 11)
#define INT_CTL_V_NMI_MASK      (1ull << 12)
#define INT_CTL_V_INTR_PRIO     (0xfull << 16)
#define INT_CTL_V_IGN_TPR       (1ull << 20)
#define INT_CTL_V_INTR_MASKING  (1ull << 24)
#define INT_CTL_V_GIF_ENABLE    (1ull << 25)
#define INT_CTL_V_NMI_ENABLE    (1ull << 26)
#define INT_CTL_X2AVIC_ENABLE   (1ull << 30)
#define INT_CTL_AVIC_ENABLE     (1ull << 31)
#define INT_CTL_V_INTR_VECTOR   (0xffull << 32)
#define INT_CTL_V_INTR_VECTOR_S 32

/* int_state, offset 068h. */
#define INT_STATE_SHADOW     (1ull << 0)
#define INT_STATE_GUEST_MASK (1ull << 1)

/* nested_ctl, offset 090h. */
#define NESTED_CTL_NP_ENABLE (1ull << 0)

/* virt_ext, offset 0B8h. */
#define VIRT_EXT_LBR           (1ull << 0)
#define VIRT_EXT_VMLOAD_VMSAVE (1ull << 1)

/* Clean bits, offset 0C0h; APM 15.15.3. */
#define CLEAN_I     (1u << 0) /* intercepts, TSC offset, pause filter */
#define CLEAN_IOPM  (1u << 1) /* IOPM_BASE_PA, MSRPM_BASE_PA */
#define CLEAN_ASID  (1u << 2)
#define CLEAN_TPR   (1u << 3) /* int_ctl */
#define CLEAN_NP    (1u << 4) /* nCR3, gPAT, nested_ctl */
#define CLEAN_CRX   (1u << 5) /* CR0, CR3, CR4, EFER */
#define CLEAN_DRX   (1u << 6) /* DR6, DR7 */
#define CLEAN_DT    (1u << 7) /* GDTR, IDTR */
#define CLEAN_SEG   (1u << 8) /* CS, DS, SS, ES, CPL */
#define CLEAN_CR2   (1u << 9)
#define CLEAN_LBR   (1u << 10)
#define CLEAN_AVIC  (1u << 11)
#define CLEAN_ALL   0xfffu
#define CLEAN_NEVER 0 /* fields that no bit covers: always loaded */

/* EVENTINJ and EXITINTINFO, offsets 0A8h and 088h; APM 15.20. */
#define EVENT_VECTOR_MASK 0xffull
#define EVENT_TYPE_SHIFT  8
#define EVENT_TYPE_MASK   (7ull << EVENT_TYPE_SHIFT)
#define EVENT_ERROR_VALID (1ull << 11)
#define EVENT_VALID       (1ull << 31)
#define EVENT_ERROR_SHIFT 32

enum event_type {
	EVENT_INTR = 0,
	EVENT_NMI = 2,
	EVENT_EXCEPTION = 3,
	EVENT_SOFT_INTR = 4,
};

/* Exit codes; APM vol. 2, appendix C. */
enum vmexit_code {
	VMEXIT_CR0_READ = 0x00,
	VMEXIT_CR3_READ = 0x03,
	VMEXIT_CR4_READ = 0x04,
	VMEXIT_CR0_WRITE = 0x10,
	VMEXIT_CR3_WRITE = 0x13,
	VMEXIT_CR4_WRITE = 0x14,
	VMEXIT_CR8_WRITE = 0x18,
	VMEXIT_DR0_READ = 0x20,
	VMEXIT_DR0_WRITE = 0x30,
	VMEXIT_EXCP_BASE = 0x40,
	VMEXIT_INTR = 0x60,
	VMEXIT_NMI = 0x61,
	VMEXIT_SMI = 0x62,
	VMEXIT_INIT = 0x63,
	VMEXIT_VINTR = 0x64,
	VMEXIT_CR0_SEL_WRITE = 0x65,
	VMEXIT_IDTR_READ = 0x66,
	VMEXIT_GDTR_READ = 0x67,
	VMEXIT_LDTR_READ = 0x68,
	VMEXIT_TR_READ = 0x69,
	VMEXIT_IDTR_WRITE = 0x6a,
	VMEXIT_GDTR_WRITE = 0x6b,
	VMEXIT_LDTR_WRITE = 0x6c,
	VMEXIT_TR_WRITE = 0x6d,
	VMEXIT_RDTSC = 0x6e,
	VMEXIT_RDPMC = 0x6f,
	VMEXIT_PUSHF = 0x70,
	VMEXIT_POPF = 0x71,
	VMEXIT_CPUID = 0x72,
	VMEXIT_RSM = 0x73,
	VMEXIT_IRET = 0x74,
	VMEXIT_SWINT = 0x75,
	VMEXIT_INVD = 0x76,
	VMEXIT_PAUSE = 0x77,
	VMEXIT_HLT = 0x78,
	VMEXIT_INVLPG = 0x79,
	VMEXIT_INVLPGA = 0x7a,
	VMEXIT_IOIO = 0x7b,
	VMEXIT_MSR = 0x7c,
	VMEXIT_TASK_SWITCH = 0x7d,
	VMEXIT_FERR_FREEZE = 0x7e,
	VMEXIT_SHUTDOWN = 0x7f,
	VMEXIT_VMRUN = 0x80,
	VMEXIT_VMMCALL = 0x81,
	VMEXIT_VMLOAD = 0x82,
	VMEXIT_VMSAVE = 0x83,
	VMEXIT_STGI = 0x84,
	VMEXIT_CLGI = 0x85,
	VMEXIT_SKINIT = 0x86,
	VMEXIT_RDTSCP = 0x87,
	VMEXIT_ICEBP = 0x88,
	VMEXIT_WBINVD = 0x89,
	VMEXIT_MONITOR = 0x8a,
	VMEXIT_MWAIT = 0x8b,
	VMEXIT_MWAIT_ARMED = 0x8c,
	VMEXIT_XSETBV = 0x8d,
	VMEXIT_RDPRU = 0x8e,
	VMEXIT_INVPCID = 0xa2,
	VMEXIT_NPF = 0x400,
};
#define VMEXIT_INVALID (~0ull)

/* EXITINFO1 of #VMEXIT(NPF); APM 15.25.6. */
#define NPF_PRESENT  (1ull << 0)
#define NPF_WRITE    (1ull << 1)
#define NPF_USER     (1ull << 2)
#define NPF_RESERVED (1ull << 3)
#define NPF_FETCH    (1ull << 4)
#define NPF_FINAL    (1ull << 32) /* the fault is on the guest's final physical address */
#define NPF_TABLE    (1ull << 33) /* the fault is on a walk of the guest's page tables */

/* EXITINFO1 of #VMEXIT(SMI); APM 15.13.3. */
#define SMI_INTERNAL (1ull << 0)

/* EXITINFO1 of #VMEXIT(MSR): 0 is RDMSR, 1 is WRMSR. EXITINFO1 of #VMEXIT(IOIO); APM 15.10.2. */
#define IOIO_TYPE_IN (1u << 0)
#define IOIO_STRING  (1u << 2)
#define IOIO_REP     (1u << 3)
#define IOIO_SZ8     (1u << 4)
#define IOIO_SZ16    (1u << 5)
#define IOIO_SZ32    (1u << 6)
/* The three together are the number of bytes. */
#define IOIO_SIZE_S 4
#define IOIO_SIZE   7u
#define IOIO_PORT_S 16

/* The maps: MSRPM is 8 KiB and IOPM is 12 KiB; APM 15.10.1, 15.11. Low 12 address bits are ignored.
 */
#define MSRPM_SIZE 0x2000u
#define IOPM_SIZE  0x3000u

/* Segment attributes are bits 55:52 and 47:40 of a descriptor, packed into 12 bits. */
#define SEG_ATTR_TYPE 0x00fu
#define SEG_ATTR_S    (1u << 4)
#define SEG_ATTR_DPL  (3u << 5)
#define SEG_ATTR_P    (1u << 7)
#define SEG_ATTR_AVL  (1u << 8)
#define SEG_ATTR_L    (1u << 9)
#define SEG_ATTR_DB   (1u << 10)
#define SEG_ATTR_G    (1u << 11)

struct vmcb_segment {
	union {
		struct {
			uint16_t selector;
			uint16_t attributes;
			uint32_t limit;
		};
		uint64_t head; /* all three as one word */
	};
	uint64_t base;
};

struct vmcb_control {
	union {
		uint32_t intercepts[INTERCEPT_WORDS];
		uint64_t intercept_pairs[INTERCEPT_WORDS / 2];
	};
	uint8_t reserved_018[0x3c - 0x18];
	union {
		struct {
			uint16_t pause_filter_threshold;
			uint16_t pause_filter_count;
		};
		uint32_t pause_filter; /* both */
	};
	uint64_t iopm_base_pa;
	uint64_t msrpm_base_pa;
	uint64_t tsc_offset;
	uint32_t asid;
	uint8_t tlb_control;
	uint8_t reserved_05d[3];
	uint64_t int_ctl;
	uint64_t int_state;
	uint64_t exit_code;
	uint64_t exit_info1;
	uint64_t exit_info2;
	uint64_t exit_int_info;
	uint64_t nested_ctl;
	uint64_t avic_apic_bar;
	uint64_t ghcb;
	uint64_t event_inj;
	uint64_t nested_cr3;
	uint64_t virt_ext;
	uint32_t clean;
	uint32_t reserved_0c4;
	uint64_t next_rip;
	uint8_t fetched_bytes;
	uint8_t fetched[15];
	uint64_t avic_backing_page;
	uint64_t reserved_0e8;
	uint64_t avic_logical_table;
	uint64_t avic_physical_table;
	uint8_t reserved_100[0x400 - 0x100];
};

struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds;
	struct vmcb_segment fs, gs; /* VMLOAD and VMSAVE */
	struct vmcb_segment gdtr;
	struct vmcb_segment ldtr; /* VMLOAD and VMSAVE */
	struct vmcb_segment idtr;
	struct vmcb_segment tr; /* VMLOAD and VMSAVE */
	uint8_t reserved_4a0[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4;
	uint64_t cr3;
	uint64_t cr0;
	uint64_t dr7;
	uint64_t dr6;
	uint64_t rflags;
	uint64_t rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp;
	uint64_t s_cet;
	uint64_t ssp;
	uint64_t isst_addr;
	uint64_t rax;
	uint64_t star, lstar, cstar, sfmask; /* VMLOAD and VMSAVE, as are the next four */
	uint64_t kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t g_pat;
	uint64_t dbgctl;
	uint64_t br_from, br_to;
	uint64_t last_excp_from, last_excp_to;
	uint8_t reserved_698[0x6e0 - 0x698];
	uint64_t spec_ctrl;
	uint8_t reserved_6e8[0x1000 - 0x6e8];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
} __attribute__((aligned(4096)));

/*
 * Every field with its offset and the clean bit that covers it. VMCB_FIELDS(X) expands
 * X(member, offset, clean); the asserts below and the checks of STRICT builds both come from it.
 */
#define VMCB_FIELDS(X)                                                                             \
	X(control.intercepts, 0x000, CLEAN_I)                                                      \
	X(control.pause_filter_threshold, 0x03c, CLEAN_I)                                          \
	X(control.pause_filter_count, 0x03e, CLEAN_I)                                              \
	X(control.iopm_base_pa, 0x040, CLEAN_IOPM)                                                 \
	X(control.msrpm_base_pa, 0x048, CLEAN_IOPM)                                                \
	X(control.tsc_offset, 0x050, CLEAN_I)                                                      \
	X(control.asid, 0x058, CLEAN_ASID)                                                         \
	X(control.tlb_control, 0x05c, CLEAN_NEVER)                                                 \
	X(control.int_ctl, 0x060, CLEAN_TPR)                                                       \
	X(control.int_state, 0x068, CLEAN_NEVER)                                                   \
	X(control.exit_code, 0x070, CLEAN_NEVER)                                                   \
	X(control.exit_info1, 0x078, CLEAN_NEVER)                                                  \
	X(control.exit_info2, 0x080, CLEAN_NEVER)                                                  \
	X(control.exit_int_info, 0x088, CLEAN_NEVER)                                               \
	X(control.nested_ctl, 0x090, CLEAN_NP)                                                     \
	X(control.avic_apic_bar, 0x098, CLEAN_AVIC)                                                \
	X(control.ghcb, 0x0a0, CLEAN_NEVER)                                                        \
	X(control.event_inj, 0x0a8, CLEAN_NEVER)                                                   \
	X(control.nested_cr3, 0x0b0, CLEAN_NP)                                                     \
	X(control.virt_ext, 0x0b8, CLEAN_LBR)                                                      \
	X(control.clean, 0x0c0, CLEAN_NEVER)                                                       \
	X(control.next_rip, 0x0c8, CLEAN_NEVER)                                                    \
	X(control.fetched_bytes, 0x0d0, CLEAN_NEVER)                                               \
	X(control.fetched, 0x0d1, CLEAN_NEVER)                                                     \
	X(control.avic_backing_page, 0x0e0, CLEAN_AVIC)                                            \
	X(control.avic_logical_table, 0x0f0, CLEAN_AVIC)                                           \
	X(control.avic_physical_table, 0x0f8, CLEAN_AVIC)                                          \
	X(save.es, 0x400, CLEAN_SEG)                                                               \
	X(save.cs, 0x410, CLEAN_SEG)                                                               \
	X(save.ss, 0x420, CLEAN_SEG)                                                               \
	X(save.ds, 0x430, CLEAN_SEG)                                                               \
	X(save.fs, 0x440, CLEAN_NEVER)                                                             \
	X(save.gs, 0x450, CLEAN_NEVER)                                                             \
	X(save.gdtr, 0x460, CLEAN_DT)                                                              \
	X(save.ldtr, 0x470, CLEAN_NEVER)                                                           \
	X(save.idtr, 0x480, CLEAN_DT)                                                              \
	X(save.tr, 0x490, CLEAN_NEVER)                                                             \
	X(save.cpl, 0x4cb, CLEAN_SEG)                                                              \
	X(save.efer, 0x4d0, CLEAN_CRX)                                                             \
	X(save.cr4, 0x548, CLEAN_CRX)                                                              \
	X(save.cr3, 0x550, CLEAN_CRX)                                                              \
	X(save.cr0, 0x558, CLEAN_CRX)                                                              \
	X(save.dr7, 0x560, CLEAN_DRX)                                                              \
	X(save.dr6, 0x568, CLEAN_DRX)                                                              \
	X(save.rflags, 0x570, CLEAN_NEVER)                                                         \
	X(save.rip, 0x578, CLEAN_NEVER)                                                            \
	X(save.rsp, 0x5d8, CLEAN_NEVER)                                                            \
	X(save.s_cet, 0x5e0, CLEAN_NEVER)                                                          \
	X(save.ssp, 0x5e8, CLEAN_NEVER)                                                            \
	X(save.isst_addr, 0x5f0, CLEAN_NEVER)                                                      \
	X(save.rax, 0x5f8, CLEAN_NEVER)                                                            \
	X(save.star, 0x600, CLEAN_NEVER)                                                           \
	X(save.lstar, 0x608, CLEAN_NEVER)                                                          \
	X(save.cstar, 0x610, CLEAN_NEVER)                                                          \
	X(save.sfmask, 0x618, CLEAN_NEVER)                                                         \
	X(save.kernel_gs_base, 0x620, CLEAN_NEVER)                                                 \
	X(save.sysenter_cs, 0x628, CLEAN_NEVER)                                                    \
	X(save.sysenter_esp, 0x630, CLEAN_NEVER)                                                   \
	X(save.sysenter_eip, 0x638, CLEAN_NEVER)                                                   \
	X(save.cr2, 0x640, CLEAN_CR2)                                                              \
	X(save.g_pat, 0x668, CLEAN_NP)                                                             \
	X(save.dbgctl, 0x670, CLEAN_LBR)                                                           \
	X(save.br_from, 0x678, CLEAN_LBR)                                                          \
	X(save.br_to, 0x680, CLEAN_LBR)                                                            \
	X(save.last_excp_from, 0x688, CLEAN_LBR)                                                   \
	X(save.last_excp_to, 0x690, CLEAN_LBR)                                                     \
	X(save.spec_ctrl, 0x6e0, CLEAN_NEVER)

#define VMCB_ASSERT_OFFSET(member, offset, clean)                                                  \
	_Static_assert(offsetof(struct vmcb, member) == (offset), "VMCB offset of " #member);
VMCB_FIELDS(VMCB_ASSERT_OFFSET)
#undef VMCB_ASSERT_OFFSET
_Static_assert(sizeof(struct vmcb_segment) == 16, "VMCB segment register");
_Static_assert(offsetof(struct vmcb, save) == 0x400, "VMCB state save area");

#endif
