/*
 * Whose is an exit of L2? L1's where it intercepts that, and else L0's (AMD64 APM vol. 2, sections
 * 15.9 to 15.14, appendix C): each exit code there is, each register and port of the maps.
 */
#include "tests/unit/nested_rig.h"
#include "svm/emulate/emulate.h"
#include "svm/exit.h"

/* L0 then performs no instruction: it would have to be decoded. */
#define NO_NRIP (ALL_FEATURES & ~SVM_FEATURE_NRIP)

enum { CODES = INTERCEPT_WORDS * 32, NOT_REFLECTED = 0x5a5a };

static uint64_t code_to_come, info_to_come;

static void come(void)
{
	vcpu.vmcb->control.exit_code = code_to_come;
	vcpu.vmcb->control.exit_info1 = info_to_come;
	handle_exit(&vcpu);
	if (vcpu.event.due.outcome)
		settle(&vcpu);
}

/* Is this exit reflected to L1, as it is? */
static bool reflected(uint64_t code, uint64_t info1)
{
	if (!vcpu.guest_mode)
		assert_true(vmrun());
	vmcb12->control.exit_code = NOT_REFLECTED;
	code_to_come = code;
	info_to_come = info1;
	run(come);
	if (vcpu.guest_mode) {
		assert_int_equal(vmcb12->control.exit_code, NOT_REFLECTED);
		return false;
	}
	assert_int_equal(vmcb12->control.exit_code, code);
	assert_int_equal(vmcb12->control.exit_info1, info1);
	assert_string_equal(panicked, "");
	return true;
}

/* SHOWN: the bits of the last two words that count; svm/nested/snapshot.c. */
static bool is_shown_to_l1(uint64_t code)
{
	if (code / 32 == INTERCEPT_MISC2)
		return code <= VMEXIT_RDPRU;
	return code / 32 != INTERCEPT_MISC3 || code == VMEXIT_INVPCID || code == 0xa3 /* MCOMMIT */;
}

/* NMI and INIT go by another way: first L0 has to know whether they are L1's at all. */
static bool by_the_bit(uint64_t code)
{
	return code != VMEXIT_NMI && code != VMEXIT_INIT && code != VMEXIT_MSR &&
	       code != VMEXIT_IOIO && code != VMEXIT_VMRUN;
}

static void each_code_has_its_bit(void **state)
{
	(void)state;
	for (uint64_t code = 0; code < CODES; code++) {
		if (!by_the_bit(code))
			continue;
		machine(NO_NRIP, true);
		vmcb12->control.intercepts[code / 32] |= 1u << code % 32;
		assert_int_equal(reflected(code, 0x1234), is_shown_to_l1(code));
		/* All the others do not make it L1's. */
		machine(NO_NRIP, true);
		memset(vmcb12->control.intercepts, 0xff, sizeof(vmcb12->control.intercepts));
		vmcb12->control.intercepts[code / 32] &= ~(1u << code % 32);
		if (code == VMEXIT_WBINVD) /* on QEMU it is INVD */
			vmcb12->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_INVD;
		assert_false(reflected(code, 0x1234));
	}
	machine(NO_NRIP, true); /* a VMRUN without this intercept fails */
	assert_true(reflected(VMEXIT_VMRUN, 0));
}

/* What L1 leaves to L0 gets there, and what nobody asked for is a bug of L0's. */
static void l0_handles_the_rest(void **state)
{
	static const uint16_t handled[] = {VMEXIT_CR0_READ,
	                                   VMEXIT_CR3_READ,
	                                   VMEXIT_CR4_READ,
	                                   VMEXIT_CR0_WRITE,
	                                   VMEXIT_CR3_WRITE,
	                                   VMEXIT_CR4_WRITE,
	                                   VMEXIT_CPUID,
	                                   VMEXIT_INVD,
	                                   VMEXIT_INVLPG,
	                                   VMEXIT_INVLPGA,
	                                   VMEXIT_MSR,
	                                   VMEXIT_TASK_SWITCH,
	                                   VMEXIT_VMMCALL,
	                                   VMEXIT_VMLOAD,
	                                   VMEXIT_VMSAVE,
	                                   VMEXIT_STGI,
	                                   VMEXIT_CLGI,
	                                   VMEXIT_SKINIT,
	                                   VMEXIT_WBINVD,
	                                   VMEXIT_INVPCID,
	                                   VMEXIT_EXCP_BASE + VEC_GP,
	                                   VMEXIT_EXCP_BASE + VEC_PF};
	static const uint16_t unasked[] = {
		VMEXIT_DR0_READ, VMEXIT_INTR,   VMEXIT_RSM, VMEXIT_VINTR, VMEXIT_HLT,
		VMEXIT_PAUSE,    VMEXIT_RDTSCP, 0xa3,       0xbf,         0xc0,
		0x401,           0x402,         0x403,      0xfffe};

	(void)state;
	for (unsigned int i = 0; i < sizeof(handled) / sizeof(*handled); i++) {
		machine(0, true);
		assert_false(reflected(handled[i], 0));
		assert_int_equal(noted.handled, handled[i]);
		assert_string_equal(panicked, "");
	}
	for (unsigned int i = 0; i < sizeof(unasked) / sizeof(*unasked); i++) {
		machine(ALL_FEATURES, true);
		assert_false(reflected(unasked[i], 0));
		assert_non_null(strstr(panicked, "which nothing asked for"));
	}
}

