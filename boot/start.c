/*
 * From the loader's information to a running L1: what to do in which order, and what a person can
 * get wrong. Relies on all of boot/, hv/ and svm/.
 */
#include "boot/acpi.h"
#include "boot/acpi_devices.h"
#include "boot/acpi_sleep.h"
#include "boot/bare.h"
#include "boot/bios_memory.h"
#include "boot/check_svm.h"
#include "boot/config.h"
#include "boot/console.h"
#include "boot/efi_map.h"
#include "boot/holes.h"
#include "boot/ids.h"
#include "boot/l1_ranges.h"
#include "boot/layout.h"
#include "boot/load.h"
#include "boot/multiboot.h"
#include "boot/processors.h"
#include "boot/smbios.h"
#include "hv/exception.h"
#include "hv/image.h"
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
#include "svm/emulate/hotkey.h"
#include "svm/memory/l1_memory.h"
#include "svm/start/machine.h"
#include "svm/apic/kept.h"
#include "svm/emulate/msr_list.h"
#include "svm/cpus/processors.h"
#include "svm/emulate/sleep.h"

enum {
	BIOS_DATA_END = 0x1000,
	STRUCTURED_ECX_LA57 = 1 << 16,
	HEAP_PAGES = 96,    /* page tables, VMCBs, maps, a vcpu */
	POOL_FRACTION = 64, /* of memory, unless configured */
};
#define IO_APIC_USUAL 0xfec00000u

#define POOL_LEAST (1ull << 20)
#define POOL_MOST  (64ull << 20)
#define MIB(bytes) ((unsigned long long)((bytes) >> 20))

static struct boot_info info;
static struct config config;
static uint32_t *others; /* APIC ids of processors */
static unsigned int other_count;
static struct memmap firmware_map;                  /* as the firmware told, ACPI included */
static struct memmap free_map;                      /* where nothing lies that is still needed */
static struct memmap told_map;                      /* as L1 is told */
static struct window_range memory[BOOT_MAX_RANGES]; /* what may be L1's, and L0's among it */
static unsigned int memory_count;
static uint64_t firmware_pat;

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return (value + to - 1) & ~(to - 1);
}

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
	     config.everything_given || config.limit))
		stop("l1=, initrd=, module=, cmdline=, everything= and limit= are for the EFI "
		     "program: here modules name L1 (GRUB: module2, QEMU: -initrd)");
	log_set_level(config.log);
	console_choose(&config, info.rsdp);
	smbios_keep(&info);
	if (info.efi.system_table && !info.efi.map_bytes)
		log_info("EFI's memory map is missing or has more than %u KiB: L1 gets none of "
		         "EFI's services",
		         BOOT_EFI_MAP_SIZE >> 10);
}

static bool choose_la57(void)
{
	bool can = cpuid(0, 0).eax >= LEAF_STRUCTURED &&
	           (cpuid(LEAF_STRUCTURED, 0).ecx & STRUCTURED_ECX_LA57);

	if (config.la57 == LA57_ON && !can)
		stop("la57=on, but this processor has no 5-level paging: use la57=off or auto");
	return can && config.la57 != LA57_OFF;
}

/* What must not be written to before it was used. By pages, so that neighbours become one range. */
static void keep_free_of(uint64_t base, uint64_t size)
{
	uint64_t first = base & ~(uint64_t)(PAGE_SIZE - 1);

	if (!memmap_add(&free_map, first, align_up(base + size, PAGE_SIZE) - first, MEM_RESERVED))
		stop("the firmware's memory map and the modules have more than %u pieces: join "
		     "some modules",
		     (unsigned int)BOOT_MAX_RANGES);
}

