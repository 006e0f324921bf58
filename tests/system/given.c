/*
 * An image that tells on COM1 what its boot loader gave it, a line for each thing, so that GRUB and
 * Nestling can be compared: modules, the screen, what EFI left, ACPI, SMBIOS, the network. What
 * hangs on where things lie is checked here and told as "good". Relies on boot/multiboot.h for
 * layouts, hv/print.h and hv/serial.h; entered by given.asm.
 */
#include "boot/efi_map.h"
#include "boot/multiboot.h"
#include "hv/print.h"
#include "hv/serial.h"
#include "hv/string.h"
#include "hv/x86.h"

enum { EFI_RUNTIME_CODE = 5, EFI_RUNTIME_DATA = 6 };

void given(uint32_t magic, uint32_t information);

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	static char line[4096];
	va_list args;

	va_start(args, format);
	vsnprint(line, sizeof(line), format, args);
	va_end(args);
	serial_write(line, strlen(line));
	serial_write("\n", 1);
}

/* Loaders differ in whether a module's line begins with a path or a name. */
static const char *without_directory(const char *line)
{
	const char *name = line;

	for (const char *c = line; *c && *c != ' '; c++)
		if (*c == '/')
			name = c + 1;
	return name;
}

static void tell_module(uint32_t start, uint32_t end, const char *line)
{
	uint32_t sum = 0;

	for (uint32_t at = start; at < end; at++)
		sum = sum * 31 + *(const uint8_t *)(uintptr_t)at;
	tell("module: %s: %u bytes, sum %x", without_directory(line), end - start, sum);
}

static void tell_screen(const struct framebuffer *screen, uint8_t type)
{
	tell("screen: %ux%u, %u bits, type %u, pitch %u, at %llx", screen->width, screen->height,
	     screen->bits, type, screen->pitch, (unsigned long long)screen->base);
	if (type == MULTIBOOT_FRAMEBUFFER_RGB)
		tell("colors: %u+%u %u+%u %u+%u", screen->red.at, screen->red.size,
		     screen->green.at, screen->green.size, screen->blue.at, screen->blue.size);
}

static void tell_multiboot1(const struct multiboot1_info *info)
{
	const struct multiboot1_module *modules = (const void *)(uintptr_t)info->mods_addr;

	tell("line: %s", without_directory((const char *)(uintptr_t)info->cmdline));
	for (uint32_t i = 0; i < info->mods_count; i++)
		tell_module(modules[i].mod_start, modules[i].mod_end,
		            (const char *)(uintptr_t)modules[i].string);
	if (info->flags & MULTIBOOT1_INFO_FRAMEBUFFER)
		tell_screen(&(struct framebuffer){info->framebuffer_addr,
		                                  info->framebuffer_pitch,
		                                  info->framebuffer_width,
		                                  info->framebuffer_height,
		                                  info->framebuffer_bpp,
		                                  info->red,
		                                  info->green,
		                                  info->blue,
		                                  {0}},
		            info->framebuffer_type);
}

static struct memmap map;

static void read_mmap(const struct multiboot2_mmap *mmap)
{
	const struct multiboot2_mmap_entry *entry = (const void *)(mmap + 1);
	uint32_t count = (mmap->tag.size - sizeof(*mmap)) / sizeof(*entry);

	for (uint32_t i = 0; i < count; i++)
		memmap_add(&map, entry[i].base_addr, entry[i].length, entry[i].type);
}

/* CPUID exits, and L0 may have to read it where it is. */
static bool runs_code(uint8_t *at)
{
	static const uint8_t cpuid_ret[] = {0x0f, 0xa2, 0xc3};
	uint8_t before[sizeof(cpuid_ret)];
	uint32_t highest = 0, ebx, ecx = 0, edx;

	memcpy(before, at, sizeof(before));
	memcpy(at, cpuid_ret, sizeof(cpuid_ret));
	__asm__ volatile("call *%4"
	                 : "+a"(highest), "=b"(ebx), "+c"(ecx), "=d"(edx)
	                 : "r"(at)
	                 : "memory", "cc");
	memcpy(at, before, sizeof(before));
	return highest == cpuid(0, 0).eax && ebx == cpuid(0, 0).ebx;
}

/* Free memory of EFI's has to be usable in the other map, too; runtime services stay as they are.
 */
