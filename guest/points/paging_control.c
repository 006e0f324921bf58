/*
 * Control registers as L1 sees them: what was written is read, by every register and encoding; what
 * must not be is #GP, and changes nothing. Relies on paging.h and control.asm; APM 3.1.
 */
#include "guest/points/paging.h"

#ifdef __x86_64__
#define GENERAL 16
enum control { BY_CR0, BY_CR2, BY_CR3, BY_CR4, BY_CR8 };
#else
#define GENERAL 8
enum control { BY_CR0, BY_CR2, BY_CR3, BY_CR4 };
#endif

typedef void (*const code)(void);

extern uint64_t control_value;
extern code control_by_register[][GENERAL], control_odd_forms[], control_smsw[];
void control_smsw_memory(void);
void control_lmsw(void);
void control_lmsw_memory(void);

static const char by_qemu[] = "MOV to control registers checks little: not tried";

static void read_back(void)
{
	static const uint32_t cr0_bits[] = {CR0_MP,          CR0_TS, CR0_AM, CR0_WP,
	                                    CR0_MP | CR0_TS, CR0_NE, CR0_EM};
	static const uint32_t cr4_bits[] = {CR4_TSD, CR4_DE, CR4_PGE, CR4_TSD | CR4_PGE};
	unsigned long cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	uint64_t efer = rdmsr(MSR_EFER);

	point("CR0 reads as it was written, and says paging and protection");
	check("PG, WP, ET and PE", cr0 & (CR0_PG | CR0_WP | CR0_ET | CR0_PE),
	      CR0_PG | CR0_WP | CR0_ET | CR0_PE);
	for (unsigned int i = 0; i < sizeof(cr0_bits) / sizeof(cr0_bits[0]); i++) {
		write_cr0(cr0 ^ cr0_bits[i]);
		check("CR0", read_cr0(), cr0 ^ cr0_bits[i]);
	}
	write_cr0(cr0);
	check("CR0", read_cr0(), cr0);

	point("CR0.CD and NW are kept");
	write_cr0(cr0 | CR0_CD);
	check("CR0", read_cr0(), cr0 | CR0_CD);
	write_cr0(cr0 | CR0_CD | CR0_NW);
	check("CR0", read_cr0(), cr0 | CR0_CD | CR0_NW);
	write_cr0(cr0);

	point("CR3 reads as it was written");
	check("CR3", cr3, l1_tables.root);
	write_cr3(cr3 | PT_PWT);
	check("CR3", read_cr3(), cr3 | PT_PWT);
	write_cr3(cr3);
	check("CR3", read_cr3(), cr3);

	point("CR4 reads as it was written, and says PAE and PSE");
	check("PAE", cr4 & CR4_PAE, l1_tables.format->entry_bytes == 8 ? CR4_PAE : 0);
	check("LA57", cr4 & CR4_LA57, l1_tables.format->levels == 5 ? CR4_LA57 : 0);
	if (l1_tables.format->levels == 2)
		check("PSE", cr4 & CR4_PSE, has_large() ? CR4_PSE : 0);
	for (unsigned int i = 0; i < sizeof(cr4_bits) / sizeof(cr4_bits[0]); i++) {
		write_cr4(cr4 ^ cr4_bits[i]);
		check("CR4", read_cr4(), cr4 ^ cr4_bits[i]);
	}
	write_cr4(cr4);

	point("EFER reads as it was written, and says long mode");
	check("EFER's LME and LMA", efer & (EFER_LME | EFER_LMA),
	      l1_tables.format->levels >= 4 ? EFER_LME | EFER_LMA : 0);
	wrmsr(MSR_EFER, efer ^ EFER_SCE);
	check("EFER", rdmsr(MSR_EFER), efer ^ EFER_SCE);
	wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_NXE);
	check("EFER", rdmsr(MSR_EFER), efer & ~(uint64_t)EFER_NXE);
	wrmsr(MSR_EFER, efer);
	flush();
}

