/*
 * What firmware may have done with the machine before Nestling comes. Relies on GNU-EFI's headers.
 */
#ifndef BOOT_EFI_CHAINED_PREPARE_H
#define BOOT_EFI_CHAINED_PREPARE_H

#include <efi.h>

enum prepared {
	NOTHING,
	DISABLED, /* the second processor is disabled */
	BUSY,     /* all others run something that never ends */
	SPINNING, /* ... wait for a store in a loop, out of which the firmware's MP services get
	             them */
	MWAITING, /* ... by MWAIT */
	TAKEN,    /* this processor has EFER.SVME set */
	OPTION,   /* the next boot option is this program's file, by its partition alone */
};

/* Does it, for a program of this volume; false: this firmware cannot. */
BOOLEAN prepare(EFI_SYSTEM_TABLE *table, enum prepared what, EFI_HANDLE volume);

#endif
