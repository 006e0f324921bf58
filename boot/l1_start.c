/*
 * L1's first state, of what loading it has told. Relies on svm/start/start_state.h.
 */
#include "boot/l1_start.h"

enum { CODE = 0xb, DATA = 0x3, LDT = 0x2, TSS_BUSY_32 = 0xb, LIMIT_64K = 0xffff };

/* Segments as the boot protocols promise: flat, 4 GiB, accessed. */
static struct vmcb_segment flat(uint16_t selector, uint16_t type)
{
	return (struct vmcb_segment){
		.selector = selector,
		.attributes = type | SEG_ATTR_S | SEG_ATTR_P | SEG_ATTR_DB | SEG_ATTR_G,
		.limit = 0xffffffff,
	};
}

/* Segments of real mode. */
static struct vmcb_segment real(uint16_t selector, uint16_t type)
{
	return (struct vmcb_segment){
		.selector = selector,
		.attributes = type | SEG_ATTR_S | SEG_ATTR_P,
		.limit = 0xffff,
		.base = (uint64_t)selector << 4,
	};
}

struct l1_start l1_start_loaded(const struct l1_entry *entry, uint64_t pat)
{
	struct vmcb_segment (*segment)(uint16_t, uint16_t) = entry->real_mode ? real : flat;
	struct vmcb_segment data = segment(entry->ds, DATA);

	return (struct l1_start){
		.gpr = {[GPR_RAX] = entry->eax,
	                [GPR_RCX] = entry->ecx,
	                [GPR_RDX] = entry->edx,
	                [GPR_RBX] = entry->ebx,
	                [GPR_RSP] = entry->esp,
	                [GPR_RBP] = entry->ebp,
	                [GPR_RSI] = entry->esi,
	                [GPR_RDI] = entry->edi},
		.rip = entry->eip,
		.rflags = RFLAGS_FIXED,
		.cr0 = CR0_ET | (entry->real_mode ? 0 : CR0_PE),
		.dr6 = DR6_FIXED,
		.dr7 = DR7_FIXED,
		.pat = pat,
		.cs = segment(entry->cs, CODE),
		.ds = data,
		.es = data,
		.ss = data,
		.fs = data,
		.gs = data,
		.gdtr = {.base = entry->gdt_base, .limit = entry->gdt_limit},
		.idtr = {.limit = LIMIT_64K},
		.ldtr = {.attributes = LDT | SEG_ATTR_P, .limit = LIMIT_64K},
		.tr = {.attributes = TSS_BUSY_32 | SEG_ATTR_P, .limit = LIMIT_64K},
	};
}
