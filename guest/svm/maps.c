/*
 * IOPM and MSRPM: every size, direction and kind of port access, each end of the MSR map's ranges,
 * and edits that show. Relies on guest/lib; APM 15.10, 15.11.
 */
#include "guest/svm/suite.h"

enum {
	PORT = 0x84, /* nobody listens: the diagnostic ports */
	LAST_PORT = 0xffff,
	PORT_SHIFT = 16,
	ADDRESS_16 = 1 << 7,
	ADDRESS_32 = 1 << 8,
	ADDRESS_64 = 1 << 9,
	MSR_READ = 1,
	MSR_WRITE = 2,
	MSRS_PER_BYTE = 4,
};

static const char no_address_size[] = "EXITINFO1 has no address size";

static const char they_count[] = "they do";

struct io {
	const char *name;
	struct code code;
	uint32_t info, bytes;
	bool immediate;
};

static const struct io ios[] = {
	{"OUT of 8 bits", CODE("\xee"), IOIO_SZ8, 1, false},
	{"OUT of 16 bits", CODE("\x66\xef"), IOIO_SZ16, 2, false},
	{"OUT of 32 bits", CODE("\xef"), IOIO_SZ32, 4, false},
	{"IN of 8 bits", CODE("\xec"), IOIO_SZ8 | IOIO_TYPE_IN, 1, false},
	{"IN of 16 bits", CODE("\x66\xed"), IOIO_SZ16 | IOIO_TYPE_IN, 2, false},
	{"IN of 32 bits", CODE("\xed"), IOIO_SZ32 | IOIO_TYPE_IN, 4, false},
	{"OUT of 8 bits to a port in the code", CODE("\xe6\x84"), IOIO_SZ8, 1, true},
	{"OUT of 32 bits to a port in the code", CODE("\xe7\x84"), IOIO_SZ32, 4, true},
	{"IN of 8 bits from a port in the code", CODE("\xe4\x84"), IOIO_SZ8 | IOIO_TYPE_IN, 1,
         true},
	{"IN of 32 bits from a port in the code", CODE("\xe5\x84"), IOIO_SZ32 | IOIO_TYPE_IN, 4,
         true},
	{"OUTS of 8 bits", CODE("\x6e"), IOIO_SZ8 | IOIO_STRING, 1, false},
	{"OUTS of 16 bits", CODE("\x66\x6f"), IOIO_SZ16 | IOIO_STRING, 2, false},
	{"OUTS of 32 bits", CODE("\x6f"), IOIO_SZ32 | IOIO_STRING, 4, false},
	{"INS of 8 bits", CODE("\x6c"), IOIO_SZ8 | IOIO_STRING | IOIO_TYPE_IN, 1, false},
	{"INS of 16 bits", CODE("\x66\x6d"), IOIO_SZ16 | IOIO_STRING | IOIO_TYPE_IN, 2, false},
	{"INS of 32 bits", CODE("\x6d"), IOIO_SZ32 | IOIO_STRING | IOIO_TYPE_IN, 4, false},
	{"REP OUTS of 8 bits", CODE("\xf3\x6e"), IOIO_SZ8 | IOIO_STRING | IOIO_REP, 1, false},
	{"REP OUTS of 32 bits", CODE("\xf3\x6f"), IOIO_SZ32 | IOIO_STRING | IOIO_REP, 4, false},
	{"REP INS of 8 bits", CODE("\xf3\x6c"), IOIO_SZ8 | IOIO_STRING | IOIO_REP | IOIO_TYPE_IN, 1,
         false},
	{"REP INS of 32 bits", CODE("\xf3\x6d"), IOIO_SZ32 | IOIO_STRING | IOIO_REP | IOIO_TYPE_IN,
         4, false},
};

static struct l2 *with_io(const struct io *io, uint16_t port)
{
	struct l2 *l2 = l2_new(0, l2_widest());

	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_IOIO_PROT;
	l2->regs.rdx = port;
	l2->regs.rcx = 1;
	l2->regs.rsi = l2->regs.rdi = L2_SCRATCH;
	load_code(l2, &io->code);
	return l2;
}

static void check_io(struct l2 *l2, const struct io *io, uint16_t port)
{
	uint32_t size = BITS64 ? ADDRESS_64 : ADDRESS_32;
	uint32_t mask = 0xffffu << PORT_SHIFT | IOIO_SZ8 | IOIO_SZ16 | IOIO_SZ32 | IOIO_TYPE_IN |
	                IOIO_STRING | IOIO_REP | ADDRESS_16 | ADDRESS_32 | ADDRESS_64;
	uint64_t expected = (uint32_t)port << PORT_SHIFT | io->info | size;

	l2_check_exit(l2, VMEXIT_IOIO);
	check_known("EXITINFO1", l2->vmcb->control.exit_info1 & mask, expected, expected & ~size,
	            QEMU, no_address_size);
	check("EXITINFO2, the next rip", l2->vmcb->control.exit_info2, L2_BOOT + io->code.length);
	check("rip", l2->vmcb->save.rip, L2_BOOT);
}