static void read_memory_map(uint64_t image_at)
{
	for (uint32_t i = 0; i < info.range_count; i++) {
		const struct mem_range *r = &info.ranges[i];

		if (!memmap_add(&firmware_map, r->base, r->size, r->type))
			stop("the firmware's memory map has too many ranges for Nestling (%u)",
			     (unsigned int)BOOT_MAX_RANGES);
	}
	free_map = firmware_map;
	told_map = firmware_map;
	l1_ranges_add(&firmware_map, info.rsdp);
	if (!holes_cut(&firmware_map) || !holes_cut(&free_map))
		stop("the firmware's memory map has too many ranges for Nestling (%u)",
		     (unsigned int)BOOT_MAX_RANGES);
	keep_free_of(0, SIZE_1M);
	keep_free_of(image_at, image_size());
	for (uint32_t i = 0; i < info.module_count; i++)
		keep_free_of(info.modules[i].base, info.modules[i].size);
}

/* Free memory but for what EFI's boot services left: some of EFI's tables lie in it. */
static struct memmap *spared_map(void)
{
	static struct memmap spared;

	spared = free_map;
	if (!efi_map_spare(&info.efi, &spared))
		spared.count = 0;
	return &spared;
}

static uint64_t memory_size(void)
{
	uint64_t size = 0;

	for (uint32_t i = 0; i < firmware_map.count; i++) {
		if (firmware_map.range[i].type == MEM_USABLE)
			size += firmware_map.range[i].size;
	}
	return size;
}

static uint64_t memory_end(void)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < firmware_map.count; i++) {
		uint64_t range_end = l1_range_end(&firmware_map, i);

		if (range_end > firmware_map.range[i].base && range_end > end)
			end = range_end;
	}
	return end;
}

static void find_memory(void)
{
	for (uint32_t i = 0; i < firmware_map.count; i++) {
		uint64_t base = firmware_map.range[i].base;
		uint64_t end = l1_range_end(&firmware_map, i);

		if (end > base)
			memory[memory_count++] = (struct window_range){base, end};
	}
}

static uint64_t others_pages(void)
{
	return align_up(other_count * sizeof(uint32_t), PAGE_SIZE) / PAGE_SIZE;
}

static uint64_t pool_bytes(void)
{
	uint64_t pool = config.pool_bytes ? config.pool_bytes : memory_size() / POOL_FRACTION;

	if (pool < POOL_LEAST)
		pool = POOL_LEAST;
	if (!config.pool_bytes && pool > POOL_MOST)
		pool = POOL_MOST;
	return pool + other_count * POOL_EACH;
}

static _Noreturn void stop_too_small(const struct layout_need *need)
{
	uint64_t all = need->near + need->processors + need->tables + need->metadata;
	bool above = all > LAYOUT_BELOW_MOST && !need->tables_below && memory_end() > SIZE_4G;

	stop("too little memory: Nestling needs %llu MiB in one piece %s 4 GiB, and this machine "
	     "has %llu MiB in all: add memory, or make pool= smaller",
	     MIB(align_up(all, SIZE_2M)), above ? "above" : "below", MIB(memory_size()));
}

/* All that is L0's; L1 is told that it is reserved. pages: of the pool. */
static struct layout choose_layout(uint32_t *pages)
{
	uint64_t heap = HEAP_PAGES + window_pages(memory, memory_count) + others_pages() +
	                processors_table_pages(1 + other_count);
	struct layout_need need = {.tables_below = !features.npt};
	struct layout layout;

	*pages = machine_pool_pages(pool_bytes(), memory_end());
	need.near = align_up(image_size(), PAGE_SIZE) + heap * PAGE_SIZE;
	need.processors = processors_heap_pages(other_count) * PAGE_SIZE;
	need.tables = *pages * (uint64_t)PAGE_SIZE;
	need.metadata = align_up(machine_metadata_size(memory_end(), *pages), PAGE_SIZE);
	if (!layout_choose(spared_map(), &need, &layout) &&
	    !layout_choose(&free_map, &need, &layout))
		stop_too_small(&need);
	keep_free_of(layout.below.base, layout.below.size);
	keep_free_of(layout.above.base, layout.above.size);
	memmap_add(&told_map, layout.below.base, layout.below.size, MEM_RESERVED);
	memmap_add(&told_map, layout.above.base, layout.above.size, MEM_RESERVED);
	return layout;
}

