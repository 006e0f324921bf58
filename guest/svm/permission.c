/*
 * Who may execute SVM's instructions, and on which address: EFER.SVME, CPL, mode, rAX. Relies on
 * guest/lib/user.h for CPL 3 and on modes.h for real mode; APM 15.4, and vol. 3 for each.
 */
#include "guest/lib/modes.h"
#include "guest/lib/user.h"
#include "guest/svm/suite.h"

enum {
	EXT_FEATURES = 0x80000001,
	EXT_ECX_SKINIT = 1 << 12,
	UNALIGNED = 0x800,
	USER_PAGES = 2,
	V86_SP = 0x800,
	MARK = 0x58,
};

#define USER_AT 0x41000000u /* nothing else of L1's is there */

static const struct {
	const char *name;
	struct code code; /* and RET or UD2 behind it */
} instructions[] = {
	{"VMRUN", CODE("\x0f\x01\xd8")},   {"VMLOAD", CODE("\x0f\x01\xda")},
	{"VMSAVE", CODE("\x0f\x01\xdb")},  {"STGI", CODE("\x0f\x01\xdc")},
	{"CLGI", CODE("\x0f\x01\xdd")},    {"SKINIT", CODE("\x0f\x01\xde")},
	{"INVLPGA", CODE("\x0f\x01\xdf")},
};

static const uint8_t ud2[] = {0x0f, 0x0b};

enum { STGI = 3, SKINIT = 5, VMRUN = 0, VMSAVE = 2 };

static uint8_t user_pages[USER_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t saved_page[PAGE_SIZE];
static struct vmcb operand;

static bool has_skinit(void)
{
	return cpuid(EXT_FEATURES, 0).ecx & EXT_ECX_SKINIT;
}

/* A piece of code that L1 calls with rAX; it is in L1's own memory, which it may execute. */
struct call {
	const void *code;
	uintptr_t rax;
};

static void call(void *argument)
{
	const struct call *c = argument;
	uintptr_t rax = c->rax;

	__asm__ volatile("call *%1" : "+a"(rax) : "r"(c->code), "c"(0) : "memory", "cc");
}

/* The exception that the code raised with rAX, or -1. */
static int raised(const struct code *code, uintptr_t rax)
{
	static uint8_t text[16];
	struct call c = {text, rax};

	memcpy(text, code->bytes, code->length);
	text[code->length] = 0xc3; /* RET */
	return try_call(call, &c);
}

static void check_raised(int vector, int expected)
{
	check("vector", (uint64_t)(int64_t)vector, (uint64_t)(int64_t)expected);
}

static const char would_start[] = "SKINIT is offered: it would start a secure loader";

/*
 * Without SVM all of them raise #UD, but STGI, where SKINIT or the SVM lock is offered: vol. 3,
 * STGI.
 */
static void check_absent(unsigned int i, int vector, int otherwise)
{
	bool there = i == STGI && ((machine.svm_features & SVM_FEATURE_LOCK) || has_skinit());

	check_known("vector", (uint64_t)(int64_t)vector,
	            (uint64_t)(int64_t)(there ? otherwise : VEC_UD), VEC_UD, BOCHS_BARE,
	            "STGI asks for EFER.SVME, lock or not");
}

static void without_svme(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	for (unsigned int i = 0; i < ARRAY_SIZE(instructions); i++) {
		point_named("%s with EFER.SVME=0 is not there", instructions[i].name);
		if (i == SKINIT && has_skinit()) {
			point_skip(would_start);
			continue;
		}
		wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_SVME);
		check_absent(i, raised(&instructions[i].code, (uintptr_t)&operand), -1);
		wrmsr(MSR_EFER, efer);
	}
	point("EFER.SVME set again makes them run");
	check_raised(raised(&instructions[VMSAVE].code, (uintptr_t)&operand), -1);

	point("VMMCALL outside of a guest raises #UD");
	check_raised(raised(&(struct code)CODE("\x0f\x01\xd9"), 0), VEC_UD);

	point("SKINIT raises #UD where it is not offered");
	if (has_skinit())
		point_skip(would_start);
	else if (!lets_pass(true, BOCHS_BARE, "SKINIT panics: not tried"))
		check_raised(raised(&instructions[SKINIT].code, 0), VEC_UD);
}

/* Runs the instruction at CPL 3, with UD2 behind it: the exception that it raised. */
static int at_cpl3(const struct code *code)
{
	const struct user user = {
		.ax = (uintptr_t)&operand,
		.ip = USER_AT,
		.sp = USER_AT + sizeof(user_pages),
		.flags = RFLAGS_FIXED,
	};

	memcpy(user_pages, code->bytes, code->length);
	memcpy(user_pages + code->length, ud2, sizeof(ud2));
	user_run(&user);
	check("ip", trap_last.ip, USER_AT);
	return (int)trap_last.vector;
}

static void cpl3(void)
{
	uint64_t efer = rdmsr(MSR_EFER);
	uint64_t pool = l1_tables.next;

	user_init();
	pt_map_range(&l1_tables, USER_AT, (uintptr_t)user_pages, sizeof(user_pages), 1, PT_RWU);
	write_cr3(read_cr3());
	for (unsigned int i = 0; i < ARRAY_SIZE(instructions); i++) {
		point_named("%s at CPL 3 raises #GP", instructions[i].name);
		if (i == SKINIT && !has_skinit())
			point_skip("SKINIT is not offered");
		else
			check_raised(at_cpl3(&instructions[i].code), VEC_GP);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(instructions); i++) {
		point_named("%s at CPL 3 with EFER.SVME=0 is not there", instructions[i].name);
		if (i == SKINIT && has_skinit()) {
			point_skip(would_start);
			continue;
		}
		wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_SVME);
		check_absent(i, at_cpl3(&instructions[i].code), VEC_GP);
		wrmsr(MSR_EFER, efer);
	}
	pt_set(&l1_tables, USER_AT, 2, 0);
	write_cr3(read_cr3());
	l1_tables.next = pool;
}

