/*
 * svm/nested/instructions.c: who may execute SVM's instructions, on which address, and VMRUN
 * without a place for the host's state, which no emulator refuses (AMD64 APM vol. 2, section
 * 15.30.4, and the pages of vol. 3). Nothing is executed here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/exception.h"
#undef WITH_FIXUP
#define WITH_FIXUP(instruction) "xor %k[failed], %k[failed]"

#include "svm/emulate/intercepts.c"
#include "svm/nested/instructions.c"

enum { NOTHING = -1, PHYS_BITS = 40, ASIDS = 64, LENGTH = 4, PLACE = 0x5000 };

struct features features;
struct mmu mmu;
static struct vcpu vcpu;
static struct vmcb vmcb01;
static int raised;
static uint32_t error;
static unsigned int entered, gifs, written;
static uint64_t entered_gpa;
static uint8_t decoded_size;
static struct vmcb somewhere;

void raise_exception(struct vcpu *of, unsigned int vector, uint32_t code)
{
	assert_ptr_equal(of, &vcpu);
	raised = (int)vector;
	error = code;
}

uint32_t ports_intercepts(void)
{
	return 0;
}

void shadowed_intercept(struct vmcb_control *control)
{
	(void)control;
}

void raise_fault(struct vcpu *of, unsigned int vector, uint32_t code)
{
	raise_exception(of, vector, code);
}

uint64_t interrupted_event(struct vcpu *of)
{
	(void)of;
	return 0;
}

void strict_check_length(struct vcpu *of, unsigned int length)
{
	(void)of, (void)length;
}

const struct instruction *decode(struct vcpu *of, uint64_t exit_code)
{
	static struct instruction instruction;

	(void)of, (void)exit_code;
	instruction = (struct instruction){.length = LENGTH, .address_size = decoded_size};
	return &instruction;
}

void raise_step(struct vcpu *of)
{
	(void)of;
	fail();
}

static unsigned int finished(void)
{
	assert_true(!vmcb01.save.rip || vmcb01.save.rip == LENGTH);
	return vmcb01.save.rip == LENGTH;
}

uint64_t quirk_hide_busy_tss(struct vcpu *of, const struct vmcb *vmcb)
{
	(void)of, (void)vmcb;
	return 0;
}

void quirk_show_busy_tss(const struct vcpu *of, struct vmcb *vmcb)
{
	(void)of, (void)vmcb;
}

void nested_vmrun(struct vcpu *of, uint64_t gpa)
{
	assert_ptr_equal(of, &vcpu);
	assert_int_equal(finished(), 1);
	entered++;
	entered_gpa = gpa;
}

void set_gif(struct vcpu *of, bool gif)
{
	(void)of, (void)gif;
	gifs++;
}

void *l1_page(void *context, uint64_t gpa)
{
	(void)context, (void)gpa;
	return NULL;
}

const void *l1_code_page(uint64_t gpa)
{
	return l1_page(NULL, gpa);
}

uint64_t l1_sink_hpa(void)
{
	return 0;
}

void *phys(uint64_t hpa)
{
	(void)hpa;
	return &somewhere;
}

uint64_t hpa_of(const void *at)
{
	(void)at;
	return 0;
}

void l1_written(uint64_t gpa)
{
	(void)gpa;
	written++;
}

void mmu_flush_asid(struct mmu_cpu *cpu, uint32_t asid)
{
	(void)cpu, (void)asid;
	fail();
}

/* L1 at CPL 0 of protected mode, with SVM on; 32-bit code. */
static void machine(void)
{
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&vmcb01, 0, sizeof(vmcb01));
	features = (struct features){.not_pages = ~0ull << PHYS_BITS | 0xfff, .asids = ASIDS};
	vcpu.vmcb = vcpu.vmcb01 = &vmcb01;
	vcpu.efer = EFER_SVME;
	vcpu.hsave_pa = PLACE;
	vcpu.gpr[GPR_RCX] = ASIDS; /* no ASID: INVLPGA does nothing */
	vmcb01.save.cr0 = CR0_PE;
	vmcb01.save.rax = PLACE;
	decoded_size = 4;
	raised = NOTHING;
	error = ~0u;
	entered = gifs = written = 0;
}

static void assert_refused(int vector)
{
	assert_int_equal(raised, vector);
	assert_int_equal(error, 0);
	assert_int_equal(finished() + entered + gifs + written, 0);
}

typedef void handler(struct vcpu *of);
static handler *const handlers[] = {handle_vmrun, handle_vmload, handle_vmsave,
                                    handle_stgi,  handle_clgi,   handle_invlpga};
enum { HANDLERS = sizeof(handlers) / sizeof(*handlers), WITH_VMCB = 3 };

