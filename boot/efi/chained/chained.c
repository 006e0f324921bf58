/*
 * An EFI program that tries the firmware's services with Nestling below them (or not: "bare" among
 * its load options), in TAP; then ends boot services and powers the machine off. Where its volume
 * has a file of such a name, it first makes the machine one as prepare.h has it, and starts
 * Nestling, which starts it again with "chained" among its load options. Relies on GNU-EFI's
 * headers.
 */
#include <efi.h>

#include "boot/efi/chained/prepare.h"
#include "boot/efi/mp_services.h"
#include "hv/print.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/look/interface.h"

enum {
	TICK = 100000, /* 10 ms in units of 100 ns */
	TICKS = 5,
	MS = 1000,
	ROUNDS = 3,
	WORDS = 128,
	MAP_BYTES = 64 << 10,
	LEAST_HIDDEN = 512, /* pages: one piece of 2 MiB at least is L0's */
	BLOCK_PAGES = 4096,
	COM1 = 0x3f8,
	COM1_STATUS = 0x3fd,
	CAN_TAKE = 0x20,
	PAGE_WORDS = PAGE_SIZE / sizeof(UINT64),
	NESTLING_BYTES = 2 << 20, /* more than it has */
};
#define LOADED_IMAGE_DEVICE_PATH_GUID                                                              \
	{                                                                                          \
		0xbc62157e, 0x3e33, 0x4fec,                                                        \
		{                                                                                  \
			0x99, 0x20, 0x2d, 0x3b, 0x36, 0xd7, 0x50, 0xdf                             \
		}                                                                                  \
	}

static EFI_SYSTEM_TABLE *system_table;
static EFI_BOOT_SERVICES *boot;
static BOOLEAN ended;
static unsigned int points;
static EFI_GUID our_guid = {
	0x6b3b3ba2, 0x9e3c, 0x4a43, {0x93, 0x1d, 0x20, 0x1f, 0x5d, 0x36, 0x1e, 0x0c}};

static void say(const char *text)
{
	for (; *text; text++) {
		CHAR16 wide[2] = {(UINT8)*text, 0};

		if (!ended) {
			if (*text == '\n')
				system_table->ConOut->OutputString(system_table->ConOut,
				                                   (CHAR16 *)L"\r");
			system_table->ConOut->OutputString(system_table->ConOut, wide);
			continue;
		}
		while (!(inb(COM1_STATUS) & CAN_TAKE))
			;
		outb(COM1, (UINT8)*text);
	}
}

static void ok(BOOLEAN good, const char *what)
{
	char line[WORDS];

	snprint(line, sizeof(line), "%s %u - %s\n", good ? "ok" : "not ok", ++points, what);
	say(line);
}

static BOOLEAN on_nestling(void)
{
	struct cpuid_regs leaf = cpuid(LEAF_HYPERVISOR, 0);

	return leaf.ebx == NESTLING_EBX && leaf.ecx == NESTLING_ECX && leaf.edx == NESTLING_EDX;
}

static BOOLEAN has_word(EFI_LOADED_IMAGE *image, const char *word)
{
	const CHAR16 *text = image->LoadOptions;
	UINTN chars = image->LoadOptionsSize / sizeof(CHAR16), length = strlen(word);

	for (UINTN i = 0; text && i + length <= chars; i++) {
		UINTN same = 0;

		while (same < length && text[i + same] == (UINT8)word[same])
			same++;
		if (same == length)
			return TRUE;
	}
	return FALSE;
}

static volatile UINT32 ticks;

static VOID EFIAPI tick(EFI_EVENT event, VOID *context)
{
	(void)event, (void)context;
	ticks++;
}

static void try_timer(void)
{
	UINT64 before = rdtsc(), short_wait;
	EFI_EVENT event;

	boot->Stall(MS);
	short_wait = rdtsc() - before;
	before = rdtsc();
	boot->Stall(50 * MS);
	ok(rdtsc() - before > short_wait, "Stall() waits");
	ok(!EFI_ERROR(boot->CreateEvent(EVT_TIMER | EVT_NOTIFY_SIGNAL, TPL_CALLBACK, tick, NULL,
	                                &event)) &&
	           !EFI_ERROR(boot->SetTimer(event, TimerPeriodic, TICK)),
	   "a timer's event is made");
	for (unsigned int i = 0; i < 10000 && ticks < TICKS; i++)
		boot->Stall(MS);
	ok(ticks >= TICKS, "the timer interrupts");
	boot->CloseEvent(event);
}

static volatile UINT32 came, came_on_nestling;

static VOID EFIAPI come(VOID *argument)
{
	(void)argument;
	if (on_nestling())
		__atomic_add_fetch(&came_on_nestling, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&came, 1, __ATOMIC_SEQ_CST);
}

