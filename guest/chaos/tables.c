/*
 * Random nested tables, of entries that may be read in any format. They are tame (memory.c), and
 * lead to each other, to themselves, to VMCBs and to where there is no memory. Relies on memory.c.
 */
#include "guest/chaos/chaos.h"

enum { WORDS = PAGE_SIZE / sizeof(uint64_t), PRESENT_OF_8 = 7 };

uint64_t tables_entry(struct dice *dice)
{
	uint32_t roll = dice_roll(dice);
	uint64_t entry = memory_address(dice);

	if (roll % 8 >= PRESENT_OF_8)
		return memory_tame_entry(entry & ~PT_PRESENT);
	if (!(roll >> 4 & 31)) /* low bits, reserved ones too, as they come */
		return memory_tame_entry(entry | dice_roll64(dice));
	entry = (entry & ~0xfffull) | PT_RWU;
	if (!(roll >> 9 & 7))
		entry &= ~PT_WRITE;
	if (!(roll >> 12 & 15))
		entry &= ~PT_USER;
	if (!(roll >> 16 & 7))
		entry |= PT_LARGE;
	if (!(roll >> 19 & 7))
		entry |= PT_NX;
	if (roll >> 22 & 1)
		entry |= PT_ACCESSED | PT_DIRTY;
	if (!(roll >> 23 & 31))
		entry |= 1ull << (roll >> 28) * 4;
	return memory_tame_entry(entry);
}

static void write_entry(uint64_t at, uint64_t entry)
{
	*(volatile uint64_t *)(uintptr_t)at = entry;
}

void tables_fill(struct dice *dice)
{
	memset((void *)(uintptr_t)arena.data, 0, (size_t)(arena.kept - arena.data));
	for (uint64_t at = arena.tables; at < arena.data; at += sizeof(uint64_t))
		write_entry(at, tables_entry(dice));
	for (uint64_t at = arena.maps; at < arena.blocks; at += sizeof(uint64_t)) {
		uint64_t half = dice_roll64(dice);

		write_entry(at, half & dice_roll64(dice)); /* a quarter of all accesses exits */
	}
}

void tables_edit(struct dice *dice)
{
	uint64_t at =
		arena.tables + dice_below(dice, TABLE_PAGES * WORDS) * (uint64_t)sizeof(uint64_t);
	uint64_t old = *(volatile uint64_t *)(uintptr_t)at;

	if (dice_one_in(dice, 2))
		write_entry(at, memory_tame_entry(old ^ 1ull << dice_below(dice, 64)));
	else
		write_entry(at, tables_entry(dice));
}

uint64_t tables_root(struct dice *dice)
{
	uint64_t address = memory_address(dice);

	if (!dice_one_in(dice, 4))
		address = arena.tables + dice_below(dice, TABLE_PAGES) * (uint64_t)PAGE_SIZE;
	if (dice_one_in(dice, 2)) /* a PAE root is anywhere in a page */
		address = (address & ~0xfffull) | (dice_roll(dice) & 0xfe0);
	return memory_tame_address(address);
}
