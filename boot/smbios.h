/*
 * SMBIOS's entry point, as a tag of Multiboot 2. Relies on boot/boot_info.h.
 */
#ifndef BOOT_SMBIOS_H
#define BOOT_SMBIOS_H

#include "boot/boot_info.h"

/*
 * Looks for it where EFI names it, or where a BIOS puts it, and adds it to boot->kept, unless a
 * boot loader did. Nothing where there is none. SMBIOS 3.6, section 5.2; Multiboot2 3.6.14.
 */
void smbios_keep(struct boot_info *boot);

#endif
