/*
 * The page on the screen: only cells that changed are drawn. Relies on the multiboot 1 information
 * structure (section 3.3), which is copied: it may lie in memory that the image writes to.
 */
#include "guest/lib/screen.h"
#include "guest/lib/about.h"
#include "guest/lib/machine.h"
#include "guest/lib/memory_map.h"
#include "guest/lib/screen_output.h"
#include "guest/lib/tap.h"
#include "guest/lib/version.h"
#include "hv/print.h"
#include "hv/serial.h"
#include "hv/string.h"
#include "hv/vga_text.h"
#include "hv/x86.h"
#include "svm/look/interface.h"

#include <stddef.h>

enum {
	MULTIBOOT_LOADED = 0x2badb002,
	MULTIBOOT_HAS_SCREEN = 1 << 12,
	TYPE_COLORS = 1, /* each pixel has its colour; else an index, or text */
	TYPE_TEXT = 2,
	LEAF_FEATURES = 1,
	FEATURE_HYPERVISOR = 31, /* bit of ECX */
	LEAF_SVM = 0x8000000au,
};

struct multiboot_screen_info {
	uint32_t flags, other[21];
	uint64_t address;
	uint32_t pitch, width, height;
	uint8_t bits, type;
	/*
	 * Red, green and blue. The specification has them here, but GRUB's structure, and that of
	 * most who took it over, two bytes further on.
	 */
	struct color_field colors[4];
};
_Static_assert(offsetof(struct multiboot_screen_info, address) == 88, "multiboot 1");
_Static_assert(offsetof(struct multiboot_screen_info, colors) == 110, "multiboot 1");

static struct multiboot_screen_info told;
static const struct screen_output *output;
static struct page page;
static struct page_row shown[PAGE_ROWS];

void screen_init(uint32_t magic, uint32_t information)
{
	const struct multiboot_screen_info *info = (const void *)(uintptr_t)information;

	if (magic == MULTIBOOT_LOADED && (info->flags & MULTIBOOT_HAS_SCREEN))
		told = *info;
}

static char letter_of(const struct page_row *row, unsigned int column)
{
	return row->text[column] ? row->text[column] : ' ';
}

static void draw_row(unsigned int number, bool all)
{
	static struct page_row row;
	struct page_row *was = &shown[number];
	unsigned int columns = output->columns < PAGE_COLUMNS ? output->columns : PAGE_COLUMNS;

	page_row(&page, number, output->columns, output->rows, &row);
	all |= row.style != was->style || row.large != was->large || row.covered != was->covered;
	if (row.large)
		columns /= 2;
	for (unsigned int column = 0; column < columns && !row.covered; column++) {
		char c = letter_of(&row, column);

		if (all || c != letter_of(was, column))
			output->put(column, number, c, &row);
	}
	*was = row;
}

static void draw(bool all)
{
	static bool drawing; /* what goes wrong in here is not to be shown by it */

	if (!output || drawing)
		return;
	drawing = true;
	output->open();
	if (all)
		output->clear();
	for (unsigned int row = 0; row < output->rows && row < PAGE_ROWS; row++)
		draw_row(row, all);
	output->close();
	drawing = false;
}

static bool is_memory(uint64_t start, uint64_t end)
{
	for (unsigned int i = 0; memory_range(i); i++) {
		const struct memory_range *range = memory_range(i);

		if (range->usable && start < range->end && end > range->start)
			return true;
	}
	return false;
}

static void take_colors(struct framebuffer *framebuffer, const struct color_field *colors)
{
	framebuffer->red = colors[0];
	framebuffer->green = colors[1];
	framebuffer->blue = colors[2];
}

static const char *error_of(struct framebuffer *framebuffer)
{
	const char *error;
	uint64_t end = framebuffer->base + framebuffer_bytes(framebuffer);

	take_colors(framebuffer, told.colors + 1);
	error = framebuffer_error(framebuffer);
	if (error) {
		take_colors(framebuffer, told.colors);
		error = framebuffer_error(framebuffer);
	}
	if (error)
		return error;
	if (is_memory(framebuffer->base, end))
		return "lies in memory";
	if (sizeof(uintptr_t) == sizeof(uint32_t) && end > SIZE_4G)
		return "lies above 4 GiB, where a 32-bit image cannot draw";
	return NULL;
}

static void choose(void)
{
	static struct framebuffer framebuffer;
	const char *error = "has colours by index, which cannot be drawn";

	if (!(told.flags & MULTIBOOT_HAS_SCREEN)) {
		if (vga_text_is_on())
			output = screen_text();
		return;
	}
	if (told.type == TYPE_TEXT) {
		output = screen_text();
		return;
	}
	framebuffer = (struct framebuffer){.base = told.address,
	                                   .pitch = told.pitch,
	                                   .width = told.width,
	                                   .height = told.height,
	                                   .bits = told.bits};
	if (told.type == TYPE_COLORS)
		error = error_of(&framebuffer);
	if (error)
		say("# the screen %s: nothing is shown on it\n", error);
	else
		output = screen_pixels(&framebuffer);
}

static void describe_machine(void)
{
	struct cpuid_regs hypervisor = cpuid(LEAF_HYPERVISOR, 0);
	const char *emulated = machine.qemu ? "QEMU" : machine.bochs ? "Bochs" : NULL;

	about_processor(page.processor, sizeof(page.processor));
	if (machine.svm) {
		struct cpuid_regs svm = cpuid(LEAF_SVM, 0);

		about_svm(&svm, page.svm, sizeof(page.svm));
	} else {
		snprint(page.svm, sizeof(page.svm), "none");
	}
	about_under(cpuid(LEAF_FEATURES, 0).ecx >> FEATURE_HYPERVISOR & 1, &hypervisor, emulated,
	            page.under, sizeof(page.under));
}

void screen_begin(const char *image)
{
	choose();
	if (!output)
		return;
	page.image = image;
	page.version = version;
	page.bits = sizeof(uintptr_t) * 8;
	page.serial = serial_port();
	describe_machine();
	draw(true);
}

bool screen_is_on(void)
{
	return output;
}

void screen_groups(unsigned int groups)
{
	page.groups = groups;
}

void screen_group(const char *name)
{
	page.groups_begun++;
	snprint(page.group, sizeof(page.group), "%s", name);
	draw(false);
}

void screen_point(bool skipped, bool known)
{
	page.points++;
	page.skipped += skipped;
	page.known += known && !skipped;
}

void screen_failed(const char *group, const char *point, const char *diagnostics)
{
	page.points++;
	page_fails(&page, group, point, diagnostics);
	draw(false);
}

void screen_end(enum page_end end, const char *reason)
{
	page.end = end;
	snprint(page.reason, sizeof(page.reason), "%s", reason ? reason : "");
	draw(true); /* whatever a test has written there */
}

void screen_key(void)
{
	page.key = true;
	draw(false);
}
