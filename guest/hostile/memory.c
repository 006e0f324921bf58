/*
 * INVD, which would take what L0 has written with it, by each processor and by an L2.
 */
#include "guest/hostile/hostile.h"

enum { WORDS = 4096 };

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
