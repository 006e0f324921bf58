/*
 * Each rule of VMRUN's consistency checks (AMD64 APM vol. 2, sections 15.5.1, 15.20): a state that
 * it refuses beside one that passes, on processors with and without the feature that it asks of.
 */
#include "tests/unit/nested_rig.h"

#define ALL_EFER                                                                                   \
	(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_FFXSR | EFER_TCE |           \
	 EFER_MCOMMIT | EFER_INTWB | EFER_UAIE | EFER_AIBRSE)

/* What VMRUN looks at. */
struct judged {
	struct nested_control control;
	struct vmcb_save save;
};

static struct judged good(void)
{
	return (struct judged){
		.control = {.asid = 1,
	                    .intercepts = {[INTERCEPT_MISC2] = MISC2_VMRUN},
	                    .iopm_base_pa = IOPM12,
	                    .msrpm_base_pa = MSRPM12},
		.save = {.efer = EFER_SVME,
	                 .cr0 = CR0_PE,
	                 .dr6 = DR6_FIXED,
	                 .dr7 = DR7_FIXED,
	                 .g_pat = HOST_PAT},
	};
}

struct change {
	size_t offset;
	unsigned int size;
	uint64_t value;
};

#define SET(field, value)                                                                          \
	{                                                                                          \
		offsetof(struct judged, field), sizeof(((struct judged *)0)->field), value         \
	}
#define END                                                                                        \
	{                                                                                          \
		0, 0, 0                                                                            \
	}

/* The changes of "always", and then the last one: the rule is broken, or just not. */
struct row {
	const char *rule;
	struct change always[5], breaks, passes;
};

#define LONG_MODE    SET(save.cr0, CR0_PE | CR0_PG), SET(save.cr4, CR4_PAE)
#define LONG_EFER    (EFER_SVME | EFER_LME)
#define NP           SET(control.nested_ctl, NESTED_CTL_NP_ENABLE)
#define END_OF(bits) (1ull << (bits))

