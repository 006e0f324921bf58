/*
 * The information of Multiboot 2, and what of it is kept for L1 as it is. The loader is believed,
 * but for sizes and counts. Relies on boot/multiboot_read.h, boot/acpi.h and hv/phys.h.
 */
#include "boot/acpi.h"
#include "boot/efi_map.h"
#include "boot/firmware_memory.h"
#include "boot/multiboot_read.h"
#include "hv/phys.h"
#include "hv/string.h"

static const char *read_mmap2(uint64_t at, uint32_t size, struct boot_info *boot)
{
	struct multiboot2_mmap mmap;
	struct multiboot2_mmap_entry entry;

	if (size < sizeof(mmap))
		return multiboot_damaged;
	memcpy(&mmap, phys(at), sizeof(mmap));
	if (mmap.entry_size < sizeof(entry))
		return multiboot_damaged;
	for (uint64_t i = sizeof(mmap); i < size; i += mmap.entry_size) {
		const char *error;

		if (mmap.entry_size > size - i)
			return multiboot_damaged;
		memcpy(&entry, phys(at + i), sizeof(entry));
		error = multiboot_add_range(boot, entry.base_addr, entry.length, entry.type);
		if (error)
			return error;
	}
	return NULL;
}

static const char *read_module2(uint64_t at, uint32_t size, struct boot_info *boot)
{
	struct multiboot2_module from;

	if (size < sizeof(from))
		return multiboot_damaged;
	memcpy(&from, phys(at), sizeof(from));
	return multiboot_add_module(boot, from.mod_start, from.mod_end, at + sizeof(from),
	                            size - sizeof(from));
}

static uint32_t align_tag(uint32_t bytes)
{
	return (bytes + MULTIBOOT2_ALIGN - 1) & ~(MULTIBOOT2_ALIGN - 1u);
}

bool boot_keep(struct boot_info *boot, const void *head, uint32_t head_bytes, const void *rest,
               uint32_t rest_bytes)
{
	uint8_t *to = boot->kept + boot->kept_bytes;

	if (rest_bytes > BOOT_KEPT_SIZE - head_bytes ||
	    align_tag(head_bytes + rest_bytes) > BOOT_KEPT_SIZE - boot->kept_bytes)
		return false;
	memcpy(to, head, head_bytes);
	memcpy(to + head_bytes, rest, rest_bytes);
	boot->kept_bytes += align_tag(head_bytes + rest_bytes);
	return true;
}

bool boot_kept(const struct boot_info *boot, uint32_t type)
{
	struct multiboot2_tag tag;

	for (uint32_t at = 0; at < boot->kept_bytes; at += align_tag(tag.size)) {
		memcpy(&tag, boot->kept + at, sizeof(tag));
		if (tag.type == type)
			return true;
	}
	return false;
}

/* One that is too large counts as none: then L1 is not told of EFI, and that is logged. */
static const char *read_efi_mmap(uint64_t at, uint32_t size, struct boot_info *boot)
{
	struct multiboot2_efi_mmap from;

	if (size < sizeof(from))
		return multiboot_damaged;
	memcpy(&from, phys(at), sizeof(from));
	size -= (uint32_t)sizeof(from);
	if (!efi_map_valid(size, from.descriptor_size))
		return multiboot_damaged;
	if (size > BOOT_EFI_MAP_SIZE)
		return NULL;
	boot->efi.map_bytes = size;
	boot->efi.descriptor_bytes = from.descriptor_size;
	boot->efi.descriptor_version = from.descriptor_version;
	memcpy(boot->efi.map, phys(at + sizeof(from)), size);
	return NULL;
}

/* Whatever is wrong with it, the machine boots all the same. */
static void read_screen(uint64_t at, uint32_t size, struct boot_info *boot)
{
	static const uint8_t kinds[] = {
		[MULTIBOOT_FRAMEBUFFER_PALETTE] = SCREEN_PALETTE,
		[MULTIBOOT_FRAMEBUFFER_RGB] = SCREEN_PIXELS,
		[MULTIBOOT_FRAMEBUFFER_TEXT] = SCREEN_TEXT,
	};
	const uint32_t whole = MULTIBOOT2_FRAMEBUFFER_RGB_SIZE;
	struct multiboot2_framebuffer from = {0};

	boot->screen_kind = SCREEN_BROKEN;
	memcpy(&from, phys(at), size < whole ? size : whole);
	if (size < MULTIBOOT2_FRAMEBUFFER_TEXT_SIZE || from.type >= sizeof(kinds) ||
	    (from.type == MULTIBOOT_FRAMEBUFFER_RGB && size < whole))
		return;
	boot->screen_kind = kinds[from.type];
	boot->screen = (struct framebuffer){
		.base = from.addr,
		.pitch = from.pitch,
		.width = from.width,
		.height = from.height,
		.bits = from.bpp,
		.red = from.red,
		.green = from.green,
		.blue = from.blue,
	};
}

