/*
 * mmu/ on the bench. Relies on tests/model/rig.h.
 */
#include "tests/model/rig.h"

#include <stdlib.h>

static void *rig_page(void *context, uint64_t gpa)
{
	struct rig *rig = context;

	if (rig->on_page)
		rig->on_page(rig, gpa);
	return ram_page(&rig->ram, gpa);
}

static void rig_written(void *context, uint64_t gpa)
{
	struct rig *rig = context;

	if (rig->tracking)
		mmu_note_walk(&rig->mmu, gpa);
	if (rig->on_written)
		rig->on_written(rig, gpa);
	ram_will_write(&rig->ram, gpa);
}

struct host_mapping rig_map(uint64_t gpa)
{
	bool small = (gpa >> 30 & 3) == 3;
	bool odd = gpa >> 21 & 1;

	if (small && odd && (gpa >> 12 & 7) == 5)
		return (struct host_mapping){.hpa = RIG_NOBODY, .level = 1};
	return (struct host_mapping){.hpa = (gpa & ~0xfffull) ^ RIG_HPA_BIT,
	                             .level = !small ? 3
	                                      : odd  ? 1
	                                             : 2};
}

uint64_t rig_hpa(const struct rig *rig, uint64_t gpa)
{
	uint64_t hpa = rig_map(gpa).hpa;

	return (hpa == RIG_NOBODY ? hpa : hpa ^ RIG_HPA_BIT ^ rig->hpa_bit) | (gpa & 0xfff);
}

static struct host_mapping map_for_mmu(void *context, uint64_t gpa)
{
	struct rig *rig = context;
	struct host_mapping map = {.hpa = rig_hpa(rig, gpa & ~0xfffull),
	                           .level = rig_map(gpa).level};

	if (rig->on_map)
		rig->on_map(rig, gpa);
	rig->mmu.maps += !(rig->asked++ & 3); /* one answer of four is not remembered */
	if (rig->hole_level && map.level > rig->hole_level)
		map.level = rig->hole_level;
	if (rig->typed && gpa >= rig->typed_from) {
		map.typed = true;
		map.type = rig->type;
	}
	if (rig->read_only && !((gpa ^ rig->read_only) >> shadow_shift(map.level))) {
		map.level = 1;
		map.read_only = !((gpa ^ rig->read_only) >> PT_PAGE_SHIFT);
		map.hidden = rig->hidden && map.read_only;
	}
	return map;
}

static void flush_all(void *context)
{
	struct rig *rig = context;

	rig->flushes++;
	if (rig->on_flush)
		rig->on_flush(rig);
}

static void frame_changed(void *context, uint64_t gpa)
{
	struct rig *rig = context;

	if (rig->on_changed)
		rig->on_changed(rig, gpa);
}

static void frame_opens(void *context, uint64_t gpa)
{
	struct rig *rig = context;

	if (rig->on_opens)
		rig->on_opens(rig, gpa);
}

static void kick(void *context, struct mmu_cpu *cpu)
{
	struct rig *rig = context;

	rig->kicks++;
	if (rig->on_kick)
		rig->on_kick(rig, (unsigned int)(cpu - rig->cpu));
}

static const struct mmu_ops ops = {
	.map = map_for_mmu,
	.frame_changed = frame_changed,
	.frame_opens = frame_opens,
	.flush_all = flush_all,
	.kick = kick,
};

static uint64_t *table_at(void *context, uint64_t hpa)
{
	struct rig *rig = context;
	uint64_t page = (hpa - RIG_TABLES_HPA) >> 12;

	if (hpa < RIG_TABLES_HPA || page >= rig->mmu.page_count)
		return NULL;
	return (uint64_t *)rig->tables + page * 512;
}

struct rig *rig_new(int host_levels, bool host_1g, uint32_t pages)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		abort();
	ram_init(&rig->ram);
	rig->hpa_bit = RIG_HPA_BIT;
	rig->tables = aligned_alloc(4096, pages * 4096ull);
	rig->metadata = malloc(mmu_metadata_size(pages));
	if (!rig->tables || !rig->metadata)
		abort();
	for (size_t i = 0; i < pages * 512ull; i++)
		((uint64_t *)rig->tables)[i] = 0xa5a5a5a5a5a5a5a5; /* as firmware leaves it */
	rig->mmu.memory = (struct guest_memory){rig_page, rig_written, rig};
	rig->mmu.ops = &ops;
	rig->mmu.context = rig;
	rig->mmu.host_levels = (uint8_t)host_levels;
	rig->mmu.phys_bits = 52;
	rig->mmu.host_1g = host_1g;
	mmu_init(&rig->mmu, rig->tables, RIG_TABLES_HPA, rig->metadata, pages);
	rig->mmu.hot = RIG_HOT;
	rig->host = (struct host_tables){table_at, rig, host_levels, host_1g, false};
	return rig;
}

void rig_track(struct rig *rig)
{
	uint64_t end = rig->mmu.host_levels == 3
	                       ? 4ull << 30 /* all that a PAE root maps is L1's memory */
	                       : RAM_HIGH_GPA + (RAM_PAGES - RAM_LOW_PAGES) * 4096ull;

	rig->hpa_bit = 0;
	rig->mmu.identity = true;
	rig->tracking = calloc(1, track_metadata_size(end));
	if (!rig->tracking)
		abort();
	track_init(&rig->mmu, end, rig->tracking);
}

