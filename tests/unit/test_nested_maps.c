/*
 * The permission maps of L2: L1's merged with L0's, again only when L1's was written (AMD64 APM
 * vol. 2, sections 15.10.1, 15.11; svm/nested/maps.c). mmu/, which would tell, is the test.
 */
#include <sys/mman.h>

#include "tests/unit/nested_rig.h"
#include "svm/cpus/processors.h"
#include "svm/emulate/ports.h"
#include "svm/event/event.h"
#include "svm/exit.h"

enum { MSRPM_WORDS = MSRPM_SIZE / 8, IOPM_WORDS = IOPM_SIZE / 8, MISC1 = INTERCEPT_MISC1 };

static uint64_t *l1_map(uint64_t gpa)
{
	return (uint64_t *)&ram[gpa - RAM];
}

/* VMCB12 of an L2 with nested paging: what it writes is seen. */
static void nesting_vmcb12(void)
{
	good_vmcb12();
	vmcb12->control.nested_ctl = NESTED_CTL_NP_ENABLE;
	vmcb12->control.nested_cr3 = NCR3;
}

/* VMRUN, and what VMCB02 has for a map. */
static uint64_t msrpm_of_l2(uint64_t gpa)
{
	nesting_vmcb12();
	vmcb12->control.intercepts[MISC1] = MISC1_MSR_PROT;
	vmcb12->control.msrpm_base_pa = gpa;
	assert_true(vmrun());
	nested_exit(&vcpu, VMEXIT_INTR, 0, 0);
	return vmcb02.control.msrpm_base_pa;
}

static uint64_t iopm_of_l2(uint64_t gpa)
{
	nesting_vmcb12();
	vmcb12->control.intercepts[MISC1] = MISC1_IOIO_PROT;
	vmcb12->control.iopm_base_pa = gpa;
	assert_true(vmrun());
	nested_exit(&vcpu, VMEXIT_INTR, 0, 0);
	return vmcb02.control.iopm_base_pa;
}

static void assert_merged(const uint64_t *merged, const uint64_t *l1, const uint64_t *l0,
                          unsigned int words)
{
	for (unsigned int i = 0; i < words; i++)
		assert_int_equal(merged[i], l1[i] | l0[i]);
}

static void fill(uint64_t *map, unsigned int words, uint64_t with)
{
	for (unsigned int i = 0; i < words; i++)
		map[i] = with << i % 3 | 1ull << i % 64;
}

static void either_intercepts(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	fill(vcpu.msrpm01, MSRPM_WORDS, 0x5);
	fill(l1_map(MSRPM12), MSRPM_WORDS, 0x3000);
	for (unsigned int low = 0; low < 2; low++) {
		assert_int_equal(msrpm_of_l2(MSRPM12 | (low ? 0xfff : 0)), MERGED_MSRPM_HPA);
		assert_merged(merged_msrpms[0], l1_map(MSRPM12), vcpu.msrpm01, MSRPM_WORDS);
	}
	assert_int_equal(frames_watched(), 2);
}

/* The first map is at gpa 0, and L2 without nested paging: no copy that was never made is taken for
 * it. */
static void the_first_one_is_at_0(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	good_vmcb12();
	vmcb12->control.intercepts[MISC1] = MISC1_MSR_PROT | MISC1_IOIO_PROT;
	vmcb12->control.msrpm_base_pa = 0;
	vmcb12->control.iopm_base_pa = 0;
	assert_true(vmrun());
	for (unsigned int i = 0; i < MERGED_MSRPMS; i++)
		assert_int_not_equal(vmcb02.control.msrpm_base_pa,
		                     MERGED_MSRPM_HPA + i * MSRPM_SIZE);
	for (unsigned int i = 0; i < MERGED_IOPMS; i++)
		assert_int_not_equal(vmcb02.control.iopm_base_pa, MERGED_IOPM_HPA + i * IOPM_SIZE);
}

/* L1 that has no map: L0's own. */
static void without_l1s_intercept(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	assert_true(vmrun());
	assert_int_equal(vmcb02.control.msrpm_base_pa, MSRPM01_HPA);
	assert_int_equal(vmcb02.control.iopm_base_pa, IOPM01_HPA);
	assert_int_equal(frames_watched(), 0);
}

