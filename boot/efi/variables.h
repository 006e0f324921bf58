/*
 * What fits of a report, in variables of the firmware's: their names, which the resident program
 * shares, and how the EFI program reads and deletes them. Relies on boot/efi/brief.h.
 */
#ifndef BOOT_EFI_VARIABLES_H
#define BOOT_EFI_VARIABLES_H

#include <efi.h>

#include "boot/efi/brief.h"
#include "boot/efi/out.h"

/* All that has it is ours. */
#define VARIABLES_GUID                                                                             \
	{                                                                                          \
		0x4bbe3db1, 0x210d, 0x4f39,                                                        \
		{                                                                                  \
			0xb3, 0xd1, 0xf2, 0x2d, 0x36, 0x12, 0xee, 0xa3                             \
		}                                                                                  \
	}
#define VARIABLES_NAME u"Report0" /* to "Report7" */
enum {
	VARIABLES_DIGIT = 6, /* where the number stands in it */
	VARIABLES_KEPT = EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS |
	                 EFI_VARIABLE_RUNTIME_ACCESS,
};

/* Is there room for all of them, with half of the firmware's store left free? */
bool variables_fit(void);

/* Reads what is there of a run's step. */
bool variables_read(uint32_t run, uint32_t step, struct brief *brief);

/* Deletes all that is ours; names in out what is no piece of a report, or cannot be deleted. */
void variables_forget(struct out *out);

#endif
