/*
 * In 32-bit L0 the framebuffer is where the window has it, in the four directories, which lie one
 * behind the other. Relies on hv/phys.h.
 */
#include "hv/screen_place.h"
#include "hv/phys.h"
#include "hv/x86.h"

enum { SHIFT_2M = 21 };
#define DIRECTORIES 0x000ffffffffff000ull /* in the first PDPTE */

struct screen_place screen_place(uint64_t hpa)
{
	const uint64_t *pdpt = phys(read_cr3());
	uint64_t *pds = phys(pdpt[0] & DIRECTORIES);
	uint8_t *at = phys(hpa);

	return (struct screen_place){pds + ((uintptr_t)at >> SHIFT_2M), at};
}