static void merged_again_when_written(void **state)
{
	enum { PAGE = (MSRPM12 - RAM) / PAGE_SIZE };

	(void)state;
	for (unsigned int page = 0; page < 2; page++) {
		machine(ALL_FEATURES, true);
		msrpm_of_l2(MSRPM12);
		merged_msrpms[0][7] = 0x77; /* so a merge would show */
		msrpm_of_l2(MSRPM12);
		assert_int_equal(merged_msrpms[0][7], 0x77);
		merged_msrpms[0][(1 - page) * 512 + 7] = 0x77; /* the other page stays as it is */
		merged_msrpms[0][page * 512 + 7] = 0;
		l1_map(MSRPM12)[page * 512 + 9] = 0x99;
		frames[PAGE + page].written = true;
		assert_int_equal(msrpm_of_l2(MSRPM12), MERGED_MSRPM_HPA);
		assert_int_equal(merged_msrpms[0][(1 - page) * 512 + 7], 0x77);
		merged_msrpms[0][(1 - page) * 512 + 7] = vcpu.msrpm01[(1 - page) * 512 + 7];
		assert_merged(merged_msrpms[0], l1_map(MSRPM12), vcpu.msrpm01, MSRPM_WORDS);
		/* Another map of its own, and one that shares the other's second page. */
		merged_msrpms[0][512 + 7] = 0x77;
		assert_int_equal(msrpm_of_l2(OTHER_MSRPM12), MERGED_MSRPM_HPA + MSRPM_SIZE);
		assert_int_equal(msrpm_of_l2(MSRPM12 + 0x1000), MERGED_MSRPM_HPA + 2 * MSRPM_SIZE);
		assert_merged(merged_msrpms[2], l1_map(MSRPM12 + 0x1000), vcpu.msrpm01,
		              MSRPM_WORDS);
		l1_map(MSRPM12)[512 + 11] = 0xaa;
		frames[PAGE + 1].written = true;
		msrpm_of_l2(MSRPM12 + 0x1000);
		assert_merged(merged_msrpms[2], l1_map(MSRPM12 + 0x1000), vcpu.msrpm01,
		              MSRPM_WORDS);
		msrpm_of_l2(MSRPM12); /* the write was told of once, and counts for both */
		assert_merged(merged_msrpms[0], l1_map(MSRPM12), vcpu.msrpm01, MSRPM_WORDS);
	}
}

/*
 * L0 may run on a hypervisor itself, which would have to merge each page again that is written:
 * words that are as they were are not.
 */
static void what_is_as_it_was_is_not_written(void **state)
{
	enum { PAGE = (MSRPM12 - RAM) / PAGE_SIZE };

	(void)state;
	machine(ALL_FEATURES, true);
	fill(l1_map(MSRPM12), MSRPM_WORDS, 0x3000);
	msrpm_of_l2(MSRPM12);
	assert_int_equal(mprotect(merged_msrpms[0], MSRPM_SIZE, PROT_READ), 0);
	frames[PAGE].written = true;
	frames[PAGE + 1].written = true;
	assert_int_equal(msrpm_of_l2(MSRPM12), MERGED_MSRPM_HPA);
	assert_int_equal(mprotect(merged_msrpms[0], MSRPM_SIZE, PROT_READ | PROT_WRITE), 0);
	assert_merged(merged_msrpms[0], l1_map(MSRPM12), vcpu.msrpm01, MSRPM_WORDS);
}

/* More maps than are kept: the oldest goes, and is no longer watched where no other needs it. */
static void the_oldest_is_given_up(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	for (unsigned int i = 0; i < 3 * MERGED_MSRPMS; i++) {
		uint64_t gpa = RAM + (2 + i) * PAGE_SIZE; /* each shares a page with the next */
		unsigned int kept = i % MERGED_MSRPMS;

		l1_map(gpa)[3] = i;
		assert_int_equal(msrpm_of_l2(gpa), MERGED_MSRPM_HPA + kept * MSRPM_SIZE);
		assert_merged(merged_msrpms[kept], l1_map(gpa), vcpu.msrpm01, MSRPM_WORDS);
	}
	for (unsigned int i = 0; i < RAM_PAGES; i++) /* four maps, five frames */
		assert_int_equal(frames[i].watched, i >= 10 && i <= 14);
	/* It was given up: it is read anew. */
	l1_map(RAM + 2 * PAGE_SIZE)[3] = 0x123;
	assert_int_equal(msrpm_of_l2(RAM + 2 * PAGE_SIZE), MERGED_MSRPM_HPA);
	assert_int_equal(merged_msrpms[0][3], 0x123);
}