static const struct row rows[] = {
	{"VMRUN intercept",
         {END},
         SET(control.intercepts[INTERCEPT_MISC2], ~MISC2_VMRUN),
         SET(control.intercepts[INTERCEPT_MISC2], MISC2_VMRUN)},
	{"ASID is 0", {END}, SET(control.asid, 0), SET(control.asid, 1)},
	{"beyond NASID", {END}, SET(control.asid, ASIDS - 1), SET(control.asid, ASIDS - 2)},
	{"beyond NASID", {END}, SET(control.asid, 0xffffffff), SET(control.asid, 1)},
	{"MSRPM is beyond",
         {END},
         SET(control.msrpm_base_pa, END_OF(PHYS_BITS) - 0x1000),
         SET(control.msrpm_base_pa, END_OF(PHYS_BITS) - 0x2000)},
	{"MSRPM is beyond",
         {END},
         SET(control.msrpm_base_pa, END_OF(PHYS_BITS) - 1),
         SET(control.msrpm_base_pa, END_OF(PHYS_BITS) - 0x1001)},
	{"MSRPM is beyond",
         {END},
         SET(control.msrpm_base_pa, -0x2000ull),
         SET(control.msrpm_base_pa, 0xfff)},
	{"IOPM is beyond",
         {END},
         SET(control.iopm_base_pa, END_OF(PHYS_BITS) - 0x2000),
         SET(control.iopm_base_pa, END_OF(PHYS_BITS) - 0x3000)},
	{"IOPM is beyond",
         {END},
         SET(control.iopm_base_pa, END_OF(PHYS_BITS)),
         SET(control.iopm_base_pa, END_OF(PHYS_BITS) - 0x2001)},
	{"IOPM is beyond",
         {END},
         SET(control.iopm_base_pa, -0x1000ull),
         SET(control.iopm_base_pa, 0)},
	{"nCR3",
         {NP},
         SET(control.nested_cr3, END_OF(PHYS_BITS)),
         SET(control.nested_cr3, END_OF(PHYS_BITS) - 1)},
	{"nCR3",
         {NP, SET(control.nested_cr3, 1ull << 63)},
         SET(control.nested_ctl, NESTED_CTL_NP_ENABLE),
         SET(control.nested_ctl, 0)},
	{"EFER.SVME", {END}, SET(save.efer, 0), SET(save.efer, EFER_SVME)},
	{"NW without CD",
         {END},
         SET(save.cr0, CR0_PE | CR0_NW),
         SET(save.cr0, CR0_PE | CR0_NW | CR0_CD)},
	{"NW without CD", {END}, SET(save.cr0, CR0_NW), SET(save.cr0, CR0_CD)},
	{"CR0[63:32]", {END}, SET(save.cr0, 1ull << 32), SET(save.cr0, CR0_ET)},
	{"CR0[63:32]", {END}, SET(save.cr0, 1ull << 63), SET(save.cr0, CR0_WP)},
	{"CR3", {END}, SET(save.cr3, END_OF(PHYS_BITS)), SET(save.cr3, END_OF(PHYS_BITS) - 1)},
	{"CR3", {END}, SET(save.cr3, 1ull << 63), SET(save.cr3, 0xfff)},
	{"CET without CR0.WP",
         {SET(save.cr4, CR4_CET)},
         SET(save.cr0, CR0_PE),
         SET(save.cr0, CR0_PE | CR0_WP)},
	{"CET without CR0.WP", {END}, SET(save.cr4, CR4_CET), SET(save.cr4, CR4_PSE)},
	{"DR6[63:32]", {END}, SET(save.dr6, 1ull << 32), SET(save.dr6, 0xffffffff)},
	{"DR6[63:32]", {END}, SET(save.dr6, 1ull << 63), SET(save.dr6, 0)},
	{"DR7[63:32]", {END}, SET(save.dr7, 1ull << 32), SET(save.dr7, 0xffffffff)},
	{"DR7[63:32]", {END}, SET(save.dr7, 1ull << 63), SET(save.dr7, 0)},
	{"PG without CR4.PAE",
         {SET(save.efer, LONG_EFER), SET(save.cr0, CR0_PE | CR0_PG)},
         SET(save.cr4, 0),
         SET(save.cr4, CR4_PAE)},
	{"PG without CR4.PAE",
         {SET(save.efer, LONG_EFER)},
         SET(save.cr0, CR0_PE | CR0_PG),
         SET(save.cr0, CR0_PE)},
	{"PG without CR4.PAE",
         {SET(save.cr0, CR0_PE | CR0_PG)},
         SET(save.efer, LONG_EFER),
         SET(save.efer, EFER_SVME)},
	{"PG without CR0.PE",
         {SET(save.efer, LONG_EFER), SET(save.cr4, CR4_PAE)},
         SET(save.cr0, CR0_PG),
         SET(save.cr0, CR0_PG | CR0_PE)},
	{"PG without CR0.PE",
         {SET(save.cr0, CR0_PG), SET(save.cr4, CR4_PAE)},
         SET(save.efer, LONG_EFER),
         SET(save.efer, EFER_SVME)},
	{"CS.L and CS.D",
         {LONG_MODE, SET(save.efer, LONG_EFER)},
         SET(save.cs.attributes, SEG_ATTR_L | SEG_ATTR_DB),
         SET(save.cs.attributes, SEG_ATTR_L)},
	{"CS.L and CS.D",
         {LONG_MODE, SET(save.efer, LONG_EFER)},
         SET(save.cs.attributes, SEG_ATTR_L | SEG_ATTR_DB),
         SET(save.cs.attributes, SEG_ATTR_DB)},
	{"CS.L and CS.D",
         {LONG_MODE, SET(save.cs.attributes, SEG_ATTR_L | SEG_ATTR_DB)},
         SET(save.efer, LONG_EFER),
         SET(save.efer, EFER_SVME)},
	{"gPAT", {NP}, SET(save.g_pat, 2), SET(save.g_pat, 1)},
	{"gPAT",
         {SET(save.g_pat, 8)},
         SET(control.nested_ctl, NESTED_CTL_NP_ENABLE),
         SET(control.nested_ctl, 0)},
};

static void set(struct judged *judged, const struct change *change)
{
	memcpy((char *)judged + change->offset, &change->value, change->size);
}

static const char *judge(const struct judged *judged)
{
	return nested_check(&judged->control, &judged->save);
}

static void each_rule_and_its_neighbour(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	features.cr4_valid |= CR4_CET;
	assert_null(judge(&(struct judged){good().control, good().save}));
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct judged judged = good();
		const char *rule;

		for (int j = 0; rows[i].always[j].size; j++)
			set(&judged, &rows[i].always[j]);
		set(&judged, &rows[i].breaks);
		rule = judge(&judged);
		if (!rule || !strstr(rule, rows[i].rule))
			fail_msg("row %u: %s instead of %s", i, rule ? rule : "good", rows[i].rule);
		set(&judged, &rows[i].passes);
		rule = judge(&judged);
		if (rule)
			fail_msg("row %u, which is to pass: %s", i, rule);
	}
}

