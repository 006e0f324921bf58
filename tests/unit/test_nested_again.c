/*
 * VMRUN of a VMCB12 that ran before: what is left out must make no difference. Random scripts of
 * changes by L1, by L2 and by L0 compare each VMCB02 with one that is built for the first time; and
 * what is a VMCB12's, and what is the processor's, is asked one by one. Relies on
 * tests/unit/nested_rig.h, whose STRICT checks compare what clean bits cover.
 */
#include "tests/unit/nested_rig.h"

#include <stdlib.h>

#include "svm/event/event.h"

enum { VMCB12S = 6, ROUNDS = 4000, PART_OF_THEM = 4 };

static const uint64_t gpas[VMCB12S] = {
	VMCB12, RAM + 0x1000, RAM + 0x5000, RAM + 0x6000, RAM + 0x7000, RAM + 0xc000,
};

static struct vmcb *at(uint64_t gpa)
{
	return (struct vmcb *)&ram[gpa - RAM];
}

static void long_mode(struct vmcb *vmcb)
{
	vmcb->save.efer = EFER_SVME | EFER_LME | EFER_LMA;
	vmcb->save.cr0 = CR0_PE | CR0_PG;
	vmcb->save.cr4 = CR4_PAE;
}

/* All have the first one's contents. */
static void machine_of_many(uint32_t svm)
{
	machine(svm, true);
	for (unsigned int i = 1; i < VMCB12S; i++)
		*at(gpas[i]) = *vmcb12;
}

static bool run_of(uint64_t gpa)
{
	uint64_t before = vcpu.counters.again;

	vmrun_of(gpa);
	assert_true(vcpu.nested.slot->gpa == gpa && vcpu.nested.vmcb12 == at(gpa));
	return vcpu.counters.again != before;
}

/* Runs it, and L2 exits to L1. */
static bool trip(uint64_t gpa)
{
	bool again;

	at(gpa)->control.intercepts[INTERCEPT_MISC1] |= MISC1_HLT;
	again = run_of(gpa);
	assert_true(vcpu.guest_mode);
	l2_exits(VMEXIT_HLT, 0, 0);
	assert_false(vcpu.guest_mode);
	return again;
}

/* What L1 may change, and to what: some of it fails the checks, or does so beside other values. */
struct choice {
	size_t offset;
	uint8_t size;
	uint64_t values[4];
};