static void ports(void)
{
	struct l2 *l2;

	for (unsigned int i = 0; i < ARRAY_SIZE(ios); i++) {
		const struct io *io = &ios[i];

		point_named("%s exits by the port's bit", io->name);
		l2 = with_io(io, PORT);
		l2_port_intercept(PORT, true);
		l2_run(l2);
		check_io(l2, io, PORT);

		point_named("%s runs when every other bit is set", io->name);
		l2 = with_io(io, PORT);
		memset(l2_iopm, 0xff, sizeof(l2_iopm));
		for (unsigned int n = 0; n < io->bytes; n++)
			l2_port_intercept((uint16_t)(PORT + n), false);
		l2_run(l2);
		check_through(l2, io->code.length);
	}
}

/* An access of several bytes looks at each port's bit; APM 15.10.1. */
static void wide_accesses(void)
{
	static const struct io *const wide = &ios[5]; /* IN of 32 bits */
	static const char *const nth[] = {"first", "second", "third", "fourth"};
	struct l2 *l2;

	for (unsigned int n = 0; n < 4; n++) {
		point_named("IN of 32 bits exits by the %s port's bit", nth[n]);
		l2 = with_io(wide, PORT);
		l2_port_intercept((uint16_t)(PORT + n), true);
		l2_run(l2);
		check_io(l2, wide, PORT);
	}

	point("IN of 32 bits runs with the bits before and behind it set");
	l2 = with_io(wide, PORT);
	l2_port_intercept(PORT - 1, true);
	l2_port_intercept(PORT + 4, true);
	l2_run(l2);
	check_through(l2, wide->code.length);

	point("IN at the last port looks at the map's third page");
	l2 = with_io(wide, LAST_PORT);
	l2_iopm[2 * PAGE_SIZE] = 1;
	l2_run(l2);
	check_io(l2, wide, LAST_PORT);

	point("IN across two bytes of the map sees a bit in the second");
	l2 = with_io(wide, PORT + 2); /* 0x86 to 0x89 */
	l2_port_intercept(PORT + 5, true);
	l2_run(l2);
	check_io(l2, wide, PORT + 2);

	point("the map is not looked at when IOIO_PROT is clear");
	l2 = with_io(wide, PORT);
	memset(l2_iopm, 0xff, sizeof(l2_iopm));
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_IOIO_PROT;
	l2_run(l2);
	check_through(l2, wide->code.length);
}

static struct l2 *with_msr(uint32_t msr, bool write)
{
	static const struct code codes[] = {CODE("\x0f\x32"), CODE("\x0f\x30")};
	struct l2 *l2 = l2_new(0, l2_widest());

	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_MSR_PROT;
	l2->regs.rcx = msr;
	load_code(l2, &codes[write]);
	return l2;
}

static void check_msr(struct l2 *l2, bool write)
{
	check_before(l2, VMEXIT_MSR, 2);
	check("EXITINFO1", l2->vmcb->control.exit_info1, write);
}

static void msr_ranges(void)
{
	static const uint32_t ends[] = {0, 0x1fff, 0xc0000000, 0xc0001fff, 0xc0010000, 0xc0011fff};
	static const uint32_t outside[] = {0x2000,     0x40000000, 0xbfffffff, 0xc0002000,
	                                   0xc000ffff, 0xc0012000, 0xffffffff};
	struct l2 *l2;

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(ends); i++) {
		uint32_t msr = ends[i / 2];
		bool write = i % 2;

		point_named("%s of register %x exits by its own bit", write ? "WRMSR" : "RDMSR",
		            msr);
		l2 = with_msr(msr, write);
		l2_msr_intercept(msr, write ? MSR_WRITE : MSR_READ);
		l2_run(l2);
		check_msr(l2, write);
	}
	/* Whether there is such a register is not asked here: #GP in L2 is as good. */
	for (unsigned int i = 0; i < ARRAY_SIZE(ends); i++) {
		point_named("RDMSR of register %x does not exit by all other bits", ends[i]);
		l2 = with_msr(ends[i], false);
		memset(l2_msrpm, 0xff, sizeof(l2_msrpm));
		l2_msr_intercept(ends[i], MSR_WRITE);
		l2_run(l2);
		l2_check_exit(l2, VMEXIT_VMMCALL);
	}
	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(outside); i++) {
		uint32_t msr = outside[i / 2];
		bool write = i % 2;

		point_named("%s of register %x, outside of the map, exits",
		            write ? "WRMSR" : "RDMSR", msr);
		l2 = with_msr(msr, write);
		l2_run(l2);
		check_msr(l2, write);
	}

	point("the map is not looked at when MSR_PROT is clear");
	l2 = with_msr(MSR_SYSENTER_CS, false);
	memset(l2_msrpm, 0xff, sizeof(l2_msrpm));
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] &= ~MISC1_MSR_PROT;
	l2_run(l2);
	check_through(l2, 2);
}