/* count: of the processors that it starts, this one included. */
static struct mp_services *services(UINTN *count)
{
	EFI_GUID guid = MP_SERVICES_GUID;
	struct mp_services *found;
	UINTN all;

	if (EFI_ERROR(boot->LocateProtocol(&guid, NULL, (void **)&found)) ||
	    EFI_ERROR(found->get_count(found, &all, count)))
		return NULL;
	return found;
}

/* busy: all others run something already, and none can be started. */
static void try_processors(BOOLEAN bare, BOOLEAN busy)
{
	UINTN count = 0;
	struct mp_services *mp = services(&count);
	UINT32 others = (UINT32)count - 1;
	BOOLEAN good = mp != NULL;
	char line[WORDS];

	for (unsigned int i = 0; good && others && !busy && i < ROUNDS; i++)
		good = !EFI_ERROR(mp->start_all(mp, come, FALSE, NULL, 0, NULL, NULL));
	snprint(line, sizeof(line), "the firmware starts %u other processors, again and again",
	        others);
	ok(good && came == (busy ? 0 : others * ROUNDS), line);
	ok(came_on_nestling == (bare ? 0 : came), "each of them is where this one is");
}

/* Of the volume that this program came from. */
static EFI_STATUS open_file(EFI_LOADED_IMAGE *image, const CHAR16 *name, EFI_FILE **file)
{
	EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_FILE_IO_INTERFACE *volume;
	EFI_FILE *root;
	EFI_STATUS status = boot->HandleProtocol(image->DeviceHandle, &guid, (void **)&volume);

	if (!EFI_ERROR(status))
		status = volume->OpenVolume(volume, &root);
	return EFI_ERROR(status) ? status
	                         : root->Open(root, file, (CHAR16 *)name, EFI_FILE_MODE_READ, 0);
}

static void try_disk(EFI_LOADED_IMAGE *image)
{
	static UINT8 bytes[1 << 16];
	UINTN size = sizeof(bytes);
	EFI_FILE *file;
	EFI_STATUS status = open_file(image, L"\\chained.efi", &file);

	if (!EFI_ERROR(status))
		status = file->Read(file, &size, bytes);
	ok(!EFI_ERROR(status) && size > PAGE_SIZE && bytes[0] == 'M' && bytes[1] == 'Z',
	   "the disk is read");
}

static void try_variables(void)
{
	UINT64 value = rdtsc(), back = 0;
	UINTN size = sizeof(back);
	CHAR16 name[] = L"Chained";

	ok(!EFI_ERROR(system_table->RuntimeServices->SetVariable(
		   name, &our_guid,
		   EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS |
			   EFI_VARIABLE_RUNTIME_ACCESS,
		   sizeof(value), &value)) &&
	           !EFI_ERROR(system_table->RuntimeServices->GetVariable(name, &our_guid, NULL,
	                                                                 &size, &back)) &&
	           back == value,
	   "a variable is kept");
}

static UINT64 map_words[MAP_BYTES / sizeof(UINT64)];
static UINTN map_bytes, map_key, map_each;

static EFI_STATUS read_map(void)
{
	UINT32 version;

	map_bytes = sizeof(map_words);
	return boot->GetMemoryMap(&map_bytes, (EFI_MEMORY_DESCRIPTOR *)map_words, &map_key,
	                          &map_each, &version);
}

static BOOLEAN is_of_ones(volatile UINT64 *page)
{
	for (UINTN i = 0; i < PAGE_WORDS; i++)
		if (page[i] != UINT64_MAX)
			return FALSE;
	return TRUE;
}

/* Where memory below 4 GiB ends: what is reserved behind it is devices'. */
static UINT64 memory_end(void)
{
	UINT64 end = 0;

	for (UINTN at = 0; at < map_bytes; at += map_each) {
		const EFI_MEMORY_DESCRIPTOR *d =
			(const EFI_MEMORY_DESCRIPTOR *)((UINT8 *)map_words + at);
		UINT64 behind = d->PhysicalStart + (d->NumberOfPages << PAGE_SHIFT);

		if (d->Type == EfiConventionalMemory && behind <= SIZE_4G && behind > end)
			end = behind;
	}
	return end;
}

static UINTN pages_of_ones(const EFI_MEMORY_DESCRIPTOR *d)
{
	UINTN found = 0;

	for (UINTN i = 0; i < d->NumberOfPages; i++) {
		volatile UINT64 *page = (volatile UINT64 *)(d->PhysicalStart + (i << PAGE_SHIFT));

		found += is_of_ones(page);
	}
	return found;
}

