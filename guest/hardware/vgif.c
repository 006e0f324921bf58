/*
 * Virtual GIF and virtual NMI, in VMCB.int_ctl. Relies on guest/lib; APM 15.33.2 and 15.21.10.
 */
#include "guest/hardware/hardware.h"

#define VGIF (INT_CTL_V_INTR_MASKING | INT_CTL_V_GIF_ENABLE)
#define VNMI (INT_CTL_V_INTR_MASKING | INT_CTL_V_NMI_ENABLE)
#define VIRQ                                                                                       \
	(INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR | (uint64_t)L2_SOFT_VECTOR << INT_CTL_V_INTR_VECTOR_S)

/* STI, and room for what was held back to come. */
static const struct code then_sti = CODE("\xfb\x90\x90"), nothing = CODE("\x90\x90"),
			 then_stgi = CODE("\x0f\x01\xdc\x90\x90"); /* STGI */

static uint64_t gif_of(const struct l2 *l2)
{
	return l2->vmcb->control.int_ctl & INT_CTL_V_GIF;
}

void hardware_vgif(void)
{
	struct l2 *l2;

	if (!hardware_group("vgif", SVM_FEATURE_VGIF, "no virtual GIF"))
		return;
	l2 = fresh("CLGI and STGI of L2 change V_GIF and do not exit");
	l2->vmcb->control.int_ctl = VGIF | INT_CTL_V_GIF;
	l2_start(l2, L2_CLGI);
	l2_check_done(l2);
	check("V_GIF", gif_of(l2), 0);
	l2_start(l2, L2_STGI);
	l2_check_done(l2);
	check("V_GIF", gif_of(l2), INT_CTL_V_GIF);

	l2 = fresh("V_GIF=0 holds V_IRQ back");
	l2->vmcb->control.int_ctl = VGIF | VIRQ;
	run_code(l2, &then_sti);
	check_through(l2, then_sti.length);
	check("V_IRQ", l2->vmcb->control.int_ctl & INT_CTL_V_IRQ, INT_CTL_V_IRQ);

	point("STGI of L2 lets V_IRQ come");
	run_code(l2, &then_stgi);
	if (!lets_pass(l2->vmcb->save.rip == L2_BOOT + then_stgi.length, BOCHS,
	               "V_IRQ waits until IF changes"))
		l2_check_vector(l2, L2_SOFT_VECTOR);

	l2 = fresh("the intercepts of CLGI and STGI count first");
	l2->vmcb->control.int_ctl = VGIF | INT_CTL_V_GIF;
	l2->vmcb->control.intercepts[INTERCEPT_MISC2] |= MISC2_CLGI | MISC2_STGI;
	l2_start(l2, L2_CLGI);
	l2_check_exit(l2, VMEXIT_CLGI);
	check("V_GIF", gif_of(l2), INT_CTL_V_GIF);
	l2_start(l2, L2_STGI);
	l2_check_exit(l2, VMEXIT_STGI);
	point_end();
}

/* In L2's handler of NMI, which ends its run there. */
static struct l2 *in_handler(const char *name)
{
	struct l2 *l2 = fresh(name);

	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_NMI; /* V_NMI asks for it */
	l2->vmcb->control.int_ctl = VNMI | INT_CTL_V_NMI;
	run_code(l2, &nothing);
	l2_check_vector(l2, VEC_NMI);
	return l2;
}

void hardware_vnmi(void)
{
	struct l2 *l2;

	if (!hardware_group("vnmi", SVM_FEATURE_VNMI, "no virtual NMI"))
		return;
	l2 = in_handler("V_NMI comes as an NMI, and masks others");
	check("V_NMI and V_NMI_MASK",
	      l2->vmcb->control.int_ctl & (INT_CTL_V_NMI | INT_CTL_V_NMI_MASK), INT_CTL_V_NMI_MASK);

	l2 = in_handler("a second one waits while the first is served");
	l2->vmcb->control.int_ctl |= INT_CTL_V_NMI;
	run_code(l2, &nothing);
	check_through(l2, nothing.length);
	check("V_NMI", l2->vmcb->control.int_ctl & INT_CTL_V_NMI, INT_CTL_V_NMI);

	l2 = in_handler("it comes with IRET");
	l2->vmcb->control.int_ctl |= INT_CTL_V_NMI;
	l2_start(l2, L2_RETURN);
	l2_check_vector(l2, VEC_NMI);
	check("V_NMI", l2->vmcb->control.int_ctl & INT_CTL_V_NMI, 0);

	l2 = in_handler("IRET alone ends the mask");
	l2_start(l2, L2_RETURN);
	check_through(l2, nothing.length);
	check("V_NMI_MASK", l2->vmcb->control.int_ctl & INT_CTL_V_NMI_MASK, 0);
	point_end();
}
