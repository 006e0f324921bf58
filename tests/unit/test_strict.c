/*
 * The checks of STRICT builds on the VMCB that is about to run: each of them stops L0 for what it
 * is for, and for nothing else. Emulators ignore clean bits and check little (AMD64 APM vol. 2,
 * sections 15.5.1, 15.15).
 */
#include "tests/unit/nested_rig.h"
#include "svm/exit.h"
#include "svm/strict.h"

static void check(void)
{
	strict_check(&vcpu);
}

static const char *stopped_by(void)
{
	run(check);
	return panicked;
}

/* VMCB02 as L0 builds it, and as its last run saw it. */
static struct vmcb *good(void)
{
	machine(ALL_FEATURES, true);
	assert_true(vmrun());
	*vcpu.seen[1] = vmcb02;
	assert_string_equal(stopped_by(), "");
	return &vmcb02;
}

struct field {
	const char *name;
	size_t offset, size;
	uint32_t clean;
};

#define FIELD(member, at, bit) {#member, at, sizeof(((struct vmcb *)0)->member), bit},
static const struct field fields[] = {VMCB_FIELDS(FIELD)};
#undef FIELD
enum { FIELDS = sizeof(fields) / sizeof(*fields) };

static void with_clean(const struct field *field, uint32_t clean, bool stops)
{
	vmcb02.control.clean = clean;
	if (!stops) {
		assert_string_equal(stopped_by(), "");
		return;
	}
	assert_non_null(strstr(stopped_by(), "its clean bit is set"));
	assert_non_null(strstr(panicked, field->name));
}

/* The first and the last byte of each field, as the processor would have another one cached. */
static void clean_bits_cover_their_fields(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < FIELDS; i++) {
		const struct field *field = &fields[i];
		bool covered = field->clean != CLEAN_NEVER;

		for (unsigned int last = 0; last < 2; last++) {
			uint8_t *seen;

			good();
			seen = (uint8_t *)vcpu.seen[1] + field->offset;
			seen[last ? field->size - 1 : 0] ^= 0x80;
			with_clean(field, 0, false);
			with_clean(field, CLEAN_ALL, covered);
			with_clean(field, field->clean, covered);
			with_clean(field, CLEAN_ALL & ~field->clean, false);
		}
	}
}

/* After a run the processor has what was there then. */
static void a_run_is_remembered(void **state)
{
	(void)state;
	good()->save.cr2 = 5;
	vmcb02.control.clean = CLEAN_ALL;
	assert_non_null(strstr(stopped_by(), "save.cr2"));
	strict_ran(&vcpu);
	assert_string_equal(stopped_by(), "");
	vcpu.seen[0]->save.cr2 = 6; /* VMCB01's is another */
	assert_string_equal(stopped_by(), "");
}

