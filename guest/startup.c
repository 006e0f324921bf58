/*
 * The L1 image `startup`: INIT, SIPI and NMI between processors, and L2s beside processors that
 * run. For machines with two processors or more, with APIC ids from 0; the command line's cpus=
 * says how many.
 */
#include "guest/lib/cpus.h"
#include "guest/points/points.h"

enum {
	MAILBOX = 0x5000,
	PAGE_A = 0x7000,
	PAGE_B = 0x8000,

	MANY = 50,
	LEAF_FEATURES = 1,
};

/* In guest/lib/init_state.asm's order. */
struct mailbox {
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t cs, ds, es, ss, fs, gs, eflags;
	uint32_t cr0, cr2, cr3, cr4, dr6, dr7, efer;
	uint16_t gdtr[4], idtr[4];
	uint32_t id;
	uint32_t starts, alive, halt, x2apic;
};
_Static_assert(offsetof(struct mailbox, x2apic) == 30 * 4, "guest/lib/init_state.asm");

extern const char init_state_code[], init_state_end[];

static volatile struct mailbox *mailbox;
static volatile uint32_t *nmis;
static uint32_t target;

static void reset_mailbox(void)
{
	memset(low_memory(MAILBOX), 0xa5, sizeof(*mailbox));
	mailbox->starts = mailbox->alive = mailbox->halt = 0;
	mailbox->x2apic = apic_is_x2();
}

static void put_code(void)
{
	size_t bytes = (size_t)(init_state_end - init_state_code);

	nmis = cpus_init();
	memcpy(low_memory(PAGE_A), init_state_code, bytes);
	memcpy(low_memory(PAGE_B), init_state_code, bytes);
	mailbox = low_memory(MAILBOX);
	reset_mailbox();
}

static bool is_alive(void)
{
	return cpus_counts(&mailbox->alive);
}

static bool stands_still(void)
{
	return cpus_stands_still(&mailbox->alive);
}

static void send_init(void)
{
	cpus_send_init(target, 0);
	cpus_pause();
}

static void send_sipi(uint32_t page)
{
	cpus_send_sipi(target, 0, page);
}

static void check_registers(uint32_t page)
{
	point("general registers after INIT");
	check("eax", mailbox->eax, 0);
	check("ecx", mailbox->ecx, 0);
	check_known("edx", mailbox->edx, cpuid(LEAF_FEATURES, 0).eax, 0, BOCHS_BARE,
	            "INIT leaves 0 in EDX");
	check("ebx", mailbox->ebx, 0);
	check("esp", mailbox->esp, 0);
	check("ebp", mailbox->ebp, 0);
	check("esi", mailbox->esi, 0);
	check("edi", mailbox->edi, 0);
	check("eflags", mailbox->eflags, RFLAGS_FIXED);

	point("segments after SIPI");
	check("cs", mailbox->cs, page >> 4);
	check("ds", mailbox->ds, 0);
	check("es", mailbox->es, 0);
	check("ss", mailbox->ss, 0);
	check("fs", mailbox->fs, 0);
	check("gs", mailbox->gs, 0);
	check("gdt limit", mailbox->gdtr[0], 0xffff);
	check("gdt base", mailbox->gdtr[1] | mailbox->gdtr[2], 0);
	check("idt limit", mailbox->idtr[0], 0xffff);
	check("idt base", mailbox->idtr[1] | mailbox->idtr[2], 0);

	point("control and debug registers after INIT");
	check("cr0", mailbox->cr0 & ~(CR0_CD | CR0_NW), CR0_ET);
	check("cr2", mailbox->cr2, 0);
	check("cr3", mailbox->cr3, 0);
	check("cr4", mailbox->cr4, 0);
	check("dr6", mailbox->dr6, DR6_FIXED);
	check("dr7", mailbox->dr7, DR7_FIXED);
	check("efer", mailbox->efer, 0);

	point("the processor knows its APIC id");
	check("id", mailbox->id, target);
}

