/*
 * The pages under test and their tables: made anew for each point, in memory that no point had
 * before, so that L0 has to begin with it. Relies on smp.h.
 */
#include "guest/smp/smp.h"

enum {
	TREE_PAGES = 10, /* upper tables, the low one, the private ones and their data page */
	LOW_TREE_PAGES = 12,
	WINDOW_BYTES = 4 << 20, /* more than a chunk has */
	LARGE_SHIFT = 21,
	BLOCK_STEP = 61, /* pages from one slot to the next in a table */
	FIRST_SLOT = 3,
};

/* Memory that no loader uses, and that L1 maps to itself: the blocks, then chunks. */
#define MEMORY_START 0x1000000u
#define MEMORY_END   0x4000000u

#define L2_BASE     L2_SMALL
#define L2_OWNED    (L2_BASE + RANGES * (uint32_t)SIZE_2M) /* private ranges from here on */
#define OWN_BASE    0x50000000u
#define TAG         0x5ce00067u
#define PRIVATE_TAG 0x7ee00067u

struct scene scene;

static uint64_t next_chunk;

void scene_memory_init(void)
{
	if (!memory_usable(MEMORY_START, MEMORY_END))
		run_skipped("the memory from 16 MiB to 64 MiB is not free");
	next_chunk = MEMORY_START + BLOCKS * SIZE_2M;
}

static uint64_t take_chunk(unsigned int pages)
{
	uint64_t bytes = (uint64_t)pages * PAGE_SIZE, chunk;

	if (MEMORY_END - next_chunk < bytes)
		next_chunk = MEMORY_START + BLOCKS * SIZE_2M;
	chunk = next_chunk;
	next_chunk = (chunk + bytes + SIZE_2M - 1) & ~(SIZE_2M - 1);
	memset((void *)(uintptr_t)chunk, 0, (size_t)bytes);
	return chunk;
}

static unsigned int index_of(unsigned int slot)
{
	return FIRST_SLOT + slot * BLOCK_STEP;
}

uint64_t scene_address(unsigned int page)
{
	unsigned int range = page / SLOTS;

	return scene.base + range * SIZE_2M + index_of(page - range * SLOTS) * PAGE_SIZE;
}

uint64_t scene_private_address(unsigned int n)
{
	return L2_OWNED + n * SIZE_2M + index_of(n) * PAGE_SIZE;
}

uint32_t scene_private_tag(unsigned int tree)
{
	return PRIVATE_TAG + (tree << PAGE_SHIFT);
}

uint32_t *frame_memory(unsigned int frame)
{
	unsigned int n = frame - POOL;
	uint64_t at = scene.chunk + (uint64_t)frame * PAGE_SIZE;

	if (frame >= POOL)
		at = MEMORY_START + n / LARGE_SLOTS * SIZE_2M +
		     index_of(n % LARGE_SLOTS) * PAGE_SIZE;
	return (void *)(uintptr_t)at;
}

uint32_t frame_tag(unsigned int frame)
{
	return TAG + (frame << PAGE_SHIFT);
}

const struct state *scene_state(uint32_t version, unsigned int thing)
{
	return &scene.history[version % VERSIONS][thing];
}

/* A tree of L2's: low memory, and pages of its own that tell which tree it is. */
static void make_tree(struct pt *tree, const struct l2 *l2, unsigned int number, uint64_t pages)
{
	uint64_t data = pages + (TREE_PAGES - 1) * PAGE_SIZE;

	pt_init(tree, l2->npt.format, pages, data, 0);
	pt_map_range(tree, 0, l2_gpa(l2->low), L2_LOW_END, 1, PT_RWU);
	for (unsigned int n = 0; scene.trees > 1 && n < PRIVATE_RANGES; n++)
		pt_map(tree, scene_private_address(n), data, 1, PT_RWU);
	*(uint32_t *)(uintptr_t)data = scene_private_tag(number);
}

/* Every other scene shows the tables in large pages. */
static void make_writer(const struct l2 *l2, uint64_t pages)
{
	unsigned int level = 1 + (scene.chunk >> LARGE_SHIFT & 1);

	pt_init(&scene.writer, l2->npt.format, pages, pages + LOW_TREE_PAGES * PAGE_SIZE, 0);
	pt_map_range(&scene.writer, 0, l2_gpa(l2->low), L2_LOW_END, 1, PT_RWU);
	pt_map_range(&scene.writer, L2_TO_TABLES, scene.chunk, WINDOW_BYTES, level, PT_RWU);
}

static struct vmcb templates[TESTERS], writer_vmcbs[TESTERS];

/* The L2 of each tester, all with the memory of the first; and the one that edits. */
static void make_l2s(const struct l2_kind *kind)
{
	unsigned int asids = machine.asids < ASIDS ? machine.asids : ASIDS;
	struct l2 *first = l2_new(0, kind), *l2;

	for (unsigned int i = 0; i < tester_count; i++) {
		struct tester *t = &testers[i];

		l2 = t->l2 = i ? l2_new(i, kind) : first;
		l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_MSR_PROT | MISC1_IOIO_PROT;
		l2->vmcb->save.rflags |= RFLAGS_IF; /* for who lets L2's IF decide */
		templates[i] = *l2->vmcb;
	}
	scene.upper_moves = first->nested && scene.trees == 1;
	for (unsigned int i = 0; i < scene.trees; i++) {
		make_tree(&scene.tree[i], first, i,
		          scene.chunk + (POOL + LOW_TREE_PAGES + i * TREE_PAGES) * PAGE_SIZE);
		first->npt = scene.tree[i];
		l2_use_root(first);
	}
	make_writer(first, scene.chunk + POOL * PAGE_SIZE);
	first->npt = scene.writer;
	l2_use_root(first);
	for (unsigned int i = 0; i < tester_count; i++) {
		struct tester *t = &testers[i];

		t->writer = *t->l2;
		t->writer.low = first->low;
		t->writer.vmcb = &writer_vmcbs[i];
		*t->writer.vmcb = templates[i];
		t->writer.npt = scene.writer;
		l2_use_root(&t->writer);
		t->writer.vmcb->control.asid = asids - 1;
	}
}

void scene_restore_vmcb(const struct tester *tester)
{
	*tester->l2->vmcb = templates[tester->number];
}

void scene_make(const struct l2_kind *kind, unsigned int trees)
{
	unsigned int pages = POOL + LOW_TREE_PAGES + trees * TREE_PAGES;

	scene.own = !kind;
	scene.trees = kind ? trees : 1;
	scene.chunk = take_chunk(pages);
	scene.chunk_end = scene.chunk + (uint64_t)pages * PAGE_SIZE;
	if (kind) {
		scene.base = L2_BASE;
		make_l2s(kind);
	} else {
		scene.base = OWN_BASE;
		scene.upper_moves = true;
		scene.tree[0] = l1_tables;
	}
	edit_init();
}

static void reload(struct cpu *cpu)
{
	(void)cpu;
	write_cr3(read_cr3());
}

/* L1's own tables are as before; nobody has anything of this scene cached. */
void scene_end(void)
{
	if (!scene.own)
		return;
	edit_restore();
	reload(NULL);
	for (unsigned int i = 1; i < tester_count; i++)
		cpu_call(testers[i].cpu, reload);
	for (unsigned int i = 1; i < tester_count; i++)
		cpu_wait(testers[i].cpu);
}
