/*
 * Where the report is. Relies on the firmware leaving free memory alone from a warm reset to here,
 * which most do; the sums in it tell.
 */
#include "boot/efi/region.h"
#include "boot/efi/efi_program.h"
#include "boot/efi/report.h"
#include "hv/string.h"
#include "hv/x86.h"

/* Above where firmware and the images are at home, and below 4 GiB for 32-bit ones. */
static const EFI_PHYSICAL_ADDRESS places[] = {
	64 << 20, 96 << 20, 128 << 20, 192 << 20, 256 << 20, 512 << 20, 1 << 30, 1536 << 20,
};
enum { PLACES = sizeof(places) / sizeof(places[0]), REGION_PAGES = REPORT_REGION / PAGE_SIZE };

bool region_state(const void *region, uint32_t whose, uint32_t images, struct run_state *state)
{
	return run_state_read((const uint8_t *)region + REPORT_STATE_AT, REPORT_STATE_ROOM, whose,
	                      images, state);
}

static void *take(EFI_PHYSICAL_ADDRESS place)
{
	EFI_PHYSICAL_ADDRESS at = place;

	/* L1 spares it; and unlike what is reserved it is memory, from which L0 may read what the
	 * resident program does. */
	if (EFI_ERROR(efi->BootServices->AllocatePages(AllocateAddress, EfiACPIMemoryNVS,
	                                               REGION_PAGES, &at)))
		return NULL;
	return (void *)at;
}

void *region_take(uint32_t whose, uint32_t images)
{
	static struct run_state state;
	void *first = NULL;

	for (unsigned int i = 0; i < PLACES; i++) {
		void *region = take(places[i]);

		if (!region)
			continue;
		if (region_state(region, whose, images, &state)) {
			if (first)
				efi->BootServices->FreePages((UINTN)first, REGION_PAGES);
			return region;
		}
		if (first)
			efi->BootServices->FreePages((UINTN)region, REGION_PAGES);
		else
			first = region;
	}
	return first;
}

void region_keep_state(void *region, const struct run_state *state)
{
	memcpy((uint8_t *)region + REPORT_STATE_AT, state, sizeof(*state));
	wbinvd();
}

void region_forget(void *region)
{
	memset(region, 0, REPORT_TEXT_AT);
	wbinvd();
}
