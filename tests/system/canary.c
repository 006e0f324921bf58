/*
 * canary BASE SYMBOLS BEGIN END: looks over all of L0's memory after a run. BEGIN and END are
 * copies of the region at BASE (hex) from when L1 began and from when the machine ended; SYMBOLS is
 * what `nm -S` says of L0. Every byte of the region is of one kind:
 *
 * - what never changes once L1 runs (code, constants, most variables, L0's page tables, its own
 *   permission maps) and heap that nobody took: equal in both copies;
 * - tables of the pool that are free: empty, which is what mmu/ promises of them;
 * - tables in use: as many entries as the descriptor says, and each leads to another table of the
 *   pool, or to memory that is not L0's. So neither L1 nor L2 can have written there;
 * - merged permission maps: no bit of L0's own map is missing;
 * - what changes all the time (VMCBs, virtual processors, stacks, descriptors): counted, not
 * judged.
 *
 * Relies on L0's own structures: it is compiled with the same headers, for each build of L0.
 */
#include "mmu/shadow.h"
#include "svm/vcpu.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW      0xffff800000000000ull /* hv/phys.h */
#define IMAGE       0xffffffff80000000ull /* linker.ld */
#define SPTE_FRAME  0x000ffffffffff000ull
#define STACK_BYTES 16384u

enum { MAX_SYMBOLS = 4096, MAX_PAGES = 65536, WORDS = PAGE_SIZE / 8, ELEMENT = 8 };

struct symbol {
	uint64_t at, size;
	char name[64];
};

static struct symbol symbols[MAX_SYMBOLS];
static unsigned int symbol_count, failures;
static uint8_t *begin, *end;
static uint64_t base, size;
static uint8_t changing[MAX_PAGES]; /* of the region's pages */
static unsigned long constant, empty, tables, changed;

/* Variables of L0 that change while L1 runs. */
static const char *const variables[] = {
	"ring",       "busy",     "mmu",  "mmu_lock",   "sink",          "to_serial",      "keys",
	"known",      "hint",     "work", "watchers",   "early_stack",   "data",           "pages",
	"page_count", "log_busy", "told", "told_count", "keyboard_lock", "output_is_next",
};

static void complain(const char *format, ...)
{
	va_list args;

	if (failures++ >= 8)
		return;
	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static void *read_file(const char *name, uint64_t *bytes)
{
	FILE *file = fopen(name, "rb");
	void *data;

	if (!file || fseek(file, 0, SEEK_END)) {
		perror(name);
		exit(2);
	}
	*bytes = (uint64_t)ftell(file);
	rewind(file);
	data = malloc(*bytes + 1);
	if (fread(data, 1, *bytes, file) != *bytes) {
		perror(name);
		exit(2);
	}
	fclose(file);
	return data;
}

static void read_symbols(const char *name)
{
	FILE *file = fopen(name, "r");
	char line[256], rest[3][128];

	if (!file) {
		perror(name);
		exit(2);
	}
	while (fgets(line, sizeof(line), file) && symbol_count < MAX_SYMBOLS) {
		struct symbol *s = &symbols[symbol_count];
		int words =
			sscanf(line, "%lx %127s %127s %127s", &s->at, rest[0], rest[1], rest[2]);

		if (words < 3)
			continue;
		s->size = words == 4 ? strtoull(rest[0], NULL, 16) : 0;
		snprintf(s->name, sizeof(s->name), "%.63s", words == 4 ? rest[2] : rest[1]);
		symbol_count++;
	}
	fclose(file);
}

static const struct symbol *symbol(const char *name)
{
	for (unsigned int i = 0; i < symbol_count; i++) {
		if (!strcmp(symbols[i].name, name))
			return &symbols[i];
	}
	fprintf(stderr, "canary: L0 has no %s\n", name);
	exit(2);
}

static uint64_t offset_of(uint64_t address)
{
	uint64_t at = address >= IMAGE ? address - IMAGE : address - WINDOW - base;

	if (at >= size) {
		printf("# a pointer of L0's leads out of its memory: %lx\n", address);
		exit(1);
	}
	return at;
}

/* What the pointer of L0's leads to, at the end of the run. */
static void *at(const void *pointer)
{
	return end + offset_of((uint64_t)(uintptr_t)pointer);
}

static uint64_t variable(const char *name)
{
	uint64_t value;

	memcpy(&value, end + offset_of(symbol(name)->at), sizeof(value));
	return value;
}

static void will_change(const void *pointer, uint64_t bytes)
{
	uint64_t first = offset_of((uint64_t)(uintptr_t)pointer) / PAGE_SIZE;

	for (uint64_t page = first; page < first + (bytes + PAGE_SIZE - 1) / PAGE_SIZE; page++)
		changing[page] = 1;
}

static int is_variable(const char *name)
{
	size_t length = strcspn(name, ".");

	for (unsigned int i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		if (strlen(variables[i]) == length && !strncmp(name, variables[i], length))
			return 1;
	}
	return 0;
}

/*
 * The variable that the byte of the image is of. For assembly nm tells the size of an element:
 * there a variable goes to the next one.
 */
static const struct symbol *symbol_at(uint64_t address)
{
	const struct symbol *nearest = NULL;

	for (unsigned int i = 0; i < symbol_count; i++) {
		const struct symbol *s = &symbols[i];

		if (strncmp(s->name, "image_", 6) && address >= s->at &&
		    (!nearest || s->at >= nearest->at))
			nearest = s; /* image_: linker.ld's */
	}
	if (nearest && nearest->size > ELEMENT && address >= nearest->at + nearest->size)
		return NULL;
	return nearest;
}

static void check_image(uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i++) {
		const struct symbol *s;

		if (begin[i] == end[i]) {
			constant++;
			continue;
		}
		s = symbol_at(IMAGE + i);
		if (s && is_variable(s->name))
			changed++;
		else
			complain("L0's image has changed at %lx, %s", base + i,
			         s ? s->name : "no symbol");
	}
}

