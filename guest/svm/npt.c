/*
 * Of nested paging what guest/points has not: gPAT, nCR3's low bits, device pages and reserved
 * memory in L2, PDPTEs of a PAE L2. Relies on guest/lib; APM 15.25.
 */
#include "guest/svm/suite.h"

enum {
	MSR_ACCESS_BYTES = 2,
	NGPA_DEVICE = L2_HOLE,
	APIC_VERSION = 0x30,
	ROM = 0xfff00,
	PF_PRESENT = 1,
	PF_RESERVED = 8,
};

#define PAT_OTHER 0x0006040700060407ull /* each type is legal */

static const char no_pat[] = "gPAT is neither loaded nor saved";

static void pat(void)
{
	static const struct code read = CODE("\x0f\x32"), write = CODE("\x0f\x30");
	uint64_t own = rdmsr(MSR_PAT);
	struct l2 *l2 = fresh("L2's PAT is gPAT");

	l2->vmcb->save.g_pat = PAT_OTHER;
	l2->regs.rcx = MSR_PAT;
	run_code(l2, &read);
	check_through(l2, MSR_ACCESS_BYTES);
	check_known("PAT", l2_edx_eax(l2), PAT_OTHER, own, QEMU_BARE, no_pat);

	l2 = fresh("L2 that writes its PAT changes gPAT, and not L1's PAT");
	l2->regs.rcx = MSR_PAT;
	l2->regs.rdx = PAT_OTHER >> 32;
	l2->vmcb->save.rax = (uint32_t)PAT_OTHER;
	run_code(l2, &write);
	check_through(l2, MSR_ACCESS_BYTES);
	check_known("gPAT", l2->vmcb->save.g_pat, PAT_OTHER, 0x0007040600070406ull, QEMU_BARE,
	            no_pat);
	check_known("L1's PAT", rdmsr(MSR_PAT), own, PAT_OTHER, QEMU_BARE, no_pat);
	wrmsr(MSR_PAT, own);

	l2 = fresh("an undefined type in L2's PAT raises #GP in L2");
	l2->regs.rcx = MSR_PAT;
	l2->regs.rdx = 0;
	l2->vmcb->save.rax = 2;
	run_code(l2, &write);
	check_known("exit", l2->vmcb->save.rip, L2_CODE + L2_STUBS + VEC_GP * 4, L2_BOOT + 2,
	            QEMU_BARE, "WRMSR of PAT takes any value");
	wrmsr(MSR_PAT, own);
}

static void root(void)
{
	struct l2 *l2 = fresh("PWT and PCD in nCR3 do not change what is mapped");

	l2->vmcb->control.nested_cr3 |= PT_PWT | PT_PCD;
	l2_small_frame(l2, 1)[0] = 0x600d;
	l2_read(l2, L2_SMALL + PAGE_SIZE);
	l2_check_value(l2, 0x600d);

	l2 = fresh("a read of a read-only page leaves it read-only");
	pt_clear(&l2->npt, L2_SMALL, 1, PT_WRITE);
	l2->flush = true;
	l2_read(l2, L2_SMALL);
	l2_check_done(l2);
	l2_write(l2, L2_SMALL, 0xbad);
	l2_check_npf(l2, NPF_FINAL | NPF_USER | NPF_WRITE | NPF_PRESENT, L2_SMALL);
	check("L1 sees", l2_small_frame(l2, 0)[0], 0);

	l2 = fresh("EXITINFO2 has the low bits of the ngpa");
	l2_write(l2, L2_HOLE + 0x123, 1);
	l2_check_npf(l2, NPF_FINAL | NPF_USER | NPF_WRITE, L2_HOLE + 0x123);
}

/* L1 may give L2 what is not memory; it is what L1 itself finds there. */
static void devices(void)
{
	volatile uint32_t *version = (void *)(uintptr_t)(apic_base() + APIC_VERSION);
	const uint32_t *rom = (void *)(uintptr_t)ROM;
	struct l2 *l2 = fresh("L1's APIC in L2 is L1's APIC");

	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC) {
		point_skip("the APIC is in x2APIC mode");
	} else {
		pt_map(&l2->npt, NGPA_DEVICE, apic_base(), 1, PT_RWU | PT_PCD | PT_PWT);
		l2_read(l2, NGPA_DEVICE + APIC_VERSION);
		l2_check_value(l2, *version);
	}

	l2 = fresh("ROM in L2 is the machine's ROM");
	pt_map(&l2->npt, NGPA_DEVICE, ROM & ~0xfffu, 1, PT_RWU);
	l2_read(l2, NGPA_DEVICE + (ROM & 0xfff));
	l2_check_value(l2, *rom);

	point("memory that the loader's map does not give away can be read in L2");
	for (unsigned int n = 0; memory_range(n); n++) {
		const struct memory_range *range = memory_range(n);

		if (range->usable || range->start >= SIZE_4G)
			continue;
		l2 = l2_new(0, l2_widest());
		pt_map(&l2->npt, NGPA_DEVICE, range->start & ~0xfffull, 1, PT_RWU);
		l2_read(l2, NGPA_DEVICE);
		if (!l2_check_done(l2))
			break;
	}
	l2 = fresh("L2 works as ever after that");
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
}

/* APM 15.25.10: under nested paging PDPTEs are read when they are used, and checked then. */
static void pdptes(void)
{
	/* MOV DWORD [RBX], 0; MOV EAX, [RSI] */
	static const struct code edit = CODE("\xc7\x03\x00\x00\x00\x00\x8b\x06");
	struct l2 *l2;
	uint64_t at;

	point("a PDPTE that L2 clears counts when it is next used");
	l2 = l2_new(0, &l2_pae);
	at = pt_entry_address(&l2->own, l2_pae.alias, 3);
	l2->regs.rbx = at;
	l2->regs.rsi = l2_pae.alias + L2_SCRATCH;
	run_code(l2, &edit);
	if (l2->vmcb->save.rip == L2_BOOT + edit.length && emulator_is(BOCHS))
		point_known(BOCHS, "PDPTEs are loaded by MOV CR3 under nested paging, too");
	else
		l2_check_vector(l2, VEC_PF);

	point("a reserved bit in a PDPTE of L2's raises #PF at its use");
	l2 = l2_new(0, &l2_pae);
	pt_set(&l2->own, l2_pae.alias, 3, pt_get(&l2->own, l2_pae.alias, 3) | PT_WRITE);
	l2->regs.rbx = l2_pae.alias + L2_SCRATCH;
	l2_start(l2, L2_READ);
	if (l2->vmcb->save.rip < L2_CODE + L2_STUBS && emulator_is(QEMU)) {
		point_known(QEMU, "reserved bits of PDPTEs are not looked at");
	} else {
		l2_check_vector(l2, VEC_PF);
		check("error code", l2_stack(l2, 0), PF_PRESENT | PF_RESERVED);
	}

	point("a reserved bit in a PDPTE of L2's that is not used does nothing");
	l2->vmcb->save.rsp = L2_STACK_TOP;
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
}

void suite_npt(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} groups[] = {{"pat", pat}, {"root", root}, {"devices", devices}, {"pdptes", pdptes}};

	for (unsigned int i = 0; i < ARRAY_SIZE(groups); i++) {
		if (!tap_group("npt", groups[i].name))
			continue;
		if (l2_lacks_nesting) {
			point("all of the group");
			point_skip(l2_lacks_nesting);
		} else {
			groups[i].run();
		}
	}
	point_end();
}