/* Where L1 has no memory a map reads as ones; a page of it is enough to tell. */
static void maps_that_are_not_there(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	msrpm_of_l2(RAM + sizeof(ram) - PAGE_SIZE);
	for (unsigned int i = 0; i < MSRPM_WORDS; i++)
		assert_int_equal(merged_msrpms[0][i], i < 512 ? 0 : ~0ull);
	for (unsigned int there = 0; there < 3; there++) {
		iopm_of_l2(RAM + sizeof(ram) - there * PAGE_SIZE);
		for (unsigned int i = 0; i < IOPM_WORDS; i++)
			assert_int_equal(merged_iopms[there % MERGED_IOPMS][i],
			                 i < there * 512 ? 0 : ~0ull);
	}
	assert_int_equal(iopm_of_l2((1ull << PHYS_BITS) - IOPM_SIZE), MERGED_IOPM_HPA + IOPM_SIZE);
	assert_int_equal(merged_iopms[1][0], ~0ull);
}

/* What D says needs neither the lock nor a merge; the copy used last is asked first. */
static void what_was_not_written_needs_no_lock(void **state)
{
	enum { MSRPM_PAGE = (MSRPM12 - RAM) / PAGE_SIZE, IOPM_PAGE = (IOPM12 - RAM) / PAGE_SIZE };
	uint32_t locks;

	(void)state;
	machine(ALL_FEATURES, true);
	for (unsigned int times = 0; times < 2; times++) {
		msrpm_of_l2(MSRPM12);
		iopm_of_l2(IOPM12 | 0x123);
	}
	locks = mmu_lock.next;
	assert_int_equal(msrpm_of_l2(MSRPM12 | 0xfff), MERGED_MSRPM_HPA);
	assert_int_equal(iopm_of_l2(IOPM12), MERGED_IOPM_HPA);
	assert_int_equal(mmu_lock.next, locks);
	for (unsigned int page = 0; page < 5; page++) { /* 2 and 3 of them */
		struct frame *frame = &frames[page < 2 ? MSRPM_PAGE + page : IOPM_PAGE + page - 2];
		uint64_t *word = page < 2 ? &l1_map(MSRPM12)[page * 512 + 5]
		                          : &l1_map(IOPM12)[(page - 2) * 512 + 5];
		uint64_t *merged = page < 2 ? &merged_msrpms[0][page * 512 + 5]
		                            : &merged_iopms[0][(page - 2) * 512 + 5];
		bool written = true;

		/* D is set, or whoever has cleared it has told. */
		for (unsigned int way = 0; way < 2; way++) {
			frame->written = written;
			if (!written)
				nested_map_written(&vcpu,
				                   RAM + (uint64_t)(frame - frames) * PAGE_SIZE);
			locks = mmu_lock.next;
			*word += 2;
			msrpm_of_l2(MSRPM12);
			iopm_of_l2(IOPM12);
			assert_int_equal(mmu_lock.next, locks + 1);
			assert_int_equal(*merged, *word);
			written = false;
		}
	}
	/* Another map is the one used last. */
	msrpm_of_l2(OTHER_MSRPM12);
	locks = mmu_lock.next;
	assert_int_equal(msrpm_of_l2(OTHER_MSRPM12), MERGED_MSRPM_HPA + MSRPM_SIZE);
	assert_int_equal(mmu_lock.next, locks);
	/* L2s that alternate, each with maps of its own. */
	iopm_of_l2(OTHER_IOPM12);
	locks = mmu_lock.next;
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(msrpm_of_l2(i % 2 ? OTHER_MSRPM12 : MSRPM12),
		                 MERGED_MSRPM_HPA + i % 2 * MSRPM_SIZE);
		assert_int_equal(iopm_of_l2(i % 2 ? OTHER_IOPM12 : IOPM12),
		                 MERGED_IOPM_HPA + i % 2 * IOPM_SIZE);
	}
	assert_int_equal(mmu_lock.next, locks);
	l1_map(MSRPM12)[5] += 2;
	frames[MSRPM_PAGE].written = true;
	msrpm_of_l2(MSRPM12);
	assert_int_equal(mmu_lock.next, locks + 1);
	assert_int_equal(merged_msrpms[0][5], l1_map(MSRPM12)[5]);
	/* A processor may write without a mark: mmu/ has to be asked each time. */
	frames[IOPM_PAGE + 2].unmarked = true;
	nested_map_written(&vcpu, IOPM12);
	iopm_of_l2(IOPM12);
	locks = mmu_lock.next;
	iopm_of_l2(IOPM12);
	assert_int_equal(mmu_lock.next, locks + 1);
}