static void by_register(enum control control, unsigned long value)
{
	for (unsigned int i = 0; i < GENERAL; i++) {
		control_value = value;
		control_by_register[control][i]();
		if (!check("by a general register", (unsigned long)control_value, value))
			point_fail("# register %u\n", i);
	}
}

static void encodings(void)
{
	unsigned long cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();

	point("CR0 is written and read by every register");
	by_register(BY_CR0, cr0 ^ CR0_TS);
	by_register(BY_CR0, cr0);
	point("CR3 is written and read by every register");
	by_register(BY_CR3, cr3 | PT_PCD);
	by_register(BY_CR3, cr3);
	point("CR4 is written and read by every register");
	by_register(BY_CR4, cr4 ^ CR4_TSD);
	by_register(BY_CR4, cr4);
	point("CR2 is written and read by every register");
	by_register(BY_CR2, (unsigned long)0x1234567890abcdefull);
	point("CR8 is written and read by every register");
#ifdef __x86_64__
	by_register(BY_CR8, 5);
	by_register(BY_CR8, 0);
#else
	point_skip("there is no CR8 without long mode");
#endif

	point("MOV to CR3 in odd encodings");
	for (unsigned int i = 0; control_odd_forms[i]; i++) {
		control_value = cr3 | (i % 2 ? PT_PCD : PT_PWT);
		control_odd_forms[i]();
		if (!check("CR3", read_cr3(), control_value))
			point_fail("# form %u\n", i);
	}
	write_cr3(cr3);
}

static void status_word(void)
{
	unsigned long cr0 = read_cr0();
	uint32_t low = (uint16_t)cr0;

	point("SMSW stores CR0's lower half, or more of it in a register");
	control_smsw[0]();
	check("16 bits", (unsigned long)control_value, (unsigned long)~0xfffful | low);
	control_smsw[1]();
	check("32 bits", control_value & 0xffff, low);
	check("32 bits, PG and WP", control_value & (CR0_PG | CR0_WP), CR0_PG | CR0_WP);
#ifdef __x86_64__
	control_smsw[2]();
	check("64 bits", control_value, cr0);
#endif

	point("SMSW stores 16 bits in memory");
	control_value = ~0ull;
	control_smsw_memory();
	check("memory", control_value, 0xffff0000ffff0000ull | low | (uint64_t)low << 32);

	point("LMSW changes TS, EM and MP, and no other bit");
	control_value = CR0_TS | CR0_MP | CR0_PE;
	control_lmsw();
	check("CR0", read_cr0(), (cr0 & ~(unsigned long)CR0_EM) | CR0_TS | CR0_MP);
	control_value = CR0_PE | CR0_EM;
	control_lmsw_memory();
	check("CR0", read_cr0(), (cr0 & ~(unsigned long)(CR0_TS | CR0_MP)) | CR0_EM);

	point("LMSW cannot clear PE");
	control_value = 0xfff0;
	control_lmsw();
	check("CR0", read_cr0(), cr0 & ~(unsigned long)(CR0_TS | CR0_MP | CR0_EM));
	control_lmsw_memory();
	check("CR0", read_cr0(), cr0 & ~(unsigned long)(CR0_TS | CR0_MP | CR0_EM));

	point("CLTS clears TS");
	write_cr0(cr0 | CR0_TS);
	__asm__ volatile("clts");
	check("CR0", read_cr0(), cr0 & ~(unsigned long)CR0_TS);
	write_cr0(cr0);
}

static void do_fpu(void *unused)
{
	(void)unused;
	__asm__ volatile("fnstcw %0" : "=m"(control_value));
}

