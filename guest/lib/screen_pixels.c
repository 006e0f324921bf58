/*
 * A framebuffer, which L1's tables do not map: drawing has a mapping of its own, for as long as it
 * takes. 64-bit code changes to other tables; 32-bit code goes on without paging. So what L1's
 * tables are like, and what a test has made of them, is of no concern. Caches: as the firmware's
 * MTRRs have it, without paging and with PCD (APM vol. 2, 7.8.5). Relies on the stack, the GDT and
 * the IDT being in the image, and on IF=0.
 */
#include "guest/lib/paging.h"
#include "guest/lib/screen_output.h"
#include "hv/font.h"
#include "hv/x86.h"

static struct screen_output output;
static struct framebuffer screen;
static unsigned int scale;

/* Letter and ground, 0xRRGGBB; pixels of them. */
static const uint32_t colors[PAGE_STYLES][2] = {
	[PAGE_PLAIN] = {0xd0d0d0, 0x101018}, [PAGE_TITLE] = {0xffffff, 0x204080},
	[PAGE_NOTE] = {0x909090, 0x101018},  [PAGE_FAILURE] = {0xff7060, 0x101018},
	[PAGE_GOOD] = {0xffffff, 0x107030},  [PAGE_BAD] = {0xffffff, 0xa01818},
};
static uint32_t pixels[PAGE_STYLES][2];

#ifdef __x86_64__

extern char image_end[];

#define SEEN_AT (1ull << 40) /* an entry of its own in the root */

enum {
	TABLES = 7
}; /* a root, and for each half two and one more: a framebuffer has 1 GiB at most */

static uint8_t tables[TABLES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint64_t above[PAGE_SIZE / sizeof(uint64_t)] __attribute__((aligned(PAGE_SIZE)));
static struct pt own;
static unsigned long before;

static void prepare(void)
{
	uint64_t from = screen.base & ~(SIZE_2M - 1);
	uint64_t end = screen.base + framebuffer_bytes(&screen);

	pt_init(&own, &pt_4level, (uintptr_t)tables, (uintptr_t)tables + sizeof(tables), 0);
	for (uint64_t at = 0; at < (uintptr_t)image_end; at += SIZE_2M)
		pt_map(&own, at, at, 2, PT_RW);
	for (uint64_t at = from; at < end; at += SIZE_2M)
		pt_map(&own, SEEN_AT + (at - from), at, 2, PT_RW | PT_PCD);
	above[0] = own.root | PT_RW; /* with 5 levels */
}

static volatile void *seen(void)
{
	return (volatile void *)(uintptr_t)(SEEN_AT + screen.base % SIZE_2M);
}

static void open(void)
{
	before = read_cr3();
	write_cr3(read_cr4() & CR4_LA57 ? (uintptr_t)above : own.root);
}

static void close(void)
{
	write_cr3(before);
}

#else

static unsigned long before;

static void prepare(void)
{
}

static volatile void *seen(void)
{
	return (volatile void *)(uintptr_t)screen.base;
}

static void open(void)
{
	before = read_cr0();
	write_cr0(before & ~(unsigned long)CR0_PG);
}

static void close(void)
{
	write_cr0(before);
}

#endif

static void clear(void)
{
	framebuffer_fill(&screen, seen(), 0, 0, screen.width, screen.height, pixels[PAGE_PLAIN][1]);
}

static void put(unsigned int column, unsigned int row, char c, const struct page_row *of)
{
	unsigned int large = of->large ? 2 : 1;
	struct letter letter = {
		.x = column * FONT_WIDTH * scale * large,
		.y = row * FONT_HEIGHT * scale,
		.scale = scale * large,
		.fore = pixels[of->style][0],
		.back = pixels[of->style][1],
		.c = c,
	};

	framebuffer_letter(&screen, seen(), &letter);
}

const struct screen_output *screen_pixels(const struct framebuffer *framebuffer)
{
	screen = *framebuffer;
	scale = framebuffer_scale(framebuffer);
	for (unsigned int style = 0; style < PAGE_STYLES; style++) {
		for (unsigned int i = 0; i < 2; i++)
			pixels[style][i] = framebuffer_color(framebuffer, colors[style][i]);
	}
	prepare();
	output = (struct screen_output){screen.width / (FONT_WIDTH * scale),
	                                screen.height / (FONT_HEIGHT * scale),
	                                open,
	                                close,
	                                clear,
	                                put};
	return &output;
}