/* L0's ports, from 7FFEh on, across two pages of the map, are intercepted, whatever L1's says. */
static void an_iopm_beside_watched_ports(void **state)
{
	enum { FIRST = 0x7ffe, PORTS = 4 };
	static const struct port_watcher watcher;

	(void)state;
	ports_watch(FIRST, PORTS, &watcher);
	machine(ALL_FEATURES, true);
	assert_true(vmrun()); /* L1 has no map, and L0 needs one now */
	assert_true(vmcb02.control.intercepts[MISC1] & MISC1_IOIO_PROT);
	for (unsigned int has = 0; has < 1u << PORTS; has++) {
		machine(ALL_FEATURES, true);
		fill(l1_map(IOPM12), FIRST / 64, 2);
		l1_map(IOPM12)[FIRST / 64] = (uint64_t)(has & 3) << FIRST % 64;
		l1_map(IOPM12)[FIRST / 64 + 1] = has >> 2;
		assert_int_equal(iopm_of_l2(IOPM12), MERGED_IOPM_HPA);
		assert_merged(merged_iopms[0], l1_map(IOPM12), iopm01, IOPM_WORDS);
		assert_int_equal(frames_watched(), 3);
	}
}

/* L2 runs: what it comes to write makes all accesses exit, until a VMRUN by which it no longer can.
 */
static void a_map_that_l2_can_write(void **state)
{
	enum { PAGE = (MSRPM12 - RAM) / PAGE_SIZE };

	(void)state;
	for (unsigned int page = 0; page < 2; page++) {
		machine(ALL_FEATURES, true);
		nesting_vmcb12();
		vmcb12->control.intercepts[MISC1] = MISC1_MSR_PROT;
		vmcb12->control.msrpm_base_pa = MSRPM12;
		assert_true(vmrun());
		nested_maps_renew(&vcpu); /* some other reason to flush */
		assert_int_equal(vmcb02.control.msrpm_base_pa, MERGED_MSRPM_HPA);
		assert_false(nested_map_opens(&vcpu, MSRPM12 + MSRPM_SIZE));
		vmcb02.control.clean = CLEAN_ALL;
		/* A copy that is out of use, and by which L2 still runs, is taken from it. */
		nested_map_written(&vcpu, MSRPM12 + page * PAGE_SIZE);
		assert_true(nested_map_opens(&vcpu, MSRPM12 + page * PAGE_SIZE));
		assert_false(nested_map_opens(&vcpu, MSRPM12 + page * PAGE_SIZE));
		nested_maps_renew(&vcpu);
		assert_int_equal(vmcb02.control.msrpm_base_pa, ALL_ONES_HPA);
		assert_int_equal(vmcb02.control.iopm_base_pa, IOPM01_HPA);
		assert_false(vmcb02.control.clean & CLEAN_IOPM);
		nested_exit(&vcpu, VMEXIT_INTR, 0, 0);
		frames[PAGE + page].open = true;
		assert_int_equal(msrpm_of_l2(MSRPM12), ALL_ONES_HPA);
		frames[PAGE + page].open = false;
		l1_map(MSRPM12)[7] = 0x1234;
		assert_int_equal(msrpm_of_l2(MSRPM12), MERGED_MSRPM_HPA);
		assert_int_equal(merged_msrpms[0][7], vcpu.msrpm01[7] | 0x1234);
	}
}

