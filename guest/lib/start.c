/*
 * From the entry to the image's run() and on to the end of the machine. Relies on entry.asm.
 */
#include "guest/lib/guest.h"
#include "guest/lib/report.h"
#include "guest/lib/screen.h"
#include "hv/serial.h"

enum {
	L1_TABLE_PAGES = 48,
	LOW_BYTES = 32 << 20,
	APIC_REGION = 4 << 20, /* the largest page of any format */
};

extern char image_end[];
_Noreturn void l1_start(uint32_t magic, uint32_t information);
#ifdef __x86_64__
void paging_load(uint64_t cr3, bool la57);
#endif

static uint8_t tables[L1_TABLE_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
struct pt l1_tables;

/* Turns on L1's own paging: identity for low memory, the image and the APIC, with NX on. */
static void paging_on(const struct pt_format *format)
{
	uint64_t bytes = (uintptr_t)image_end, apic = apic_base() & ~(uint64_t)(APIC_REGION - 1);

	bytes = bytes > LOW_BYTES ? bytes : LOW_BYTES;
	pt_init(&l1_tables, format, (uintptr_t)tables, (uintptr_t)tables + sizeof(tables), 0);
	if (image.maps_4g) {
		pt_map_range(&l1_tables, 0, 0, apic, 2, PT_RW);
		pt_map_range(&l1_tables, apic, apic, APIC_REGION, 1, PT_RW);
		apic += APIC_REGION;
		pt_map_range(&l1_tables, apic, apic, SIZE_4G - apic, 2, PT_RW);
	} else {
		pt_map_range(&l1_tables, 0, 0, bytes, 2, PT_RW);
		report_map(&l1_tables);
	}
	pt_map(&l1_tables, apic_base(), apic_base(), 1,
	       PT_RW | PT_PCD | PT_PWT | (format->nx ? PT_NX : 0));

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
#ifdef __x86_64__
	paging_load(l1_tables.root, format->levels == 5);
#else
	if (format->entry_bytes == 8)
		write_cr4(read_cr4() | CR4_PAE);
	else if (format->level[2].large)
		write_cr4(read_cr4() | CR4_PSE);
	write_cr3((unsigned long)l1_tables.root);
#endif
	/* WP is on: nothing in L1 relies on it, and what L1 says of it must not reach L2's rights.
	 */
	write_cr0((read_cr0() & ~(unsigned long)(CR0_CD | CR0_NW)) | CR0_PG | CR0_WP);
}

void l1_start(uint32_t magic, uint32_t information)
{
	const struct pt_format *format;

	cmdline_init(magic, information);
	memory_map_init(magic, information);
	report_init();
	screen_init(magic, information);
	serial_use(serial_answers(COM1_DATA) ? COM1_DATA : 0);
	tap_begin();
	exception_init();
	machine_init();
	screen_begin(image.name);
	if (!machine.svm)
		run_skipped("no SVM: CPUID 8000_0001 ECX bit 2 is 0");
	if (!machine.nx)
		run_skipped("no NX: CPUID 8000_0001 EDX bit 20 is 0");
	format = image.format();
	paging_on(format);
	svm_init();
	apic_init();
	l2_init(format);
	if (image.prepare)
		image.prepare();
	if (screen_is_on())
		screen_groups(tap_count_groups(image.run));
	image.run();
	tap_end();
}
