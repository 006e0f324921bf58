/*
 * Clean bits. A field that L1 changes with its bit 0 must be seen, whatever the other bits say; one
 * that L1 left alone must be right with all bits 1, even if another VMCB ran meanwhile. A processor
 * without the feature takes every field from memory, so all of it holds there as well. What a
 * processor does with a change behind a bit that is 1 is its own business: it is told. Relies on
 * guest/lib; APM 15.15.
 */
#include "guest/hardware/hardware.h"

enum {
	ROUNDS = 4,
	PORT_NOWHERE = 0x80,
	TSC_BIT = 28, /* of EDX: the counter itself never gets there */
	MOVED = 0x100,
	TABLE_LIMIT = 0x7f,
};

#define VALUE      0x00c1ea00u
#define TSC_OFFSET (1ull << (32 + TSC_BIT))
#define PAT_OTHER  0x0007040600070405ull
#define PAT_USUAL  0x0007040600070406ull
#define CR2_VALUE  0x00345000u

static uint8_t all_ports[IOPM_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t all_msrs[MSRPM_SIZE] __attribute__((aligned(PAGE_SIZE)));

/* A field, how L1 sets it to its n-th value, and what the code makes visible of it. */
struct row {
	const char *field;
	uint32_t bit;
	uint32_t features; /* SVM_FEATURE_* that it needs */
	struct code code;
	void (*set)(struct l2 *l2, unsigned int n);
	uint64_t (*observe)(struct l2 *l2);
	uint64_t expected[2];
	bool flush;             /* the change asks for one */
	enum emulator deviates; /* this one does not load the field, and says so: */
	const char *deviation;
	const char *lacks; /* where a feature is not there */
};

static uint64_t exit_code(struct l2 *l2)
{
	return l2->vmcb->control.exit_code;
}

static uint64_t eax(struct l2 *l2)
{
	return l2_check_done(l2) ? l2_eax(l2) : ~0ull;
}

static uint64_t tsc(struct l2 *l2)
{
	return l2_check_done(l2) ? l2->regs.rdx >> TSC_BIT & 1 : ~0ull;
}

static uint64_t task_switched(struct l2 *l2)
{
	return eax(l2) & CR0_TS;
}

static uint64_t time_stamp_disable(struct l2 *l2)
{
	return eax(l2) & CR4_TSD;
}

static uint64_t system_calls(struct l2 *l2)
{
	return eax(l2) & EFER_SCE;
}

static uint64_t breakpoint_0(struct l2 *l2)
{
	return eax(l2) & 1;
}

static uint64_t limit(struct l2 *l2)
{
	return l2_check_done(l2) ? *(uint16_t *)(l2->low + L2_SCRATCH) : ~0ull;
}

static void set_intercepts(struct l2 *l2, unsigned int n)
{
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_CPUID;
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= n ? MISC1_CPUID : 0;
}

static void set_exceptions(struct l2 *l2, unsigned int n)
{
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] &= ~(1u << VEC_UD);
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] |= n << VEC_UD;
}

static void set_tsc(struct l2 *l2, unsigned int n)
{
	l2->vmcb->control.tsc_offset = n ? TSC_OFFSET : 0;
}

static void set_iopm(struct l2 *l2, unsigned int n)
{
	memset(all_ports, 0xff, sizeof(all_ports));
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_IOIO_PROT;
	l2->vmcb->control.iopm_base_pa = (uintptr_t)(n ? all_ports : l2_iopm);
}

static void set_msrpm(struct l2 *l2, unsigned int n)
{
	memset(all_msrs, 0xff, sizeof(all_msrs));
	l2->regs.rcx = MSR_EFER;
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_MSR_PROT;
	l2->vmcb->control.msrpm_base_pa = (uintptr_t)(n ? all_msrs : l2_msrpm);
}

/* The bits are for the bases: what stands in the maps is read as it is. L0 merges its own in place.
 */
static void set_iopm_bits(struct l2 *l2, unsigned int n)
{
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_IOIO_PROT;
	l2_port_intercept(PORT_NOWHERE, n);
}

static void set_msrpm_bits(struct l2 *l2, unsigned int n)
{
	l2->regs.rcx = MSR_EFER;
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_MSR_PROT;
	l2_msr_intercept(MSR_EFER, n);
}

/* Behind L2's STI: an emulator looks at V_IRQ only when IF changes. */
static void set_int_ctl(struct l2 *l2, unsigned int n)
{
	l2->vmcb->save.rflags &= ~(uint64_t)RFLAGS_IF;
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_VINTR;
	l2->vmcb->control.int_ctl =
		INT_CTL_V_INTR_MASKING |
		(n ? INT_CTL_V_IRQ | INT_CTL_V_IGN_TPR |
	                         (uint64_t)L2_SOFT_VECTOR << INT_CTL_V_INTR_VECTOR_S
	           : 0);
}

