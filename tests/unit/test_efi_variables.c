/*
 * boot/efi/variables.c on a store of variables, ours and others': what is read, what is deleted,
 * and when a store is too full. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/efi_program.h"
#include "boot/efi/variables.h"

enum { VARIABLES = 300, NAME_CHARS = 64, RUN = 5, STEP = 3 };

static struct variable {
	CHAR16 name[NAME_CHARS];
	EFI_GUID guid;
	UINT8 bytes[2 * BRIEF_PIECE_BYTES];
	UINTN size; /* 0: there is none */
} variables[VARIABLES];

static const EFI_GUID guid_ours = VARIABLES_GUID, guid_other = {1, 2, 3, {4}};
static bool read_only, endless;
static UINT64 store_size, store_left, store_largest;
static EFI_STATUS store_status;

static bool same(const CHAR16 *a, const CHAR16 *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static struct variable *find(const CHAR16 *name, const EFI_GUID *guid)
{
	for (unsigned int i = 0; i < VARIABLES; i++)
		if (variables[i].size && same(variables[i].name, name) &&
		    !memcmp(&variables[i].guid, guid, sizeof(*guid)))
			return &variables[i];
	return NULL;
}

static void put(const CHAR16 *name, const EFI_GUID *guid, const void *bytes, UINTN size)
{
	struct variable *variable = find(name, guid);

	for (unsigned int i = 0; !variable; i++)
		if (!variables[i].size)
			variable = &variables[i];
	for (unsigned int i = 0; i == 0 || name[i - 1]; i++)
		variable->name[i] = name[i];
	variable->guid = *guid;
	memcpy(variable->bytes, bytes, size);
	variable->size = size;
}

static unsigned int count(const EFI_GUID *guid)
{
	unsigned int number = 0;

	for (unsigned int i = 0; i < VARIABLES; i++)
		number += variables[i].size && !memcmp(&variables[i].guid, guid, sizeof(*guid));
	return number;
}

static EFI_STATUS EFIAPI get_variable(CHAR16 *name, EFI_GUID *guid, UINT32 *attributes, UINTN *size,
                                      void *to)
{
	struct variable *variable = find(name, guid);
	UINTN room = *size;

	(void)attributes;
	if (!variable)
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
	struct variable *variable = find(name, guid);

	(void)from;
	assert_int_equal(attributes, 0);
	assert_int_equal(size, 0);
	if (!variable)
		return EFI_NOT_FOUND;
	if (read_only)
		return EFI_WRITE_PROTECTED;
	variable->size = 0;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI get_next(UINTN *size, CHAR16 *name, EFI_GUID *guid)
{
	unsigned int i = 0;

	if (endless) { /* a store that does not say where it ends */
		name[0] = 'x';
		name[1] = 0;
		*guid = guid_other;
		return EFI_SUCCESS;
	}
	if (name[0]) {
		struct variable *variable = find(name, guid);

		if (!variable)
			return EFI_INVALID_PARAMETER;
		i = (unsigned int)(variable - variables) + 1;
	}
	while (i < VARIABLES && !variables[i].size)
		i++;
	if (i == VARIABLES)
		return EFI_NOT_FOUND;
	assert_true(*size >= sizeof(variables[i].name));
	memcpy(name, variables[i].name, sizeof(variables[i].name));
	*guid = variables[i].guid;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI query(UINT32 attributes, UINT64 *all, UINT64 *left, UINT64 *largest)
{
	assert_int_equal(attributes, 7);
	*all = store_size;
	*left = store_left;
	*largest = store_largest;
	return store_status;
}

static EFI_RUNTIME_SERVICES services = {
	.GetVariable = get_variable,
	.SetVariable = set_variable,
	.GetNextVariableName = get_next,
	.QueryVariableInfo = query,
};
static EFI_SYSTEM_TABLE table = {.RuntimeServices = &services};
EFI_SYSTEM_TABLE *efi = &table;

static struct brief brief;
static char text[1 << 14];
static struct out out = {text, sizeof(text), 0};

/* As the resident program writes it: a report of so many points that failed. */
static void put_report(unsigned int points, uint32_t step)
{
	static const char line[] = "not ok 1 - something\n";
	static char report[BRIEF_TEXT];
	struct report_text all = {report, 0};
	struct brief made;

	for (unsigned int i = 0; i < points; i++) {
		memcpy(report + all.length, line, sizeof(line) - 1);
		all.length += sizeof(line) - 1;
	}
	assert_true(brief_make(REPORT_ENDED_BAD, &all, &made));
	for (unsigned int i = 0; i < brief_pieces(&made); i++) {
		CHAR16 name[] = VARIABLES_NAME;
		struct brief_piece piece;
		size_t size = brief_cut(&made, RUN, step, i, &piece);

		name[VARIABLES_DIGIT] = (CHAR16)('0' + i);
		put(name, &guid_ours, &piece, size);
	}
}

static int fresh(void **state)
{
	(void)state;
	memset(variables, 0, sizeof(variables));
	read_only = endless = false;
	out.used = 0;
	text[0] = '\0';
	put(u"Boot0000", &guid_other, "abc", 3);
	put(u"Report0", &guid_other, "abc", 3); /* of somebody else */
	return 0;
}

static void reads_and_deletes(void **state)
{
	(void)state;
	assert_false(variables_read(RUN, STEP, &brief));
	put_report(100, STEP);
	put(u"BootOrder", &guid_other, "abc", 3);
	assert_int_equal(count(&guid_ours), 3);
	assert_true(variables_read(RUN, STEP, &brief));
	assert_int_equal(brief.result.failed, 100);
	assert_int_equal(brief.length, 2100);
	assert_false(variables_read(RUN, STEP + 1, &brief));
	assert_false(variables_read(RUN + 1, STEP, &brief));
	put_report(1, STEP + 1); /* over a longer one, whose rest stays */
	assert_true(variables_read(RUN, STEP + 1, &brief));
	assert_int_equal(brief.length, 21);
	variables_forget(&out);
	assert_int_equal(count(&guid_ours), 0);
	assert_int_equal(count(&guid_other), 3);
	assert_string_equal(text, "");
	put_report(100, STEP);
	find(u"Report1", &guid_ours)->size = 0;
	assert_false(variables_read(RUN, STEP, &brief));
}

static void garbage(void **state)
{
	static UINT8 large[2 * BRIEF_PIECE_BYTES];

	(void)state;
	put_report(1, STEP);
	put(u"Report3", &guid_ours, large, sizeof(large));
	put(u"Report4", &guid_ours, large, BRIEF_PIECE_BYTES);
	put(u"a b\x1b\x263a-0123456789012345678901234567890123456789", &guid_ours, large, 1);
	put_report(1, STEP);
	variables_forget(&out);
	assert_int_equal(count(&guid_ours), 0);
	assert_string_equal(
		text, "--- the firmware's variable \"Report3\" with our GUID holds no report\n"
		      "--- the firmware's variable \"Report4\" with our GUID holds no report\n"
		      "--- the firmware's variable \"a?b?\?-0123456789012345678901234567890123\" "
		      "with our GUID holds no report\n");
	put(u"Report0", &guid_ours, large, sizeof(large));
	assert_false(variables_read(RUN, STEP, &brief));
}

/* Neither many of them, nor a store that cannot be written or never ends, holds us up. */
static void bounds(void **state)
{
	CHAR16 name[] = u"n000";

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		name[1] = (CHAR16)('0' + i / 100);
		name[2] = (CHAR16)('0' + i / 10 % 10);
		name[3] = (CHAR16)('0' + i % 10);
		put(name, &guid_ours, "x", 1);
	}
	variables_forget(&out);
	assert_int_equal(count(&guid_ours), 200 - 64);
	read_only = true;
	out.used = 0;
	variables_forget(&out);
	assert_int_equal(count(&guid_ours), 200 - 64);
	assert_string_equal(
		text, "--- the firmware's variable \"n064\" with our GUID holds no report\n"
		      "--- the firmware's variable \"n064\" with our GUID cannot be deleted\n");
	endless = true;
	variables_forget(&out);
}

static void room(void **state)
{
	const UINT64 need = BRIEF_PIECES * (BRIEF_PIECE_BYTES + 128);

	(void)state;
	store_size = 1 << 17;
	store_left = store_size;
	store_largest = BRIEF_PIECE_BYTES;
	store_status = EFI_SUCCESS;
	services.Hdr.Revision = 1 << 16 | 10; /* EFI 1.10 */
	assert_false(variables_fit());
	services.Hdr.Revision = 2 << 16;
	assert_true(variables_fit());
	store_left = store_size / 2 + need;
	assert_true(variables_fit());
	store_left--;
	assert_false(variables_fit());
	store_left = need - 1;
	store_size = 0;
	assert_false(variables_fit());
	store_left = store_size = 1 << 17;
	store_largest--;
	assert_false(variables_fit());
	store_largest++;
	store_status = EFI_UNSUPPORTED;
	assert_false(variables_fit());
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_and_deletes),
		TEST(garbage),
		TEST(bounds),
		TEST(room),
	};

	return cmocka_run_group_tests_name("variables", tests, NULL, NULL);
}