/* All that is reserved in memory is L0's, and reads as ones. */
static void try_l0(BOOLEAN bare)
{
	UINTN hidden = 0, kept = 0;
	UINT64 end;

	if (EFI_ERROR(read_map()))
		map_bytes = 0;
	end = memory_end();
	for (UINTN at = 0; at < map_bytes; at += map_each) {
		const EFI_MEMORY_DESCRIPTOR *d =
			(const EFI_MEMORY_DESCRIPTOR *)((UINT8 *)map_words + at);

		if (d->Type != EfiReservedMemoryType || d->PhysicalStart < SIZE_1M ||
		    d->PhysicalStart >= end || d->NumberOfPages < LEAST_HIDDEN)
			continue;
		hidden += pages_of_ones(d);
		kept += d->NumberOfPages;
	}
	ok(bare ? !hidden : hidden >= LEAST_HIDDEN && hidden == kept,
	   "what is reserved for L0 reads as ones, all of it");
}

static void try_memory(void)
{
	EFI_PHYSICAL_ADDRESS at = 0;
	BOOLEAN good =
		!EFI_ERROR(boot->AllocatePages(AllocateAnyPages, EfiLoaderData, BLOCK_PAGES, &at));

	for (UINTN i = 0; good && i < BLOCK_PAGES * PAGE_WORDS; i += PAGE_WORDS)
		((volatile UINT64 *)at)[i] = at + i;
	for (UINTN i = 0; good && i < BLOCK_PAGES * PAGE_WORDS; i += PAGE_WORDS)
		good = ((volatile UINT64 *)at)[i] == at + i;
	ok(good, "memory is memory");
	boot->FreePages(at, BLOCK_PAGES);
}

static void end_boot_services(EFI_HANDLE self)
{
	EFI_STATUS status = EFI_ABORTED;

	for (unsigned int i = 0; EFI_ERROR(status) && i < ROUNDS; i++)
		if (!EFI_ERROR(read_map()))
			status = boot->ExitBootServices(self, map_key);
	ended = !EFI_ERROR(status);
	ok(ended, "boot services end");
}

static void try_runtime_services(void)
{
	EFI_TIME time;

	ok(!EFI_ERROR(system_table->RuntimeServices->GetTime(&time, NULL)) && time.Month >= 1 &&
	           time.Month <= 12,
	   "the clock is read behind that");
}

static enum prepared wanted(EFI_LOADED_IMAGE *image)
{
	static const CHAR16 *const names[] = {
		[DISABLED] = L"\\disabled", [BUSY] = L"\\busy",   [SPINNING] = L"\\spinning",
		[MWAITING] = L"\\mwaiting", [TAKEN] = L"\\taken", [OPTION] = L"\\option"};
	EFI_FILE *file;

	for (unsigned int i = DISABLED; i <= OPTION && !has_word(image, "chained"); i++) {
		if (!EFI_ERROR(open_file(image, names[i], &file)))
			return i;
	}
	return NOTHING;
}

/* It is told that it has come from where this program has: its configuration lies there. */
static EFI_STATUS start_nestling(EFI_HANDLE self, EFI_LOADED_IMAGE *image)
{
	EFI_GUID guid = LOADED_IMAGE_DEVICE_PATH_GUID;
	UINTN size = NESTLING_BYTES;
	EFI_DEVICE_PATH *path;
	EFI_HANDLE nestling;
	EFI_FILE *file;
	VOID *bytes;
	EFI_STATUS status = boot->AllocatePool(EfiLoaderData, size, &bytes);

	if (!EFI_ERROR(status))
		status = open_file(image, L"\\nestling.efi", &file);
	if (!EFI_ERROR(status))
		status = file->Read(file, &size, bytes);
	if (!EFI_ERROR(status))
		status = boot->HandleProtocol(self, &guid, (void **)&path);
	if (!EFI_ERROR(status))
		status = boot->LoadImage(FALSE, self, path, bytes, size, &nestling);
	return EFI_ERROR(status) ? status : boot->StartImage(nestling, NULL, NULL);
}

EFI_STATUS efi_main(EFI_HANDLE self, EFI_SYSTEM_TABLE *table)
{
	EFI_GUID guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	EFI_LOADED_IMAGE *image;
	BOOLEAN bare;

	system_table = table;
	boot = table->BootServices;
	if (EFI_ERROR(boot->HandleProtocol(self, &guid, (void **)&image)))
		return EFI_UNSUPPORTED;
	if (wanted(image) != NOTHING)
		return prepare(table, wanted(image), image->DeviceHandle)
		               ? start_nestling(self, image)
		               : EFI_ABORTED;
	bare = has_word(image, "bare");
	say("\nTAP version 13\n");
	ok(on_nestling() == !bare, "Nestling is below, or not");
	try_timer();
	try_processors(bare, has_word(image, "busy"));
	try_disk(image);
	try_variables();
	try_memory();
	try_l0(bare);
	end_boot_services(self);
	try_runtime_services();
	say("1..12\n");
	table->RuntimeServices->ResetSystem(EfiResetShutdown, EFI_SUCCESS, 0, NULL);
	return EFI_ABORTED;
}