/* Modules may lie where L1 wants to be loaded: they wait at the top of low memory. */
static struct mem_range stage_modules(void)
{
	struct mem_range stage = {0, 0, MEM_RESERVED, 0};
	uint64_t at;

	for (uint32_t i = 0; i < info.module_count; i++)
		stage.size += align_up(info.modules[i].size, PAGE_SIZE);
	if (!stage.size)
		return stage;
	stage.base = memmap_find_high(spared_map(), stage.size, PAGE_SIZE, 0, SIZE_4G);
	if (!stage.base)
		stage.base = memmap_find_high(&free_map, stage.size, PAGE_SIZE, 0, SIZE_4G);
	if (!stage.base)
		stop("too little memory: no room for %llu MiB of modules below 4 GiB besides their "
		     "first place: add memory",
		     MIB(stage.size + SIZE_1M));
	at = stage.base;
	for (uint32_t i = 0; i < info.module_count; i++) {
		struct boot_module *module = &info.modules[i];

		memcpy(phys(at), phys(module->base), module->size);
		module->base = at;
		at += align_up(module->size, PAGE_SIZE);
	}
	return stage;
}

static void log_memory_map(void)
{
	for (uint32_t i = 0; i < told_map.count; i++)
		log_debug("L1's memory: %llx-%llx type %u",
		          (unsigned long long)told_map.range[i].base,
		          (unsigned long long)(told_map.range[i].base + told_map.range[i].size),
		          told_map.range[i].type);
}

static void tell_l1_memory(const struct layout *layout)
{
	const struct mem_range *own[] = {&layout->below, &layout->above};

	for (unsigned int n = 0; n < 2; n++)
		l1_memory_hide(own[n]->base, own[n]->size);
	for (uint32_t i = 0; i < firmware_map.count; i++) {
		uint64_t at = firmware_map.range[i].base, end = l1_range_end(&firmware_map, i);

		for (unsigned int n = 0; n < 2; n++) {
			if (!own[n]->size || own[n]->base < at || own[n]->base >= end)
				continue;
			l1_memory_add(at, own[n]->base - at);
			at = own[n]->base + own[n]->size;
		}
		l1_memory_add(at, end - at);
	}
	l1_memory_ready();
}

/* L1, and before its BIOS the handler of INT 15h, which has to know all that L1 is told. */
static void load(struct mem_range stage, struct load_result *result)
{
	enum load_error error;

	if (!bios_memory_reserve(&told_map))
		stop("no base memory is free for what INT 15h tells L1: use another boot loader");
	error = load_l1(&told_map, &stage, &info, result);
	if (error != LOAD_OK)
		stop("%s", result->message);
	if (!bios_memory_hook(&told_map))
		panic("loading L1 has split its memory into %u ranges", told_map.count);
}

static struct l1_start start_state(const struct l1_entry *entry)
{
	return (struct l1_start){
		.real_mode = entry->real_mode,
		.eip = entry->eip,
		.esp = entry->esp,
		.eax = entry->eax,
		.ebx = entry->ebx,
		.ecx = entry->ecx,
		.edx = entry->edx,
		.esi = entry->esi,
		.edi = entry->edi,
		.ebp = entry->ebp,
		.cs = entry->cs,
		.ds = entry->ds,
		.gdt_base = entry->gdt_base,
		.gdt_limit = entry->gdt_limit,
		.pat = firmware_pat,
	};
}

/*
 * A page that is kept from guests must not be memory, theirs or L0's; L0 sees what is below 4 GiB.
 * Nor is it an IOMMU's, of which L0 keeps nothing: QEMU has one where AMD's FCH would be.
 */
