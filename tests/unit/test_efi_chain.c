/*
 * boot/efi/chain_option.c and chain_target.c: which program is started, whatever the firmware's
 * variables hold. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/chain.h"
#include "tests/unit/efi_rig.h"

enum { ACTIVE = 1, HIDDEN = 8, APPLICATION = 0x100, TEXT = 6, PATH_AT = TEXT + 4 };
#define LOADER "\\EFI\\debian\\grubx64.efi"
#define FIRST  "\\EFI\\BOOT\\BOOTX64.EFI"
#define OWN    "\\EFI\\BOOT\\nestling.efi"

void *efi_allocate_low(EFI_MEMORY_TYPE type, UINT64 bytes)
{
	(void)type, (void)bytes;
	return NULL;
}

static struct efi_home home;
static EFI_HANDLE self, grub;

/* An option as firmware keeps it: attributes, length, text "A", path, and data. */
struct option {
	uint8_t bytes[1024];
	size_t size;
};

static struct option option(uint32_t attributes, const uint8_t *path, size_t size)
{
	struct option made = {{(uint8_t)attributes, (uint8_t)(attributes >> 8), 0, 0, (uint8_t)size,
	                       (uint8_t)(size >> 8), 'A', 0, 0, 0},
	                      PATH_AT + size};

	memcpy(made.bytes + PATH_AT, path, size);
	return made;
}

enum kind { WHOLE, SHORT, DEVICE };

/* WHOLE: of the volume's own path; SHORT: from its partition on; DEVICE: without a file. */
static struct option leads_to(enum rig_volume volume, const char *path, enum kind kind)
{
	uint8_t nodes[512], device[64];
	size_t all = rig_device(volume, device), from = kind == SHORT ? 18 : 0;
	size_t size = all - from;

	memcpy(nodes, device + from, size);
	if (kind != DEVICE)
		size += rig_file(path, nodes + size);
	size += rig_end(nodes + size);
	return option(ACTIVE, nodes, size);
}

static void boot(const char *name, const struct option *of)
{
	rig_variable(name, of->bytes, of->size);
}

static void order(const uint16_t *numbers, size_t count)
{
	rig_variable("BootOrder", numbers, count * sizeof(*numbers));
}

/* The program that chain=auto starts; NULL: none. Nothing that is taken stays. */
static const char *next(EFI_HANDLE *image)
{
	EFI_HANDLE found = NULL;
	EFI_STATUS status = chain_load_next(self, &home, &found);

	assert_int_equal(rig.files, 0);
	assert_true(EFI_ERROR(status) == !found);
	assert_int_equal(rig.loads - rig.unloads, found ? 1 : 0);
	if (image)
		*image = found;
	return found ? rig_image(found) : NULL;
}

static int fresh(void **state)
{
	(void)state;
	rig_reset();
	rig_program(RIG_HOME, OWN);
	rig_program(RIG_HOME, FIRST);
	rig_program(RIG_MAIN, LOADER);
	rig_program(RIG_MAIN, FIRST);
	rig_program(RIG_STICK, FIRST);
	grub = rig_runs(RIG_HOME, FIRST, rig_runs(RIG_HOME, "", NULL));
	self = rig_runs(RIG_HOME, "\\efi\\boot\\NESTLING.EFI", grub);
	home = (struct efi_home){.device = rig_handle(RIG_HOME),
	                         .directory = "\\efi\\boot\\",
	                         .name = "NESTLING.EFI"};
	return 0;
}

static void ways_of_an_option(void **state)
{
	static const uint16_t numbers[] = {0x2a, 0xBEEF, 1};
	struct option whole = leads_to(RIG_MAIN, LOADER, WHOLE);
	EFI_HANDLE image;
	const void *data;

	(void)state;
	assert_null(next(NULL)); /* no variable at all */
	order(numbers, 3);
	assert_null(next(NULL));          /* none that it names */
	whole.bytes[whole.size++] = 0xab; /* its data */
	boot("BootBEEF", &whole);
	assert_string_equal(next(&image), "main:" LOADER);
	assert_int_equal(rig_options(image, &data), 1);
	assert_int_equal(*(const uint8_t *)data, 0xab);
	assert_int_equal(rig.pools, 1); /* which stays with the image */
	fresh(state);
	order(numbers, 3);
	boot("Boot002A", &(struct option){{0}, 0});
	whole = leads_to(RIG_MAIN, LOADER, SHORT);
	boot("Boot0001", &whole);
	assert_string_equal(next(NULL), "main:" LOADER);
	fresh(state);
	order(numbers, 3);
	whole = leads_to(RIG_STICK, "", DEVICE);
	boot("Boot0001", &whole);
	assert_string_equal(next(NULL), "stick:" FIRST);
}