/* Codes beyond the intercepts are never L1's, whatever bit an index that wraps around would find.
 */
static void codes_without_a_bit(void **state)
{
	static const uint64_t codes[] = {0xc0,        0xff,          0x401,         0x1000,
	                                 0x100000072, 0x80000000078, 1ull << 63 | 8};

	(void)state;
	for (unsigned int i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		machine(ALL_FEATURES, true);
		memset(vmcb12->control.intercepts, 0xff, sizeof(vmcb12->control.intercepts));
		assert_false(reflected(codes[i], 0));
	}
}

/* A triple fault of L2 ends the machine only where L1 does not care. */
static void shutdown_of_l2(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_SHUTDOWN;
	assert_true(reflected(VMEXIT_SHUTDOWN, 0));
	machine(ALL_FEATURES, true);
	assert_false(reflected(VMEXIT_SHUTDOWN, 0));
	assert_non_null(strstr(panicked, "reset by"));
}

/* L2 is about to execute the IRET that ends an NMI's handler, and may step by itself. */
static void begin_iret(uint64_t tf, uint32_t exceptions)
{
	machine(ALL_FEATURES, true);
	vmcb12->control.nested_ctl = NESTED_CTL_NP_ENABLE;
	vmcb12->control.nested_cr3 = NCR3;
	vmcb12->control.intercepts[INTERCEPT_EXCEPTION] = exceptions;
	vmcb12->save.rflags |= tf;
	vmcb12->save.dr6 = DR6_FIXED | DR6_BS;
	assert_true(vmrun());
	l2_exits(VMEXIT_NMI, 0, 0);
	l2_exits(VMEXIT_IRET, 0, 0);
	assert_true(vcpu.guest_mode && vcpu.event.step.on && vcpu.event.nmi_blocked);
	assert_true(vmcb02.save.rflags & RFLAGS_TF);
}

/* The IRET is done, and has loaded TF. */
static void loads_tf(struct vmcb *vmcb)
{
	vmcb->save.rflags = RFLAGS_FIXED | RFLAGS_TF;
	vmcb->save.dr6 |= DR6_BS;
}

static void meets_a_breakpoint(struct vmcb *vmcb)
{
	loads_tf(vmcb);
	vmcb->save.dr6 |= 1;
}

static void l0s_own_step_is_no_exit(void **state)
{
	(void)state;
	begin_iret(0, 1u << VEC_DB);
	processor_runs = loads_tf;
	l2_exits(VMEXIT_EXCP_BASE + VEC_DB, 0, 0);
	assert_true(vcpu.guest_mode && !vcpu.event.nmi_blocked && !vcpu.event.step.on);
	assert_int_equal(vmcb02.save.rflags, RFLAGS_FIXED | RFLAGS_TF);
	assert_int_equal(vmcb02.save.dr6, DR6_FIXED | DR6_BS); /* L2's own, from before */
	processor_runs = NULL;
	l2_exits(VMEXIT_EXCP_BASE + VEC_DB, 0, 0);
	assert_false(vcpu.guest_mode);
	/* But for an L2 that steps by itself, and where a breakpoint comes at the same time. */
	begin_iret(RFLAGS_TF, 1u << VEC_DB);
	l2_exits(VMEXIT_EXCP_BASE + VEC_DB, 0, 0);
	assert_false(vcpu.guest_mode || vcpu.event.nmi_blocked || vcpu.event.step.on);
	begin_iret(0, 1u << VEC_DB);
	processor_runs = meets_a_breakpoint;
	l2_exits(VMEXIT_EXCP_BASE + VEC_DB, 0, 0);
	processor_runs = NULL;
	assert_false(vcpu.guest_mode || vcpu.event.nmi_blocked);
	assert_true(vmcb12->save.dr6 & 1);
}