static void startup(void)
{
	if (!tap_group("startup", "one"))
		return;
	point("nothing runs by itself");
	check("starts", mailbox->starts, 0);
	check("stands still", stands_still(), true);

	point("INIT and SIPI start a processor");
	send_init();
	send_sipi(PAGE_A);
	check("starts", cpus_wait_for(&mailbox->starts, 1), 1);
	check("runs", is_alive(), true);
	check_registers(PAGE_A);

	point("a second SIPI does nothing");
	send_sipi(PAGE_B);
	cpus_pause();
	check("starts", mailbox->starts, 1);
	check("runs", is_alive(), true);

	point("INIT that is deasserted does nothing");
	apic_send(target, ICR_INIT | ICR_LEVEL);
	cpus_pause();
	check("runs", is_alive(), true);

	point("INIT stops a processor");
	send_init();
	check("stands still", stands_still(), true);
	check("starts", mailbox->starts, 1);

	point("INIT while it waits changes nothing");
	send_init();
	check("stands still", stands_still(), true);

	point("SIPI starts it elsewhere");
	send_sipi(PAGE_B);
	check("starts", cpus_wait_for(&mailbox->starts, 2), 2);
	check("runs", is_alive(), true);
	check_registers(PAGE_B);

	point("INIT and SIPI start a processor that halts");
	mailbox->halt = 1;
	check("stands still", stands_still(), true);
	mailbox->halt = 0;
	check("stands still", stands_still(), true);
	send_init();
	send_sipi(PAGE_A);
	check("starts", cpus_wait_for(&mailbox->starts, 3), 3);
	check("runs", is_alive(), true);
}

static void many(void)
{
	uint32_t starts = mailbox->starts;

	if (!tap_group("startup", "many"))
		return;
	point("NMIs, one after the other");
	for (uint32_t i = 1; i <= MANY; i++) {
		apic_send(target, ICR_NMI);
		if (cpus_wait_for(nmis, i) != i)
			break;
	}
	check("NMIs", *nmis, MANY);
	check("runs", is_alive(), true);

	point("INITs and SIPIs at a processor that runs");
	for (uint32_t i = 1; i <= MANY; i++) {
		cpus_send_init(target, 0);
		for (unsigned int j = 0; j < cpus_pauses / MANY; j++)
			cpu_relax();
		send_sipi(i & 1 ? PAGE_A : PAGE_B);
		if (cpus_wait_for(&mailbox->starts, starts + i) != starts + i)
			break;
	}
	check("starts", mailbox->starts - starts, MANY);
	check("runs", is_alive(), true);
	check("NMIs", *nmis, MANY);
}

/* They all count in the same mailbox, so only their number and that they run is certain. */
static void everybody(void)
{
	uint32_t starts, all = cmdline_number("cpus", 0), others = all - 1;

	if (!tap_group("startup", "everybody"))
		return;
	if (!all) {
		point("all but oneself");
		point_skip("the command line has no cpus=");
		return;
	}
	point("INIT to all but oneself stops them all");
	cpus_send_init(0, ICR_OTHERS);
	check("stands still", stands_still(), true);

	point("SIPI to all but oneself starts them all");
	starts = mailbox->starts;
	cpus_send_sipi(0, ICR_OTHERS, PAGE_A);
	check("starts", cpus_wait_for(&mailbox->starts, starts + others) - starts, others);
	cpus_pause();
	check("starts", mailbox->starts - starts, others);
	check("runs", is_alive(), true);
}

/* Whether there is a second processor at all; it waits for SIPI again then. */
static bool target_answers(void)
{
	bool answers;

	send_init();
	send_sipi(PAGE_A);
	answers = cpus_wait_for(&mailbox->starts, 1) == 1;
	send_init();
	reset_mailbox();
	return answers;
}

static void prepare(void)
{
	put_code();
	target = apic_id() + 1;
	if (!cmdline_value("cpus") && !target_answers())
		run_skipped("no second processor answers, and the command line has no cpus=");
}

static void run(void)
{
	if (apic_is_x2())
		points_x2apic();
	startup();
	many();
	everybody();
	/* What L0 changes for these concerns the others, who run meanwhile. */
	if (!l2_lacks_nesting) {
		points_run(&l2_prot);
		points_remap(&l2_prot);
		points_dirty(&l2_prot);
	}
	points_shadow(&l2_prot);
	points_asid();
	if (tap_group("startup", "after")) {
		point("the others still run");
		check("runs", is_alive(), true);
	}
	point_end();
}

const struct image image = {
	.name = "startup", .format = pt_format_of_width, .prepare = prepare, .run = run};
