/*
 * Keeping devices out of L0's memory by the IOMMUs that the firmware tells of. Relies on
 * boot/ivrs.h and hv/iommu.h; docs/iommu.md.
 */
#ifndef BOOT_DMA_H
#define BOOT_DMA_H

#include "boot/layout.h"

/*
 * Finds them; rsdp is an hpa, may be 0. Calls keep for memory that firmware's devices use, where
 * L0's must not be. What cannot be used is named, and then none is used.
 */
void dma_find(uint64_t rsdp, void (*keep)(uint64_t base, uint64_t size));

/* Pages of the heap that are needed then, for L0's memory of so many bytes. */
uint64_t dma_pages(uint64_t bytes);

/*
 * Turns them on, keeps L1 from their registers, and hides them from it. is_free: may the page of
 * this hpa be kept from L1? highest_id: of all APICs. Before any VMCB is made, and after the heap's
 * pages are there.
 */
void dma_keep_out(uint64_t rsdp, const struct layout *layout, bool (*is_free)(uint64_t hpa),
                  uint32_t highest_id);

#endif