static void of_several(void **state)
{
	static const uint16_t numbers[] = {3, 2, 1, 0}, current = 3;
	struct option main = leads_to(RIG_MAIN, LOADER, WHOLE);
	struct option stick = leads_to(RIG_STICK, "", DEVICE), none = main;

	(void)state;
	order(numbers, 4);
	boot("Boot0003", &main);
	boot("Boot0001", &main);
	boot("Boot0000", &stick);
	assert_string_equal(next(NULL), "main:" LOADER);
	fresh(state);
	rig_variable("BootCurrent", &current, sizeof(current));
	order(numbers, 4);
	boot("Boot0003", &main); /* by which it came */
	none.bytes[0] = 0;       /* not active */
	boot("Boot0002", &none);
	none.bytes[0] = ACTIVE | HIDDEN;
	none.bytes[1] = APPLICATION >> 8; /* firmware's setup */
	boot("Boot0001", &none);
	boot("Boot0000", &stick);
	assert_string_equal(next(NULL), "stick:" FIRST);
}

/* What leads to this program, or to what started it, is none: that would never end. */
static void nothing_that_runs(void **state)
{
	static const uint16_t numbers[] = {1, 2, 3, 4};
	struct option own = leads_to(RIG_HOME, OWN, WHOLE);
	struct option stick = leads_to(RIG_HOME, FIRST, SHORT);
	struct option device = leads_to(RIG_HOME, "", DEVICE);
	struct option main = leads_to(RIG_MAIN, FIRST, WHOLE);

	(void)state;
	order(numbers, 4);
	boot("Boot0001", &own);
	boot("Boot0002", &stick);
	boot("Boot0003", &device);
	assert_null(next(NULL));
	assert_int_equal(rig.unloads, 2);
	boot("Boot0004", &main); /* of that name, but on another volume */
	rig.loads = rig.unloads = 0;
	assert_string_equal(next(NULL), "main:" FIRST);
	/* Firmware's own programs have no file, and are not all one. */
	fresh(state);
	self = rig_runs(RIG_MAIN, "", NULL);
	((EFI_LOADED_IMAGE *)self)->ParentHandle = self;
	rig_program(RIG_MAIN, "");
	order(numbers, 1);
	device = leads_to(RIG_MAIN, "", DEVICE);
	boot("Boot0001", &device);
	assert_string_equal(next(NULL), "main:");
}

/* Of each option that is cut short, or whose lengths lie, nothing is started. */
static void broken_options(void **state)
{
	static const uint16_t number = 1;
	struct option whole = leads_to(RIG_MAIN, LOADER, WHOLE), broken;
	static const uint8_t end[] = {0x7f, 0xff, 4, 0};
	static const uint8_t zero[] = {4, 4, 0, 0, 0x7f, 0xff, 4, 0};
	static const uint8_t beyond[] = {4, 4, 9, 0, 0x7f, 0xff, 4, 0};

	(void)state;
	for (size_t size = 0; size < whole.size; size++) {
		fresh(state);
		order(&number, 1);
		rig_variable("Boot0001", whole.bytes, size);
		assert_null(next(NULL));
		assert_int_equal(rig.pools, 0);
	}
	for (size_t less = 1; less < whole.size - PATH_AT; less++) {
		size_t length = whole.size - PATH_AT - less;

		broken = whole;
		broken.bytes[4] = (uint8_t)length;
		broken.bytes[5] = (uint8_t)(length >> 8);
		fresh(state);
		order(&number, 1);
		boot("Boot0001", &broken);
		assert_null(next(NULL));
	}
	for (unsigned int i = 0; i < 3; i++) {
		fresh(state);
		order(&number, 1);
		broken = option(ACTIVE, i == 0 ? end : i == 1 ? zero : beyond, i == 0 ? 4 : 8);
		boot("Boot0001", &broken);
		assert_null(next(NULL)); /* not the first volume's, for one without a node */
		assert_int_equal(rig.loads, 0);
	}
}

