/*
 * boot/efi/screen.c: which of the firmware's graphics outputs it takes, and what it says of it.
 * Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/efi_program.h"

enum { OUTPUTS = 3, CONSOLE = 0 };

static struct {
	EFI_GRAPHICS_OUTPUT_MODE_INFORMATION info;
	EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode;
	EFI_GRAPHICS_OUTPUT_PROTOCOL protocol;
	EFI_EDID_ACTIVE_PROTOCOL edid; /* size 0: the firmware has none */
	UINT8 name[BOOT_EDID_SIZE];
} outputs[OUTPUTS];

static EFI_HANDLE handles[OUTPUTS];
static UINTN handle_count;
static EFI_BOOT_SERVICES services;
static EFI_SYSTEM_TABLE table;
static struct boot_info info;
EFI_SYSTEM_TABLE *efi = &table;

static bool is_edid(const EFI_GUID *guid)
{
	EFI_GUID edid = EFI_EDID_ACTIVE_PROTOCOL_GUID;

	return !memcmp(guid, &edid, sizeof(edid));
}

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, void **to)
{
	for (UINTN i = 0; i < OUTPUTS; i++) {
		if (handle != &outputs[i] || (is_edid(guid) && !outputs[i].edid.SizeOfEdid))
			continue;
		*to = is_edid(guid) ? (void *)&outputs[i].edid : (void *)&outputs[i].protocol;
		return EFI_SUCCESS;
	}
	return EFI_UNSUPPORTED;
}

static EFI_STATUS EFIAPI locate_handle_buffer(EFI_LOCATE_SEARCH_TYPE kind, EFI_GUID *guid,
                                              void *key, UINTN *count, EFI_HANDLE **found)
{
	static EFI_HANDLE having[OUTPUTS];
	void *to;

	(void)kind;
	(void)key;
	*count = 0;
	for (UINTN i = 0; i < handle_count; i++) {
		if (handle_protocol(handles[i], guid, &to) == EFI_SUCCESS)
			having[(*count)++] = handles[i];
	}
	*found = having;
	return *count ? EFI_SUCCESS : EFI_NOT_FOUND;
}

static int fresh(void **state)
{
	(void)state;
	memset(outputs, 0, sizeof(outputs));
	memset(&info, 0, sizeof(info));
	for (UINTN i = 0; i < OUTPUTS; i++) {
		outputs[i].protocol.Mode = &outputs[i].mode;
		outputs[i].mode.Info = &outputs[i].info;
		outputs[i].mode.FrameBufferBase = 0x4000000000 + (i << 28);
		outputs[i].info = (EFI_GRAPHICS_OUTPUT_MODE_INFORMATION){
			.HorizontalResolution = 1366,
			.VerticalResolution = 768,
			.PixelFormat = PixelBlueGreenRedReserved8BitPerColor,
			.PixelsPerScanLine = 1408,
		};
		handles[i] = &outputs[i];
	}
	handle_count = OUTPUTS;
	services.HandleProtocol = handle_protocol;
	services.LocateHandleBuffer = locate_handle_buffer;
	table.BootServices = &services;
	table.ConsoleOutHandle = &outputs[CONSOLE];
	return 0;
}

static void takes_that_of_the_console(void **state)
{
	(void)state;
	table.ConsoleOutHandle = &outputs[2];
	efi_find_screen(&info);
	assert_int_equal(info.screen_kind, SCREEN_PIXELS);
	assert_int_equal(info.screen.base, outputs[2].mode.FrameBufferBase);
	assert_int_equal(info.screen.pitch, 1408 * 4);
	assert_int_equal(info.screen.width, 1366);
	assert_int_equal(info.screen.height, 768);
	assert_int_equal(info.screen.bits, 32);
	assert_int_equal(info.screen.red.at, 16);
	assert_int_equal(info.screen.blue.at, 0);
}

