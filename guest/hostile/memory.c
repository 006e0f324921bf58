/*
 * INVD, which would take what L0 has written with it, by each processor and by an L2; and sleep
 * that only L1 would wake from.
 */
#include "guest/hostile/hostile.h"

enum {
	WORDS = 4096,
	/* QEMU's q35: ACPI's PM1a control register, and what it takes for S3. */
	PM1A_CONTROL = 0x604,
	SLP_TYP_S3 = 1 << 10,
	SLP_TYP_NONE = 6 << 10, /* which is no state's */
	SLP_EN = 1 << 13,
};

static volatile uint32_t words[WORDS];

static void invalidate(struct cpu *cpu)
{
	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = cpu->id << 16 | i;
	__asm__ volatile("invd" : : : "memory");
	cpu->alive++;
}

static void check_words(unsigned int number)
{
	uint32_t same = 0;

	while (same < WORDS && words[same] == (number << 16 | same))
		same++;
	check("words that are as written", same, WORDS);
}

void hostile_memory(void)
{
	static const uint8_t code[] = {0x0f, 0x08, 0x0f, 0x01, 0xd9}; /* INVD, VMMCALL */
	struct l2 *l2;

	if (!tap_group("hostile", "invd"))
		return;
	point("INVD by every processor");
	invalidate(cpu_self());
	check_words(0);
	hostile_restart_all();
	for (unsigned int i = 1; i < hostile_count(); i++) {
		check("has done it", hostile_does(i, invalidate), true);
		check_words(i);
	}

	point("INVD by an L2");
	l2 = hostile_l2(0);
	memcpy(l2->low + L2_EXEC, code, sizeof(code));
	l2_fetch(l2);
	l2_check_done(l2);
	hostile_all_answer(1);
}

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

void hostile_sleep(void)
{
	struct l2 *l2;

	if (!tap_group("hostile", "sleep"))
		return;
	point("a machine that is asked for S3 goes on");
	if (!machine.qemu) {
		point_skip("its ports are not known");
	} else {
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
	hostile_all_answer(1);
}