/* The nested tables of another slot, which have the same code and other data. */
static void set_root(struct l2 *l2, unsigned int n)
{
	static uint64_t roots[2];

	if (!l2->vmcb->control.clean && !n) {
		struct l2 *other = l2_new(L2_SLOTS - 1, l2->kind);

		roots[0] = l2->npt.root;
		roots[1] = other->npt.root;
		l2_small_frame(l2, 0)[0] = VALUE;
		l2_small_frame(other, 0)[0] = VALUE + 1;
		memcpy(other->low + L2_BOOT, l2->low + L2_BOOT, PAGE_SIZE);
	}
	l2->regs.rbx = L2_SMALL;
	l2->vmcb->control.nested_cr3 = roots[n];
}

static void set_pat(struct l2 *l2, unsigned int n)
{
	l2->regs.rcx = MSR_PAT;
	l2->vmcb->save.g_pat = n ? PAT_OTHER : PAT_USUAL;
}

static void set_cr0(struct l2 *l2, unsigned int n)
{
	l2->vmcb->save.cr0 &= ~(uint64_t)CR0_TS;
	l2->vmcb->save.cr0 |= n ? CR0_TS : 0;
}

static void set_cr3(struct l2 *l2, unsigned int n)
{
	l2->vmcb->save.cr3 = n ? PAGE_SIZE : 0;
}

static void set_cr4(struct l2 *l2, unsigned int n)
{
	l2->vmcb->save.cr4 = n ? CR4_TSD : 0;
}

static void set_efer(struct l2 *l2, unsigned int n)
{
	l2->regs.rcx = MSR_EFER;
	l2->vmcb->save.efer = EFER_SVME | (n ? EFER_SCE : 0);
}

static void set_dr6(struct l2 *l2, unsigned int n)
{
	l2->vmcb->save.dr6 = DR6_FIXED | n;
}

static void set_dr7(struct l2 *l2, unsigned int n)
{
	l2->vmcb->save.dr7 = DR7_FIXED | n << 8; /* LE: of no effect */
}

static uint64_t exact_breakpoint(struct l2 *l2)
{
	return eax(l2) >> 8 & 1;
}

static void set_gdtr(struct l2 *l2, unsigned int n)
{
	l2->regs.rbx = L2_SCRATCH;
	l2->vmcb->save.gdtr.limit = TABLE_LIMIT - n;
}

static void set_idtr(struct l2 *l2, unsigned int n)
{
	l2->regs.rbx = L2_SCRATCH;
	l2->vmcb->save.idtr.limit = TABLE_LIMIT - n;
}

static void set_segment(struct l2 *l2, unsigned int n)
{
	*(uint32_t *)(l2->low + L2_SCRATCH) = VALUE;
	*(uint32_t *)(l2->low + L2_SCRATCH + MOVED) = VALUE + 1;
	l2->regs.rbx = L2_SCRATCH;
	l2->vmcb->save.es.base = n * MOVED;
}

static void set_cr2(struct l2 *l2, unsigned int n)
{
	l2->vmcb->save.cr2 = CR2_VALUE + n * PAGE_SIZE;
}

static void set_lbr(struct l2 *l2, unsigned int n)
{
	l2->regs.rcx = MSR_DEBUGCTL;
	l2->vmcb->control.virt_ext = VIRT_EXT_LBR;
	l2->vmcb->save.dbgctl = n << 1; /* BTF: nothing without TF */
}

#define RDMSR "\x0f\x32"