static void effects(void)
{
	unsigned long cr0 = read_cr0();

	point("TS and EM make an FPU's instruction #NM, and none without them");
	write_cr0((cr0 | CR0_TS) & ~(unsigned long)CR0_EM);
	check("vector with TS", (uint64_t)(int64_t)try_call(do_fpu, NULL), VEC_NM);
	write_cr0((cr0 | CR0_EM) & ~(unsigned long)CR0_TS);
	check("vector with EM", (uint64_t)(int64_t)try_call(do_fpu, NULL), VEC_NM);
	write_cr0(cr0 & ~(unsigned long)(CR0_TS | CR0_EM));
	check("vector without", (uint64_t)(int64_t)try_call(do_fpu, NULL), (uint64_t)-1);
	write_cr0(cr0);
}

static void refused(const char *name, int (*try)(unsigned long), unsigned long value)
{
	unsigned long cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();

	point(name);
	if (qemu_moves_cr()) {
		point_known(QEMU, by_qemu);
		return;
	}
	check("vector", (uint64_t)(int64_t)try(value), VEC_GP);
	check("error code", trap_last.error, 0);
	check("CR0", read_cr0(), cr0);
	check("CR3", read_cr3(), cr3);
	check("CR4", read_cr4(), cr4);
}

static void protection(void)
{
	unsigned long cr0 = read_cr0(), cr4 = read_cr4();

	if (machine.bochs && !machine.bare && machine.npt)
		point("PG without PE is #GP");
	else
		refused("PG without PE is #GP", try_cr0, cr0 & ~(unsigned long)CR0_PE);
	if (machine.bochs)
		point_known(BOCHS, "a guest's MOV may bring it to paged real mode: not tried");
	refused("NW without CD is #GP", try_cr0, cr0 | CR0_NW);
	refused("a reserved bit of CR4 is #GP", try_cr4, cr4 | 1ul << 31);
#ifdef __x86_64__
	refused("a bit in the upper half of CR0 is #GP", try_cr0, cr0 | 1ul << 32);
	refused("a bit in the upper half of CR4 is #GP", try_cr4, cr4 | 1ul << 40);
	refused("a reserved bit of CR3 is #GP", try_cr3, read_cr3() | 1ul << 60);
	refused("PAE cleared in long mode is #GP", try_cr4, cr4 & ~(unsigned long)CR4_PAE);
	refused("PG cleared in 64-bit code is #GP", try_cr0, cr0 & ~(unsigned long)CR0_PG);
	refused("LA57 changed in long mode is #GP", try_cr4, cr4 ^ CR4_LA57);
#endif
}

static void by_user(void)
{
	static const enum user_code codes[] = {USER_INVLPG,    USER_READ_CR0, USER_READ_CR3,
	                                       USER_WRITE_CR3, USER_CLTS,     USER_LMSW};
	struct user user = {
		.ax = read_cr3(),
		.bx = (uintptr_t)small_page(0),
		.sp = (uintptr_t)region(REGION_USER) + 2 * PAGE_SIZE,
		.flags = RFLAGS_FIXED,
	};
	unsigned long cr0 = read_cr0();

	point("INVLPG, MOV to and from CRs, CLTS and LMSW are #GP at CPL 3");
	for (unsigned int i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		user.ip = (uintptr_t)region(REGION_USER) + user_code_at(codes[i]);
		check("vector", (uint64_t)(int64_t)user_run(&user), VEC_GP);
		check("error code", trap_last.error, 0);
		check("ip", trap_last.ip, user.ip);
	}
	check("CR0", read_cr0(), cr0);

	point("SMSW runs at CPL 3 without CR4.UMIP");
	user.ip = (uintptr_t)region(REGION_USER) + user_code_at(USER_SMSW);
	check("vector", (uint64_t)(int64_t)user_run(&user), (uint64_t)-1);
	check("CR0's lower half", trap_last.ax & 0xffff, cr0 & 0xffff);
}

void paging_control(void)
{
	if (!paging_group("control"))
		return;
	read_back();
	encodings();
	status_word();
	effects();
	protection();
	by_user();
	paging_end();
}
