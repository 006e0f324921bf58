/*
 * Sleep that only L1 would wake from: it is asked for by ports, by AMD's FCH, whose registers are
 * in memory, and by addresses in memory that an FADT made for this tells of.
 */
#include "guest/hostile/hostile.h"
#include "guest/lib/paging.h"

enum {
	/* QEMU's q35: ACPI's PM1a control register, and what it takes for S3. */
	PM1A_CONTROL = 0x604,
	SLP_TYP_S3 = 1 << 10,
	SLP_TYP_S5 = 0 << 10,
	SLP_TYP_NONE = 6 << 10, /* which is no state's */
	SLP_EN = 1 << 13,
	/* Of the FCH; the register that says at which port PM1 control is. */
	PM_INDEX = 0xcd6,
	PM_DATA = 0xcd7,
	PM_PM1_CONTROL = 0x62,
};

#define FCH_PM          0xfed80300u
#define FCH_PM1_CONTROL 0xfed80804u
/* Timers' comparators of the HPET, which tests/system/hostile.t calls ACPI's. */
#define HPET_AS_PM1A  0xfed00128u
#define HPET_AS_SLEEP 0xfed00148u /* of hardware-reduced ACPI */

static void l2_asks(struct l2 *l2)
{
	l2->regs.rdx = PM1A_CONTROL + 1;
	l2->vmcb->save.rax = (SLP_TYP_S3 | SLP_EN) >> 8;
	l2_start(l2, L2_OUT);
	l2_check_done(l2);
}

static void ask_by_string(void *unused)
{
	uint16_t value = SLP_TYP_S3 | SLP_EN;
	const uint16_t *from = &value;

	(void)unused;
	__asm__ volatile("outsw" : "+S"(from) : "d"((uint16_t)PM1A_CONTROL) : "memory");
}

static void by_ports(void)
{
	struct l2 *l2;

	outw(PM1A_CONTROL, SLP_TYP_S3 | SLP_EN);
	outb(PM1A_CONTROL + 1, (SLP_TYP_S3 | SLP_EN) >> 8);
	outw(PM1A_CONTROL, SLP_TYP_NONE | SLP_EN);
	check("by a string", try_call(ask_by_string, NULL), VEC_GP);
	outw(PM1A_CONTROL, SLP_TYP_S3 | SLP_EN);
	l2 = hostile_l2(0);
	l2_asks(l2);
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_IOIO_PROT;
	l2_asks(l2);
}

static uint32_t read32(uint32_t gpa)
{
	return *(volatile uint32_t *)(uintptr_t)gpa;
}

static void store32(uint32_t gpa, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)gpa = value;
}

static void store8(uint32_t gpa, uint8_t value)
{
	*(volatile uint8_t *)(uintptr_t)gpa = value;
}

static void map(uint32_t gpa)
{
	uint64_t page = gpa & ~0xfffu;

	pt_map(&l1_tables, page, page, 1, PT_RW | PT_PCD | PT_PWT);
}

/* An L2 to which L1 gives the device. */
static struct l2 *l2_with(uint32_t gpa)
{
	struct l2 *l2 = hostile_l2(0);
	uint64_t page = gpa & ~0xfffu;

	pt_map(&l2->npt, page, page, 1, PT_RWU);
	return l2;
}

/* The second FADT's: what does not ask for S3 is written, whatever else is on the page. */
static void by_acpi_in_memory(void)
{
	struct l2 *l2 = l2_with(HPET_AS_PM1A);

	map(HPET_AS_PM1A);
	store32(HPET_AS_PM1A, 0x34 | SLP_TYP_S5 | SLP_EN);
	check("S5's, written", read32(HPET_AS_PM1A), 0x34 | SLP_TYP_S5 | SLP_EN);
	store32(HPET_AS_PM1A, SLP_TYP_S3 | SLP_EN);
	check("S3's, not written", read32(HPET_AS_PM1A), 0x34 | SLP_TYP_S5 | SLP_EN);
	store32(HPET_AS_PM1A, SLP_TYP_S3);
	check("SLP_EN=0, written", read32(HPET_AS_PM1A), SLP_TYP_S3);
	__asm__ volatile("lock orl %1, %0"
	                 : "+m"(*(volatile uint32_t *)HPET_AS_PM1A)
	                 : "r"((uint32_t)SLP_EN));
	check("by OR, not written", read32(HPET_AS_PM1A), SLP_TYP_S3);
	store32(HPET_AS_SLEEP, SLP_TYP_S3 | SLP_EN);
	check("elsewhere on the page", read32(HPET_AS_SLEEP), SLP_TYP_S3 | SLP_EN);
	store32(HPET_AS_SLEEP, (SLP_TYP_S3 | SLP_EN) >> 8);
	check("the sleep control register", read32(HPET_AS_SLEEP), SLP_TYP_S3 | SLP_EN);
	l2_write(l2, HPET_AS_PM1A, 0x4321);
	l2_check_done(l2);
	check("by L2, written", read32(HPET_AS_PM1A), 0x4321);
	l2_write(l2, HPET_AS_PM1A, SLP_TYP_S3 | SLP_EN);
	l2_check_done(l2);
	check("by L2, not written", read32(HPET_AS_PM1A), 0x4321);
}

static void by_fch(void)
{
	struct l2 *l2 = l2_with(FCH_PM1_CONTROL);

	map(FCH_PM1_CONTROL);
	store32(FCH_PM1_CONTROL, SLP_TYP_S3 | SLP_EN);
	store8(FCH_PM1_CONTROL + 1, (SLP_TYP_S3 | SLP_EN) >> 8);
	l2_write(l2, FCH_PM1_CONTROL, SLP_TYP_S3 | SLP_EN);
	l2_check_done(l2);
	store32(FCH_PM1_CONTROL, SLP_TYP_S3);
	outb(PM_INDEX, PM_PM1_CONTROL);
	outb(PM_DATA, 0);
	store32(FCH_PM + PM_PM1_CONTROL - 2, 0);
}

void hostile_sleep(void)
{
	if (!tap_group("hostile", "sleep"))
		return;
	point("a machine that is asked for S3 goes on");
	if (machine.qemu)
		by_ports();
	else
		point_skip("its ports are not known");
	hostile_all_answer(1);
	point("by AMD's FCH");
	by_fch();
	hostile_all_answer(1);
	if (strcmp(cmdline_value("s3"), "memory") != 0)
		return;
	point("by an address in memory");
	by_acpi_in_memory();
	hostile_all_answer(1);
}
