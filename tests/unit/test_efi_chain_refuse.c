/*
 * boot/efi/chain.c: what forbids Nestling is one line, and what is chained is started all the same;
 * what was taken for Nestling is the firmware's again. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static uint64_t efer, cr4;
static uint64_t fake_rdmsr(uint32_t msr);
static uint64_t fake_cr4(void);
#define rdmsr    fake_rdmsr
#define read_cr4 fake_cr4
#include "boot/efi/chain.c"

static uint64_t fake_rdmsr(uint32_t msr)
{
	assert_int_equal(msr, MSR_EFER);
	return efer;
}

static uint64_t fake_cr4(void)
{
	return cr4;
}

static struct boot_processor processors[2];
static struct config config;
static struct boot_info info;
static int an_image;

static const char *svm, *find, *memory, *gather; /* what is wrong with each */
static bool npt;
static UINT8 secure[2];
static UINTN secure_size; /* 0: there is no such variable */
static EFI_STATUS load_status;
static EFI_HANDLE loaded;
static bool becomes_l1;
static enum chain_choice choice;
static unsigned int errors, said, started, begun, released, given_back, taken, asked, unloaded;
static char error[256];

const char *svm_missing(enum config_npt wanted)
{
	assert_int_equal(wanted, config.npt);
	return svm;
}

bool svm_use_npt(enum config_npt wanted)
{
	assert_int_equal(wanted, config.npt);
	return npt;
}

void efi_error(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(error, sizeof(error), format, list);
	va_end(list);
	errors++;
}

void efi_say(const char *format, ...)
{
	(void)format;
	said++;
}

EFI_STATUS chain_load(EFI_HANDLE self, const struct efi_home *home, const struct config *of,
                      EFI_HANDLE *image)
{
	(void)self, (void)home, (void)of;
	*image = loaded;
	return load_status;
}

enum chain_choice chain_ask(const struct config *of)
{
	assert_int_equal(of->menu, 5);
	asked++;
	return choice;
}

static EFI_STATUS EFIAPI unload_image(EFI_HANDLE image)
{
	assert_ptr_equal(image, &an_image);
	unloaded++;
	return EFI_SUCCESS;
}

const char *chain_find_processors(struct boot_info *to)
{
	to->chain.processors = (UINT64)processors;
	return find;
}

const char *chain_take_memory(const struct config *of, struct boot_info *to)
{
	(void)of, (void)to;
	taken += !memory;
	return memory;
}

void chain_give_back(struct boot_info *of)
{
	(void)of;
	given_back++;
}

const char *chain_gather_processors(struct boot_info *of, void *page)
{
	(void)of, (void)page;
	return gather;
}

void chain_release_processors(void)
{
	assert_int_equal(begun, 1);
	released++;
}

uint64_t efi_become_l1(struct boot_processor *state, volatile struct boot_door *door, void *page)
{
	assert_ptr_equal(state, processors);
	assert_int_equal(door->entry, 0x1234);
	assert_int_equal(door->argument, (uint32_t)(UINT64)&info);
	assert_ptr_equal(page, &info);
	begun++;
	return becomes_l1;
}