#define FIELD(member, ...)                                                                         \
	{                                                                                          \
		offsetof(struct vmcb, member), sizeof(((struct vmcb *)0)->member),                 \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

static const struct choice choices[] = {
	FIELD(control.intercepts[INTERCEPT_CR], 0, 0x10001, 0x80000, ~0u),
	FIELD(control.intercepts[INTERCEPT_DR], 0, 1, 2, ~0u),
	FIELD(control.intercepts[INTERCEPT_EXCEPTION], 0, 2, 1 << 13, 1 << 6),
	FIELD(control.intercepts[INTERCEPT_MISC1], 0, MISC1_IRET, MISC1_MSR_PROT, MISC1_IOIO_PROT),
	FIELD(control.intercepts[INTERCEPT_MISC2], MISC2_VMRUN, MISC2_VMRUN | MISC2_STGI, 1,
              MISC2_VMMCALL),
	FIELD(control.intercepts[INTERCEPT_MISC3], 0, MISC3_INVPCID, ~0u, MISC3_MCOMMIT),
	FIELD(control.pause_filter_count, 0, 1, 2, 3),
	FIELD(control.pause_filter_threshold, 0, 1, 2, 3),
	FIELD(control.iopm_base_pa, IOPM12, IOPM12 + 0x1000, IOPM12, 1ull << PHYS_BITS),
	FIELD(control.msrpm_base_pa, MSRPM12, OTHER_MSRPM12, MSRPM12, 1ull << PHYS_BITS),
	FIELD(control.tsc_offset, 0, 1, ~0ull, 1ull << 63),
	FIELD(control.asid, 1, 2, 3, 0),
	FIELD(control.tlb_control, 0, 1, 3, 7),
	FIELD(control.int_ctl, 0, INT_CTL_V_INTR_MASKING, INT_CTL_V_GIF_ENABLE, 0x105),
	FIELD(control.int_state, 0, 1, 2, 3),
	FIELD(control.nested_ctl, 0, 1, 1, 3),
	FIELD(control.event_inj, 0, EVENT_VALID | 0x31, EVENT_VALID | 3 << 8 | 4,
              EVENT_VALID | 1 << 8),
	FIELD(control.nested_cr3, NCR3, NCR3 + 0x1000, NCR3, 1ull << PHYS_BITS),
	FIELD(control.virt_ext, 0, 1, 2, 3),
	FIELD(save.es.selector, 0, 8, 16, 24),
	FIELD(save.cs.attributes, 0x9b, 0xa9b, 0xc9b, 0xe9b),
	FIELD(save.cs.base, 0, 1, 2, 3),
	FIELD(save.ss.limit, 0, 1, 2, 3),
	FIELD(save.ss.base, 0, 1, 2, 3),
	FIELD(save.ds.base, 0, 1, 2, 3),
	FIELD(save.gdtr.base, 0, 1, 2, 3),
	FIELD(save.idtr.limit, 0, 1, 2, 3),
	FIELD(save.cpl, 0, 1, 2, 3),
	FIELD(save.efer, EFER_SVME, EFER_SVME | EFER_LME, EFER_SVME | EFER_LME | EFER_LMA, 0),
	FIELD(save.cr4, 0, CR4_PAE, CR4_PAE | CR4_PSE, 1ull << 40),
	FIELD(save.cr3, 0, 0x1000, 0x2000, 1ull << PHYS_BITS),
	FIELD(save.cr0, CR0_PE, CR0_PE | CR0_PG, CR0_PE | CR0_CD | CR0_NW, CR0_NW),
	FIELD(save.dr7, DR7_FIXED, 1, 2, 1ull << 32),
	FIELD(save.dr6, DR6_FIXED, DR6_FIXED | 1, DR6_FIXED | 2, 1ull << 33),
	FIELD(save.rflags, RFLAGS_FIXED, RFLAGS_FIXED | RFLAGS_IF, 2, 3),
	FIELD(save.rip, 0, 1, 2, 3),
	FIELD(save.rsp, 0, 1, 2, 3),
	FIELD(save.rax, 0, 1, 2, 3),
	FIELD(save.cr2, 0, 1, 2, 3),
	FIELD(save.g_pat, HOST_PAT, 0, 0x0606060606060606, 2),
};

enum { CHOICES = sizeof(choices) / sizeof(*choices) };

static unsigned int dice(unsigned int sides)
{
	return (unsigned int)random() % sides;
}

static void change(struct vmcb *vmcb, const struct choice *choice)
{
	memcpy((char *)vmcb + choice->offset, &choice->values[dice(4)], choice->size);
}

static void change_some(struct vmcb *vmcb)
{
	for (unsigned int left = dice(3); left; left--)
		change(vmcb, &choices[dice(CHOICES)]);
	vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_HLT;
}

/* What the processor may leave, which the checks let pass. */
static void l2_runs(struct vmcb *vmcb)
{
	struct vmcb before = *vmcb;
	const struct choice *choice = &choices[CHOICES - 1 - dice(CHOICES - 19)];

	change(vmcb, choice);
	if (!(vcpu.nested.ctl.nested_ctl & NESTED_CTL_NP_ENABLE))
		vmcb->save.g_pat = before.save.g_pat;
	if (nested_check(&vcpu.nested.ctl, &vmcb->save))
		vmcb->save = before.save;
}

/* All that a VMRUN decides of a VMCB02, clean bits apart. */
static void assert_built_alike(const struct vmcb *is, const struct vmcb *should)
{
	for (unsigned int i = 0; i < CHOICES; i++) {
		if (memcmp((const char *)is + choices[i].offset,
		           (const char *)should + choices[i].offset, choices[i].size))
			fail_msg("offset %zx differs", choices[i].offset);
	}
	assert_int_equal(is->control.exit_int_info, should->control.exit_int_info);
	assert_memory_equal(&is->save.es, &should->save.es, 4 * sizeof(is->save.es));
	assert_memory_equal(&is->save.gdtr, &should->save.gdtr, sizeof(is->save.gdtr));
	assert_memory_equal(&is->save.idtr, &should->save.idtr, sizeof(is->save.idtr));
}

/* The state is VMCB12's: what no VMRUN reads would be alike in both. */
static void assert_state_is(const struct vmcb *is, const struct vmcb *of)
{
	for (unsigned int i = 0; i < CHOICES; i++) {
		if (choices[i].offset < offsetof(struct vmcb, save) ||
		    choices[i].offset == offsetof(struct vmcb, save.g_pat))
			continue;
		assert_memory_equal((const char *)is + choices[i].offset,
		                    (const char *)of + choices[i].offset, choices[i].size);
	}
	assert_memory_equal(&is->save.es, &of->save.es, 4 * sizeof(is->save.es));
	assert_memory_equal(&is->save.gdtr, &of->save.gdtr, sizeof(is->save.gdtr));
	assert_memory_equal(&is->save.idtr, &of->save.idtr, sizeof(is->save.idtr));
}

static struct before {
	struct vcpu vcpu;
	struct vmcb vmcb01, vmcb02s[VMCB02S];
	uint8_t ram[sizeof(ram)];
	struct frame frames[RAM_PAGES];
} before;

static void save_all(void)
{
	before.vcpu = vcpu;
	before.vmcb01 = vmcb01;
	for (unsigned int i = 0; i < VMCB02S; i++)
		before.vmcb02s[i] = *vcpu.nested.vmcb02s[i].vmcb;
	memcpy(before.ram, ram, sizeof(ram));
	memcpy(before.frames, frames, sizeof(frames));
}

static void restore_all(void)
{
	vcpu = before.vcpu;
	vmcb01 = before.vmcb01;
	for (unsigned int i = 0; i < VMCB02S; i++)
		*vcpu.nested.vmcb02s[i].vmcb = before.vmcb02s[i];
	memcpy(ram, before.ram, sizeof(ram));
	memcpy(frames, before.frames, sizeof(frames));
}

/* The VMRUN by a processor that has never run anything before; then everything is as it was. */
static bool first_time(uint64_t gpa, struct vmcb *built)
{
	bool entered;

	save_all();
	for (unsigned int i = 0; i < VMCB02S; i++) {
		memset(vcpu.nested.vmcb02s[i].vmcb, 0, sizeof(struct vmcb));
		vcpu.nested.vmcb02s[i].again = false;
		vcpu.nested.vmcb02s[i].gpa = ~0ull;
	}
	memset(&vcpu.nested.ctl, 0, sizeof(vcpu.nested.ctl));
	vmrun_of(gpa);
	entered = vcpu.guest_mode;
	*built = *vcpu.vmcb02;
	restore_all();
	return entered;
}

/* L0's own hand in VMCB02, while L2 runs. */
static void l0_edits(void)
{
	switch (dice(8)) {
	case 0:
		watch_iret(&vcpu);
		break;
	case 1:
		vcpu.event.nmi_blocked = false;
		handle_iret(&vcpu);
		break;
	case 2:
		nested_map_written(&vcpu, IOPM12);
		nested_map_written(&vcpu, MSRPM12);
		nested_maps_renew(&vcpu);
		break;
	default:
		break;
	}
}

static void scripts_of_changes(void **state)
{
	unsigned int runs = 0, again = 0, refused = 0;

	(void)state;
	srandom(1);
	machine_of_many(ALL_FEATURES);
	processor_runs = l2_runs;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint64_t gpa = gpas[dice(4) ? dice(2) : dice(VMCB12S)];
		struct vmcb built;
		bool entered;

		if (!dice(8)) {
			good_vmcb12();
			if (dice(2))
				long_mode(vmcb12);
		}
		change_some(at(gpa));
		vcpu.event.gif = false;
		entered = first_time(gpa, &built);
		again += run_of(gpa);
		runs++;
		assert_int_equal(vcpu.guest_mode, entered);
		if (!entered) {
			refused++;
			*at(gpa) = *vmcb12;
			good_vmcb12();
			continue;
		}
		assert_built_alike(vcpu.vmcb02, &built);
		assert_state_is(&built, at(gpa));
		l0_edits();
		if (dice(4))
			l2_exits(VMEXIT_HLT, 0, 0);
		else
			nested_exit(&vcpu, VMEXIT_HLT, 0, 0); /* the processor has not seen it */
		assert_false(vcpu.guest_mode);
	}
	/* Else nothing was tried. */
	assert_in_range(again, runs / PART_OF_THEM, runs);
	assert_in_range(refused, runs / 50, runs / 2);
}

