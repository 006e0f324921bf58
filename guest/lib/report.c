/*
 * The report in memory. Each piece of text is taken out of the caches at once: a reset, or a
 * watchdog's, forgets what is only there. Relies on boot/efi/report.h for the layout.
 */
#include "guest/lib/report.h"
#include "boot/efi/report.h"
#include "guest/lib/cmdline.h"
#include "guest/lib/paging.h"
#include "hv/string.h"
#include "hv/x86.h"

enum {
	CACHE_LINE = 64,
	FEATURE_1_EDX_CLFLUSH = 1 << 19,
	HEX_DIGIT = 4,
	LARGE_PAGES = 2, /* the level that has them, if any */
};

static struct report_header *header;
static bool flushes, dropped;

static uint32_t hex(const char *text)
{
	uint32_t number = 0;

	if (text[0] == '0' && text[1] == 'x')
		text += 2;
	for (; (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'f'); text++)
		number = number << HEX_DIGIT |
		         (uint32_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	return number;
}

static void flush(const void *from, size_t length)
{
	uintptr_t line = (uintptr_t)from & ~(uintptr_t)(CACHE_LINE - 1);

	if (!flushes)
		return;
	__asm__ volatile("mfence" : : : "memory");
	for (; line < (uintptr_t)from + length; line += CACHE_LINE)
		__asm__ volatile("clflush %0" : : "m"(*(const char *)line) : "memory");
	__asm__ volatile("mfence" : : : "memory");
}

void report_init(void)
{
	const char *place = cmdline_value("report");
	uint32_t address = place ? hex(place) : 0;

	if (!address || address & (PAGE_SIZE - 1) ||
	    ((const struct report_header *)(uintptr_t)address)->magic != REPORT_MAGIC)
		return;
	header = (struct report_header *)(uintptr_t)address;
	flushes = cpuid(1, 0).edx & FEATURE_1_EDX_CLFLUSH;
}

void report_map(struct pt *tables)
{
	if (header)
		pt_map_range(tables, (uintptr_t)header, (uintptr_t)header, REPORT_REGION,
		             LARGE_PAGES, PT_RW);
}

bool report_is_in(uint64_t gpa, uint64_t bytes)
{
	uint64_t start = (uintptr_t)header;

	return header && gpa < start + REPORT_REGION && start < gpa + bytes;
}

void report_write(const char *text, size_t length)
{
	char *to;

	if (!header)
		return;
	if (length > REPORT_TEXT_ROOM - header->length) {
		length = REPORT_TEXT_ROOM - header->length;
		dropped = true;
	}
	to = (char *)header + REPORT_TEXT_AT + header->length;
	memcpy(to, text, length);
	flush(to, length);
	header->checksum = report_sum(header->checksum, text, length);
	header->length += (uint32_t)length;
	flush(header, sizeof(*header));
}

void report_end(bool success)
{
	if (!header)
		return;
	header->end = success && !dropped ? REPORT_GOOD : REPORT_BAD;
	flush(header, sizeof(*header));
}

void report_leave(void)
{
	uintptr_t program = (uintptr_t)header + REPORT_RESIDENT_AT;

	if (header && header->resident)
		__asm__ volatile("jmp *%0" : : "b"(program) : "memory");
}
