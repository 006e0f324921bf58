/*
 * From the loader's information to a running L1: what to do in which order, and what a person can
 * get wrong. Relies on all of boot/, hv/ and svm/.
 */
#include "boot/acpi.h"
#include "boot/acpi_devices.h"
#include "boot/acpi_sleep.h"
#include "boot/bare.h"
#include "boot/bios_memory.h"
#include "boot/chain.h"
#include "boot/check_svm.h"
#include "boot/config.h"
#include "boot/console.h"
#include "boot/dma.h"
#include "boot/ids.h"
#include "boot/ivrs.h"
#include "boot/l1_start.h"
#include "boot/load.h"
#include "boot/memory_plan.h"
#include "boot/multiboot.h"
#include "boot/processors.h"
#include "boot/smbios.h"
#include "hv/exception.h"
#include "hv/image.h"
#include "hv/lapic.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/mtrr.h"
#include "hv/paging.h"
#include "hv/phys.h"
#include "hv/screen.h"
#include "hv/serial.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/emulate/a20.h"
#include "svm/emulate/emulate.h"
#include "svm/features.h"
#include "svm/frequency.h"
#include "svm/emulate/hotkey.h"
#include "svm/memory/l1_memory.h"
#include "svm/start/machine.h"
#include "svm/apic/kept.h"
#include "svm/emulate/msr_list.h"
#include "svm/cpus/processors.h"
#include "svm/emulate/sleep.h"

enum {
	STRUCTURED_ECX_LA57 = 1 << 16,
	HEAP_PAGES = 96, /* page tables, VMCBs, maps, a vcpu */
};
#define IO_APIC_USUAL 0xfec00000u

static struct boot_info info;
static struct config config;
static uint32_t *others; /* APIC ids of processors */
static unsigned int other_count;
static const struct l1_start *starts; /* what each of them begins with, if not with a SIPI */
static uint64_t firmware_pat;
static bool chained; /* L1 is the machine amid its firmware */

static void read_configuration(uint32_t magic, uint64_t information)
{
	const char *error = NULL;
	char text[160];

	if (magic == BOOT_INFO_MAGIC) {
		memcpy(&info, phys(information), sizeof(info));
		if (info.range_count > BOOT_MAX_RANGES || info.module_count > BOOT_MAX_MODULES ||
		    info.text_used > BOOT_TEXT_SIZE || info.efi.map_bytes > BOOT_EFI_MAP_SIZE ||
		    info.kept_bytes > BOOT_KEPT_SIZE)
			stop("the EFI program is of another version than the core: reinstall both");
	} else {
		error = boot_info_from_multiboot(magic, information, &info);
	}
	info.cmdline[BOOT_CONFIG_SIZE - 1] = '\0';
	if (!error && !config_parse(info.cmdline, &config, text, sizeof(text)))
		error = text;
	console_find_screen(&info, config.screen != SCREEN_OFF); /* what is wrong should be seen */
	if (error)
		stop("%s", error);
	if (info.source != BOOT_EFI &&
	    (config.l1_given || config.files_given || config.cmdline_given ||
	     config.everything_given || config.limit || config.chain_given || config.menu))
		stop("l1=, initrd=, module=, cmdline=, everything=, limit=, chain= and menu= are "
		     "for the EFI program: here modules name L1 (GRUB: module2, QEMU: -initrd)");
	log_set_level(config.log);
	console_choose(&config, info.rsdp);
	smbios_keep(&info);
	chained = chain_is_wanted(&info);
	if (info.efi.system_table && !info.efi.map_bytes && !chained)
		log_info("EFI's memory map is missing or has more than %u KiB: L1 gets none of "
		         "EFI's services",
		         BOOT_EFI_MAP_SIZE >> 10);
}

static bool choose_la57(void)
{
	bool can = PAGING_LEVELS == 4 && cpuid(0, 0).eax >= LEAF_STRUCTURED &&
	           (cpuid(LEAF_STRUCTURED, 0).ecx & STRUCTURED_ECX_LA57);

	if (config.la57 == LA57_ON && !can)
		stop("la57=on, but %s no 5-level paging: use la57=off or auto",
		     PAGING_LEVELS == 4 ? "this processor has" : "32-bit code has");
	return can && config.la57 != LA57_OFF;
}

static uint64_t others_pages(void)
{
	return align_up(other_count * sizeof(uint32_t), PAGE_SIZE) / PAGE_SIZE;
}

static uint64_t pool_bytes(void)
{
	return layout_pool(config.pool_bytes, plan_memory_size()) + other_count * POOL_EACH;
}

static _Noreturn void stop_too_small(const struct layout_need *need)
{
	uint64_t all = need->near + need->processors + need->tables + need->metadata;
	bool above = all > LAYOUT_BELOW_MOST && !need->tables_below && plan_memory_end() > SIZE_4G;

	stop("too little memory: Nestling needs %llu MiB in one piece %s 4 GiB, and this machine "
	     "has %llu MiB in all: add memory, or make pool= smaller",
	     MIB(align_up(all, SIZE_2M)), above ? "above" : "below", MIB(plan_memory_size()));
}