static void the_same_runs_again(void **state)
{
	(void)state;
	machine_of_many(ALL_FEATURES);
	assert_false(trip(VMCB12));
	assert_true(trip(VMCB12));
	vmcb12->save.rip++;
	vmcb12->control.event_inj = EVENT_VALID | 0x31;
	vmcb12->control.asid = 2;
	vmcb12->control.tlb_control = TLB_CONTROL_FLUSH_ALL;
	assert_true(trip(VMCB12));
	vmcb12->save.cr3 = PAGE_SIZE;
	assert_false(trip(VMCB12));
	assert_true(trip(VMCB12));
}

/* What failed has been read all the same: it is not what passed. */
static void what_failed_fails_again(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CHOICES; i++) {
		for (unsigned int value = 0; value < 4; value++) {
			machine_of_many(ALL_FEATURES);
			long_mode(vmcb12);
			trip(VMCB12);
			memcpy((char *)vmcb12 + choices[i].offset, &choices[i].values[value],
			       choices[i].size);
			if (vmrun())
				continue;
			assert_int_equal(vmcb12->control.exit_code, VMEXIT_INVALID);
			memcpy((char *)vmcb12 + choices[i].offset, &choices[i].values[value],
			       choices[i].size); /* EVENTINJ was cleared */
			assert_false(vmrun());
			good_vmcb12();
			assert_false(run_of(VMCB12));
			assert_true(vcpu.guest_mode);
		}
	}
}

