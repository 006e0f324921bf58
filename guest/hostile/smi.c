/*
 * SMIs by the port that chipsets have for them: their handler is the firmware's, and whoever was
 * interrupted goes on as if nothing had been. APM vol. 2, section 15.22.
 */
#include "guest/hostile/dma_device.h"
#include "guest/hostile/hostile.h"
#include "hv/pci.h"

enum {
	PORT_SMI = 0xb2,
	COMMAND = 0x5a, /* which firmware does not know */
	ROUNDS = 10,
	ROUNDS_OF_ALL = 3, /* each waits for all processors */
	DELAY = 50,        /* of L2, in loops */
	HWCR_SMMLOCK = 1 << 0,
};
/* The chipsets of QEMU's machines, and where each is told whether port B2 raises an SMI. */
#define PIIX4_POWER       0x71138086u
#define PIIX4_DEVACTB     0x58
#define PIIX4_APMC_EN     (1u << 25)
#define ICH9_LPC          0x29188086u
#define ICH9_PMBASE       0x40
#define ICH9_PMBASE_PORT  0xff80u
#define ICH9_SMI_EN       0x30 /* from there */
#define ICH9_APMC_GBL_SMI ((1u << 5) | (1u << 0))
#define MSR_HWCR          0xc0010015u
#define MSR_SMI_COUNT     0x00000034u /* QEMU has it, too */

static void read_hwcr(void *value)
{
	*(uint64_t *)value = rdmsr(MSR_HWCR);
}

static void read_count(void *value)
{
	*(uint64_t *)value = rdmsr(MSR_SMI_COUNT);
}

/* Then an SMI is taken where it comes, whatever L1 intercepts. */
static bool is_locked(void)
{
	uint64_t hwcr = 0;

	return try_call(read_hwcr, &hwcr) < 0 && (hwcr & HWCR_SMMLOCK);
}

uint32_t hostile_smis(void)
{
	uint64_t count = 0;

	return try_call(read_count, &count) < 0 ? (uint32_t)count : 0;
}

/* The registers that the handler uses are what they were. */
static bool smi(void)
{
	uint32_t b = 0x12345678, c = 0x9abcdef0, d = 0x0f1e2d3c, s = 0x4b5a6978, t = 0x87968574;

	__asm__ volatile("outb %%al, %5"
	                 : "+b"(b), "+c"(c), "+d"(d), "+S"(s), "+D"(t)
	                 : "N"(PORT_SMI), "a"(COMMAND)
	                 : "memory");
	return b == 0x12345678 && c == 0x9abcdef0 && d == 0x0f1e2d3c && s == 0x4b5a6978 &&
	       t == 0x87968574;
}

static void of_l1(void)
{
	uint32_t before = hostile_smis(), good = 0;

	point("L1 goes on behind an SMI");
	for (unsigned int i = 0; i < ROUNDS; i++)
		good += smi();
	check("times", good, ROUNDS);

	point("L1 goes on behind an SMI while GIF is 0");
	clgi();
	good = smi();
	stgi();
	check("times", good, 1);

	point("each is taken once");
	if (before)
		check("SMIs", hostile_smis() - before, ROUNDS + 1);
	else
		point_skip("nobody counts them");
}

/* QEMU takes it some instructions later. */
static struct l2 *l2_with_smi(void)
{
	static const uint8_t code[] = {
		0xe6, PORT_SMI,             /* out imm8, al */
		0xff, 0xc9,     0x75, 0xfc, /* dec ecx; jnz to it */
		0x0f, 0x01,     0xd9,       /* vmmcall */
	};
	struct l2 *l2 = hostile_l2(0);

	memcpy(l2->low + L2_EXEC, code, sizeof(code));
	l2->vmcb->save.rax = COMMAND;
	l2->vmcb->save.rip = L2_EXEC;
	l2->regs.rcx = DELAY;
	return l2;
}