/* What tags of lesser worth say, for when better ones are missing. */
struct fallback {
	bool have_meminfo;
	struct multiboot2_meminfo meminfo;
	uint64_t efi_rsdp, rsdp_copy;
};

static const char *read_tag(uint64_t at, uint32_t type, uint32_t size, struct boot_info *boot,
                            struct fallback *fallback)
{
	uint64_t pointer = 0;

	switch (type) {
	case MULTIBOOT2_TAG_CMDLINE:
		return multiboot_copy_text(boot->cmdline, at + sizeof(struct multiboot2_tag),
		                           size - sizeof(struct multiboot2_tag));
	case MULTIBOOT2_TAG_MODULE:
		return read_module2(at, size, boot);
	case MULTIBOOT2_TAG_MMAP:
		return read_mmap2(at, size, boot);
	case MULTIBOOT2_TAG_FRAMEBUFFER:
		read_screen(at, size, boot);
		return NULL;
	case MULTIBOOT2_TAG_MEMINFO:
		if (size < sizeof(fallback->meminfo))
			return multiboot_damaged;
		memcpy(&fallback->meminfo, phys(at), sizeof(fallback->meminfo));
		fallback->have_meminfo = true;
		return NULL;
	case MULTIBOOT2_TAG_EFI32:
	case MULTIBOOT2_TAG_EFI64: {
		uint32_t bytes = type == MULTIBOOT2_TAG_EFI64 ? 8 : 4;

		if (size < sizeof(struct multiboot2_tag) + bytes)
			return multiboot_damaged;
		memcpy(&pointer, phys(at + sizeof(struct multiboot2_tag)), bytes);
		fallback->efi_rsdp = acpi_rsdp_from_efi(pointer, type == MULTIBOOT2_TAG_EFI64);
		boot->efi.system_table = pointer;
		boot->efi.wide = type == MULTIBOOT2_TAG_EFI64;
		return NULL;
	}
	case MULTIBOOT2_TAG_EFI_MMAP:
		return read_efi_mmap(at, size, boot);
	case MULTIBOOT2_TAG_SMBIOS:
	case MULTIBOOT2_TAG_NETWORK:
		boot_keep(boot, phys(at), size, "", 0); /* one that is too large is left out */
		return NULL;
	case MULTIBOOT2_TAG_ACPI_OLD:
	case MULTIBOOT2_TAG_ACPI_NEW:
		if (size < sizeof(struct multiboot2_tag) + (type == MULTIBOOT2_TAG_ACPI_OLD
		                                                    ? ACPI_RSDP1_SIZE
		                                                    : sizeof(struct acpi_rsdp)))
			return multiboot_damaged;
		/* The new one has all that the old one has. */
		if (type == MULTIBOOT2_TAG_ACPI_NEW || !fallback->rsdp_copy)
			fallback->rsdp_copy = at + sizeof(struct multiboot2_tag);
		return NULL;
	default:
		return NULL;
	}
}

const char *multiboot2_read(uint64_t info_hpa, struct boot_info *boot)
{
	struct fallback fallback = {0};
	struct multiboot2_info info;
	const char *error = NULL;
	uint64_t offset = sizeof(info);

	if (info_hpa % MULTIBOOT2_ALIGN || !is_low(info_hpa, sizeof(info)))
		return multiboot_damaged;
	memcpy(&info, phys(info_hpa), sizeof(info));
	if (info.total_size > MULTIBOOT_INFO_MAX || !is_low(info_hpa, info.total_size))
		return multiboot_damaged;
	for (;;) {
		struct multiboot2_tag tag;

		if (offset > info.total_size || info.total_size - offset < sizeof(tag))
			return multiboot_damaged;
		memcpy(&tag, phys(info_hpa + offset), sizeof(tag));
		if (tag.type == MULTIBOOT2_TAG_END)
			break;
		if (tag.size < sizeof(tag) || tag.size > info.total_size - offset)
			return multiboot_damaged;
		error = read_tag(info_hpa + offset, tag.type, tag.size, boot, &fallback);
		if (error)
			return error;
		offset += ((uint64_t)tag.size + MULTIBOOT2_ALIGN - 1) & ~(MULTIBOOT2_ALIGN - 1ull);
	}
	if (!boot->range_count && fallback.have_meminfo)
		error = multiboot_add_meminfo(boot, fallback.meminfo.mem_lower,
		                              fallback.meminfo.mem_upper);
	boot->rsdp = fallback.efi_rsdp ? fallback.efi_rsdp : acpi_find_rsdp();
	if (!boot->rsdp)
		boot->rsdp = fallback.rsdp_copy;
	boot->source = BOOT_MULTIBOOT2;
	return error ? error : multiboot_normalise(boot, NO_NAME);
}