static void each_vmcb12_has_its_own(void **state)
{
	const struct vmcb02 *slots[VMCB12S];

	(void)state;
	machine_of_many(ALL_FEATURES);
	for (unsigned int i = 0; i < VMCB02S; i++) {
		assert_false(trip(gpas[i]));
		slots[i] = vcpu.nested.slot;
		for (unsigned int other = 0; other < i; other++)
			assert_true(slots[i] != slots[other]);
	}
	for (unsigned int i = 0; i < VMCB02S; i++) {
		assert_true(trip(gpas[i]));
		assert_true(vcpu.nested.slot == slots[i]);
		assert_true(entered.control.clean);
	}
	/* Another takes the place of the one that has not run for longest, and nothing else of it.
	 */
	assert_true(trip(gpas[0]));
	assert_false(trip(gpas[VMCB02S]));
	assert_true(vcpu.nested.slot == slots[1]);
	assert_int_equal(entered.control.clean, 0);
	assert_true(trip(gpas[0]));
	assert_false(trip(gpas[1]));
	assert_int_equal(entered.control.clean, 0);
}

/* The page is another thing for a while. */
static void a_page_is_a_vmcb_again(void **state)
{
	(void)state;
	machine_of_many(ALL_FEATURES);
	trip(VMCB12);
	memset(vmcb12, 0x5a, sizeof(*vmcb12));
	assert_false(vmrun());
	good_vmcb12();
	assert_false(trip(VMCB12));
	assert_int_equal(entered.control.clean, 0);
}

