/*
 * Where SMBIOS's tables begin. Relies on boot/firmware_memory.h.
 */
#include "boot/smbios.h"
#include "boot/efi_table.h"
#include "boot/firmware_memory.h"
#include "boot/multiboot.h"

enum { ENTRY_MOST = 64, SCAN_BASE = 0xf0000, SCAN_END = 0x100000, SCAN_ALIGN = 16 };

/* What the two kinds of entry point differ in; offsets of bytes. */
struct kind {
	char anchor[6];
	uint8_t length_at, version_at, least;
	uint8_t guid[EFI_GUID_SIZE];
};

/* The newer one first: it may name more. */
static const struct kind kinds[] = {
	{"_SM3_",
         6,
         7,
         24,
         {0x44, 0x15, 0xfd, 0xf2, 0x94, 0x97, 0x2c, 0x4a, 0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3,
          0x94}},
	{"_SM_",
         5,
         6,
         30,
         {0x31, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11, 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1,
          0x4d}},
};

/* Adds the entry point at the hpa, if one is there. */
static bool keep(struct boot_info *boot, uint64_t hpa, const struct kind *kind)
{
	struct multiboot2_smbios tag = {.tag = {.type = MULTIBOOT2_TAG_SMBIOS}};
	uint8_t entry[ENTRY_MOST], length;

	if (!hpa || !is_low(hpa, sizeof(entry)))
		return false;
	memcpy(entry, phys(hpa), sizeof(entry));
	length = entry[kind->length_at];
	if (memcmp(entry, kind->anchor, strlen(kind->anchor)) != 0 || length < kind->least ||
	    length > sizeof(entry) || !sum_is_zero(entry, length))
		return false;
	tag.tag.size = (uint32_t)sizeof(tag) + length;
	tag.major = entry[kind->version_at];
	tag.minor = entry[kind->version_at + 1];
	return boot_keep(boot, &tag, sizeof(tag), entry, length);
}

static bool keep_from_efi(struct boot_info *boot)
{
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint32_t index = 0;

		if (keep(boot,
		         efi_table(boot->efi.system_table, boot->efi.wide, kinds[i].guid, &index),
		         &kinds[i]))
			return true;
	}
	return false;
}

void smbios_keep(struct boot_info *boot)
{
	if (boot_kept(boot, MULTIBOOT2_TAG_SMBIOS) || keep_from_efi(boot))
		return;
	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (uint32_t at = SCAN_BASE; at < SCAN_END; at += SCAN_ALIGN)
			if (keep(boot, at, &kinds[i]))
				return;
}
