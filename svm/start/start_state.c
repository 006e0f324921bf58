/*
 * The states that L1's processors begin with, in VMCB01's save area. Relies on the layout of
 * svm/vmcb.h only: tests/unit/test_start_state.c.
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

static void set_others(struct vmcb_save *save, const struct l1_start *start)
{
	if (start->others_stay) {
		save->fs.base = start->fs_base;
		save->gs.base = start->gs_base;
		return;
	}
	save->fs = start->fs;
	save->gs = start->gs;
	save->ldtr = start->ldtr;
	save->tr = start->tr;
}

void start_state_set(struct vmcb_save *save, const struct l1_start *start)
{
	save->es = start->es;
	save->cs = start->cs;
	save->ss = start->ss;
	save->ds = start->ds;
	save->gdtr = start->gdtr;
	save->idtr = start->idtr;
	set_others(save, start);
	save->cpl = 0;
	save->efer = start->efer | EFER_SVME;
	save->cr0 = start->cr0;
	save->cr2 = start->cr2;
	save->cr3 = start->cr3;
	save->cr4 = start->cr4;
	save->dr6 = start->dr6;
	save->dr7 = start->dr7;
	save->rflags = start->rflags;
	save->rip = start->rip;
	save->rsp = start->gpr[GPR_RSP];
	save->rax = start->gpr[GPR_RAX];
	save->g_pat = start->pat;
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