/* What L1 writes into a map shows at the next VMRUN, whichever way it gets there. */
static void edits(void)
{
	static uint8_t other[MSRPM_SIZE] __attribute__((aligned(PAGE_SIZE)));
	uint64_t sysenter_cs;
	struct l2 *l2;

	point("a bit that L1 sets in the MSRPM shows at the next VMRUN");
	l2 = with_msr(MSR_SYSENTER_CS, false);
	l2_run(l2);
	check_through(l2, 2);
	l2_msr_intercept(MSR_SYSENTER_CS, MSR_READ);
	l2->vmcb->save.rip = L2_BOOT;
	l2_run(l2);
	check_msr(l2, false);

	point("a bit that L1 clears in the MSRPM shows at the next VMRUN");
	l2_msr_intercept(MSR_SYSENTER_CS, 0);
	l2_run(l2);
	check_through(l2, 2);

	point("another MSRPM_BASE_PA shows at the next VMRUN");
	memset(other, 0xff, sizeof(other));
	l2->vmcb->control.msrpm_base_pa = l2_gpa(other);
	l2->vmcb->save.rip = L2_BOOT;
	l2_run(l2);
	check_msr(l2, false);

	point("the low 12 bits of MSRPM_BASE_PA do not count");
	memset(other, 0, sizeof(other));
	l2_msr_intercept(MSR_SYSENTER_CS, MSR_READ);
	l2->vmcb->control.msrpm_base_pa = l2_gpa(l2_msrpm) | 0xfff;
	l2_run(l2);
	if (!lets_pass(l2->vmcb->control.exit_code == VMEXIT_VMMCALL, QEMU_BARE, they_count))
		check_msr(l2, false);
	l2->vmcb->save.rip = L2_BOOT;

	/* SYSENTER_CS is 1 there: the bit for reading one register. */
	point("VMSAVE into an MSRPM shows at the next VMRUN");
	l2->vmcb->control.msrpm_base_pa = l2_gpa(other);
	l2_run(l2);
	check_through(l2, 2);
	sysenter_cs = rdmsr(MSR_SYSENTER_CS);
	wrmsr(MSR_SYSENTER_CS, 1);
	vmsave((void *)other);
	wrmsr(MSR_SYSENTER_CS, sysenter_cs);
	l2->vmcb->save.rip = L2_BOOT;
	l2->regs.rcx = offsetof(struct vmcb, save.sysenter_cs) * MSRS_PER_BYTE;
	l2_run(l2);
	check_msr(l2, false);

	point("a bit that L1 sets in the IOPM shows at the next VMRUN");
	l2 = with_io(&ios[3], PORT);
	l2_run(l2);
	check_through(l2, 1);
	l2_port_intercept(PORT, true);
	l2->vmcb->save.rip = L2_BOOT;
	l2_run(l2);
	check_io(l2, &ios[3], PORT);

	point("the low 12 bits of IOPM_BASE_PA do not count");
	l2->vmcb->control.iopm_base_pa |= 0xfff;
	l2_run(l2);
	if (!lets_pass(l2->vmcb->control.exit_code == VMEXIT_VMMCALL, QEMU_BARE, they_count))
		l2_check_exit(l2, VMEXIT_IOIO);

	point("one page may be in both maps");
	memset(l2_iopm, 0xff, sizeof(l2_iopm));
	l2 = with_msr(MSR_SYSENTER_CS, false);
	memset(l2_iopm, 0xff, sizeof(l2_iopm));
	l2->vmcb->control.msrpm_base_pa = l2->vmcb->control.iopm_base_pa;
	l2_run(l2);
	check_msr(l2, false);
}

/* A map of L1's at L2_SMALL; known: L2 has written there before. The registers are for the code. */
static struct l2 *sharer(const struct code *code, uint8_t *map, bool shadow, bool known)
{
	struct l2 *l2 = l2_new(0, l2_widest());