/* Bases that are not canonical are sign-extended, not refused; nor are these anyone's business. */
static void what_is_not_checked(void **state)
{
	struct judged judged = good();

	(void)state;
	machine(ALL_FEATURES, true);
	judged.save.cs.base = judged.save.ds.base = judged.save.gdtr.base = 0x8000ull << 32;
	judged.save.idtr.base = judged.save.rip = judged.save.rsp = 0x1234ull << 48;
	judged.save.rflags = judged.save.cr2 = judged.save.rax = ~0ull;
	judged.save.cpl = 3;
	judged.control.tsc_offset = judged.control.int_state = judged.control.virt_ext = ~0ull;
	judged.control.tlb_control = 2;
	assert_null(judge(&judged));
}

/* The widest and the narrowest address width there are. */
static void address_width(void **state)
{
	static const size_t offsets[] = {offsetof(struct judged, save.cr3),
	                                 offsetof(struct judged, control.nested_cr3),
	                                 offsetof(struct judged, control.msrpm_base_pa),
	                                 offsetof(struct judged, control.iopm_base_pa)};

	(void)state;
	machine(ALL_FEATURES, true);
	for (features.phys_bits = 32; features.phys_bits <= 52; features.phys_bits++) {
		for (unsigned int i = 0; i < 4; i++) {
			for (unsigned int bit = 12; bit < 64; bit++) {
				struct judged judged = good();

				judged.control.nested_ctl = NESTED_CTL_NP_ENABLE;
				set(&judged, &(struct change){offsets[i], 8, 1ull << bit});
				assert_int_equal(!judge(&judged), bit < features.phys_bits);
			}
		}
	}
}

/* What CPUID lets be set, in EFER and CR4; APM vol. 2, sections 3.1.3 and 3.1.7. */
struct grant_row {
	int leaf; /* -1: always */
	char reg;
	unsigned int bit;
	uint32_t allows;
};

static uint32_t *register_of(const struct grant_row *row)
{
	struct cpuid_regs *regs = &fake_leaves[row->leaf];

	return row->reg == 'a'   ? &regs->eax
	       : row->reg == 'b' ? &regs->ebx
	       : row->reg == 'c' ? &regs->ecx
	                         : &regs->edx;
}

static const struct grant_row efer_rows[] = {
	{FAKE_EXTENDED, 'd', 11, EFER_SCE},        {FAKE_EXTENDED, 'd', 29, EFER_LME | EFER_LMA},
	{FAKE_EXTENDED, 'd', 20, EFER_NXE},        {FAKE_EXTENDED, 'd', 25, EFER_FFXSR},
	{FAKE_EXTENDED, 'c', 17, EFER_TCE},        {FAKE_ADDRESS_SIZES, 'b', 8, EFER_MCOMMIT},
	{FAKE_ADDRESS_SIZES, 'b', 13, EFER_INTWB}, {FAKE_EXTENDED_2, 'a', 7, EFER_UAIE},
	{FAKE_EXTENDED_2, 'a', 8, EFER_AIBRSE},
};

static const struct grant_row cr4_rows[] = {
	{FAKE_FEATURES, 'd', 1, CR4_VME | CR4_PVI},
	{FAKE_FEATURES, 'd', 4, CR4_TSD},
	{FAKE_FEATURES, 'd', 2, CR4_DE},
	{FAKE_FEATURES, 'd', 3, CR4_PSE},
	{FAKE_FEATURES, 'd', 6, CR4_PAE},
	{FAKE_FEATURES, 'd', 7, CR4_MCE},
	{FAKE_FEATURES, 'd', 13, CR4_PGE},
	{FAKE_FEATURES, 'd', 24, CR4_OSFXSR},
	{FAKE_FEATURES, 'd', 25, CR4_OSXMMEXCPT},
	{FAKE_FEATURES, 'c', 17, CR4_PCIDE},
	{FAKE_FEATURES, 'c', 26, CR4_OSXSAVE},
	{FAKE_STRUCTURED, 'c', 2, CR4_UMIP},
	{FAKE_STRUCTURED, 'b', 0, CR4_FSGSBASE},
	{FAKE_STRUCTURED, 'b', 7, CR4_SMEP},
	{FAKE_STRUCTURED, 'b', 20, CR4_SMAP},
	{FAKE_STRUCTURED, 'c', 3, CR4_PKE},
	{FAKE_STRUCTURED, 'c', 7, CR4_CET},
	{FAKE_STRUCTURED, 'c', 31, CR4_PKS},
};

static void no_features(bool la57)
{
	fake_processor(0, ASIDS, PHYS_BITS);
	fake_leaves[FAKE_FEATURES] = fake_leaves[FAKE_STRUCTURED] = (struct cpuid_regs){0, 0, 0, 0};
	fake_leaves[FAKE_STRUCTURED].ecx = la57 ? 1 << 16 : 0;
	fake_leaves[FAKE_EXTENDED] = (struct cpuid_regs){.ecx = 1 << 2};
	features_init(&(struct feature_choice){.npt = true, .la57 = la57});
}

