/*
 * Guest memory with a journal. Relies on tests/model/ram.h.
 */
#include "tests/model/ram.h"

#include <stdlib.h>
#include <string.h>

void ram_init(struct ram *ram)
{
	memset(ram, 0, sizeof(*ram));
}

void ram_free(struct ram *ram)
{
	free(ram->change);
	ram->change = NULL;
}

uint64_t ram_page_gpa(unsigned int page)
{
	if (page < RAM_LOW_PAGES)
		return RAM_LOW_GPA + page * 4096ull;
	return RAM_HIGH_GPA + (page - RAM_LOW_PAGES) * 4096ull;
}

int ram_page_number(uint64_t gpa)
{
	uint64_t page = gpa >> 12;

	if (page - (RAM_LOW_GPA >> 12) < RAM_LOW_PAGES)
		return (int)(page - (RAM_LOW_GPA >> 12));
	if (page - (RAM_HIGH_GPA >> 12) < RAM_PAGES - RAM_LOW_PAGES)
		return (int)(page - (RAM_HIGH_GPA >> 12)) + RAM_LOW_PAGES;
	return -1;
}

uint64_t *ram_page(struct ram *ram, uint64_t gpa)
{
	int page = ram_page_number(gpa);

	return page < 0 ? NULL : ram->word[page];
}

static uint64_t part(uint64_t word, uint64_t gpa, unsigned int size)
{
	if (size == 8)
		return word;
	return (uint32_t)(gpa & 4 ? word >> 32 : word);
}

static void record(struct ram *ram, uint64_t gpa, uint64_t old, uint64_t new)
{
	if (ram->changes == ram->room) {
		ram->room = ram->room ? ram->room * 2 : 1024;
		ram->change = realloc(ram->change, ram->room * sizeof(*ram->change));
		if (!ram->change)
			abort();
	}
	ram->change[ram->changes++] = (struct ram_change){gpa & ~7ull, old, new};
}

uint64_t ram_read(struct ram *ram, uint64_t gpa, unsigned int size)
{
	uint64_t *page = ram_page(ram, gpa);

	return part(page ? page[gpa >> 3 & 511] : ~0ull, gpa, size);
}

void ram_write(struct ram *ram, uint64_t gpa, unsigned int size, uint64_t value)
{
	uint64_t *page = ram_page(ram, gpa);
	uint64_t *word;

	if (!page)
		return;
	word = &page[gpa >> 3 & 511];
	if (size == 8)
		*word = value;
	else if (gpa & 4)
		*word = (uint32_t)*word | value << 32;
	else
		*word = (*word & ~0xffffffffull) | (uint32_t)value;
	ram_will_write(ram, gpa);
	ram_collect(ram);
}

void ram_will_write(struct ram *ram, uint64_t gpa)
{
	int page = ram_page_number(gpa);

	if (page >= 0)
		ram->dirty[page] = true;
}

size_t ram_collect(struct ram *ram)
{
	size_t before = ram->changes;

	for (unsigned int page = 0; page < RAM_PAGES; page++) {
		if (!ram->dirty[page])
			continue;
		ram->dirty[page] = false;
		for (unsigned int i = 0; i < RAM_WORDS; i++) {
			uint64_t old = ram->seen[page][i], new = ram->word[page][i];

			if (old == new)
				continue;
			record(ram, ram_page_gpa(page) + i * 8, old, new);
			ram->seen[page][i] = new;
		}
	}
	return ram->changes - before;
}

bool ram_page_changed(const struct ram *ram, unsigned int page, size_t time)
{
	for (size_t t = time; t < ram->changes; t++) {
		if ((ram->change[t].gpa & ~0xfffull) == ram_page_gpa(page))
			return true;
	}
	return false;
}

bool ram_changed_unseen(const struct ram *ram)
{
	return memcmp(ram->word, ram->seen, sizeof(ram->word)) != 0;
}

uint64_t ram_read_at(struct ram *ram, uint64_t gpa, unsigned int size, size_t time)
{
	size_t change = ram_next_change(ram, gpa, time);

	if (!change)
		return ram_read(ram, gpa, size);
	return part(ram->change[change - 1].old, gpa, size);
}

size_t ram_next_change(const struct ram *ram, uint64_t gpa, size_t time)
{
	for (size_t t = time; t < ram->changes; t++) {
		if (ram->change[t].gpa == (gpa & ~7ull))
			return t + 1;
	}
	return 0;
}