/* Rules of the manual's, and of L0's own. */
static const struct rule {
	const char *says;
	size_t offset;
	unsigned int size;
	uint64_t value;
} rules[] = {
#define RULE(says, member, value)                                                                  \
	{                                                                                          \
		says, offsetof(struct vmcb, member), sizeof(((struct vmcb *)0)->member), value     \
	}
	RULE("EFER.SVME", save.efer, 0),
	RULE("EFER's reserved", save.efer, EFER_SVME | EFER_LMSLE),
	RULE("NW without CD", save.cr0, CR0_NW),
	RULE("CR0[63:32]", save.cr0, 1ull << 32),
	RULE("CR3's", save.cr3, 1ull << PHYS_BITS),
	RULE("CR4's", save.cr4, 1ull << 31),
	RULE("DR6[63:32]", save.dr6, 1ull << 32),
	RULE("DR6[63:32]", save.dr7, 1ull << 32),
	RULE("PAE, PE", save.efer, EFER_SVME | EFER_LME),
	RULE("whose ASID", control.asid, 0),
	RULE("whose ASID", control.asid, ASID_L1),
	RULE("ASID", control.asid, ASIDS),
	RULE("nCR3", control.nested_cr3, NPT02_HPA | 1),
	RULE("nCR3", control.nested_cr3, 1ull << PHYS_BITS),
	RULE("MSRPM", control.msrpm_base_pa, MSRPM01_HPA | 0x800),
	RULE("MSRPM", control.msrpm_base_pa, (1ull << PHYS_BITS) - 0x1000),
	RULE("IOPM", control.iopm_base_pa, (1ull << PHYS_BITS) - 0x2000),
	RULE("EVENTINJ", control.event_inj, EVENT_VALID | 1 << 8),
	RULE("EVENTINJ", control.event_inj, EVENT_VALID | 3 << 8 | 2),
	RULE("EVENTINJ", control.event_inj, EVENT_VALID | 3 << 8 | 32),
	RULE("TLB_CONTROL", control.tlb_control, 2),
	RULE("SVM instructions", control.intercepts[INTERCEPT_MISC2], L0_MISC2 & ~MISC2_VMLOAD),
	RULE("SVM instructions", control.intercepts[INTERCEPT_MISC2], L0_MISC2 & ~MISC2_CLGI),
	RULE("INVLPGA", control.intercepts[INTERCEPT_MISC1], L0_MISC1 & ~MISC1_INVLPGA),
	RULE("MSRs", control.intercepts[INTERCEPT_MISC1], L0_MISC1 & ~MISC1_MSR_PROT),
	RULE("SHUTDOWN", control.intercepts[INTERCEPT_MISC1], L0_MISC1 & ~MISC1_SHUTDOWN),
	RULE("nested paging", control.nested_ctl, 0),
	RULE("nested paging", control.nested_ctl, 3),
	RULE("virt_ext", control.virt_ext, VIRT_EXT_VMLOAD_VMSAVE),
	RULE("int_ctl", control.int_ctl, INT_CTL_AVIC_ENABLE),
	RULE("int_ctl", control.int_ctl, INT_CTL_V_NMI_ENABLE),
};

static void each_rule_stops(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		struct vmcb *vmcb = good();

		if (!strcmp(rules[i].says, "PAE, PE"))
			vmcb->save.cr0 |= CR0_PG;
		memcpy((char *)vmcb + rules[i].offset, &rules[i].value, rules[i].size);
		if (!strstr(stopped_by(), rules[i].says))
			fail_msg("rule %u, %s: %s", i, rules[i].says, panicked);
	}
}

/* VMCB01 has its own: no virtual GIF of L1's, and interrupts held back while GIF=0. */
static void rules_of_vmcb01(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	assert_string_equal(stopped_by(), "");
	vmcb01.control.int_ctl = INT_CTL_V_IRQ;
	assert_non_null(strstr(stopped_by(), "int_ctl"));
	vmcb01.control.int_ctl = 0;
	vcpu.event.gif = false;
	assert_non_null(strstr(stopped_by(), "GIF=0"));
	vmcb01.control.int_ctl = INT_CTL_V_INTR_MASKING;
	assert_string_equal(stopped_by(), "");
	vcpu.host_flags = RFLAGS_IF;
	assert_non_null(strstr(stopped_by(), "GIF=0"));
	vcpu.event.gif = true;
	vmcb01.control.virt_ext = VIRT_EXT_LBR;
	assert_non_null(strstr(stopped_by(), "virt_ext"));
	vmcb01.control.virt_ext = 0;
	vmcb01.control.asid = 2;
	assert_non_null(strstr(stopped_by(), "whose ASID"));
	vmcb01.control.asid = ASID_L1;
	vcpu.vmcb = &vmcb02;
	assert_non_null(strstr(stopped_by(), "the VMCB in use"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_bits_cover_their_fields),
		cmocka_unit_test(a_run_is_remembered),
		cmocka_unit_test(each_rule_stops),
		cmocka_unit_test(rules_of_vmcb01),
	};

	return cmocka_run_group_tests_name("strict", tests, NULL, NULL);
}