static void real_mode(void)
{
	uint8_t *low = (void *)(uintptr_t)MODES_REAL_BASE;
	const uint16_t *result = (void *)(low + MODES_REAL_RESULT);
	struct modes_args args;

	memcpy(saved_page, low, PAGE_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(instructions); i++) {
		const struct code *code = &instructions[i].code;
		uint8_t *slot = low + (real_try_slot - real_try_code);

		point_named("%s in real mode raises #UD", instructions[i].name);
		memcpy(low, real_try_code, (size_t)(real_try_end - real_try_code));
		memcpy(slot, code->bytes, code->length);
		slot[code->length] = 0xc3; /* RET */
		memset(&args, 0, sizeof(args));
		modes_run(modes_real, &args);
		check("vector", *result, VEC_UD);
	}
	memcpy(low, saved_page, PAGE_SIZE);
}

#ifdef __x86_64__
static void virtual_8086(void)
{
	point("VMRUN in virtual 8086 mode raises #UD");
	point_skip("long mode has no virtual 8086 mode");
}
#else
static void virtual_8086(void)
{
	const struct code vmrun = instructions[VMRUN].code;
	uint8_t *low = (void *)(uintptr_t)MODES_REAL_BASE;
	uint64_t entry = pt_get(&l1_tables, MODES_REAL_BASE, 2);
	const struct user user = {
		.ip = MODES_REAL_BASE,
		.sp = MODES_REAL_BASE + V86_SP,
		.flags = RFLAGS_FIXED | RFLAGS_VM,
	};

	point("VMRUN in virtual 8086 mode raises #UD");
	memcpy(saved_page, low, PAGE_SIZE);
	memcpy(low, vmrun.bytes, vmrun.length);
	memcpy(low + vmrun.length, ud2, sizeof(ud2));
	pt_set(&l1_tables, MODES_REAL_BASE, 2, entry | PT_USER);
	write_cr3(read_cr3());
	user_run(&user);
	check_known("vector", trap_last.vector, VEC_UD, VEC_GP, QEMU,
	            "CPL 3 counts before virtual 8086 mode");
	check("ip", trap_last.ip, MODES_REAL_BASE);
	pt_set(&l1_tables, MODES_REAL_BASE, 2, entry);
	write_cr3(read_cr3());
	memcpy(low, saved_page, PAGE_SIZE);
}
#endif

/* VMRUN, VMLOAD and VMSAVE take the physical address of a VMCB. */
static void address(void)
{
	for (unsigned int i = VMRUN; i <= VMSAVE; i++) {
		point_named("%s with rAX not at a page raises #GP", instructions[i].name);
		check_raised(raised(&instructions[i].code, (uintptr_t)&operand + UNALIGNED),
		             VEC_GP);
	}
	for (unsigned int i = VMRUN; i <= VMSAVE; i++) {
		point_named("%s with rAX beyond the physical address width raises #GP",
		            instructions[i].name);
		if (!BITS64 || machine.physical_bits > 51)
			point_skip("rAX cannot name such an address");
		else
			check_raised(raised(&instructions[i].code,
			                    (uintptr_t)(1ull << machine.physical_bits)),
			             VEC_GP);
	}
	for (unsigned int i = VMRUN; i <= VMSAVE; i++) {
		point_named("%s with bit 63 of rAX set raises #GP", instructions[i].name);
		if (!BITS64)
			point_skip("rAX has 32 bits");
		else
			check_raised(raised(&instructions[i].code, (uintptr_t)(1ull << 63)),
			             VEC_GP);
	}
}

/* With the prefix 67h: EAX in 64-bit code, AX in 32-bit code. */
static void address_size(void)
{
	static const struct code save = CODE("\x67\x0f\x01\xdb");
	struct vmcb *at = (void *)(uintptr_t)MODES_REAL_BASE;
	uint64_t sysenter_cs = rdmsr(MSR_SYSENTER_CS);
	/* Above the address size, where it must not count. */
	uintptr_t garbage = BITS64 ? (uintptr_t)(0xabcdull << 32) : 0xabcd0000u;

	point("VMSAVE takes rAX by its address size");
	memcpy(saved_page, at, PAGE_SIZE);
	memset(at, 0, PAGE_SIZE);
	wrmsr(MSR_SYSENTER_CS, MARK);
	check_raised(raised(&save, garbage | MODES_REAL_BASE), -1);
	wrmsr(MSR_SYSENTER_CS, sysenter_cs);
	if (!lets_pass(!BITS64 && !at->save.sysenter_cs, QEMU_BARE,
	               "16-bit addresses count as EAX"))
		check("SYSENTER_CS", at->save.sysenter_cs, MARK);
	memcpy(at, saved_page, PAGE_SIZE);

	point("VMSAVE by its address size still wants a page");
	check_raised(raised(&save, garbage | MODES_REAL_BASE | UNALIGNED), VEC_GP);
}

void suite_permission(void)
{
	if (tap_group("permission", "svme"))
		without_svme();
	if (tap_group("permission", "mode")) {
		cpl3();
		real_mode();
		virtual_8086();
	}
	if (tap_group("permission", "address")) {
		address();
		address_size();
	}
	point_end();
}