/* Each of the 64 bits alone: good if it is among those, refused if it is not. */
static void sweep(size_t offset, uint64_t with, uint64_t allowed)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		struct judged judged = good();

		judged.save.cr0 |= CR0_WP;
		set(&judged, &(struct change){offset, 8, with | 1ull << bit});
		assert_int_equal(!judge(&judged), allowed >> bit & 1);
	}
}

static void reserved_bits_of_efer(void **state)
{
	size_t efer = offsetof(struct judged, save.efer);

	(void)state;
	no_features(false);
	sweep(efer, EFER_SVME, EFER_SVME);
	for (unsigned int i = 0; i < sizeof(efer_rows) / sizeof(*efer_rows); i++) {
		no_features(false);
		*register_of(&efer_rows[i]) |= 1u << efer_rows[i].bit;
		features_init(&(struct feature_choice){.npt = true});
		sweep(efer, EFER_SVME, EFER_SVME | efer_rows[i].allows);
	}
}

/* PCE needs no feature that CPUID tells of: counters are as old as the architecture. */
static void reserved_bits_of_cr4(void **state)
{
	size_t cr4 = offsetof(struct judged, save.cr4);

	(void)state;
	for (int la57 = 0; la57 < 2; la57++) {
		uint64_t always = CR4_PCE | (la57 ? CR4_LA57 : 0);

		no_features(la57);
		sweep(cr4, 0, always);
		for (unsigned int i = 0; i < sizeof(cr4_rows) / sizeof(*cr4_rows); i++) {
			no_features(la57);
			*register_of(&cr4_rows[i]) |= 1u << cr4_rows[i].bit;
			features_init(&(struct feature_choice){.npt = true, .la57 = la57});
			sweep(cr4, 0, always | cr4_rows[i].allows);
		}
	}
}

/* Where the processor or the command line has no nested paging. */
static void nested_paging_that_is_not_offered(void **state)
{
	struct judged judged = good();

	(void)state;
	judged.control.nested_ctl = NESTED_CTL_NP_ENABLE;
	for (int i = 0; i < 4; i++) {
		fake_processor(i & 1 ? SVM_FEATURE_NP : 0, ASIDS, PHYS_BITS);
		features_init(&(struct feature_choice){.npt = i & 2});
		assert_int_equal(!judge(&judged), i == 3);
	}
}

/* APM vol. 2, section 15.20: reserved types, vectors that are none (31 is reserved), #OF and #BR in
 * 64-bit code. */
static bool may_be_injected(unsigned int type, unsigned int vector, bool code64)
{
	if (type == EVENT_INTR || type == EVENT_NMI || type == EVENT_SOFT_INTR)
		return true;
	if (type != EVENT_EXCEPTION || vector == 2 || vector >= 31)
		return false;
	return !code64 || (vector != 4 && vector != 5);
}

static void events_to_inject(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	for (unsigned int mode = 0; mode < 4; mode++) {
		struct judged judged = good();
		bool code64 = mode == 3;

		if (mode) { /* long mode that is not active, compatibility mode, 64-bit code */
			judged.save.efer |= EFER_LME;
			judged.save.cr4 = CR4_PAE;
			judged.save.cr0 |= mode > 1 ? CR0_PG : 0;
			judged.save.cs.attributes = mode == 2 ? SEG_ATTR_DB : SEG_ATTR_L;
		}
		for (unsigned int i = 0; i < 8 * 256; i++) {
			judged.control.event_inj = EVENT_VALID | i;
			assert_int_equal(!judge(&judged),
			                 may_be_injected(i >> 8, i & 0xff, code64));
			judged.control.event_inj = i;
			assert_null(judge(&judged));
		}
	}
}

static void memory_types(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	for (unsigned int field = 0; field < 8; field++) {
		for (uint64_t type = 0; type < 256; type++) {
			struct judged judged = good();

			judged.control.nested_ctl = NESTED_CTL_NP_ENABLE;
			judged.save.g_pat &= ~(0xffull << 8 * field);
			judged.save.g_pat |= type << 8 * field;
			assert_int_equal(!judge(&judged),
			                 type == 0 || type == 1 || (type >= 4 && type <= 7));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_and_its_neighbour),
		cmocka_unit_test(what_is_not_checked),
		cmocka_unit_test(address_width),
		cmocka_unit_test(reserved_bits_of_efer),
		cmocka_unit_test(reserved_bits_of_cr4),
		cmocka_unit_test(nested_paging_that_is_not_offered),
		cmocka_unit_test(events_to_inject),
		cmocka_unit_test(memory_types),
	};

	return cmocka_run_group_tests_name("nested_check", tests, NULL, NULL);
}
