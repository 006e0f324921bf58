/*
 * What L2 executes: the library's snippets, or instructions and bytes at random. Relies on
 * guest/lib/l2.h for where an L2's code is.
 */
#include "guest/chaos/chaos.h"

enum {
	KEPT_FROM = L2_GDT, /* to KEPT_FROM + KEPT_BYTES: tables, stack and code */
	WILD_BYTES = 48,
	FEW = 1000, /* rounds of what loops */
};

/* Pieces of code for a wild run, the length first. */
static const uint8_t pieces[][8] = {
	{3, 0x0f, 0x01, 0xd8}, /* VMRUN */
	{3, 0x0f, 0x01, 0xd9}, /* VMMCALL */
	{3, 0x0f, 0x01, 0xda}, /* VMLOAD */
	{3, 0x0f, 0x01, 0xdb}, /* VMSAVE */
	{3, 0x0f, 0x01, 0xdc}, /* STGI */
	{3, 0x0f, 0x01, 0xdd}, /* CLGI */
	{3, 0x0f, 0x01, 0xde}, /* SKINIT */
	{3, 0x0f, 0x01, 0xdf}, /* INVLPGA */
	{3, 0x0f, 0x20, 0xc0}, /* MOV from CR0, CR2, CR3, CR4 */
	{3, 0x0f, 0x20, 0xd0},
	{3, 0x0f, 0x20, 0xd8},
	{3, 0x0f, 0x20, 0xe0},
	{3, 0x0f, 0x22, 0xc0}, /* MOV to them */
	{3, 0x0f, 0x22, 0xd3},
	{3, 0x0f, 0x22, 0xd9},
	{3, 0x0f, 0x22, 0xe2},
	{3, 0x0f, 0x21, 0xf8}, /* MOV from and to DR7 */
	{3, 0x0f, 0x23, 0xf9},
	{2, 0x0f, 0x30},       /* WRMSR */
	{2, 0x0f, 0x32},       /* RDMSR */
	{2, 0x0f, 0xa2},       /* CPUID */
	{2, 0x0f, 0x31},       /* RDTSC */
	{3, 0x0f, 0x01, 0xf9}, /* RDTSCP */
	{2, 0x0f, 0x33},       /* RDPMC */
	{2, 0x0f, 0x08},       /* INVD */
	{2, 0x0f, 0x09},       /* WBINVD */
	{2, 0x0f, 0x06},       /* CLTS */
	{3, 0x0f, 0x01, 0xf0}, /* LMSW EAX */
	{3, 0x0f, 0x01, 0xe0}, /* SMSW EAX */
	{3, 0x0f, 0x01, 0xc8}, /* MONITOR */
	{3, 0x0f, 0x01, 0xc9}, /* MWAIT */
	{3, 0x0f, 0x01, 0xd1}, /* XSETBV */
	{3, 0x0f, 0x01, 0x3b}, /* INVLPG [EBX] */
	{3, 0x0f, 0x01, 0x13}, /* LGDT, LIDT, SGDT, SIDT [EBX] */
	{3, 0x0f, 0x01, 0x1b},
	{3, 0x0f, 0x01, 0x03},
	{3, 0x0f, 0x01, 0x0b},
	{3, 0x0f, 0x00, 0xd0}, /* LLDT, LTR, STR AX */
	{3, 0x0f, 0x00, 0xd8},
	{3, 0x0f, 0x00, 0xc8},
	{2, 0xcd, 0x31}, /* INT */
	{1, 0xcc},       /* INT3 */
	{1, 0xf1},       /* ICEBP */
	{1, 0xcf},       /* IRET */
	{1, 0xcb},       /* RETF */
	{1, 0xf4},       /* HLT */
	{2, 0xf3, 0x90}, /* PAUSE */
	{1, 0xfa},       /* CLI, STI */
	{1, 0xfb},
	{1, 0x9c}, /* PUSHF, POPF */
	{1, 0x9d},
	{1, 0xec}, /* IN, OUT, INSB, OUTSB */
	{1, 0xee},
	{2, 0xf3, 0x6c},
	{2, 0xf3, 0x6e},
	{2, 0xf3, 0xa4}, /* REP MOVSB, STOSB */
	{2, 0xf3, 0xaa},
	{2, 0x8b, 0x03},             /* MOV EAX, [EBX] */
	{2, 0x89, 0x03},             /* MOV [EBX], EAX */
	{4, 0xf0, 0x0f, 0xb1, 0x0b}, /* LOCK CMPXCHG [EBX], ECX */
	{2, 0xff, 0xe3},             /* JMP EBX */
	{2, 0xeb, 0xfe},             /* JMP to itself */
	{2, 0x8e, 0xd8},             /* MOV DS, AX */
	{2, 0x8e, 0xd0},             /* MOV SS, AX */
	{2, 0x0f, 0x05},             /* SYSCALL, SYSRET, SYSENTER, SYSEXIT */
	{2, 0x0f, 0x07},
	{2, 0x0f, 0x34},
	{2, 0x0f, 0x35},
	{2, 0x0f, 0xaa}, /* RSM */
	{2, 0x0f, 0x0b}, /* UD2 */
};