static void tell_efi_map(const struct multiboot2_efi_mmap *mmap)
{
	const uint8_t *at = (const uint8_t *)(mmap + 1),
		      *end = (const uint8_t *)mmap + mmap->tag.size;
	uint32_t runtime = 0, bad = 0;

	for (; at < end; at += mmap->descriptor_size) {
		const struct efi_descriptor *d = (const void *)at;
		uint64_t bytes = d->pages << PAGE_SHIFT;

		if (d->type == EFI_RUNTIME_CODE || d->type == EFI_RUNTIME_DATA) {
			tell("efi runtime: %llx, %llx pages, %llx", (unsigned long long)d->base,
			     (unsigned long long)d->pages, (unsigned long long)d->attributes);
			tell("efi code runs there: %s",
			     runs_code((uint8_t *)(uintptr_t)d->base) ? "good" : "bad");
			runtime++;
		}
		if (d->type == EFI_MEMORY_FREE &&
		    !memmap_covers(&map, d->base, bytes, MEM_USABLE)) {
			tell("efi: %llx, %llx bytes are not usable", (unsigned long long)d->base,
			     (unsigned long long)bytes);
			bad++;
		}
	}
	tell("efi map: version %u, %u bytes each, %u of runtime services: %s",
	     mmap->descriptor_version, mmap->descriptor_size, runtime, bad ? "bad" : "good");
}

static const char *sum_of(const uint8_t *bytes, uint32_t size)
{
	uint8_t sum = 0;

	while (size--)
		sum = (uint8_t)(sum + *bytes++);
	return sum ? "bad" : "good";
}

static void tell_tag(const struct multiboot2_tag *tag)
{
	const uint8_t *body = (const uint8_t *)(tag + 1);

	switch (tag->type) {
	case MULTIBOOT2_TAG_CMDLINE:
		tell("line: %s", (const char *)body);
		break;
	case MULTIBOOT2_TAG_MODULE: {
		const struct multiboot2_module *module = (const void *)tag;

		tell_module(module->mod_start, module->mod_end, (const char *)(module + 1));
		break;
	}
	case MULTIBOOT2_TAG_FRAMEBUFFER: {
		const struct multiboot2_framebuffer *screen = (const void *)tag;

		tell_screen(&(struct framebuffer){screen->addr,
		                                  screen->pitch,
		                                  screen->width,
		                                  screen->height,
		                                  screen->bpp,
		                                  screen->red,
		                                  screen->green,
		                                  screen->blue,
		                                  {0}},
		            screen->type);
		break;
	}
	case MULTIBOOT2_TAG_EFI64:
		tell("efi64: %s", memcmp(*(void *const *)body, "IBI SYST", 8) ? "bad" : "good");
		break;
	case MULTIBOOT2_TAG_EFI_MMAP:
		tell_efi_map((const void *)tag);
		break;
	case MULTIBOOT2_TAG_SMBIOS:
		tell("smbios: %u.%u, %s", body[0], body[1], sum_of(body + 8, tag->size - 16));
		break;
	case MULTIBOOT2_TAG_ACPI_OLD:
	case MULTIBOOT2_TAG_ACPI_NEW:
		tell("acpi %s: %s", tag->type == MULTIBOOT2_TAG_ACPI_OLD ? "old" : "new",
		     sum_of(body, tag->size - sizeof(*tag)));
		break;
	case MULTIBOOT2_TAG_NETWORK:
		tell("network: %u bytes", tag->size - (uint32_t)sizeof(*tag));
		break;
	default:
		break;
	}
}

/* The memory map is read first, for loaders differ in the order. */
static void tell_multiboot2(const uint8_t *information)
{
	for (unsigned int pass = 0; pass < 2; pass++) {
		const struct multiboot2_tag *tag = (const void *)(information + 8);

		for (; tag->type != MULTIBOOT2_TAG_END;
		     tag = (const void *)((const uint8_t *)tag + ((tag->size + 7) & ~7u))) {
			if (pass)
				tell_tag(tag);
			else if (tag->type == MULTIBOOT2_TAG_MMAP)
				read_mmap((const void *)tag);
		}
	}
}

void given(uint32_t magic, uint32_t information)
{
	tell("given by %s", magic == MULTIBOOT1_BOOT_MAGIC ? "multiboot1" : "multiboot2");
	if (magic == MULTIBOOT1_BOOT_MAGIC)
		tell_multiboot1((const void *)(uintptr_t)information);
	else
		tell_multiboot2((const void *)(uintptr_t)information);
	tell("given: the end");
}
