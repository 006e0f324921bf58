/*
 * The states that the EFI program has kept become those that L1 begins with. No L1 runs meanwhile
 * that could change them. Relies on boot/ids.h and svm/start/start_state.h.
 */
#include "boot/chain.h"
#include "boot/ids.h"
#include "hv/memory.h"
#include "hv/phys.h"
#include "hv/string.h"

enum {
	ACCESS_LOW_SHIFT = 8, /* LAR's type to P are bits 15:8, AVL to G bits 23:20 */
	ACCESS_LOW = 0xff,
	ACCESS_HIGH_SHIFT = 12,
	ACCESS_HIGH = 0xf00,
};

bool chain_is_wanted(const struct boot_info *info)
{
	return info->source == BOOT_EFI && info->chain.memory_size;
}

static const struct boot_processor *processors(const struct boot_chain *chain)
{
	return phys(chain->processors);
}

unsigned int chain_ids(const struct boot_chain *chain, uint32_t *ids)
{
	for (uint32_t i = 1; i < chain->count; i++)
		ids[i - 1] = processors(chain)[i].apic_id;
	return ids_sort(ids, chain->count - 1);
}

uint64_t chain_pages(unsigned int others)
{
	return (others * sizeof(struct l1_start) + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Bases are flat: the firmware's code has 64 bits. */
static struct vmcb_segment segment(const struct boot_selector *from)
{
	return (struct vmcb_segment){
		.selector = from->selector,
		.attributes = (uint16_t)((from->access >> ACCESS_LOW_SHIFT & ACCESS_LOW) |
	                                 (from->access >> ACCESS_HIGH_SHIFT & ACCESS_HIGH)),
		.limit = from->limit,
	};
}

static struct vmcb_segment table(const struct boot_table *from)
{
	return (struct vmcb_segment){.limit = from->limit, .base = from->base};
}

static struct l1_start start_of(const struct boot_processor *from)
{
	struct l1_start start = {
		.rip = from->rip,
		.rflags = from->rflags,
		.cr0 = from->cr0,
		.cr2 = from->cr2,
		.cr3 = from->cr3,
		.cr4 = from->cr4,
		.efer = from->efer,
		.dr6 = from->dr6,
		.dr7 = from->dr7,
		.pat = from->pat,
		.es = segment(&from->es),
		.cs = segment(&from->cs),
		.ss = segment(&from->ss),
		.ds = segment(&from->ds),
		.gdtr = table(&from->gdtr),
		.idtr = table(&from->idtr),
		.others_stay = true,
		.fs_base = from->fs_base,
		.gs_base = from->gs_base,
	};

	_Static_assert(sizeof(start.gpr) == sizeof(from->gpr), "boot/boot_info.h");
	memcpy(start.gpr, from->gpr, sizeof(start.gpr));
	return start;
}

static struct l1_start start_of_id(const struct boot_chain *chain, uint32_t id)
{
	uint32_t i = 1;

	while (i < chain->count - 1 && processors(chain)[i].apic_id != id)
		i++;
	return start_of(&processors(chain)[i]);
}

struct l1_start chain_begin(const struct boot_chain *chain, const uint32_t *ids,
                            unsigned int others, const struct l1_start **starts)
{
	struct l1_start *all = others ? heap_pages(chain_pages(others)) : NULL;

	for (unsigned int i = 0; i < others; i++)
		all[i] = start_of_id(chain, ids[i]);
	*starts = all;
	return start_of(&processors(chain)[0]);
}

void chain_open(uint64_t information, uint32_t entry, uint32_t argument)
{
	struct boot_info *info = phys(information);

	info->chain.door.argument = argument;
	__atomic_store_n(&info->chain.door.entry, entry, __ATOMIC_SEQ_CST);
}

void chain_tell(uint64_t information, const struct layout *layout)
{
	struct boot_info *info = phys(information);

	info->chain.taken_base = layout->below.base;
	info->chain.taken_size = layout->below.size;
}