/* L1 gets L2 amid that step: L0's TF is not in VMCB12, and L1's next #DB is not the step's. */
static void l0s_own_step_is_broken_off(void **state)
{
	static const uint64_t codes[] = {VMEXIT_EXCP_BASE + VEC_GP, VMEXIT_NPF};

	(void)state;
	for (unsigned int i = 0; i < 2 * 2; i++) {
		uint64_t tf = i & 1 ? RFLAGS_TF : 0;

		begin_iret(tf, 1u << VEC_GP);
		l2_exits(codes[i / 2], NPF_USER, 0x7002);
		assert_false(vcpu.guest_mode);
		assert_int_equal(vmcb12->save.rflags, RFLAGS_FIXED | tf);
		assert_true(vcpu.event.nmi_blocked && !vcpu.event.step.on);
		assert_true(vmrun());
		assert_true(vmcb02.control.intercepts[INTERCEPT_MISC1] & MISC1_IRET);
	}
}

/* What is L2's own, or L0's, amid that step: L0's TF is nowhere, and the IRET is watched again. */
static void l0s_own_step_is_in_no_frame(void **state)
{
	static const uint64_t codes[] = {VMEXIT_EXCP_BASE + VEC_GP, VMEXIT_EXCP_BASE + VEC_PF,
	                                 VMEXIT_INTR, VMEXIT_TASK_SWITCH};
	const uint64_t fault = EVENT_VALID | EVENT_ERROR_VALID | 0x10ull << EVENT_ERROR_SHIFT |
	                       EVENT_EXCEPTION << EVENT_TYPE_SHIFT;

	(void)state;
	for (unsigned int i = 0; i < 4 * 2; i++) {
		uint64_t tf = i & 1 ? RFLAGS_TF : 0, code = codes[i / 2];
		uint64_t vector = code - VMEXIT_EXCP_BASE;

		begin_iret(tf, 0);
		assert_int_equal(vmcb02.control.intercepts[INTERCEPT_EXCEPTION], ~0u);
		assert_true(vmcb02.control.intercepts[INTERCEPT_MISC1] & MISC1_INTR);
		l2_exits(code, 0x10, 0x7002);
		assert_true(vcpu.guest_mode && vcpu.event.nmi_blocked && !vcpu.event.step.on);
		assert_int_equal(vmcb02.save.rflags & RFLAGS_TF, tf);
		assert_int_equal(vmcb02.save.dr6, DR6_FIXED | DR6_BS);
		assert_true(vmcb02.control.intercepts[INTERCEPT_MISC1] & MISC1_IRET);
		assert_false(vmcb02.control.intercepts[INTERCEPT_MISC1] & MISC1_INTR);
		assert_false(vmcb02.control.intercepts[INTERCEPT_EXCEPTION] & 1u << VEC_PF);
		assert_int_equal(vmcb02.control.event_inj, vector > 31 ? 0 : fault | vector);
	}
}

/* Without nested paging L0 has to ask L1's tables first. */
static void page_faults_without_nested_paging(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	vmcb12->control.intercepts[INTERCEPT_EXCEPTION] = 1u << VEC_PF;
	assert_true(vmrun());
	features.npt = false;
	assert_false(reflected(VMEXIT_EXCP_BASE + VEC_PF, 0));
	assert_int_equal(noted.handled, VMEXIT_EXCP_BASE + VEC_PF);
	features.npt = true;
	assert_true(reflected(VMEXIT_EXCP_BASE + VEC_PF, 0));
}

/* QEMU exits from INVD as from WBINVD: L1's INVD intercept is meant if it has no other. */
static void invd_as_wbinvd(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		machine(0, true);
		vmcb12->control.intercepts[INTERCEPT_MISC1] = i & 1 ? MISC1_INVD : 0;
		vmcb12->control.intercepts[INTERCEPT_MISC2] |= i & 2 ? MISC2_WBINVD : 0;
		assert_int_equal(reflected(VMEXIT_WBINVD, 0), i != 0);
	}
}