static EFI_STATUS EFIAPI get_variable(CHAR16 *name, EFI_GUID *guid, UINT32 *attributes, UINTN *size,
                                      void *to)
{
	(void)guid, (void)attributes;
	assert_memory_equal(name, L"SecureBoot", sizeof(L"SecureBoot"));
	if (!secure_size)
		return EFI_NOT_FOUND;
	if (*size < secure_size)
		return EFI_BUFFER_TOO_SMALL;
	*size = secure_size;
	memcpy(to, secure, secure_size);
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI start_image(EFI_HANDLE image, UINTN *size, CHAR16 **data)
{
	assert_null(size);
	assert_null(data);
	assert_ptr_equal(image, &an_image);
	started++;
	return EFI_ABORTED;
}

static EFI_BOOT_SERVICES boot_services = {.StartImage = start_image, .UnloadImage = unload_image};
static EFI_RUNTIME_SERVICES runtime_services = {.GetVariable = get_variable};
static EFI_SYSTEM_TABLE table = {.BootServices = &boot_services,
                                 .RuntimeServices = &runtime_services};
EFI_SYSTEM_TABLE *efi = &table;

static int fresh(void **state)
{
	(void)state;
	svm = find = memory = gather = NULL;
	npt = becomes_l1 = true;
	efer = cr4 = secure_size = secure[0] = secure[1] = 0;
	load_status = EFI_SUCCESS;
	loaded = &an_image;
	errors = said = started = begun = released = given_back = taken = asked = unloaded = 0;
	memset(&config, 0, sizeof(config));
	return 0;
}

static EFI_STATUS boot(void)
{
	return chain_boot(NULL, NULL, &config, &info, &(struct chain_core){0x1234, &info});
}

/* One line with these words; what is chained runs on the bare machine. */
static void refused(const char *words)
{
	static const char end[] = "; going on without Nestling";

	assert_int_equal(boot(), EFI_ABORTED); /* as what was started returned */
	assert_int_equal(errors, 1);
	assert_non_null(strstr(error, words));
	assert_string_equal(error + strlen(error) - strlen(end), end);
	assert_int_equal(said + begun + released, 0);
	assert_int_equal(started, 1);
	assert_int_equal(given_back, taken);
}

static void goes_below(void **state)
{
	(void)state;
	assert_int_equal(boot(), EFI_ABORTED);
	assert_int_equal(errors, 0);
	assert_int_equal(said, 1);
	assert_int_equal(begun, 1);
	assert_int_equal(released, 1);
	assert_int_equal(given_back, 1); /* what L0 has not taken */
	assert_int_equal(started, 1);
	fresh(state);
	loaded = NULL; /* chain=menu */
	assert_int_equal(boot(), EFI_SUCCESS);
	assert_int_equal(said, 1);
	assert_int_equal(started, 0);
}

static void cannot_be_loaded(void **state)
{
	(void)state;
	load_status = EFI_NOT_FOUND;
	assert_int_equal(boot(), EFI_NOT_FOUND);
	assert_int_equal(errors + said + started + begun + taken, 0); /* chain_load() has said it */
}

/* By the firmware that checks no signature of ours: with shim's key, or started by one of the two.
 */
static void secure_boot_is_on(void **state)
{
	(void)state;
	secure_size = 1;
	secure[0] = 1;
	refused("Secure Boot is on, and Nestling is not signed: turn it off in the firmware's "
	        "setup");
	fresh(state);
	secure_size = 1;
	boot();
	assert_int_equal(errors, 0);
	fresh(state);
	secure_size = 2; /* no such variable is told of anywhere */
	secure[0] = 1;
	boot();
	assert_int_equal(errors, 0);
}

static void the_processor_is_not_ready(void **state)
{
	(void)state;
	svm = "the firmware disabled SVM: enable it"; /* tests/unit/test_check_svm.c */
	refused(svm);
	fresh(state);
	npt = false;
	refused("leave npt=off out");
	fresh(state);
	efer = EFER_SVME;
	refused("something below or in the firmware uses SVM already");
	fresh(state);
	cr4 = CR4_CET;
	refused("the firmware uses CET or PKS");
	fresh(state);
	cr4 = CR4_PKS;
	refused("the firmware uses CET or PKS");
	fresh(state);
	cr4 = CR4_LA57;
	config.la57 = LA57_OFF;
	refused("leave la57=off out");
	fresh(state);
	cr4 = CR4_LA57;
	boot();
	assert_int_equal(errors, 0);
}

static void something_fails_on_the_way(void **state)
{
	(void)state;
	find = "a processor is disabled";
	refused(find);
	fresh(state);
	memory = "too little memory";
	refused(memory);
	fresh(state);
	gather = "they do not come";
	refused(gather);
	assert_int_equal(given_back, 1);
	fresh(state);
	find = "a processor is disabled";
	loaded = NULL; /* chain=menu */
	assert_int_equal(boot(), EFI_SUCCESS);
	assert_int_equal(errors, 1);
}

static void a_person_chooses(void **state)
{
	(void)state;
	choice = CHAIN_BACK;
	boot();
	assert_int_equal(asked, 0); /* not without menu= */
	fresh(state);
	config.menu = 5;
	assert_int_equal(boot(), EFI_ABORTED);
	assert_int_equal(asked, 1);
	assert_int_equal(unloaded, 1);
	assert_int_equal(errors + said + started + begun + taken, 0);
	fresh(state);
	config.menu = 5;
	loaded = NULL; /* chain=menu */
	assert_int_equal(boot(), EFI_ABORTED);
	assert_int_equal(unloaded, 0);
	fresh(state);
	config.menu = 5;
	choice = CHAIN_WITHOUT;
	secure_size = secure[0] = 1; /* does not matter then */
	boot();
	assert_int_equal(started, 1);
	assert_int_equal(errors + said + begun + taken, 0);
	fresh(state);
	config.menu = 5;
	choice = CHAIN_BELOW;
	boot();
	assert_int_equal(begun, 1);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_below),
		TEST(cannot_be_loaded),
		TEST(secure_boot_is_on),
		TEST(the_processor_is_not_ready),
		TEST(something_fails_on_the_way),
		TEST(a_person_chooses),
	};

	return cmocka_run_group_tests_name("efi_chain_refuse", tests, NULL, NULL);
}