/* The console's stands for all cards, and can only draw. */
static void takes_one_that_shows_pixels(void **state)
{
	(void)state;
	outputs[CONSOLE].info.PixelFormat = PixelBltOnly;
	outputs[CONSOLE].mode.FrameBufferBase = 0;
	outputs[1].mode.FrameBufferBase = 0;
	efi_find_screen(&info);
	assert_int_equal(info.screen_kind, SCREEN_PIXELS);
	assert_int_equal(info.screen.base, outputs[2].mode.FrameBufferBase);
	fresh(NULL);
	table.ConsoleOutHandle = NULL;
	outputs[0].mode.Info = NULL;
	outputs[1].protocol.Mode = NULL;
	efi_find_screen(&info);
	assert_int_equal(info.screen.base, outputs[2].mode.FrameBufferBase);
}

static void says_that_there_are_no_pixels(void **state)
{
	(void)state;
	for (UINTN i = 0; i < OUTPUTS; i++)
		outputs[i].info.PixelFormat = PixelBltOnly;
	efi_find_screen(&info);
	assert_int_equal(info.screen_kind, SCREEN_BLT);
	memset(&info, 0, sizeof(info));
	handle_count = 0;
	table.ConsoleOutHandle = NULL;
	efi_find_screen(&info);
	assert_int_equal(info.screen_kind, SCREEN_UNKNOWN);
}

static void give_edid(UINTN i)
{
	memset(outputs[i].name, (int)i + 1, sizeof(outputs[i].name));
	outputs[i].edid.SizeOfEdid = sizeof(outputs[i].name);
	outputs[i].edid.Edid = outputs[i].name;
}

static void assert_edid(UINTN i)
{
	memset(&info, 0, sizeof(info));
	efi_find_screen(&info);
	assert_int_equal(info.edid_bytes, sizeof(info.edid));
	assert_memory_equal(info.edid, outputs[i].name, sizeof(info.edid));
}

/* The console's output has the pixels of the third card, of which it knows nothing. */
static void tells_the_edid_of_the_same_card(void **state)
{
	(void)state;
	for (UINTN i = 0; i < OUTPUTS; i++)
		give_edid(i);
	for (UINTN i = 0; i < OUTPUTS; i++) {
		table.ConsoleOutHandle = &outputs[i];
		assert_edid(i);
	}
	outputs[CONSOLE].edid.SizeOfEdid = 0;
	outputs[CONSOLE].mode.FrameBufferBase = outputs[2].mode.FrameBufferBase;
	table.ConsoleOutHandle = &outputs[CONSOLE];
	assert_edid(2);
	outputs[CONSOLE].info.PixelFormat = PixelBltOnly; /* it stands for all cards */
	outputs[CONSOLE].mode.FrameBufferBase = 0;
	assert_edid(1);
}

static void tells_no_edid_of_another_card(void **state)
{
	(void)state;
	give_edid(1);
	efi_find_screen(&info);
	assert_int_equal(info.screen_kind, SCREEN_PIXELS);
	assert_int_equal(info.edid_bytes, 0);
	give_edid(CONSOLE);
	outputs[CONSOLE].edid.SizeOfEdid--;
	efi_find_screen(&info);
	assert_int_equal(info.edid_bytes, 0);
	outputs[CONSOLE].edid.SizeOfEdid++;
	outputs[CONSOLE].edid.Edid = NULL;
	efi_find_screen(&info);
	assert_int_equal(info.edid_bytes, 0);
	for (UINTN i = 0; i < OUTPUTS; i++)
		outputs[i].info.PixelFormat = PixelBltOnly;
	efi_find_screen(&info);
	assert_int_equal(info.edid_bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_that_of_the_console),     TEST(takes_one_that_shows_pixels),
		TEST(says_that_there_are_no_pixels), TEST(tells_the_edid_of_the_same_card),
		TEST(tells_no_edid_of_another_card),
	};

	return cmocka_run_group_tests_name("efi_screen", tests, NULL, NULL);
}