static void check_maps(const struct vcpu *vcpu, const struct merged_maps *maps)
{
	const uint64_t *l0 = at(maps->l0);

	/* Behind those that are found by L1's map there may be one for a step of string I/O. */
	for (unsigned int i = 0; i < sizeof(maps->map) / sizeof(maps->map[0]); i++) {
		const uint64_t *map;

		if (!maps->map[i].map)
			continue;
		map = at(maps->map[i].map);
		will_change(maps->map[i].map, maps->pages * (uint64_t)PAGE_SIZE);
		for (unsigned int word = 0; !maps->map[i].stale && word < maps->pages * WORDS;
		     word++) {
			if (l0[word] & ~map[word])
				complain("a merged map of processor %u lets through what L0 keeps",
				         vcpu->cpu.apic_id);
		}
	}
}

static void find_processors(void)
{
	uint32_t count = (uint32_t)variable("vcpu_total");
	const uint64_t *vcpus = at((void *)(uintptr_t)variable("vcpus"));

	for (uint32_t i = 0; i < count; i++) {
		const void *pointer = (void *)(uintptr_t)vcpus[i];
		const struct vcpu *vcpu = at(pointer);

		will_change(pointer, sizeof(*vcpu));
		will_change(vcpu->vmcb01, PAGE_SIZE);
		for (int slot = 0; slot < VMCB02S; slot++)
			will_change(vcpu->nested.vmcb02s[slot].vmcb, PAGE_SIZE);
		will_change(vcpu->cpu.halt, PAGE_SIZE);
		will_change(vcpu->quirks.without_busy, PAGE_SIZE);
#if STRICT
		for (int slot = 0; slot < 1 + VMCB02S; slot++)
			will_change(vcpu->seen[slot], PAGE_SIZE);
#endif
		will_change((void *)(uintptr_t)(WINDOW + vcpu->cpu.hsave_hpa), PAGE_SIZE);
		check_maps(vcpu, &vcpu->nested.msrpms);
		check_maps(vcpu, &vcpu->nested.iopms);
	}
	if (!count)
		complain("L0 has no processors");
}

/* Stacks are aligned to their size and begin with the processor that they are of. */
static void find_stacks(uint64_t from, uint64_t to)
{
	for (uint64_t i = from + (STACK_BYTES - (base + from) % STACK_BYTES) % STACK_BYTES;
	     i + STACK_BYTES <= to; i += STACK_BYTES) {
		const uint64_t *vcpus = at((void *)(uintptr_t)variable("vcpus"));
		uint32_t count = (uint32_t)variable("vcpu_total");
		uint64_t processor;

		memcpy(&processor, begin + i, sizeof(processor));
		for (unsigned int n = 0; n < count; n++) {
			if (processor == vcpus[n])
				memset(changing + i / PAGE_SIZE, 1, STACK_BYTES / PAGE_SIZE);
		}
	}
}