/* The processor has not seen it: whoever runs next carries it, whatever VMCB02 that has. */
static void a_flush_is_the_processors(void **state)
{
	(void)state;
	machine_of_many(ALL_FEATURES);
	trip(gpas[0]);
	trip(gpas[1]);
	vmcb12->control.tlb_control = TLB_CONTROL_FLUSH_ASID;
	run_of(gpas[0]);
	nested_exit(&vcpu, VMEXIT_HLT, 0, 0);
	trip(gpas[1]);
	assert_int_equal(entered.control.tlb_control, TLB_CONTROL_FLUSH_ALL);
	vmcb12->control.tlb_control = TLB_CONTROL_NONE;
	trip(gpas[0]);
	assert_int_equal(entered.control.tlb_control, TLB_CONTROL_NONE);
}

static void vmcb02s_stay_with_their_processor(void **state)
{
	static struct vcpu other;
	static struct vmcb others[VMCB02S];

	(void)state;
	machine_of_many(ALL_FEATURES);
	trip(VMCB12);
	for (unsigned int i = 0; i < VMCB02S; i++)
		other.nested.vmcb02s[i] = (struct vmcb02){.vmcb = &others[i], .gpa = ~0ull};
	other.nested.slot = &other.nested.vmcb02s[0];
	nested_use_vmcb02(&other, VMCB12);
	assert_in_range(other.nested.slot - other.nested.vmcb02s, 0, VMCB02S - 1);
	assert_true(other.vmcb02 == other.nested.slot->vmcb && other.vmcb02 >= others &&
	            other.vmcb02 < others + VMCB02S);
}

/* mmu/ is not told how L1's tables are read, or which they are, only if that is as it was. */
static void how_tables_are_read(void **state)
{
	const struct vmcb_save good = {.cr0 = CR0_PE | CR0_PG,
	                               .cr4 = CR4_PAE | CR4_PSE,
	                               .efer = EFER_SVME | EFER_NXE | EFER_LME | EFER_LMA,
	                               .g_pat = HOST_PAT};
	uint64_t *const decides[] = {&vmcb01.save.cr4, &vmcb01.save.efer, &vmcb01.save.g_pat,
	                             &vmcb12->control.nested_cr3};
	const uint64_t flips[] = {CR4_PSE, EFER_NXE, 1, PAGE_SIZE};

	(void)state;
	for (unsigned int i = 0; i < sizeof(flips) / sizeof(*flips); i++) {
		machine_of_many(ALL_FEATURES);
		vmcb01.save.cr0 = good.cr0;
		vmcb01.save.cr4 = good.cr4;
		vmcb01.save.efer = good.efer;
		vmcb01.save.g_pat = good.g_pat;
		vmcb12->control.nested_ctl = NESTED_CTL_NP_ENABLE;
		vmcb12->control.nested_cr3 = NCR3;
		trip(VMCB12);
		noted.same_root = NPT02_HPA;
		trip(VMCB12);
		assert_true(noted.roots == 1 && noted.same_roots == 1);
		*decides[i] ^= flips[i];
		trip(VMCB12);
		assert_true(noted.roots == 2 && noted.same_roots == 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_runs_again),
		cmocka_unit_test(what_failed_fails_again),
		cmocka_unit_test(each_vmcb12_has_its_own),
		cmocka_unit_test(a_page_is_a_vmcb_again),
		cmocka_unit_test(a_flush_is_the_processors),
		cmocka_unit_test(vmcb02s_stay_with_their_processor),
		cmocka_unit_test(how_tables_are_read),
		cmocka_unit_test(scripts_of_changes),
	};

	return cmocka_run_group_tests_name("nested_again", tests, NULL, NULL);
}
