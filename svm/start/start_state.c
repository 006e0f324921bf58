/*
 * The state after INIT and SIPI. Relies on svm/vmcb.h only: tests/unit/test_start_state.c.
 */
#include "svm/start/start_state.h"
#include "hv/x86.h"

enum {
	LIMIT_64K = 0xffff,
	TYPE_CODE = 0xb, /* readable, accessed */
	TYPE_DATA = 0x3,
	TYPE_LDT = 0x2,
	TYPE_TSS_BUSY = 0xb,
	RESET_SELECTOR = 0xf000,
	RESET_IP = 0xfff0,
};
#define RESET_BASE 0xffff0000u

static struct vmcb_segment segment(uint16_t attributes)
{
	return (struct vmcb_segment){
		.attributes = (uint16_t)(attributes | SEG_ATTR_P),
		.limit = LIMIT_64K,
	};
}

void start_state_init(struct vmcb_save *save)
{
	struct vmcb_segment data = segment(TYPE_DATA | SEG_ATTR_S);

	save->es = save->ss = save->ds = save->fs = save->gs = data;
	save->cs = segment(TYPE_CODE | SEG_ATTR_S);
	save->cs.selector = RESET_SELECTOR;
	save->cs.base = RESET_BASE;
	save->gdtr = save->idtr = (struct vmcb_segment){.limit = LIMIT_64K};
	save->ldtr = segment(TYPE_LDT);
	save->tr = segment(TYPE_TSS_BUSY);
	save->cpl = 0;
	save->efer = EFER_SVME;
	save->cr0 = (save->cr0 & (CR0_CD | CR0_NW)) | CR0_ET;
	save->cr2 = save->cr3 = save->cr4 = 0;
	save->dr6 = DR6_FIXED;
	save->dr7 = DR7_FIXED;
	save->rflags = RFLAGS_FIXED;
	save->rip = RESET_IP;
	save->rsp = save->rax = 0;
}

void start_state_sipi(struct vmcb_save *save, uint8_t vector)
{
	save->cs.selector = (uint16_t)(vector << 8);
	save->cs.base = (uint64_t)vector << PAGE_SHIFT;
	save->rip = 0;
}
