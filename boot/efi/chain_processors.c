/*
 * The processors that the firmware has parked: each comes out of the firmware's loop by its MP
 * services, waits for L0, and returns into that loop as L1's. None is left that L0 does not have.
 * Relies on boot/efi/mp_services.h and, where those are missing, on ACPI's MADT.
 */
#include "boot/acpi.h"
#include "boot/efi/chain.h"
#include "boot/efi/mp_services.h"
#include "hv/lapic.h"
#include "hv/string.h"

enum {
	COME_MS = 5000, /* for all to come out of the firmware's loop */
	RETURN_MS = 5000,
	MS = 1000, /* in the firmware's microseconds */
	MADT_MOST = 2,
	ENTERS = 0, /* the place of the processor that enters L0 first */
};

static struct mp_services *services;
static EFI_EVENT all_returned;

/* What the procedure needs; used by all processors. */
static struct boot_processor *places;
static volatile struct boot_door *door;
static void *switch_page;
static UINT32 come, room;

static const char *all_usable(UINTN count)
{
	for (UINTN i = 0; i < count; i++) {
		struct mp_information information;

		memset(&information, 0, sizeof(information));
		if (EFI_ERROR(services->get_information(services, i, &information)))
			return "the firmware does not tell of all its processors";
		if ((information.flags & (MP_ENABLED | MP_HEALTHY)) != (MP_ENABLED | MP_HEALTHY))
			return "the firmware has a processor that is disabled, which Nestling "
			       "could not take: enable it in the firmware's setup";
	}
	return NULL;
}

const char *chain_find_processors(struct boot_info *info)
{
	EFI_GUID guid = MP_SERVICES_GUID;
	UINT32 ids[MADT_MOST];
	UINTN count = 1, enabled;
	const char *wrong = NULL;

	if (EFI_ERROR(efi->BootServices->LocateProtocol(&guid, NULL, (void **)&services)))
		services = NULL;
	if (!services && acpi_cpu_ids(info->rsdp, ids, MADT_MOST) > 1)
		return "the firmware has no MP services, so that its other processors cannot be "
		       "taken: turn them off in its setup";
	if (services) {
		if (EFI_ERROR(services->get_count(services, &count, &enabled)) || !count)
			return "the firmware does not tell how many processors it has";
		wrong = all_usable(count);
	}
	if (wrong)
		return wrong;
	places = efi_allocate_low(EfiLoaderData, count * sizeof(*places));
	if (!places)
		return "too little memory below 4 GiB";
	memset(places, 0, count * sizeof(*places));
	places[ENTERS].apic_id = lapic_initial_id();
	info->chain.processors = (UINT64)places;
	info->chain.count = (UINT32)count;
	return NULL;
}

/* On each processor but the first, in the firmware's own mode; it returns as L1. */
static VOID EFIAPI come_out(VOID *argument)
{
	UINT32 place = __atomic_add_fetch(&come, 1, __ATOMIC_SEQ_CST);

	(void)argument;
	if (place > room)
		return;
	places[place].apic_id = lapic_initial_id();
	efi_become_l1(&places[place], door, switch_page);
}

static UINT32 waiting(UINT32 count)
{
	UINT32 number = 0;

	for (UINT32 i = 1; i < count; i++)
		number += __atomic_load_n(&places[i].has_left, __ATOMIC_ACQUIRE);
	return number;
}

static void wait_for_return(void)
{
	for (unsigned int i = 0; i < RETURN_MS; i++) {
		if (!EFI_ERROR(efi->BootServices->CheckEvent(all_returned)))
			break;
		efi->BootServices->Stall(MS);
	}
	efi->BootServices->CloseEvent(all_returned);
	all_returned = NULL;
}

const char *chain_gather_processors(struct boot_info *info, void *page)
{
	UINT32 count = info->chain.count;
	EFI_STATUS status;

	if (count == 1)
		return NULL;
	door = &info->chain.door;
	switch_page = page;
	come = 0;
	room = count - 1;
	if (EFI_ERROR(efi->BootServices->CreateEvent(0, TPL_CALLBACK, NULL, NULL, &all_returned)))
		return "the firmware makes no event";
	status = services->start_all(services, come_out, FALSE, all_returned, 0, NULL, NULL);
	for (unsigned int i = 0; !EFI_ERROR(status) && i < COME_MS; i++) {
		if (waiting(count) == room)
			return NULL;
		efi->BootServices->Stall(MS);
	}
	__atomic_store_n(&door->entry, BOOT_DOOR_STAY, __ATOMIC_SEQ_CST);
	if (EFI_ERROR(status))
		efi->BootServices->CloseEvent(all_returned);
	else
		wait_for_return();
	all_returned = NULL;
	return "the firmware's other processors do not come";
}

void chain_release_processors(void)
{
	if (all_returned)
		wait_for_return();
}
