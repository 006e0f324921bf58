/*
 * The names of exits. Relies on svm/look/counters.h and nothing else: programs in L1 are built with
 * it.
 */
#include "svm/look/counters.h"

#include <stddef.h>

enum { NUMBERED_END = 0x60 };

/* Exits that differ by the number of a register or a vector. */
static const struct {
	unsigned int first;
	const char *name;
} numbered[] = {
	{0x00, "CR_READ "},  {0x10, "CR_WRITE "}, {0x20, "DR_READ "},
	{0x30, "DR_WRITE "}, {0x40, "EXCP "},     {NUMBERED_END, NULL},
};

static const char *const names[EXIT_SLOTS - NUMBERED_END] = {
	"INTR",
	"NMI",
	"SMI",
	"INIT",
	"VINTR",
	"CR0_SEL_WRITE",
	"IDTR_READ",
	"GDTR_READ",
	"LDTR_READ",
	"TR_READ",
	"IDTR_WRITE",
	"GDTR_WRITE",
	"LDTR_WRITE",
	"TR_WRITE",
	"RDTSC",
	"RDPMC",
	"PUSHF",
	"POPF",
	"CPUID",
	"RSM",
	"IRET",
	"SWINT",
	"INVD",
	"PAUSE",
	"HLT",
	"INVLPG",
	"INVLPGA",
	"IOIO",
	"MSR",
	"TASK_SWITCH",
	"FERR_FREEZE",
	"SHUTDOWN",
	"VMRUN",
	"VMMCALL",
	"VMLOAD",
	"VMSAVE",
	"STGI",
	"CLGI",
	"SKINIT",
	"RDTSCP",
	"ICEBP",
	"WBINVD",
	"MONITOR",
	"MWAIT",
	"MWAIT_ARMED",
	"XSETBV",
	"RDPRU",
	"EFER_WRITE_TRAP",
	[0xa0 - NUMBERED_END] = "INVLPGB",
	"INVLPGB_ILLEGAL",
	"INVPCID",
	"MCOMMIT",
	"TLBSYNC",
	[EXIT_SLOT_NPF - NUMBERED_END] = "NPF",
	"other",
};

static char *put_text(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	return to;
}

static char *put_number(char *to, unsigned int number)
{
	if (number >= 10)
		to = put_number(to, number / 10);
	*to = (char)('0' + number % 10);
	return to + 1;
}

void exit_name(unsigned int slot, char name[EXIT_NAME_SIZE])
{
	unsigned int row = 0;

	if (slot < NUMBERED_END) {
		while (slot >= numbered[row + 1].first)
			row++;
		name = put_number(put_text(name, numbered[row].name), slot - numbered[row].first);
	} else if (slot < EXIT_SLOTS && names[slot - NUMBERED_END]) {
		name = put_text(name, names[slot - NUMBERED_END]);
	} else {
		name = put_number(put_text(name, "code "), slot);
	}
	*name = '\0';
}