static bool may_be_kept(uint64_t hpa)
{
	uint64_t page = hpa & ~(uint64_t)(PAGE_SIZE - 1);

	return page < SIZE_4G && !l1_page(NULL, page) && !l1_memory_hidden(page, PAGE_SIZE) &&
	       !acpi_meets_iommu(info.rsdp, page, PAGE_SIZE, ACPI_IOMMU_BYTES);
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

/*
 * Processors begin below 1 MiB, in a page that is L1's again afterwards; not where a BIOS has its
 * own. Without one L1 has this processor alone.
 */
static uint64_t low_page(void)
{
	return memmap_find_high(&firmware_map, PAGE_SIZE, PAGE_SIZE, BIOS_DATA_END, SIZE_1M);
}

/* The lists are as long as may be, in memory that is free for now. */
static void find_others(void)
{
	enum { LIST_SIZE = PROCESSORS_MAX * sizeof(uint32_t) };
	uint64_t lists = memmap_find_low(spared_map(), 2 * LIST_SIZE, PAGE_SIZE, SIZE_1M, SIZE_4G);
	uint32_t *told;
	unsigned int count;

	if (!lists)
		lists = memmap_find_low(&free_map, 2 * LIST_SIZE, PAGE_SIZE, SIZE_1M, SIZE_4G);
	if (!lists)
		return; /* choose_layout() will find none, either */
	told = phys(lists);
	memmap_add(&free_map, lists, 2 * LIST_SIZE, MEM_RESERVED);
	count = ids_sort(told, acpi_cpu_ids(info.rsdp, told, PROCESSORS_MAX));
	others = phys(lists + LIST_SIZE);
	if (low_page())
		other_count = processors_find(told, count, low_page(), lists + LIST_SIZE);
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

/* boot/entry.asm calls it. magic and information: of the loader; image_at: hpa of the image. */
_Noreturn void start(uint32_t magic, uint64_t information, uint64_t image_at)
{
	static struct load_result loaded;
	struct l1_start l1;
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
	read_memory_map(image_at);
	if (!config.bare) /* else they stay as the firmware left them */
		find_others();
	find_memory();
	layout = choose_layout(&pages);
	begin_heap(&layout);
	mtrr_init(features.phys_bits);
	keep_others();
	paging_move_image(layout.below.base, memory, memory_count, la57);
	paging_forget_identity();
	screen_map();

	tell_l1_memory(&layout);
	watch_io_apics();
	watch_ports();
	load(stage_modules(), &loaded);
	log_memory_map();
	if (config.bare)
		bare_run(&loaded, firmware_pat);
	l1 = start_state(&loaded.entry);
	machine_init_mmu(&(struct mmu_memory){layout.tables, layout.metadata, pages}, memory_end(),
	                 la57 ? 5 : 4);
	if (pages < machine_least_pages(1 + other_count)) /* POOL_EACH is meant to be enough */
		stop("%u shadow pages are too few for %u processors: make pool= larger", pages,
		     1 + other_count);
	vcpu = machine_init_vcpu(&l1);
	if (layout.above.size)
		heap_init(layout.processors, processors_heap_pages(other_count) * PAGE_SIZE);
	if (other_count)
		processors_start(others, other_count, low_page());
	machine_ready();
	tell_memory(&layout, pages);
	if (nestling_depth() > 1)
		log_info("on Nestling: this is number %u from the machine up", nestling_depth());
	log_info("%d-level paging, %llu MiB at %llx, %u processor%s, L1 by %s%s", la57 ? 5 : 4,
	         MIB(layout.below.size), (unsigned long long)layout.below.base, vcpu_count(),
	         vcpu_count() > 1 ? "s" : "", loaded.protocol, npt ? "" : ", no nested paging");
	log_set_serial(false);
	log_share_screen(config.screen == SCREEN_KEEP);
	vcpu_run(vcpu);
}
