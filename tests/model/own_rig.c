/*
 * The bench without nested paging. Relies on tests/model/own_rig.h.
 */
#include "tests/model/own_rig.h"

#include <stdlib.h>

static const uint64_t frame_bits = 0x000ffffffffff000ull;

struct rig *own_rig_new(int host_levels, bool host_1g, uint32_t pages)
{
	uint64_t end = RAM_HIGH_GPA + (RAM_PAGES - RAM_LOW_PAGES) * 4096ull;
	struct rig *rig = rig_new(host_levels, host_1g, pages);

	rig->hpa_bit = 0;
	rig->mmu.identity = true;
	rig->mmu.shadows_l1_paging = true;
	mmu_init(&rig->mmu, rig->tables, RIG_TABLES_HPA, rig->metadata, pages);
	rig->tracking = calloc(1, protect_metadata_size(end, pages));
	if (!rig->tracking)
		abort();
	protect_init(&rig->mmu, end, rig->tracking);
	return rig;
}

struct guest_tables own_guest(enum pt_format_id id, uint32_t flags, uint8_t phys_bits, uint64_t cr3)
{
	struct guest_tables tables = {.pat = pack_pat(HOST_PAT)};

	paging_mode_init(&tables.mode, id, flags, phys_bits);
	tables.root = paging_root(&tables.mode, cr3);
	return tables;
}

struct guest_tables own_direct(void)
{
	return (struct guest_tables){.direct = true};
}

void own_load_pdptes(struct rig *rig, struct guest_tables *tables, uint64_t pdptes[4])
{
	for (unsigned int i = 0; i < 4; i++)
		pdptes[i] = ram_read(&rig->ram, tables->root + 8 * i, 8);
	tables->mode.pdptes = pdptes;
}

int own_levels(const struct guest_tables *tables)
{
	if (tables->direct || tables->mode.id == PT_2LEVEL || tables->mode.id == PT_PAE)
		return 3;
	return tables->mode.id == PT_4LEVEL ? 4 : 5;
}

struct own_point own_start(uint64_t root, int levels)
{
	return (struct own_point){levels == 3 ? -3 : levels, root, true, true, true};
}

/* Reserved bits of an entry at a level; -3: a PDPTE, in which an emulator may set A. */
static bool broken(const struct rig *rig, int level, uint64_t entry)
{
	if (level == -3)
		return entry & ~(frame_bits | 1 | 1 << 5);
	if (level == 1 || !(entry >> 7 & 1))
		return (level >= 4 && (entry >> 8 & 1)) || (entry & 0x7ff0000000000000ull);
	if (level >= 4 || (level == 3 && !rig->host.gigabyte_pages))
		return true;
	return entry & ((1ull << (level == 2 ? 21 : 30)) - 1) & ~0x1fffull;
}

static void arrive(struct own_seen *seen, const struct own_point *at, uint64_t entry,
                   uint64_t address)
{
	uint64_t low = (1ull << (12 + 9 * (at->level - 1))) - 1;

	seen->status = OWN_OK;
	seen->hpa = (entry & frame_bits & ~low) | (address & low);
	seen->write = at->write;
	seen->user = at->user;
	seen->execute = at->execute;
	seen->level = at->level;
	seen->pat = (entry >> (at->level == 1 ? 7 : 12) & 1) * 4u + (unsigned int)(entry >> 3 & 3);
}

struct own_seen own_walk(const struct rig *rig, struct own_point from, uint64_t address)
{
	struct own_seen seen = {.status = OWN_MISSING};
	struct own_point at = from;

	for (;;) {
		int level = at.level < 0 ? -at.level : at.level;
		unsigned int index = address >> (12 + 9 * (level - 1)) & (at.level < 0 ? 3 : 511);
		uint64_t *table = rig->host.table(rig->host.context, at.hpa);
		uint64_t entry;

		seen.point[seen.points++] = at;
		if (!table) {
			seen.status = OWN_BROKEN;
			return seen;
		}
		entry = table[index];
		if (!(entry & 1))
			return seen;
		if (broken(rig, at.level, entry)) {
			seen.status = OWN_BROKEN;
			return seen;
		}
		if (at.level > 0) {
			at.write = at.write && (entry & 2);
			at.user = at.user && (entry & 4);
			at.execute = at.execute && !(entry >> 63);
		}
		if (level == 1 || (at.level > 0 && (entry & 0x80))) {
			arrive(&seen, &at, entry, address);
			seen.leaf = &table[index];
			return seen;
		}
		at.hpa = entry & frame_bits;
		at.level = level - 1;
	}
}

/* APM vol. 2, section 5.6, with CR0.WP=1 and EFER.NXE=1. */
bool own_permits(const struct ref_mode *mode, const struct own_seen *seen, struct ref_access access)
{
	if (seen->status != OWN_OK || (access.write && !seen->write) ||
	    (access.fetch && !seen->execute))
		return false;
	if (access.user)
		return seen->user;
	if (!seen->user || !mode)
		return true;
	return access.fetch ? !mode->smep : !mode->smap || access.ac;
}

uint32_t own_access_flags(struct ref_access access)
{
	return (access.write ? ACCESS_WRITE : 0) | (access.user ? ACCESS_USER : 0) |
	       (access.fetch ? ACCESS_FETCH : 0) |
	       (!access.user && !access.fetch && !access.ac ? ACCESS_SMAP_CHECK : 0);
}