/* An L2 without nested paging writes by NPT01, as L1 does: every access exits from the start. */
static void a_map_beside_an_l2_without_nesting(void **state)
{
	(void)state;
	machine(ALL_FEATURES, true);
	vmcb12->control.intercepts[MISC1] = MISC1_MSR_PROT | MISC1_IOIO_PROT;
	assert_true(vmrun());
	assert_int_equal(vmcb02.control.msrpm_base_pa, ALL_ONES_HPA);
	assert_int_equal(vmcb02.control.iopm_base_pa, ALL_ONES_HPA);
	assert_int_equal(frames_watched(), 0);
	nested_exit(&vcpu, VMEXIT_INTR, 0, 0);
	vmcb12->control.intercepts[MISC1] = 0;
	assert_true(vmrun());
	assert_int_equal(vmcb02.control.msrpm_base_pa, MSRPM01_HPA);
	assert_int_equal(vmcb02.control.iopm_base_pa, IOPM01_HPA);
}

enum { OTHER_PORT = 0x9064, STEP_IOPM_HPA = MERGED_IOPM_HPA + STEP_IOPM * IOPM_SIZE };
enum { OUTSB = 0x60 << 16 | IOIO_SZ8 | IOIO_STRING };

/* L2's OUTS has exited by a map that L1 has opened since, and L0 has let it pass. */
static void begin_outs(uint32_t exceptions, uint64_t rflags)
{
	machine(ALL_FEATURES, true);
	nesting_vmcb12();
	vmcb12->control.intercepts[MISC1] = MISC1_IOIO_PROT;
	vmcb12->control.intercepts[INTERCEPT_EXCEPTION] = exceptions;
	vmcb12->save.rflags |= rflags;
	vmcb12->save.dr6 |= DR6_B0_TO_B3; /* of an older one */
	assert_true(vmrun());
	vmcb02.control.iopm_base_pa = ALL_ONES_HPA;
	ram[IOPM12 - RAM + OTHER_PORT / 8] = 1 << OTHER_PORT % 8;
	l2_exits(VMEXIT_IOIO, OUTSB, 0);
	assert_true(vcpu.guest_mode && vcpu.nested.string_step.on);
	/* Another processor of L2's may put another instruction there. */
	assert_int_equal(vmcb02.control.iopm_base_pa, STEP_IOPM_HPA);
	assert_false(merged_iopms[STEP_IOPM][0x60 / 64] >> 0x60 % 64 & 1);
	assert_true(merged_iopms[STEP_IOPM][OTHER_PORT / 64] >> OTHER_PORT % 64 & 1);
	assert_int_equal(vmcb02.control.intercepts[INTERCEPT_EXCEPTION], ~0u);
	assert_true(vmcb02.control.intercepts[MISC1] & MISC1_INTR);
	assert_true(vmcb02.control.intercepts[MISC1] & MISC1_VINTR);
	assert_true(vmcb02.save.rflags & RFLAGS_TF);
	assert_false(vmcb02.control.clean & (CLEAN_I | CLEAN_IOPM | CLEAN_DRX));
}

/* Nothing of the step is left. */
static void assert_outs_over(uint32_t exceptions, uint64_t rflags)
{
	assert_false(vcpu.nested.string_step.on);
	assert_int_equal(vmcb02.control.iopm_base_pa, ALL_ONES_HPA);
	assert_int_equal(vmcb02.control.intercepts[INTERCEPT_EXCEPTION],
	                 exceptions | L0_EXCEPTIONS);
	assert_false(vmcb02.control.intercepts[MISC1] & (MISC1_INTR | MISC1_VINTR));
	assert_int_equal(vmcb02.save.rflags & RFLAGS_TF, rflags & RFLAGS_TF);
	assert_false(vmcb02.control.clean & (CLEAN_I | CLEAN_IOPM | CLEAN_DRX));
}

static void processor_steps(struct vmcb *vmcb)
{
	vmcb->save.dr6 |= DR6_BS;
}

static void processor_breaks(struct vmcb *vmcb)
{
	vmcb->save.dr6 |= DR6_BS | 2;
}

static uint64_t exception_event(unsigned int vector)
{
	return vector | (uint64_t)EVENT_EXCEPTION << EVENT_TYPE_SHIFT | EVENT_VALID;
}