static const struct row rows[] = {
	{"intercepts", CLEAN_I, 0, CODE("\x0f\xa2"), set_intercepts, exit_code,
         .expected = {VMEXIT_VMMCALL, VMEXIT_CPUID}},
	{"intercepts of exceptions", CLEAN_I, 0, CODE("\x0f\x0b"), set_exceptions, exit_code,
         .expected = {VMEXIT_VMMCALL, VMEXIT_EXCP_BASE + VEC_UD}},
	{"TSC_OFFSET", CLEAN_I, 0, CODE("\x0f\x31"), set_tsc, tsc, .expected = {0, 1}},
	{"IOPM_BASE_PA", CLEAN_IOPM, 0, CODE("\xe4\x80"), set_iopm, exit_code,
         .expected = {VMEXIT_VMMCALL, VMEXIT_IOIO}},
	{"MSRPM_BASE_PA", CLEAN_IOPM, 0, CODE(RDMSR), set_msrpm, exit_code,
         .expected = {VMEXIT_VMMCALL, VMEXIT_MSR}},
	{"a bit of the IOPM", CLEAN_NEVER, 0, CODE("\xe4\x80"), set_iopm_bits, exit_code,
         .expected = {VMEXIT_VMMCALL, VMEXIT_IOIO}},
	{"a bit of the MSRPM", CLEAN_NEVER, 0, CODE(RDMSR), set_msrpm_bits, exit_code,
         .expected = {VMEXIT_VMMCALL, VMEXIT_MSR}},
	{"V_IRQ", CLEAN_TPR, 0, CODE("\xfb\x90\x90"), set_int_ctl, exit_code,
         .expected = {VMEXIT_VMMCALL, VMEXIT_VINTR}},
	{"nCR3", CLEAN_NP, SVM_FEATURE_NP, CODE("\x8b\x03"), set_root, eax,
         .expected = {VALUE, VALUE + 1}, .flush = true, .lacks = "no nested paging"},
	{"g_PAT", CLEAN_NP, SVM_FEATURE_NP, CODE(RDMSR), set_pat, eax,
         .expected = {(uint32_t)PAT_USUAL, (uint32_t)PAT_OTHER}, .lacks = "no nested paging",
         .deviates = QEMU, .deviation = "g_PAT is not loaded"},
	{"CR0", CLEAN_CRX, 0, CODE("\x0f\x20\xc0"), set_cr0, task_switched,
         .expected = {0, CR0_TS}},
	{"CR3", CLEAN_CRX, SVM_FEATURE_NP, CODE("\x0f\x20\xd8"), set_cr3, eax,
         .expected = {0, PAGE_SIZE}, .lacks = "L1's shadow tables are in CR3"},
	{"CR4", CLEAN_CRX, 0, CODE("\x0f\x20\xe0"), set_cr4, time_stamp_disable,
         .expected = {0, CR4_TSD}},
	{"EFER", CLEAN_CRX, 0, CODE(RDMSR), set_efer, system_calls, .expected = {0, EFER_SCE}},
	{"DR6", CLEAN_DRX, 0, CODE("\x0f\x21\xf0"), set_dr6, breakpoint_0, .expected = {0, 1}},
	{"DR7", CLEAN_DRX, 0, CODE("\x0f\x21\xf8"), set_dr7, exact_breakpoint, .expected = {0, 1}},
	{"GDTR", CLEAN_DT, 0, CODE("\x0f\x01\x03"), set_gdtr, limit,
         .expected = {TABLE_LIMIT, TABLE_LIMIT - 1}},
	{"IDTR", CLEAN_DT, 0, CODE("\x0f\x01\x0b"), set_idtr, limit,
         .expected = {TABLE_LIMIT, TABLE_LIMIT - 1}},
	{"ES", CLEAN_SEG, 0, CODE("\x26\x8b\x03"), set_segment, eax,
         .expected = {VALUE, VALUE + 1}},
	{"CR2", CLEAN_CR2, 0, CODE("\x0f\x20\xd0"), set_cr2, eax,
         .expected = {CR2_VALUE, CR2_VALUE + PAGE_SIZE}, .deviates = BOCHS,
         .deviation = "VMRUN does not load CR2"},
	{"DBGCTL", CLEAN_LBR, SVM_FEATURE_LBR, CODE(RDMSR), set_lbr, eax, .expected = {0, 2},
         .lacks = "no LBR virtualization", .deviates = BOCHS,
         .deviation = "LBR virtualization loads and saves nothing"},
};

static uint64_t run_clean(struct l2 *l2, const struct row *row, uint32_t clean)
{
	l2->vmcb->control.clean = clean;
	l2->flush |= row->flush;
	run_code(l2, &row->code);
	return row->observe(l2);
}

/* False: an emulator loads it never, and the point says so. */
static bool check_seen(const struct row *row, uint64_t got, unsigned int n)
{
	if (row->deviation && got != row->expected[n] &&
	    lets_pass(true, row->deviates, row->deviation))
		return false;
	return check("what L2 sees", got, row->expected[n]);
}

static bool opened(const struct row *row, const char *what)
{
	point_named("%s: %s", row->field, what);
	if ((machine.svm_features & row->features) == row->features)
		return true;
	point_skip(row->lacks);
	return false;
}

static void changed_with_0(const struct row *row)
{
	struct l2 *l2;

	if (!opened(row, row->bit ? "a change shows with its clean bit 0, all others 1"
	                          : "a change shows with all clean bits 1"))
		return;
	l2 = l2_new(0, &l2_prot);
	load_code(l2, &row->code);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint32_t clean = i ? CLEAN_ALL & ~row->bit : 0;

		row->set(l2, i % 2);
		if (!check_seen(row, run_clean(l2, row, clean), i % 2))
			return;
	}
}

