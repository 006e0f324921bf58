/*
 * boot/efi/memory_map.c: maps of firmware, whose descriptors have a size of the firmware's own.
 * Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/efi_program.h"
#include "boot/efi/memory_map.h"

enum { KNOWN = sizeof(EFI_MEMORY_DESCRIPTOR), LARGER = KNOWN + 8, COUNT = 3 };

static UINTN told_each, told_bytes;
static EFI_STATUS told_status;

static EFI_STATUS EFIAPI get_memory_map(UINTN *bytes, EFI_MEMORY_DESCRIPTOR *map, UINTN *key,
                                        UINTN *each, UINT32 *version)
{
	assert_true(*bytes >= told_bytes);
	memset(map, 0, *bytes);
	for (UINTN i = 0; told_each && (i + 1) * told_each <= told_bytes; i++)
		((EFI_MEMORY_DESCRIPTOR *)((UINT8 *)map + i * told_each))->PhysicalStart = i + 1;
	*bytes = told_bytes;
	*each = told_each;
	*key = *version = 1;
	return told_status;
}

static EFI_BOOT_SERVICES boot_services = {.GetMemoryMap = get_memory_map};
static EFI_SYSTEM_TABLE table = {.BootServices = &boot_services};
EFI_SYSTEM_TABLE *efi = &table;

/* Descriptors of such a size: how many are read? Each is the one that was written. */
static UINTN read(UINTN each, UINTN bytes, EFI_STATUS status)
{
	struct efi_memory_map map;
	const EFI_MEMORY_DESCRIPTOR *descriptor;
	UINTN count = 0;

	told_each = each;
	told_bytes = bytes;
	told_status = status;
	assert_true(efi_memory_map(&map) == status);
	while ((descriptor = efi_memory_map_next(&map)))
		assert_int_equal(descriptor->PhysicalStart, ++count);
	return count;
}

static void sizes(void **state)
{
	(void)state;
	assert_int_equal(read(KNOWN, COUNT * KNOWN, EFI_SUCCESS), COUNT);
	assert_int_equal(read(LARGER, COUNT * LARGER, EFI_SUCCESS), COUNT);
	assert_int_equal(read(LARGER, COUNT * LARGER - 1, EFI_SUCCESS), COUNT - 1);
	assert_int_equal(read(LARGER, 0, EFI_SUCCESS), 0);
	/* These would never end, or be read beyond the map. */
	assert_int_equal(read(0, COUNT * KNOWN, EFI_SUCCESS), 0);
	assert_int_equal(read(8, COUNT * KNOWN, EFI_SUCCESS), 0);
	assert_int_equal(read(UINT64_MAX, COUNT * KNOWN, EFI_SUCCESS), 0);
	assert_int_equal(read(LARGER, COUNT * LARGER, EFI_BUFFER_TOO_SMALL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests_name("memory_map", tests, NULL, NULL);
}