static void who_may(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < HANDLERS; i++) {
		machine();
		handlers[i](&vcpu);
		assert_int_equal(raised, NOTHING);
		assert_int_equal(finished(), 1);
		machine();
		vcpu.efer = 0;
		vmcb01.save.cpl = 3;
		handlers[i](&vcpu);
		assert_refused(VEC_UD);
		machine();
		vmcb01.save.cr0 = 0;
		handlers[i](&vcpu);
		assert_refused(VEC_UD);
		machine();
		vmcb01.save.rflags = RFLAGS_VM;
		vmcb01.save.cpl = 3;
		handlers[i](&vcpu);
		assert_refused(VEC_UD);
		machine();
		vmcb01.save.cpl = 3;
		handlers[i](&vcpu);
		assert_refused(VEC_GP);
	}
}

static void on_which_address(void **state)
{
	static const uint64_t bad[] = {PLACE + 1, PLACE + 0x800, 1ull << PHYS_BITS, 1ull << 63};

	(void)state;
	for (unsigned int i = 0; i < WITH_VMCB; i++) {
		for (unsigned int n = 0; n < sizeof(bad) / sizeof(*bad); n++) {
			machine();
			decoded_size = 8;
			vmcb01.save.rax = bad[n];
			handlers[i](&vcpu);
			assert_refused(VEC_GP);
		}
	}
	/* The address size cuts it. */
	for (uint8_t size = 2; size <= 8; size *= 2) {
		machine();
		decoded_size = size;
		vmcb01.save.rax = 0x7700012000;
		handle_vmrun(&vcpu);
		assert_int_equal(entered_gpa, size == 2   ? 0x2000
		                              : size == 4 ? 0x12000
		                                          : 0x7700012000);
	}
}

/* VM_HSAVE_PA is where VMRUN saves the host: 0 is no place. The other instructions need none. */
static void no_place_for_the_host(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < HANDLERS; i++) {
		machine();
		vcpu.hsave_pa = 0;
		handlers[i](&vcpu);
		if (i == 0)
			assert_refused(VEC_GP);
		else
			assert_int_equal(raised, NOTHING);
	}
	machine();
	handle_vmrun(&vcpu);
	assert_int_equal(entered, 1);
	assert_int_equal(entered_gpa, PLACE);
	/* What makes VMRUN undefined comes first. */
	machine();
	vcpu.hsave_pa = 0;
	vcpu.efer = 0;
	handle_vmrun(&vcpu);
	assert_refused(VEC_UD);
}

/* What the processor sees of VMLOAD and VMSAVE in VMCB01. */
static bool they_exit(void)
{
	const struct vmcb_control *control = &vmcb01.control;
	uint32_t both = MISC2_VMLOAD | MISC2_VMSAVE;
	uint32_t intercepted = control->intercepts[INTERCEPT_MISC2] & both;

	assert_true(intercepted == both || !intercepted);
	assert_int_equal(control->virt_ext, intercepted ? 0 : VIRT_EXT_VMLOAD_VMSAVE);
	if (control->clean != CLEAN_ALL)
		assert_int_equal(control->clean, CLEAN_ALL & ~(CLEAN_I | CLEAN_LBR));
	return intercepted;
}

static void machine_64(bool virtual_vmload)
{
	machine();
	features.virtual_vmload = virtual_vmload;
	vmcb01.save.efer = EFER_SVME | EFER_LME | EFER_LMA;
	vmcb01.save.cs.attributes = SEG_ATTR_L;
	watch_gp(&vcpu);
	vmcb01.control.clean = CLEAN_ALL;
	assert_true(they_exit());
}

/* Where the processor has it they exit once in 64-bit code, and again when EFER was written. */
static void without_exits(void **state)
{
	handler *const moves[] = {handle_vmload, handle_vmsave};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		machine_64(true);
		moves[i](&vcpu);
		assert_int_equal(finished(), 1);
		assert_false(they_exit());
		vmcb01.control.clean = CLEAN_ALL;
		watch_gp(&vcpu);
		assert_true(they_exit());
		assert_int_not_equal(vmcb01.control.clean, CLEAN_ALL);

		machine_64(false);
		moves[i](&vcpu);
		assert_true(they_exit());

		machine_64(true);
		vmcb01.save.cs.attributes = SEG_ATTR_DB;
		moves[i](&vcpu);
		assert_true(they_exit());

		machine_64(true); /* L2's: it is L1's memory that they name */
		vcpu.guest_mode = true;
		moves[i](&vcpu);
		assert_int_equal(finished(), 1);
		assert_true(they_exit());

		machine_64(true);
		vcpu.efer = 0;
		moves[i](&vcpu);
		assert_refused(VEC_UD);
		assert_true(they_exit());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may),
		cmocka_unit_test(on_which_address),
		cmocka_unit_test(no_place_for_the_host),
		cmocka_unit_test(without_exits),
	};

	return cmocka_run_group_tests_name("instructions", tests, NULL, NULL);
}
