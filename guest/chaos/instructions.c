/*
 * SVM's instructions beside VMRUN, on any address and ASID, and VM_HSAVE_PA. Each either is done or
 * raises #GP, as the address says. Relies on try_call().
 */
#include "guest/chaos/chaos.h"

static uint32_t asid;

static void do_vmrun(void *vmcb)
{
	static struct l2_regs regs;

	apic_timer_again(RUN_COUNTS);
	clgi();
	sti();
	vmrun_once(&regs, vmcb);
	stgi();
	__asm__ volatile("nop");
	cli();
}

static void do_vmload(void *vmcb)
{
	vmload(vmcb);
}

static void do_vmsave(void *vmcb)
{
	vmsave(vmcb);
}

static void do_invlpga(void *address)
{
	invlpga((uintptr_t)address, asid);
}

static void do_hsave(void *address)
{
	wrmsr(MSR_VM_HSAVE_PA, (uintptr_t)address);
}

static void check_gp(const char *name, void (*f)(void *), uint64_t address)
{
	void *operand = (void *)(uintptr_t)address;
	bool fits = !((uintptr_t)operand & 0xfff) &&
	            (uint64_t)(uintptr_t)operand < 1ull << machine.physical_bits;
	int expected = fits || f == do_invlpga ? -1 : VEC_GP;
	int got = try_call(f, operand);

	if (got != expected)
		point_fail("# %s of 0x%llx: exception %d, expected %d\n", name,
		           (unsigned long long)address, got, expected);
}

/* An address that is no page's, or too high, every now and then. */
static uint64_t spoil(struct dice *dice, uint64_t page)
{
	if (dice_one_in(dice, 8))
		return page | (dice_roll(dice) & 0xfff);
	if (dice_one_in(dice, 8))
		return page | 1ull << dice_below(dice, 64);
	return page;
}

/* A bare machine saves L1's state there, and takes it for L1's at the next #VMEXIT. */
static uint64_t hsave(struct dice *dice)
{
	return machine.bare ? arena.hsaves + dice_below(dice, HSAVES) * (uint64_t)PAGE_SIZE
	                    : memory_writable_page(dice);
}

/*
 * What VMRUN would enter with must be bounded: of all there is only the arena's VMCBs are valid,
 * and they were for the registers that they ran with.
 */
static uint64_t for_vmrun(struct dice *dice)
{
	uint64_t page = memory_address(dice) & ~0xfffull;
	struct vmcb *vmcb = (struct vmcb *)(uintptr_t)page;

	if (!memory_is_harmless(page))
		return arena.tables;
	if (page >= arena.blocks && page < arena.kept) {
		vmcb->control.int_ctl |= INT_CTL_V_INTR_MASKING;
		vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_IOIO_PROT;
		vmcb->control.intercepts[INTERCEPT_MISC2] |= MISC2_CLGI;
		vmcb->control.iopm_base_pa = arena.ones;
	}
	return page;
}

void instructions_try(struct dice *dice)
{
	uint64_t page;

	switch (dice_below(dice, 5)) {
	case 0:
		page = spoil(dice, for_vmrun(dice));
		if (!(page & 0xfff) && !memory_is_harmless(page))
			break;
		check_gp("VMRUN", do_vmrun, page);
		stgi();
		cli();
		break;
	case 1:
		page = spoil(dice, memory_writable_page(dice));
		if ((page & 0xfff) || memory_is_harmless(page))
			check_gp("VMLOAD", do_vmload, page);
		break;
	case 2:
		page = spoil(dice, memory_writable_page(dice));
		if ((page & 0xfff) || memory_is_harmless(page))
			check_gp("VMSAVE", do_vmsave, page);
		break;
	case 3:
		asid = dice_one_in(dice, 2) ? dice_below(dice, 20) : dice_roll(dice);
		check_gp("INVLPGA", do_invlpga, dice_roll64(dice) >> dice_below(dice, 64));
		break;
	default:
		page = spoil(dice, hsave(dice));
		if ((page & 0xfff) || memory_is_harmless(page))
			check_gp("VM_HSAVE_PA", do_hsave, page);
	}
	vmload(&run_host);
}