/* All that is L0's. pages: of the pool. */
static struct layout choose_layout(uint32_t *pages)
{
	unsigned int count;
	const struct window_range *ranges = plan_window(&count);
	uint64_t heap = HEAP_PAGES + window_pages(ranges, count) + others_pages() +
	                processors_table_pages(1 + other_count) +
	                (chained ? chain_pages(other_count) : 0);
	uint64_t all;
	struct layout_need need = {.tables_below = !features.npt};
	struct layout layout;

	*pages = machine_pool_pages(pool_bytes(), plan_memory_end());
	need.near = align_up(image_size(), PAGE_SIZE) + heap * PAGE_SIZE;
	need.processors = processors_heap_pages(other_count) * PAGE_SIZE;
	need.tables = *pages * (uint64_t)PAGE_SIZE;
	need.metadata = align_up(machine_metadata_size(plan_memory_end(), *pages), PAGE_SIZE);
	all = need.near + need.processors + need.tables + need.metadata;
	need.near += dma_pages(all) * PAGE_SIZE;
	if (!plan_layout(&need, &layout))
		stop_too_small(&need);
	return layout;
}

/* L1, and before its BIOS the handler of INT 15h, which has to know all that L1 is told. */
static void load(struct mem_range stage, struct load_result *result)
{
	struct memmap *told = plan_told();
	enum load_error error;

	if (!bios_memory_reserve(told))
		stop("no base memory is free for what INT 15h tells L1: use another boot loader");
	error = load_l1(told, &stage, &info, result);
	if (error != LOAD_OK)
		stop("%s", result->message);
	if (!bios_memory_hook(told))
		panic("loading L1 has split its memory into %u ranges", told->count);
}

/*
 * A page that is kept from guests must not be memory, theirs or L0's; L0 sees what is below 4 GiB.
 * Nor is it an IOMMU's, of which L0 keeps nothing: QEMU has one where AMD's FCH would be.
 */
static bool may_be_kept(uint64_t hpa)
{
	uint64_t page = hpa & ~(uint64_t)(PAGE_SIZE - 1);

	return page < SIZE_4G && !l1_page(NULL, page) && !l1_memory_hidden(page, PAGE_SIZE) &&
	       !ivrs_meets(info.rsdp, page, PAGE_SIZE, IOMMU_REGISTERS_LEAST);
}

/* To be called when L1's memory is known and before the first VMCB is made. */
static void watch_ports(void)
{
	struct sleep_states sleep;

	acpi_sleep_states(info.rsdp, &sleep);
	sleep_refuse(&sleep, may_be_kept);
	a20_keep();
	if (config.hotkey && serial_port())
		hotkey_init();
	else if (config.hotkey)
		log_info("hotkey=on has no effect: there is no serial port");
}

/* Where no table tells of one, there is one all the same. */
static void watch_io_apics(void)
{
	enum { IO_APICS_MAX = 64 };
	static uint32_t hpas[IO_APICS_MAX];
	unsigned int count = acpi_io_apics(info.rsdp, hpas, IO_APICS_MAX - 1);

	hpas[count++] = IO_APIC_USUAL;
	for (unsigned int i = 0; i < count; i++) {
		if (!may_be_kept(hpas[i]))
			log_info("the I/O APIC at %x lies in memory: left out", hpas[i]);
		else if (!kept_add(hpas[i], message_store))
			log_info("more I/O APICs than can be watched: the one at %x is not",
			         hpas[i]);
	}
}

static void check_machine(void)
{
	const char *missing = svm_missing(config.npt);

	if (missing)
		stop("%s", missing);
}

/* They wait for L0 where they left the firmware. */
static void find_taken(void)
{
	uint64_t list = plan_take_low(info.chain.count * sizeof(uint32_t));

	if (!list)
		return; /* choose_layout() will find none, either */
	others = phys(list);
	other_count = chain_ids(&info.chain, others);
	if (other_count != info.chain.count - 1)
		stop("two processors have one APIC id: turn all but one off in the firmware's "
		     "setup");
}

/* The lists are as long as may be, in memory that is free for now. */
static void find_others(void)
{
	enum { LIST_SIZE = PROCESSORS_MAX * sizeof(uint32_t) };
	uint64_t lists = plan_take_low(2 * LIST_SIZE);
	uint64_t low = plan_low_page();
	uint32_t *told;
	unsigned int count;

	if (!lists)
		return; /* choose_layout() will find none, either */
	told = phys(lists);
	count = ids_sort(told, acpi_cpu_ids(info.rsdp, told, PROCESSORS_MAX));
	others = phys(lists + LIST_SIZE);
	if (low)
		other_count = processors_find(told, count, low, lists + LIST_SIZE);
	else if (count > 1)
		stop("the memory map has no free page below 1 MiB, where processors have to begin: "
		     "start the machine with one processor (QEMU: SMP=1)");
}