void rig_free(struct rig *rig)
{
	free(rig->tracking);
	ram_free(&rig->ram);
	free(rig->tables);
	free(rig->metadata);
	free(rig);
}

struct guest_tables rig_guest(enum pt_format_id id, uint32_t flags, uint8_t phys_bits,
                              uint64_t root)
{
	struct guest_tables tables = {.pat = pack_pat(HOST_PAT)};

	paging_mode_init(&tables.mode, id, flags | MODE_NESTED, phys_bits);
	tables.root = paging_root(&tables.mode, root);
	return tables;
}

const uint64_t rig_pats[2] = {0x0007040600070406ull, 0x0605040106050400ull};
const uint8_t rig_host_types[8] = {6, 4, 7, 0, 5, 1, 7, 0};

void rig_mode(const struct rig *rig, struct paging_mode *mode, unsigned int format, uint32_t flags,
              unsigned int phys_bits)
{
	static const uint8_t bits[] = {40, 48, 52, 36};

	/* A hypervisor has no longer addresses than its own: L1 has no long mode under PAE. */
	format %= rig->mmu.host_levels == 3 ? PT_4LEVEL : PT_FORMATS;
	if (format == PT_5LEVEL && rig->mmu.host_levels == 4)
		format = PT_4LEVEL; /* L1 has no LA57 under a 4-level L0 */
	paging_mode_init(mode, (enum pt_format_id)format, flags, bits[phys_bits % 4]);
}

struct ref_mode rig_ref_mode(const struct paging_mode *mode)
{
	static const enum ref_format formats[] = {
		[PT_2LEVEL] = REF_2LEVEL,
		[PT_PAE] = REF_PAE,
		[PT_4LEVEL] = REF_4LEVEL,
		[PT_5LEVEL] = REF_5LEVEL,
	};

	return (struct ref_mode){
		.format = formats[mode->id],
		.nx = mode->flags & MODE_NX,
		.pse = mode->flags & MODE_PSE,
		.gigabyte_pages = mode->flags & MODE_1G,
		.nested = mode->flags & MODE_NESTED,
		.wp = mode->flags & MODE_WP,
		.smep = mode->flags & MODE_SMEP,
		.smap = mode->flags & MODE_SMAP,
		.pdpte_a = mode->flags & MODE_PDPTE_A,
		.phys_bits = mode->phys_bits,
	};
}

uint64_t rig_new_table(struct rig *rig)
{
	if (rig->next_page == RAM_PAGES)
		abort();
	return ram_page_gpa(rig->next_page++);
}

uint64_t rig_entry(struct rig *rig, const struct guest_tables *tables, uint64_t address, int level)
{
	struct ref_mode mode = rig_ref_mode(&tables->mode);
	struct ref_state state = ref_start(&mode, tables->root);
	unsigned int size = ref_entry_size(&mode);
	struct ref_step step;

	for (;;) {
		uint64_t gpa = ref_entry_gpa(&mode, &state, address);

		if (state.level == level)
			return gpa;
		if (!(ram_read(&rig->ram, gpa, size) & 1))
			ram_write(&rig->ram, gpa, size,
			          rig_new_table(rig) |
			                  (mode.format == REF_PAE && state.level == 3 ? 1 : 0x27));
		step = ref_look(&mode, &state, address, ram_read(&rig->ram, gpa, size));
		if (step.verdict != REF_TABLE)
			abort(); /* the test asks for an entry that there cannot be */
		state = step.next;
	}
}

void rig_put(struct rig *rig, const struct guest_tables *tables, uint64_t address, int level,
             uint64_t entry)
{
	ram_write(&rig->ram, rig_entry(rig, tables, address, level),
	          tables->mode.format->entry_size, entry);
}

uint64_t rig_get(struct rig *rig, const struct guest_tables *tables, uint64_t address, int level)
{
	return ram_read(&rig->ram, rig_entry(rig, tables, address, level),
	                tables->mode.format->entry_size);
}

struct host_result rig_walk(struct rig *rig, uint64_t root, uint64_t address)
{
	return host_walk(&rig->host, host_start(&rig->host, root), address);
}

struct host_result rig_look(struct rig *rig, uint64_t root, uint64_t address)
{
	struct host_tables tables = rig->host;

	tables.look = true;
	return host_walk(&tables, host_start(&tables, root), address);
}

int rig_access(struct rig *rig, unsigned int cpu, const struct guest_tables *tables,
               uint64_t address, uint32_t access)
{
	struct mmu_cpu *at = &rig->cpu[cpu];

	for (int i = 0; i <= RIG_FAULTS; i++) {
		uint64_t root = page_hpa(&rig->mmu, at->current);
		struct host_result walk = rig_walk(rig, root, address);
		struct page_fault fault = {.address = address, .access = access};

		if (walk.status == HOST_BROKEN)
			abort();
		if (walk.status == HOST_OK && (walk.write || !(access & ACCESS_WRITE)) &&
		    (walk.execute || !(access & ACCESS_FETCH)))
			return RIG_OK;
		if (mmu_fault(&rig->mmu, at, tables, &fault) == FAULT_REFLECT)
			return (int)fault.code + 1000;
	}
	return RIG_ENDLESS;
}