/* INIT and NMI of L1's, for an L2 that it intercepts them of, or not. */
static void nmis(void **state)
{
	uint64_t nmi = VEC_NMI | (uint64_t)EVENT_NMI << EVENT_TYPE_SHIFT | EVENT_VALID;

	(void)state;
	machine(ALL_FEATURES, true);
	vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_NMI;
	assert_true(vmrun());
	l2_exits(VMEXIT_NMI, 0, 0);
	assert_false(vcpu.guest_mode);
	assert_int_equal(vmcb12->control.exit_code, VMEXIT_NMI);
	assert_true(vcpu.event.due.nmi);
	machine(ALL_FEATURES, true);
	assert_true(vmrun());
	l2_exits(VMEXIT_NMI, 0, 0);
	assert_true(vcpu.guest_mode);
	assert_int_equal(vmcb02.control.event_inj, nmi);
}

/* Bits 32 and 33 and I/D are the processor's; the rest is what L1's own tables say. */
static void nested_page_faults(void **state)
{
	static const uint64_t infos[] = {NPF_FINAL | NPF_USER, NPF_TABLE | NPF_USER | NPF_WRITE,
	                                 NPF_FINAL | NPF_USER | NPF_FETCH};

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		machine(ALL_FEATURES, true);
		vmcb12->control.nested_ctl = NESTED_CTL_NP_ENABLE;
		vmcb12->control.nested_cr3 = NCR3;
		assert_true(vmrun());
		l2_exits(VMEXIT_NPF, infos[i], 0x7001); /* L0's to fill: the rig's mmu/ */
		assert_true(vcpu.guest_mode);
		l2_exits(VMEXIT_NPF, infos[i] | NPF_PRESENT, 0x7ffe);
		assert_false(vcpu.guest_mode);
		assert_int_equal(vmcb12->control.exit_code, VMEXIT_NPF);
		assert_int_equal(vmcb12->control.exit_info1, infos[i]);
		assert_int_equal(vmcb12->control.exit_info2, 0x7ffe);
	}
	machine(ALL_FEATURES, true); /* L1 has no tables: NPT01 is L0's */
	assert_true(vmrun());
	l2_exits(VMEXIT_NPF, NPF_FINAL | NPF_USER, 0x7ffe);
	assert_true(vcpu.guest_mode);
	assert_int_equal(noted.handled, VMEXIT_NPF);
}

/*
 * Reserved bits in tables that say what they are to say: trying again would never end. A fault that
 * came too late for its filling, or that fills something, is another matter.
 */
static void faults_that_nothing_mends(void **state)
{
	(void)state;
	for (unsigned int nested = 0; nested < 2; nested++) {
		for (unsigned int asked = 0; asked < 2; asked++) {
			machine(ALL_FEATURES, true);
			vmcb12->control.nested_ctl = nested ? NESTED_CTL_NP_ENABLE : 0;
			vmcb12->control.nested_cr3 = nested ? NCR3 : 0;
			vmcb12->control.intercepts[INTERCEPT_MISC1] = asked ? MISC1_SHUTDOWN : 0;
			assert_true(vmrun());
			l2_exits(VMEXIT_NPF, NPF_FINAL | NPF_USER, 0x7003);
			assert_true(vcpu.guest_mode);
			l2_exits(VMEXIT_NPF, NPF_FINAL | NPF_USER | FAULT_RSV,
			         nested ? 0x7001 : 0x7004);
			assert_true(vcpu.guest_mode);
			vcpu.vmcb->control.exit_info2 = 0x7003;
			code_to_come = VMEXIT_NPF;
			info_to_come = NPF_FINAL | NPF_USER | FAULT_RSV;
			run(come);
			assert_int_equal(*panicked, asked ? 0 : 'r'); /* reset by ... */
			assert_int_equal(vcpu.guest_mode, !asked);
			if (asked)
				assert_int_equal(vmcb12->control.exit_code, VMEXIT_SHUTDOWN);
		}
	}
}

static void set_map_bit(uint64_t map, unsigned int bit)
{
	ram[map - RAM + bit / 8] |= (uint8_t)(1u << bit % 8);
}