/* Of MSRs those that L1 does not live on. */
static const uint32_t msrs[] = {
	MSR_EFER,  MSR_PAT,          MSR_STAR,        MSR_LSTAR,          MSR_FS_BASE, MSR_GS_BASE,
	MSR_VM_CR, MSR_SYSENTER_EIP, MSR_SYSENTER_CS, MSR_KERNEL_GS_BASE, 0x10,        0x8b,
	0x1d9,     0x4e530000,       0xc0001000,      0xffffffff,
};

/* They end by themselves. */
static const enum l2_snippet snippets[] = {
	L2_COMPUTE, L2_READ,      L2_WRITE,     L2_ADD,     L2_CPUID,  L2_RDMSR,     L2_WRMSR,
	L2_IN,      L2_OUT,       L2_HLT,       L2_UD2,     L2_INT3,   L2_SOFT,      L2_RDTSC,
	L2_STATE,   L2_CLOBBER,   L2_READ_FS,   L2_LOAD_FS, L2_RETURN, L2_WRITE_CR3, L2_INVLPG,
	L2_VMRUN,   L2_VMLOAD,    L2_VMSAVE,    L2_STGI,    L2_CLGI,   L2_SKINIT,    L2_INVLPGA,
	L2_VMMCALL, L2_SUM_PAGES, L2_ADD_PAGES,
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static uint32_t *kept_of(const struct l2 *l2)
{
	return (uint32_t *)(uintptr_t)(arena.kept + l2->slot * KEPT_BYTES);
}

/* By words: memcpy() goes by bytes, and this is done often. */
static void copy(uint32_t *to, const uint32_t *from)
{
	for (unsigned int i = 0; i < KEPT_BYTES / sizeof(*to); i++)
		to[i] = from[i];
}

void code_keep(const struct l2 *l2)
{
	copy(kept_of(l2), (const void *)(l2->low + KEPT_FROM));
}

void code_restore(const struct l2 *l2)
{
	copy((void *)(l2->low + KEPT_FROM), kept_of(l2));
}

/* An address, an entry of tables or a small number; tame, as it may come to be written to tables.
 */
static uint64_t value(struct dice *dice, const struct l2 *l2)
{
	switch (dice_below(dice, 8)) {
	case 0:
		return memory_tame_entry(dice_roll64(dice));
	case 1:
		return tables_entry(dice);
	case 2:
		return memory_tame_address(memory_address(dice));
	case 3:
		return dice_below(dice, 256);
	case 4:
		return l2->alias + L2_SMALL + dice_below(dice, L2_SMALL_PAGES * PAGE_SIZE);
	default:
		return l2->alias + dice_below(dice, L2_END + PAGE_SIZE);
	}
}

static void set_registers(struct dice *dice, struct l2 *l2, struct vmcb *vmcb)
{
	struct l2_regs *regs = &l2->regs;

	regs->rbx = value(dice, l2);
	regs->rcx = value(dice, l2);
	regs->rdx = value(dice, l2);
	regs->rsi = value(dice, l2);
	regs->rdi = value(dice, l2);
	regs->rbp = value(dice, l2);
	for (unsigned int i = 0; i < COUNT(regs->r8_to_r15); i++)
		regs->r8_to_r15[i] = dice_one_in(dice, 4) ? value(dice, l2) : i;
	vmcb->save.rax = value(dice, l2);
}

void code_known(struct dice *dice, struct l2 *l2, struct vmcb *vmcb, bool tight)
{
	const uint16_t *table = (const void *)(l2->low + L2_CODE);
	enum l2_snippet snippet = snippets[dice_below(dice, COUNT(snippets))];

	set_registers(dice, l2, vmcb);
	vmcb->save.rip = L2_CODE + table[snippet];
	if (tight)
		l2->regs.rcx = (uint32_t)l2->regs.rcx % FEW;
	if (snippet == L2_IN || snippet == L2_OUT)
		l2->regs.rdx = 0x80;
	if (snippet == L2_RDMSR || snippet == L2_WRMSR)
		l2->regs.rcx = msrs[dice_below(dice, COUNT(msrs))];
}

void code_wild(struct dice *dice, struct l2 *l2, struct vmcb *vmcb)
{
	uint8_t *code = l2->low + L2_EXEC;

	set_registers(dice, l2, vmcb);
	if (dice_one_in(dice, 2))
		l2->regs.rcx = msrs[dice_below(dice, COUNT(msrs))];
	for (unsigned int at = 0; at < WILD_BYTES;) {
		const uint8_t *piece = pieces[dice_below(dice, COUNT(pieces))];

		if (dice_one_in(dice, 4)) {
			code[at++] = (uint8_t)dice_roll(dice);
			continue;
		}
		memcpy(code + at, piece + 1, piece[0]);
		at += piece[0];
	}
	vmcb->save.rip = L2_EXEC;
}
