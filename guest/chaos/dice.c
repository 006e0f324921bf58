/*
 * Reproducible random numbers. Relies on nothing.
 */
#include "guest/chaos/chaos.h"

/* Both halves of a xorshift's state must be well mixed, and not be 0 at once. */
static uint32_t mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

void dice_seed(struct dice *dice, uint32_t seed, uint32_t number)
{
	dice->a = mix(seed + 0x9e3779b9u);
	dice->b = mix(number ^ dice->a) | 1;
}

/* xorshift, 64 bits of state as two words. */
uint32_t dice_roll(struct dice *dice)
{
	uint32_t t = dice->a ^ dice->a << 10;

	dice->a = dice->b;
	dice->b = dice->b ^ dice->b >> 10 ^ t ^ t >> 13;
	return dice->b * 0x9e3779bbu;
}

uint64_t dice_roll64(struct dice *dice)
{
	uint64_t high = dice_roll(dice);

	return high << 32 | dice_roll(dice);
}

uint32_t dice_below(struct dice *dice, uint32_t n)
{
	return (uint32_t)((uint64_t)dice_roll(dice) * n >> 32);
}