/* Three ranges in 2 KiB each; all others always exit; APM vol. 2, section 15.11. */
static void registers(void **state)
{
	static const struct {
		uint32_t msr;
		unsigned int bit;
	} cases[] = {{0, 0},
	             {0x10, 0x20},
	             {0x1fff, 0x3ffe},
	             {0xc0000000, 0x4000},
	             {0xc0000080, 0x4100},
	             {0xc0001fff, 0x7ffe},
	             {0xc0010000, 0x8000},
	             {0xc0010117, 0x822e},
	             {0xc0011fff, 0xbffe}};
	static const uint32_t outside[] = {0x2000,     0x40000000, 0xbfffffff, 0xc0002000,
	                                   0xc000ffff, 0xc0012000, 0xffffffff};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (unsigned int write = 0; write < 2; write++) {
			machine(0, true);
			vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_MSR_PROT;
			vmcb12->control.msrpm_base_pa |= 0xabc; /* these bits are ignored */
			set_map_bit(MSRPM12, cases[i].bit + write);
			vcpu.gpr[GPR_RCX] = 0x1234ull << 32 | cases[i].msr;
			assert_false(reflected(VMEXIT_MSR, !write));
			assert_int_equal(noted.handled, VMEXIT_MSR);
			assert_true(reflected(VMEXIT_MSR, write));
			/* Without the intercept the map is nothing. */
			vmcb12->control.intercepts[INTERCEPT_MISC1] = 0;
			assert_false(reflected(VMEXIT_MSR, write));
		}
	}
	for (unsigned int i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		machine(0, true);
		vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_MSR_PROT;
		vcpu.gpr[GPR_RCX] = outside[i];
		assert_true(reflected(VMEXIT_MSR, 0));
		assert_true(reflected(VMEXIT_MSR, 1));
		vmcb12->control.intercepts[INTERCEPT_MISC1] = 0;
		assert_false(reflected(VMEXIT_MSR, 0));
	}
	machine(0, true); /* a map that lies nowhere intercepts all */
	vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_MSR_PROT;
	vmcb12->control.msrpm_base_pa = RAM + sizeof(ram);
	vcpu.gpr[GPR_RCX] = 0x10;
	assert_true(reflected(VMEXIT_MSR, 0));
}

/* A bit of each port that the access touches; those beyond FFFFh are in the third page. */
static void port_accesses(void **state)
{
	static const unsigned int bits[] = {0, 1, 7, 8, 0x7fff, 0x8000, 0xffff, 0x10000, 0x10002};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
		machine(0, true);
		vmcb12->control.intercepts[INTERCEPT_MISC1] = MISC1_IOIO_PROT;
		vmcb12->control.iopm_base_pa |= 0xfff;
		set_map_bit(IOPM12, bits[i]);
		assert_true(vmrun());
		for (unsigned int size = 1; size <= 4; size *= 2) {
			unsigned int from = bits[i] > 8 ? bits[i] - 8 : 0;

			for (unsigned int port = from; port < from + 16 && port < 0x10000; port++)
				assert_int_equal(
					io_is_intercepted(&vcpu, (uint64_t)port << 16 | size << 4),
					bits[i] - port < size);
		}
	}
	for (unsigned int prot = 0; prot < 2; prot++) {
		machine(0, true);
		vmcb12->control.intercepts[INTERCEPT_MISC1] = prot ? MISC1_IOIO_PROT : 0;
		set_map_bit(IOPM12, 0x60);
		vmcb12->save.rip = 0;
		assert_true(vmrun());
		assert_int_equal(io_is_intercepted(&vcpu, 0x60 << 16 | IOIO_SZ8), prot);
		if (prot)
			assert_true(reflected(VMEXIT_IOIO, 0x60 << 16 | IOIO_SZ8));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_its_bit),
		cmocka_unit_test(l0_handles_the_rest),
		cmocka_unit_test(codes_without_a_bit),
		cmocka_unit_test(shutdown_of_l2),
		cmocka_unit_test(l0s_own_step_is_no_exit),
		cmocka_unit_test(l0s_own_step_is_broken_off),
		cmocka_unit_test(l0s_own_step_is_in_no_frame),
		cmocka_unit_test(page_faults_without_nested_paging),
		cmocka_unit_test(invd_as_wbinvd),
		cmocka_unit_test(nmis),
		cmocka_unit_test(nested_page_faults),
		cmocka_unit_test(faults_that_nothing_mends),
		cmocka_unit_test(registers),
		cmocka_unit_test(port_accesses),
	};

	return cmocka_run_group_tests_name("nested_owner", tests, NULL, NULL);
}
