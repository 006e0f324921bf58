/*
 * Task state segments and segment descriptors as they stand in the guest's memory: AMD64 APM
 * vol. 2, sections 4.7, 12.2.4 and 12.2.5. Pure; relies on svm/decode/operand.h for the numbers.
 */
#ifndef SVM_SHADOWED_TSS_H
#define SVM_SHADOWED_TSS_H

#include "svm/decode/operand.h"

/* Legacy general registers and segments, in the order of enum gpr and of enum segment. */
enum { TASK_GPRS = 8, TASK_SEGMENTS = SEGMENT_GS + 1 };

struct tss32 {
	uint16_t link, reserved_02;
	struct {
		uint32_t esp;
		uint16_t ss, reserved;
	} stack[3];
	uint32_t cr3;
	uint32_t eip, eflags;
	uint32_t gpr[TASK_GPRS];
	struct {
		uint16_t selector, reserved;
	} segment[TASK_SEGMENTS];
	uint16_t ldt, reserved_62;
	uint16_t trap, io_map;
};

struct tss16 {
	uint16_t link;
	struct {
		uint16_t sp, ss;
	} stack[3];
	uint16_t ip, flags;
	uint16_t gpr[TASK_GPRS];
	uint16_t selector[SEGMENT_DS + 1]; /* it has neither FS nor GS */
	uint16_t ldt;
};

_Static_assert(offsetof(struct tss32, stack) == 0x04, "ESP0");
_Static_assert(offsetof(struct tss32, cr3) == 0x1c, "CR3");
_Static_assert(offsetof(struct tss32, eip) == 0x20, "EIP");
_Static_assert(offsetof(struct tss32, eflags) == 0x24, "EFLAGS");
_Static_assert(offsetof(struct tss32, gpr) == 0x28, "EAX");
_Static_assert(offsetof(struct tss32, segment) == 0x48, "ES");
_Static_assert(offsetof(struct tss32, ldt) == 0x60, "LDT selector");
_Static_assert(offsetof(struct tss32, trap) == 0x64, "T");
_Static_assert(sizeof(struct tss32) == 0x68, "32-bit TSS");
_Static_assert(offsetof(struct tss16, stack) == 0x02, "SP0");
_Static_assert(offsetof(struct tss16, ip) == 0x0e, "IP");
_Static_assert(offsetof(struct tss16, gpr) == 0x12, "AX");
_Static_assert(offsetof(struct tss16, selector) == 0x22, "ES");
_Static_assert(offsetof(struct tss16, ldt) == 0x2a, "LDT selector");
_Static_assert(sizeof(struct tss16) == 0x2c, "16-bit TSS");

/* Types of system segments, APM 4.8.3; of code and data segments the bits, APM 4.8.1 and 4.8.2. */
enum {
	TYPE_TSS16 = 1,
	TYPE_LDT = 2,
	TYPE_TASK_GATE = 5,
	TYPE_TSS32 = 9,
	TYPE_TSS_BUSY = 2, /* a bit of either TSS type */
	TYPE_TSS_WIDE = 8, /* ... and the one that tells them apart */

	TYPE_ACCESSED = 1,
	TYPE_WRITABLE = 2,    /* of code: readable */
	TYPE_EXPAND_DOWN = 4, /* of code: conforming */
	TYPE_CODE = 8,
};

/* The type stands in the low half of this byte of a descriptor. */
enum { DESCRIPTOR_TYPE_BYTE = 5 };

/* What a task switch saves and loads. A 16-bit TSS has no CR3 and no T; see tss_load(). */
struct task_state {
	uint32_t cr3, eip, eflags;
	uint32_t gpr[TASK_GPRS];
	uint16_t selector[TASK_SEGMENTS];
	uint16_t ldt;
	bool trap;
};

/* The part of a TSS that a task switch writes: bytes [first, end). */
static inline uint32_t tss_first_saved(bool wide)
{
	return wide ? offsetof(struct tss32, eip) : offsetof(struct tss16, ip);
}

static inline uint32_t tss_saved_end(bool wide)
{
	return wide ? offsetof(struct tss32, ldt) : offsetof(struct tss16, ldt);
}

static inline uint32_t tss_size(bool wide)
{
	return wide ? sizeof(struct tss32) : sizeof(struct tss16);
}

/* A TSS of either width. */
union tss {
	struct tss32 wide;
	struct tss16 narrow;
};

/* Fills in what a task switch saves; the rest, reserved fields included, stays. */
void tss_store(union tss *tss, bool wide, const struct task_state *state);

/*
 * Reads what a task switch loads. From a 16-bit TSS the upper halves of EFLAGS and EIP are 0, FS
 * and GS are null, and the upper halves of the other registers, which the manual leaves open, all
 * ones.
 */
void tss_load(const union tss *tss, bool wide, struct task_state *state);

/* The descriptor's 8 bytes as a segment register holds them; the limit becomes one of bytes. */
void descriptor_load(uint64_t descriptor, uint16_t selector, struct vmcb_segment *segment);

/* A segment register that holds a null selector, or one that could not be loaded. */
void segment_clear(uint16_t selector, struct vmcb_segment *segment);

/* May size bytes at this offset of the stack be written? APM 4.7.2 and 4.8.2. */
bool stack_holds(const struct vmcb_segment *ss, uint32_t offset, uint32_t size);

/*
 * The length of the instruction at the guest's RIP, whose first have bytes are bytes, if it is one
 * that can switch tasks: JMP and CALL far, IRET, INTn, INT3, INTO. 0: it is none of these.
 */
unsigned int task_instruction_length(const struct vcpu *vcpu, const uint8_t *bytes,
                                     unsigned int have);

#endif