/* A list of any size, odd ones too, and text without an end. */
static void lists_of_any_size(void **state)
{
	static uint8_t bytes[RIG_BYTES];
	struct option main = leads_to(RIG_MAIN, LOADER, WHOLE);

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t size = 0; size <= sizeof(bytes); size = size < 600 ? size + 1 : 2 * size) {
		fresh(state);
		rig_variable("BootOrder", bytes, size);
		boot("BootFFFF", &main);
		/* One that no firmware keeps is none. */
		if (size < 2 || size > 512)
			assert_null(next(NULL));
		else
			assert_string_equal(next(NULL), "main:" LOADER);
	}
	for (size_t size = 0; size <= sizeof(bytes); size = size < 64 ? size + 1 : 2 * size) {
		fresh(state);
		rig_variable("BootOrder", bytes, 2);
		bytes[1] = 0;
		rig_variable("BootFFFF", bytes, size);
		bytes[1] = 0xff;
		assert_null(next(NULL));
	}
}

/* chain=: what is started, or what is said. */
static const char *start(const char *word, const char *words)
{
	static struct config config;
	EFI_HANDLE image = NULL;
	EFI_STATUS status;

	memset(&config, 0, sizeof(config));
	memcpy(config.chain, word, strlen(word) + 1);
	config.chain_given = true;
	if (words) {
		config.cmdline_given = true;
		memcpy(config.cmdline, words, strlen(words) + 1);
	}
	rig.said[0] = 0;
	status = chain_load(self, &home, &config, &image);
	assert_true(EFI_ERROR(status) == !!rig.said[0]);
	if (EFI_ERROR(status))
		return rig.said;
	return image ? rig_image(image) : NULL;
}

static void by_its_path(void **state)
{
	static const uint16_t number = 1;
	struct option main = leads_to(RIG_MAIN, LOADER, WHOLE);
	char longest[EFI_PATH_SIZE];

	(void)state;
	assert_string_equal(start(LOADER, NULL), "main:" LOADER);
	assert_string_equal(start("/EFI/debian/grubx64.efi", NULL), "main:" LOADER);
	assert_string_equal(start(FIRST, NULL), "home:" FIRST); /* its own volume first */
	rig_program(RIG_HOME, "\\efi\\boot\\a.efi");
	assert_string_equal(start("a.efi", NULL), "home:\\efi\\boot\\a.efi");
	assert_string_equal(start("nestling.efi", NULL),
	                    "cannot start chain=nestling.efi: no volume that the firmware reads "
	                    "has it");
	assert_string_equal(start("/EFI/BOOT/NESTLING.efi", NULL),
	                    "cannot start chain=/EFI/BOOT/NESTLING.efi: no volume that the "
	                    "firmware reads has it");
	rig.load_status = EFI_UNSUPPORTED;
	assert_string_equal(start("\\a.txt", NULL),
	                    "cannot start chain=\\a.txt: it is no program for this firmware");
	rig.load_status = EFI_ACCESS_DENIED;
	assert_string_equal(start("\\a.txt", NULL), "cannot start chain=\\a.txt: the firmware does "
	                                            "not allow it: turn Secure Boot off in its "
	                                            "setup");
	rig.load_status = EFI_OUT_OF_RESOURCES;
	assert_string_equal(start("\\a.txt", NULL), "cannot start chain=\\a.txt: out of resources");
	rig.load_status = EFI_NOT_FOUND;
	memset(longest, 'x', sizeof(longest));
	longest[0] = '\\';
	longest[sizeof(longest) - 1] = 0;
	assert_non_null(strstr(start(longest, NULL), "no volume that the firmware reads has it"));
	assert_null(start("menu", NULL));
	assert_non_null(strstr(start("auto", NULL), "name a file, such as"));
	order(&number, 1);
	boot("Boot0001", &main);
	assert_string_equal(start("auto", NULL), "main:" LOADER);
	assert_int_equal(rig.pools, 0);
}

/* cmdline= becomes UTF-16 with its NUL. */
static void its_words(void **state)
{
	EFI_HANDLE image = NULL;
	static struct config config = {.chain = LOADER,
	                               .chain_given = true,
	                               .cmdline_given = true,
	                               .cmdline = "a \xc3\xa4"};
	const void *words;

	(void)state;
	assert_int_equal(chain_load(self, &home, &config, &image), EFI_SUCCESS);
	assert_int_equal(rig_options(image, &words), 8);
	assert_memory_equal(words, L"a \xe4", 8);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ways_of_an_option), TEST(of_several),        TEST(nothing_that_runs),
		TEST(broken_options),    TEST(lists_of_any_size), TEST(by_its_path),
		TEST(its_words),
	};

	return cmocka_run_group_tests_name("efi_chain", tests, NULL, NULL);
}
