/*
 * An L2 that starts in real mode and turns on each mode by itself, with MOV to CR0, CR3, CR4 and
 * WRMSR to EFER not intercepted. Relies on guest/lib and on l2_boot.asm.
 */
#include "guest/points/points.h"

enum { IN_FRAME = 0x90, VALUE = 0xb0075 };

extern const uint8_t l2_boot_code[];
extern const uint32_t l2_boot_bytes;

static uint32_t segment_bits(const struct l2 *l2)
{
	return l2->vmcb->save.cs.attributes & (SEG_ATTR_L | SEG_ATTR_DB);
}

void points_boot(const struct l2_kind *kind)
{
	uint64_t at = L2_SMALL + IN_FRAME;
	struct l2 *l2;

	if (!kind->format || !tap_group(kind->name, "boot"))
		return;
	if (l2_lacks_nesting) {
		point("L2 turns on each mode by itself");
		point_skip(l2_lacks_nesting);
		return;
	}
	l2 = l2_new(0, &l2_real);
	l2_make_tables(l2, kind);
	memcpy(l2->low + L2_BOOT, l2_boot_code, l2_boot_bytes);
	l2_small_frame(l2, 0)[IN_FRAME / 4] = VALUE;

	point("L2 goes from real mode to protected mode by itself");
	l2->vmcb->save.rip = L2_BOOT;
	l2_run(l2);
	l2_check_done(l2);
	check("CR0", l2->vmcb->save.cr0, L2_CR0 | CR0_PE);
	check("CS", l2->vmcb->save.cs.selector, L2_CODE32_SEL);
	check("CS.D and CS.L", segment_bits(l2), SEG_ATTR_DB);

	point("L2 turns on its paging by itself");
	l2->regs.rbx = l2->own.root;
	l2->regs.rsi = kind->efer & EFER_LME;
	l2->regs.rdi = at;
	l2->regs.rbp = kind->cr4;
	l2_pass_vmmcall(l2);
	l2_run(l2);
	l2_check_value(l2, VALUE);
	check("CR0", l2->vmcb->save.cr0, L2_CR0 | CR0_PE | CR0_PG);
	check("CR4", l2->vmcb->save.cr4, kind->cr4);
	check("CR3", l2->vmcb->save.cr3, l2->own.root);
	check("EFER", l2->vmcb->save.efer, kind->efer | EFER_SVME);

	if (kind->bits != 64)
		return;
	point("L2 enters 64-bit code by itself");
	l2->regs.rdi = kind->alias + at;
	l2_pass_vmmcall(l2);
	l2_run(l2);
	l2_check_value(l2, VALUE);
	check("CS", l2->vmcb->save.cs.selector, L2_CODE64_SEL);
	check("CS.D and CS.L", segment_bits(l2), SEG_ATTR_L);
}