/* The list of the others, and room for all processors, in L0's own memory. */
static void keep_others(void)
{
	uint32_t *kept = heap_pages(others_pages());

	memcpy(kept, others, other_count * sizeof(*kept));
	others = kept;
	processors_init(1 + other_count);
}

/* The list is sorted. */
static uint32_t highest_id(void)
{
	uint32_t own = lapic_initial_id(), last = other_count ? others[other_count - 1] : 0;

	return own > last ? own : last;
}

/* Behind the image; the others' heap may follow it. */
static void begin_heap(const struct layout *layout)
{
	uint64_t base = layout->below.base + align_up(image_size(), PAGE_SIZE);
	uint64_t end = layout->below.base + layout->below.size;

	if (layout->tables > base && layout->tables < end)
		end = layout->tables;
	heap_init(base, end - base);
}

static void tell_memory(const struct layout *layout, uint32_t pages)
{
	log_info("%u KiB for each processor, %u pages of 4 KiB for the tables of all",
	         (unsigned int)((machine_vcpu_pages() + STACK_SIZE / PAGE_SIZE) * PAGE_SIZE >> 10),
	         pages);
	if (layout->above.size)
		log_info("%llu MiB more at %llx", MIB(layout->above.size),
		         (unsigned long long)layout->above.base);
}

/* What L1 begins with: a file is loaded, or L1 is there already. */
static struct l1_start first_state(const char **protocol)
{
	static struct load_result loaded;

	if (chained) {
		*protocol = "chain=";
		return chain_begin(&info.chain, others, other_count, &starts);
	}
	load(plan_stage_modules(&info), &loaded);
	plan_log();
	if (config.bare)
		bare_run(&loaded, firmware_pat);
	*protocol = loaded.protocol;
	return l1_start_loaded(&loaded.entry, firmware_pat);
}

static void start_others(uint64_t information)
{
	static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

	if (other_count && chained)
		processors_take(others, other_count, starts,
		                &(struct processors_door){hpa_of(page), information, chain_open});
	else if (other_count)
		processors_start(others, other_count, plan_low_page());
}

/* boot/entry.asm calls it. magic and information: of the loader; image_at: hpa of the image. */
_Noreturn void start(uint32_t magic, uint64_t information, uint64_t image_at)
{
	struct l1_start l1;
	const char *protocol;
	const struct window_range *ranges;
	unsigned int count;
	struct layout layout;
	struct vcpu *vcpu;
	uint32_t pages;
	bool la57, npt;

	image_hpa = image_at;
	console_begin();
	exception_init();
	firmware_pat = rdmsr(MSR_PAT);
	wrmsr(MSR_PAT, PAT_OF_L0); /* the screen is mapped by it */
	read_configuration(magic, information);
	check_machine();
	la57 = choose_la57();
	npt = svm_use_npt(config.npt);
	features_init(&(struct feature_choice){la57, npt, config.untried, config.barriers});
	msr_list_open = config.open_msrs;
	plan_read(&info, image_at);
	if (chained)
		find_taken();
	else if (!config.bare) /* else they stay as the firmware left them */
		find_others();
	ranges = plan_window(&count);
	if (!config.bare && !config.no_iommu)
		dma_find(info.rsdp, plan_keep_free);
	layout = choose_layout(&pages);
	begin_heap(&layout);
	mtrr_init(features.phys_bits);
	keep_others();
	paging_move_image(layout.below.base, ranges, count, la57);
	paging_forget_identity();
	screen_map();

	features.tsc_khz = frequency_told();
	plan_tell_l1(&layout);
	dma_keep_out(info.rsdp, &layout, may_be_kept, highest_id());
	watch_io_apics();
	watch_ports();
	l1 = first_state(&protocol);
	machine_init_mmu(&(struct mmu_memory){layout.tables, layout.metadata, pages},
	                 plan_memory_end(), la57 ? 5 : PAGING_LEVELS);
	if (pages < machine_least_pages(1 + other_count)) /* POOL_EACH is meant to be enough */
		stop("%u shadow pages are too few for %u processors: make pool= larger", pages,
		     1 + other_count);
	vcpu = machine_init_vcpu(&l1);
	if (layout.above.size)
		heap_init(layout.processors, processors_heap_pages(other_count) * PAGE_SIZE);
	start_others(information);
	machine_ready();
	tell_memory(&layout, pages);
	if (nestling_depth() > 1)
		log_info("on Nestling: this is number %u from the machine up", nestling_depth());
	log_info("%d-level paging, %llu MiB at %llx, %u processor%s, L1 by %s%s",
	         la57 ? 5 : PAGING_LEVELS, MIB(layout.below.size),
	         (unsigned long long)layout.below.base, vcpu_count(), vcpu_count() > 1 ? "s" : "",
	         protocol, npt ? "" : ", no nested paging");
	log_set_serial(false);
	log_share_screen(config.screen == SCREEN_KEEP);
	if (chained)
		chain_tell(information, &layout);
	vcpu_run(vcpu);
}