static void of_l2(void)
{
	struct l2 *l2;

	point("L2 goes on behind an SMI");
	if (emulator_is(QEMU_BARE)) {
		point_known(QEMU_BARE, "SMM runs on the nested tables, and under L1's intercepts");
	} else {
		for (unsigned int i = 0; i < ROUNDS; i++) {
			l2 = l2_with_smi();
			l2_run(l2);
			if (!l2_check_done(l2))
				break;
		}
	}

	point("an SMI that L1 intercepts ends L2, and is taken after STGI");
	l2 = l2_with_smi();
	l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_SMI;
	clgi();
	svm_run_gif0(&l2->regs, l2->vmcb);
	if (!is_locked()) {
		l2_check_exit(l2, VMEXIT_SMI);
		check("EXITINFO1", l2->vmcb->control.exit_info1 & SMI_INTERNAL, 0);
		stgi();
		clgi();
		svm_run_gif0(&l2->regs, l2->vmcb);
	}
	l2_check_done(l2);
	stgi();
}

static void smis(struct cpu *cpu)
{
	while (!hostile_stop) {
		if (smi())
			cpu->alive++;
	}
}

static void flushes(struct cpu *cpu)
{
	while (!hostile_stop) {
		hostile_flush();
		cpu->alive++;
	}
}

void hostile_leave_smm(void)
{
	if (!emulator_is(QEMU_BARE))
		return;
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("is out of SMM", cpus_counts(&cpu_by_id(i)->alive), true);
}

/*
 * From every processor, where the firmware has a handler for each: its processors wait for each
 * other in SMM, while L0's ask each other to leave their guests.
 */
static void of_all(void)
{
	uint32_t before;

	point("SMIs by all processors beside flushes");
	if (hostile_count() < 2 || !cmdline_value("smis")) {
		point_skip("there is one processor, or one with a handler");
		return;
	}
	hostile_restart_all();
	for (unsigned int i = 1; i < hostile_count(); i++)
		cpu_call(cpu_by_id(i), i % 2 ? flushes : smis);
	for (unsigned int i = 0; i < ROUNDS_OF_ALL; i++) {
		before = hostile_smis();
		check("goes on", smi(), true);
		if (!emulator_is(QEMU_BARE)) /* see above */
			check("L2 computes", hostile_run_l2(hostile_l2(0), 1000), true);
		hostile_flush();
		check("SMIs came", !before || hostile_smis() != before, true);
	}
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("is alive", cpus_counts(&cpu_by_id(i)->alive), true);
	hostile_stop = true;
	for (unsigned int i = 1; i < hostile_count(); i++)
		check("has finished", cpu_wait(cpu_by_id(i)), true);

	point("an SMI while processors wait for SIPI");
	if (emulator_is(QEMU_BARE)) {
		hostile_leave_smm();
		point_known(QEMU_BARE, "it wakes them, and behind it they run what a reset runs");
		return;
	}
	for (unsigned int i = 1; i < hostile_count(); i++)
		cpus_send_init(i, 0);
	check("goes on", smi(), true);
}

/* Why there are none to be had; NULL: there are. Firmware without a handler leaves them off. */
static const char *no_smis(void)
{
	unsigned int function, port;
	bool on = false;

	if (!machine.qemu)
		return "what the firmware makes of it is not known";
	if (pci_device_find(PCI_ID, PIIX4_POWER, ~0u, &function)) {
		on = pci_read(function, PIIX4_DEVACTB) & PIIX4_APMC_EN;
	} else if (pci_device_find(PCI_ID, ICH9_LPC, ~0u, &function)) {
		port = (pci_read(function, ICH9_PMBASE) & ICH9_PMBASE_PORT) + ICH9_SMI_EN;
		on = (inl((uint16_t)port) & ICH9_APMC_GBL_SMI) == ICH9_APMC_GBL_SMI;
	}
	return on ? NULL : "the firmware has not enabled it";
}

void hostile_smi(void)
{
	const char *missing;

	if (!tap_group("hostile", "smi"))
		return;
	missing = no_smis();
	if (missing) {
		point("an SMI by port B2");
		point_skip(missing);
		point_end();
		return;
	}
	of_l1();
	of_l2();
	of_all();
	hostile_all_answer(1);
}