static void outs_in_one_step(void **state)
{
	(void)state;
	/* L1 that intercepts #DB does not get L0's. */
	for (uint32_t exceptions = 0; exceptions < 4; exceptions += 2) {
		begin_outs(exceptions, 0);
		processor_runs = processor_steps;
		l2_exits(VMEXIT_EXCP_BASE + VEC_DB, 0, 0);
		assert_true(vcpu.guest_mode);
		assert_int_equal(vmcb02.control.event_inj, 0);
		assert_int_equal(vmcb02.save.dr6, DR6_FIXED | DR6_B0_TO_B3);
		assert_outs_over(exceptions, 0);
	}
	/* L2 steps by itself; or has a breakpoint there. */
	begin_outs(0, RFLAGS_TF);
	processor_runs = processor_steps;
	l2_exits(VMEXIT_EXCP_BASE + VEC_DB, 0, 0);
	assert_int_equal(vmcb02.control.event_inj, exception_event(VEC_DB));
	assert_true(vmcb02.save.dr6 & DR6_BS);
	assert_outs_over(0, RFLAGS_TF);
	begin_outs(0, 0);
	processor_runs = processor_breaks;
	l2_exits(VMEXIT_EXCP_BASE + VEC_DB, 0, 0);
	assert_int_equal(vmcb02.control.event_inj, exception_event(VEC_DB));
	assert_false(vmcb02.save.dr6 & DR6_BS);
	assert_outs_over(0, 0);
}

/* Exits amid the step that were not asked for by L1: the instruction begins again behind them. */
static void outs_that_does_not_come_to_its_end(void **state)
{
	static const uint64_t codes[] = {VMEXIT_INTR, VMEXIT_VINTR, VMEXIT_EXCP_BASE + VEC_PF,
	                                 VMEXIT_EXCP_BASE + VEC_GP, VMEXIT_NPF};

	(void)state;
	for (unsigned int i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		bool fault = codes[i] != VMEXIT_INTR && codes[i] != VMEXIT_VINTR &&
		             codes[i] != VMEXIT_NPF;
		uint64_t event = exception_event((unsigned int)codes[i] - VMEXIT_EXCP_BASE);

		begin_outs(0, 0);
		l2_exits(codes[i], 4, 0x1235);
		assert_true(vcpu.guest_mode);
		assert_outs_over(0, 0);
		assert_int_equal(vmcb02.control.event_inj,
		                 fault ? event | EVENT_ERROR_VALID | 4ull << EVENT_ERROR_SHIFT : 0);
		if (codes[i] == VMEXIT_EXCP_BASE + VEC_PF)
			assert_int_equal(vmcb02.save.cr2, 0x1235);
		assert_int_equal(cr2, codes[i] == VMEXIT_EXCP_BASE + VEC_PF ? 0x1235 : 0);
	}
	/* What L1 asked for is L1's, without L0's TF. */
	begin_outs(1u << VEC_PF, 0);
	l2_exits(VMEXIT_EXCP_BASE + VEC_PF, 4, 0x1235);
	assert_false(vcpu.guest_mode || vcpu.nested.string_step.on);
	assert_int_equal(vmcb12->control.exit_code, VMEXIT_EXCP_BASE + VEC_PF);
	assert_false(vmcb12->save.rflags & RFLAGS_TF);
	/* An NMI for L2 comes behind the step. */
	begin_outs(0, 0);
	vcpu.event.due.nmi = vcpu.event.due.machine_check = true;
	settle(&vcpu);
	assert_int_equal(vmcb02.control.event_inj, 0);
	assert_true(vcpu.event.due.nmi && vcpu.event.due.machine_check);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(either_intercepts),
		cmocka_unit_test(the_first_one_is_at_0),
		cmocka_unit_test(without_l1s_intercept),
		cmocka_unit_test(merged_again_when_written),
		cmocka_unit_test(what_is_as_it_was_is_not_written),
		cmocka_unit_test(the_oldest_is_given_up),
		cmocka_unit_test(maps_that_are_not_there),
		cmocka_unit_test(what_was_not_written_needs_no_lock),
		cmocka_unit_test(a_map_that_l2_can_write),
		cmocka_unit_test(a_map_beside_an_l2_without_nesting),
		cmocka_unit_test(outs_in_one_step),
		cmocka_unit_test(outs_that_does_not_come_to_its_end),
		/* The last ones: ports stay watched. */
		cmocka_unit_test(an_iopm_beside_watched_ports),
	};

	return cmocka_run_group_tests_name("nested_maps", tests, NULL, NULL);
}