	if (shadow)
		l2_use_shadow(l2);
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_MSR_PROT | MISC1_IOIO_PROT;
	pt_map(&l2->npt, L2_SMALL + (shadow ? l2->alias : 0), l2_gpa(map), 1,
	       shadow ? PT_RW : PT_RWU);
	if (known)
		l2_write(l2, L2_SMALL + PAGE_SIZE - sizeof(uint32_t), 0);
	load_code(l2, code);
	l2->regs.rbx = l2->alias + L2_SMALL + (map == l2_iopm ? PORT / 8 : MSR_SYSENTER_CS / 4);
	l2->regs.rcx = map == l2_iopm ? 2 : MSR_SYSENTER_CS;
	l2->regs.rdx = PORT;
	l2->regs.rsi = l2->regs.rdi = L2_SCRATCH;
	return l2;
}

/* L2 has the page of a map, and sets a bit of it: its next access exits by that; APM 15.10, 15.11.
 */
static void edits_by_l2(bool shadow, bool known)
{
	/* OR BYTE [RBX], 1 or 10h; RDMSR; IN AL, DX; OUTSB */
	static const struct code edit_msr = CODE("\x80\x0b\x01\x0f\x32");
	static const struct code edit_io = CODE("\x80\x0b\x10\xec");
	static const struct code edit_behind = CODE("\x6e\x80\x0b\x10\xec");
	static const struct {
		const char *name;
		const struct code *code;
		uint8_t *map;
		uint64_t exit;
	} rows[] = {
		{"the MSRPM counts at once", &edit_msr, l2_msrpm, VMEXIT_MSR},
		{"the IOPM counts at once", &edit_io, l2_iopm, VMEXIT_IOIO},
		{"the IOPM counts behind an OUTS that passed", &edit_behind, l2_iopm, VMEXIT_IOIO},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int access = rows[i].exit == VMEXIT_MSR ? 2 : 1;
		struct l2 *l2;

		point_named("a bit that L2 sets in %s%s%s", rows[i].name,
		            known ? ", when it has written there before" : "",
		            shadow ? ", on shadow tables" : "");
		l2 = sharer(rows[i].code, rows[i].map, shadow, known);
		l2_run(l2);
		l2_check_exit(l2, rows[i].exit);
		check("rip", l2->vmcb->save.rip, L2_BOOT + rows[i].code->length - access);
	}
}

/* What else INS and OUTS do where L2 can write the map: nothing that they do not do elsewhere. */
static void strings_by_l2(bool shadow)
{
	static const struct code outs = CODE("\x6e"), rep_ins = CODE("\xf3\x6c");
	const char *on = shadow ? ", on shadow tables" : "";
	struct l2 *l2;

	point_named("REP INS passes where L2 can write the IOPM%s", on);
	l2 = sharer(&rep_ins, l2_iopm, shadow, true);
	l2_run(l2);
	check_through(l2, rep_ins.length);
	check("rCX", l2->regs.rcx, 0);
	check("rDI", l2->regs.rdi, L2_SCRATCH + 2);
	check("TF", l2->vmcb->save.rflags & RFLAGS_TF, 0);

	point_named("OUTS that faults does so where L2 can write the IOPM%s", on);
	l2 = sharer(&outs, l2_iopm, shadow, true);
	l2->vmcb->control.intercepts[INTERCEPT_EXCEPTION] = 0;
	l2->regs.rsi = 2 * L2_END;
	l2_run(l2);
	l2_check_vector(l2, VEC_PF);
	check("CR2", l2->vmcb->save.cr2, 2 * L2_END);
	check("error code", l2_stack(l2, 0), 0);
	check("rip on L2's stack", l2_stack(l2, 1), L2_BOOT);
	check("TF on L2's stack", l2_stack(l2, 3) & RFLAGS_TF, 0);

	point_named("L2 steps over OUTS where it can write the IOPM%s", on);
	l2 = sharer(&outs, l2_iopm, shadow, true);
	l2->vmcb->save.rflags |= RFLAGS_TF;
	l2_run(l2);
	if (lets_pass(l2->vmcb->control.exit_code == VMEXIT_VMMCALL &&
	                      l2->vmcb->save.rip == L2_BOOT + outs.length,
	              KVM, "OUTS that KVM emulates raises no #DB"))
		return;
	l2_check_vector(l2, VEC_DB);
	check("rip on L2's stack", l2_stack(l2, 0), L2_BOOT + outs.length);
	check("TF on L2's stack", l2_stack(l2, 2) & RFLAGS_TF, RFLAGS_TF);
}

static void shared_maps(void)
{
	for (unsigned int shadow = 0; shadow < (l2_lacks_nesting ? 1 : 2); shadow++) {
		edits_by_l2(shadow, false);
		edits_by_l2(shadow, true);
		strings_by_l2(shadow);
	}
}

void suite_maps(void)
{
	if (tap_group("intercept", "io")) {
		ports();
		wide_accesses();
	}
	if (tap_group("intercept", "msr"))
		msr_ranges();
	if (tap_group("entry", "maps"))
		edits();
	if (tap_group("entry", "shared-maps"))
		shared_maps();
	point_end();
}
