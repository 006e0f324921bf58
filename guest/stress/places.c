/*
 * Nested tables, pages, VMCBs and maps where no L1 has any: beyond memory, at MMIO, in ROM, in what
 * the map says is reserved near the top of memory (where a hypervisor under L1 may live). What
 * comes of it is not prescribed, but that VMRUN ends, and that L1 and its L2s work on. Relies on
 * stress.h.
 */
#include "guest/lib/places.h"
#include "guest/stress/stress.h"
#include "hv/print.h"

enum {
	TREE_PAGES = 16,
	GUARD_VECTOR = 0x71,
	GUARD_COUNTS = 3000000,
	INDEXES = 8,
};

#define VALUE    0x91ace000u
#define SENTINEL 0x5e471e1u
#define ALL      0xffffffffu

static const char *const kinds[] = {
	place_beyond,   place_mmio,    place_rom,      place_last,
	place_reserved, place_highest, place_too_high,
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct vmcb l1_state;

/*
 * Nothing of this is for a real machine's own MMIO and firmware: L1 must be alone with an emulator,
 * or above a hypervisor; and Bochs ends itself at accesses that its devices do not know.
 */
static const char *harmful(const char *kind)
{
	if (machine.bochs && kind == place_mmio)
		return "Bochs stops there";
	return machine.bare && !machine.qemu && !machine.bochs ? "not on a real machine, bare"
	                                                       : NULL;
}

/* An L2 whose every way out is intercepted, whatever it comes to execute. */
static struct l2 *caged(struct pt *tree)
{
	struct l2 *l2 = l2_new(0, &l2_prot);
	struct vmcb_control *control = &l2->vmcb->control;

	stress_tree(tree, l2, TREE_PAGES);
	stress_use(l2, tree);
	memset(l2_iopm, 0xff, sizeof(l2_iopm));
	memset(l2_msrpm, 0xff, sizeof(l2_msrpm));
	control->intercepts[INTERCEPT_MISC1] |= MISC1_IOIO_PROT | MISC1_MSR_PROT;
	control->intercepts[INTERCEPT_EXCEPTION] = ALL;
	control->exit_code = SENTINEL;
	l2->vmcb->save.rflags |= RFLAGS_IF;
	l2_aim(l2, L2_READ);
	return l2;
}

/* Runs it until it ends or the timer ends it. */
static void run(struct l2 *l2)
{
	apic_timer(GUARD_VECTOR, GUARD_COUNTS);
	clgi();
	sti();
	svm_run_gif0(&l2->regs, l2->vmcb);
	apic_timer_stop();
	stgi();
	for (unsigned int i = 0; i < 100; i++)
		cpu_relax();
	cli();
	l2->flush = true;
	if (l2->vmcb->control.exit_code == SENTINEL)
		point_fail("# VMRUN wrote no exit code\n");
}

/* L1 is as it was, and so is an L2. */
static void works_on(void)
{
	uint64_t mark = stress_free_start();
	struct l2 *l2 = l2_new(1, &l2_prot);
	struct pt tree;

	stress_tree(&tree, l2, TREE_PAGES);
	pt_map(&tree, STRESS_FAR, l2_gpa(l2_small_frame(l2, 0)), 1, PT_RWU);
	stress_use(l2, &tree);
	*l2_small_frame(l2, 0) = VALUE;
	l2_read(l2, STRESS_FAR);
	l2_check_value(l2, VALUE);
	stress_release(mark);
}

static void as_root(const struct place *place)
{
	struct pt tree;
	struct l2 *l2 = caged(&tree);

	l2->vmcb->control.nested_cr3 = place->gpa;
	l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	run(l2);
}

static void as_table(const struct place *place)
{
	for (unsigned int level = l2_format->levels; level > 1; level--) {
		struct pt tree;
		struct l2 *l2 = caged(&tree);
		uint64_t size = pt_page_size(l2_format, level - 1);

		pt_map(&tree, STRESS_FAR * 2ull, 0, 1, PT_RWU);
		pt_set(&tree, STRESS_FAR * 2ull, level,
		       place->gpa | l2_format->level[level].table_flags);
		l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
		for (unsigned int n = 0; n < INDEXES; n++) {
			uint64_t at = STRESS_FAR * 2ull + stress_below(512) * size;

			l2->regs.rbx = at < SIZE_4G ? at : STRESS_FAR * 2ull;
			l2_aim(l2, L2_READ);
			run(l2);
		}
	}
}

static void as_page(const struct place *place)
{
	struct pt tree;
	struct l2 *l2 = caged(&tree);

	pt_map(&tree, STRESS_FAR, place->gpa, 1, PT_RWU);
	l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	l2->regs.rbx = STRESS_FAR;
	run(l2);
	l2_aim(l2, L2_WRITE);
	l2->vmcb->save.rax = ALL;
	if (place->write)
		run(l2);
	/* And as code. */
	l2->vmcb->save.rip = STRESS_FAR;
	l2->vmcb->save.rsp = L2_STACK_TOP;
	if (place->kind != place_mmio)
		run(l2);
}

static void try_vmrun(void *vmcb)
{
	static struct l2_regs regs;

	clgi();
	vmrun_once(&regs, vmcb);
	stgi();
}

static void try_vmload(void *vmcb)
{
	vmload(vmcb);
}

static void try_vmsave(void *vmcb)
{
	vmsave(vmcb);
}

/* L1's operand is rAX: a 32-bit L1 cannot name more than 4 GiB. */
static void as_vmcb(const struct place *place)
{
	void *vmcb = (void *)(uintptr_t)place->gpa;

	if ((uint64_t)(uintptr_t)vmcb != place->gpa)
		return;
	vmsave(&l1_state);
	if (place->kind == place_too_high) {
		check("exception of VMRUN", (uint64_t)try_call(try_vmrun, vmcb), VEC_GP);
		stgi();
		check("exception of VMLOAD", (uint64_t)try_call(try_vmload, vmcb), VEC_GP);
		check("exception of VMSAVE", (uint64_t)try_call(try_vmsave, vmcb), VEC_GP);
	} else {
		try_call(try_vmrun, vmcb);
		stgi();
		try_call(try_vmload, vmcb);
		vmload(&l1_state);
		if (place->write)
			try_call(try_vmsave, vmcb);
	}
	vmload(&l1_state);
}

static void as_maps(const struct place *place)
{
	struct pt tree;
	struct l2 *l2 = caged(&tree);

	l2->vmcb->control.msrpm_base_pa = place->gpa;
	l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	l2->regs.rcx = MSR_EFER;
	l2_aim(l2, L2_RDMSR);
	run(l2);
	l2 = caged(&tree);
	l2->vmcb->control.iopm_base_pa = place->gpa;
	l2->vmcb->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	l2->regs.rdx = 0x80;
	l2_aim(l2, L2_IN);
	run(l2);
}

/* What L1 itself reads and writes there. */
static void touch(void *address)
{
	volatile uint32_t *word = address;

	(void)word[0];
	(void)word[PAGE_SIZE / 4 - 4]; /* an APIC's registers are 16 bytes apart */
}

static void overwrite(void *address)
{
	volatile uint32_t *word = address;

	for (unsigned int i = 0; i < PAGE_SIZE / 4; i++)
		word[i] = ALL;
}

static void directly(const struct place *place)
{
	void *address = (void *)(uintptr_t)place->gpa;

	if (place->gpa >= SIZE_4G)
		return;
	try_call(touch, address);
	if (place->write)
		try_call(overwrite, address);
}

static void each(const char *what, void (*f)(const struct place *))
{
	static char names[KINDS][64];

	for (unsigned int k = 0; k < KINDS; k++) {
		snprint(names[k], sizeof(names[k]), "%s %s", what, kinds[k]);
		point(names[k]);
		for (unsigned int i = 0; place_at(i); i++) {
			const struct place *place = place_at(i);
			uint64_t mark = stress_free_start();

			if (place->kind != kinds[k])
				continue;
			if (harmful(kinds[k])) {
				point_skip(harmful(kinds[k]));
				continue;
			}
			f(place);
			stress_release(mark);
			works_on();
		}
	}
}

void stress_places(void)
{
	if (!tap_group("stress", "places"))
		return;
	places_find(stress_top(), stress_top() == stress_free_end());
	each("an access of L1's", directly);
	each("a nested page", as_page);
	each("a nested table", as_table);
	each("nCR3", as_root);
	each("the maps", as_maps);
	each("a VMCB", as_vmcb);
}