/* L1 changes nothing of either VMCB but what no bit covers. */
static void behind_another(const struct row *row)
{
	struct l2 *l2s[2];

	if (!opened(row, "it is right with all clean bits 1 after another VMCB ran"))
		return;
	for (unsigned int n = 0; n < 2; n++) {
		l2s[n] = l2_new(n, &l2_prot);
		load_code(l2s[n], &row->code);
	}
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct l2 *l2 = l2s[i % 2];

		if (i < 2) {
			row->set(l2, 0); /* makes what both values need */
			row->set(l2, i % 2);
		} else if (row->set == set_int_ctl) {
			l2->vmcb->save.rflags &= ~(uint64_t)RFLAGS_IF; /* L2's own STI */
		}
		if (!check_seen(row, run_clean(l2, row, i < 2 ? 0 : CLEAN_ALL), i % 2))
			return;
	}
}

static void changed_with_1(const struct row *row)
{
	struct l2 *l2;
	uint64_t got;

	if (!opened(row, "a change with its clean bit 1 shows, or not") ||
	    (row->deviation && lets_pass(true, row->deviates, row->deviation)))
		return;
	l2 = l2_new(0, &l2_prot);
	load_code(l2, &row->code);
	row->set(l2, 0);
	if (!check_seen(row, run_clean(l2, row, 0), 0))
		return;
	row->set(l2, 1);
	got = run_clean(l2, row, CLEAN_ALL);
	if (got != row->expected[0] && !check_seen(row, got, 1))
		return;
	seen("%s changed with its clean bit 1: %s", row->field,
	     got == row->expected[1] ? "read again" : "not seen, so cached");
	run_clean(l2, row, 0);
}

/* After a flush of all ASIDs the other one has nothing cached. */
static void asid(void)
{
	struct l2 *l2 = fresh("ASID: a change shows with its clean bit 0, all others 1");
	uint64_t at = L2_SMALL;

	if (l2_lacks_nesting || machine.asids < 3) {
		point_skip(l2_lacks_nesting ? l2_lacks_nesting
		                            : "there are fewer than 2 ASIDs for L2s");
		return;
	}
	l2_small_frame(l2, 0)[0] = VALUE;
	l2_small_frame(l2, 1)[0] = VALUE + 1;
	read_with(l2, at, TLB_CONTROL_FLUSH_ALL);
	l2_check_value(l2, VALUE);
	pt_map(&l2->npt, at, l2_gpa(l2_small_frame(l2, 1)), 1, PT_RWU);
	l2->vmcb->control.clean = CLEAN_ALL & ~CLEAN_ASID;
	l2->vmcb->control.asid = 2;
	read_with(l2, at, TLB_CONTROL_NONE);
	l2_check_value(l2, VALUE + 1);
}

/* RAX, RSP, RFLAGS, RIP, EVENTINJ: no bit is theirs. */
static void never_clean(void)
{
	static const struct code flags = CODE("\x9c\x58"), stack = CODE("\x89\xe0"),
				 nothing = CODE("\x90");
	struct l2 *l2;

	point("what no clean bit covers shows with all of them 1");
	l2 = l2_new(0, &l2_prot);
	run_code(l2, &nothing);
	l2_check_done(l2);
	l2->vmcb->control.clean = CLEAN_ALL;
	l2->vmcb->save.rax = VALUE;
	run_code(l2, &nothing);
	l2_check_value(l2, VALUE);
	l2->vmcb->save.rsp = L2_STACK_TOP - MOVED;
	run_code(l2, &stack);
	l2_check_value(l2, L2_STACK_TOP - MOVED);
	l2->vmcb->save.rflags = RFLAGS_FIXED | RFLAGS_CF;
	run_code(l2, &flags);
	l2_check_value(l2, RFLAGS_FIXED | RFLAGS_CF);
	l2->vmcb->control.event_inj = event(EVENT_INTR, L2_SOFT_VECTOR);
	run_code(l2, &nothing);
	l2_check_vector(l2, L2_SOFT_VECTOR);
	run_code(l2, &nothing);
	check_through(l2, nothing.length);
}

void hardware_clean(void)
{
	if (!hardware_group("clean", 0, NULL))
		return;
	seen("clean bits are %sshown",
	     machine.svm_features & SVM_FEATURE_CLEAN ? "" : "not "); /* and hold all the same */
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		changed_with_0(&rows[i]);
		if (!rows[i].bit) /* the maps are everybody's, and there is no bit to set */
			continue;
		behind_another(&rows[i]);
		changed_with_1(&rows[i]);
	}
	asid();
	never_clean();
	point_end();
}
