/*
 * boot/efi/boot_next.c: what is left in the firmware's variables. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/boot_next.h"

enum { VARIABLES = 4, NAME_CHARS = 16, BYTES = 512, OURS = 0x4e53 };

static struct variable {
	CHAR16 name[NAME_CHARS];
	UINT8 bytes[BYTES];
	UINTN size; /* 0: there is none */
} variables[VARIABLES];

static unsigned int writes;
static EFI_BOOT_SERVICES boot_services;
static EFI_RUNTIME_SERVICES runtime_services;
static EFI_SYSTEM_TABLE table = {.BootServices = &boot_services,
                                 .RuntimeServices = &runtime_services};
EFI_SYSTEM_TABLE *efi = &table;

static bool same(const CHAR16 *a, const CHAR16 *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* Of that name, else a free one. */
static struct variable *find(const CHAR16 *name)
{
	struct variable *free = NULL;

	for (unsigned int i = 0; i < VARIABLES; i++) {
		if (variables[i].size && same(variables[i].name, name))
			return &variables[i];
		if (!variables[i].size)
			free = &variables[i];
	}
	assert_non_null(free);
	return free;
}

static void set(const CHAR16 *name, const void *bytes, UINTN size)
{
	struct variable *variable = find(name);

	assert_true(size <= BYTES);
	for (unsigned int i = 0; i == 0 || name[i - 1]; i++)
		variable->name[i] = name[i];
	if (size)
		memcpy(variable->bytes, bytes, size);
	variable->size = size;
}

static EFI_STATUS EFIAPI get_variable(CHAR16 *name, EFI_GUID *guid, UINT32 *attributes, UINTN *size,
                                      void *to)
{
	struct variable *variable = find(name);
	UINTN room = *size;

	(void)guid;
	(void)attributes;
	if (!variable->size)
		return EFI_NOT_FOUND;
	*size = variable->size;
	if (room < variable->size)
		return EFI_BUFFER_TOO_SMALL;
	memcpy(to, variable->bytes, variable->size);
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI set_variable(CHAR16 *name, EFI_GUID *guid, UINT32 attributes, UINTN size,
                                      void *from)
{
	(void)guid;
	(void)attributes;
	writes++;
	set(name, from, size);
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, void **to)
{
	static EFI_DEVICE_PATH end = {
		END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, {sizeof(EFI_DEVICE_PATH), 0}};

	(void)handle;
	(void)guid;
	*to = &end;
	return EFI_SUCCESS;
}

static const struct efi_home home = {.directory = "\\EFI\\", .name = "nestling.efi"};

static int fresh(void **state)
{
	(void)state;
	memset(variables, 0, sizeof(variables));
	writes = 0;
	boot_services.HandleProtocol = handle_protocol;
	runtime_services.GetVariable = get_variable;
	runtime_services.SetVariable = set_variable;
	return 0;
}

static void names_itself(void **state)
{
	static const UINT8 number[] = {0x53, 0x4e};

	(void)state;
	assert_int_equal(boot_next_set(&home, "everything=a.elf"), EFI_SUCCESS);
	assert_int_equal(find(L"BootNext")->size, 2);
	assert_memory_equal(find(L"BootNext")->bytes, number, 2);
	assert_true(find(L"Boot4E53")->size);
	assert_int_equal(writes, 2);
	assert_int_equal(boot_next_set(&home, "everything=a.elf"), EFI_SUCCESS);
	assert_int_equal(writes, 2); /* the store wears */
	assert_false(boot_next_was_ours());
	set(L"BootCurrent", number, 2);
	assert_true(boot_next_was_ours());
}

static void leaves_nothing(void **state)
{
	static const UINT8 other[] = {3, 0}, odd[] = {0x53};

	(void)state;
	boot_next_set(&home, "everything=a.elf");
	boot_next_forget();
	assert_int_equal(find(L"Boot4E53")->size, 0);
	assert_int_equal(find(L"BootNext")->size, 0); /* of firmware that does not look at it */
	set(L"BootNext", other, 2);
	boot_next_forget();
	assert_int_equal(find(L"BootNext")->size, 2); /* somebody else's */
	set(L"BootNext", odd, 1);
	boot_next_forget();
	assert_int_equal(find(L"BootNext")->size, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_itself),
		TEST(leaves_nothing),
	};

	return cmocka_run_group_tests_name("boot_next", tests, NULL, NULL);
}