static void check_heap(uint64_t from, uint64_t to)
{
	uint64_t taken = variable("heap_next") - base;

	find_stacks(from, to);
	for (uint64_t i = from; i < to; i += sizeof(uint64_t)) {
		uint64_t old, new;

		memcpy(&old, begin + i, sizeof(old));
		memcpy(&new, end + i, sizeof(new));
		if (changing[i / PAGE_SIZE]) {
			changed += sizeof(new);
			continue;
		}
		/* The processor sets A and D in L0's own page tables. */
		if (old != new && (!(old & PTE_P) || ((old ^ new) & ~(uint64_t)(PTE_A | PTE_D))))
			complain("L0's heap has changed at %lx", base + i);
		else if (i >= taken && new)
			complain("L0's heap has %lx at %lx, which nobody took", new, base + i);
		constant += sizeof(new);
	}
}

static void check_table(const struct mmu *mmu, const struct shadow_page *page)
{
	const uint64_t *table = at(page->table);
	uint64_t pool_end = mmu->tables_hpa + mmu->page_count * (uint64_t)PAGE_SIZE;
	uint64_t sink = base + symbol("sink")->at - IMAGE;
	unsigned int present = 0;

	if (page->live && is_copy(page)) { /* of a table of L1's: what is in it leads nowhere */
		tables += PAGE_SIZE;
		return;
	}
	for (unsigned int i = 0; i < WORDS; i++) {
		uint64_t frame = table[i] & SPTE_FRAME;

		if (!table[i])
			continue;
		present++;
		if (frame < base || frame >= base + size || frame == sink)
			continue;
		if (frame < mmu->tables_hpa || frame >= pool_end || (table[i] & 0x80))
			complain("an entry leads to L0's memory: %lx in a table at %lx", table[i],
			         mmu->tables_hpa + ((uint64_t)(uintptr_t)page->table -
			                            (uint64_t)(uintptr_t)mmu->tables));
	}
	if (present != page->present)
		complain("a table of gpa %lx has %u entries, its descriptor says %u", page->gpa,
		         present, page->present);
	if (page->live)
		tables += PAGE_SIZE;
	else if (present)
		complain("a free table is not empty");
	else
		empty += PAGE_SIZE;
}

static void check_pool(const struct mmu *mmu)
{
	const struct shadow_page *pages = at(mmu->pages);
	uint32_t live = 0;

	for (uint32_t i = 0; i < mmu->page_count; i++) {
		if (pages[i].table != mmu->tables + (size_t)i * WORDS)
			complain("descriptor %u has lost its table", i);
		else
			check_table(mmu, &pages[i]);
		live += pages[i].live;
	}
	if (live + mmu->free_count > mmu->page_count)
		complain("%u tables in use and %u free, of %u", live, mmu->free_count,
		         mmu->page_count);
}

int main(int argc, char **argv)
{
	struct mmu mmu;
	uint64_t image, pool, other;

	if (argc != 5) {
		fprintf(stderr, "usage: canary BASE SYMBOLS BEGIN END\n");
		return 2;
	}
	base = strtoull(argv[1], NULL, 16);
	read_symbols(argv[2]);
	begin = read_file(argv[3], &size);
	end = read_file(argv[4], &other);
	if (size != other || size / PAGE_SIZE > MAX_PAGES || variable("heap_end") - base > size) {
		fprintf(stderr, "canary: these are no copies of L0's memory\n");
		return 2;
	}
	memcpy(&mmu, end + offset_of(symbol("mmu")->at), sizeof(mmu));
	image = symbol("image_end")->at - IMAGE;
	pool = mmu.tables_hpa - base;
	check_image(image);
	find_processors();
	check_heap((image + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1), pool);
	check_pool(&mmu);
	changed += size - pool - mmu.page_count * (uint64_t)PAGE_SIZE;
	printf("# of L0's %lu KiB: %lu as they were, %lu empty, %lu in tables, %lu not judged\n",
	       size >> 10, constant >> 10, empty >> 10, tables >> 10, changed >> 10);
	if (failures)
		printf("# %u complaints\n", failures);
	return failures != 0;
}
