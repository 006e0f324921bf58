/*
 * The firmware's MP services (PI 1.8, volume 2, section 13.4), which GNU-EFI's headers do not have.
 */
#ifndef BOOT_EFI_MP_SERVICES_H
#define BOOT_EFI_MP_SERVICES_H

#include <efi.h>

#define MP_SERVICES_GUID                                                                           \
	{                                                                                          \
		0x3fdda605, 0xa76e, 0x4f46,                                                        \
		{                                                                                  \
			0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08                             \
		}                                                                                  \
	}

enum { MP_IS_BSP = 1 << 0, MP_ENABLED = 1 << 1, MP_HEALTHY = 1 << 2 };

struct mp_information {
	UINT64 id;    /* of its APIC */
	UINT32 flags; /* MP_* */
	UINT32 package, core, thread;
	UINT32 extended[6]; /* where it is, in a second way */
};

struct mp_services {
	EFI_STATUS(EFIAPI *get_count)
	(struct mp_services *self, UINTN *all, UINTN *enabled);
	EFI_STATUS(EFIAPI *get_information)
	(struct mp_services *self, UINTN number, struct mp_information *information);
	/* With an event it returns at once, and the event is signalled when all have returned. */
	EFI_STATUS(EFIAPI *start_all)
	(struct mp_services *self, VOID(EFIAPI *procedure)(VOID *argument), BOOLEAN one_by_one,
	 EFI_EVENT event, UINTN microseconds, VOID *argument, UINTN **failed);
	EFI_STATUS(EFIAPI *start_one)
	(struct mp_services *self, VOID(EFIAPI *procedure)(VOID *argument), UINTN number,
	 EFI_EVENT event, UINTN microseconds, VOID *argument, BOOLEAN *finished);
	EFI_STATUS(EFIAPI *switch_bsp)
	(struct mp_services *self, UINTN number, BOOLEAN enable_old);
	EFI_STATUS(EFIAPI *enable)
	(struct mp_services *self, UINTN number, BOOLEAN enable, UINT32 *healthy);
	EFI_STATUS(EFIAPI *who_am_i)(struct mp_services *self, UINTN *number);
};

#endif
