/*
 * boot/efi/chain_processors.c: either each processor waits for L0, or all are the firmware's again.
 * Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/efi/chain.h"
#include "boot/efi/mp_services.h"

enum { MOST = 8, FINE = MP_ENABLED | MP_HEALTHY, SECONDS = 1000000 };

static struct boot_info info;
static uint32_t madt;      /* processors that ACPI tells of */
static bool have_services; /* of the firmware */
static UINTN count;        /* that these tell of */
static UINT32 flags[MOST]; /* of each */
static UINTN knows;        /* of so many they tell more */
static EFI_STATUS count_status, event_status, start_status;
static UINT32 running;      /* that come when they are started */
static bool returned;       /* they go back at once when they are told to */
static unsigned int events; /* made, and not closed */
static UINTN waited;        /* microseconds */
static VOID(EFIAPI *procedure)(VOID *argument);
static uint32_t own_id;
static struct boot_processor *seen[MOST];
static UINT32 seen_count;
static int page;

unsigned int acpi_cpu_ids(uint64_t rsdp, uint32_t *ids, unsigned int most)
{
	assert_int_equal(rsdp, 0x1234);
	for (unsigned int i = 0; i < madt && i < most; i++)
		ids[i] = i;
	return madt < most ? madt : most;
}

uint32_t lapic_initial_id(void)
{
	return own_id;
}

void *efi_allocate_low(EFI_MEMORY_TYPE type, UINT64 bytes)
{
	assert_int_equal(type, EfiLoaderData);
	return malloc(bytes);
}

/* On the processor that comes: it would wait at the door. */
uint64_t efi_become_l1(struct boot_processor *state, volatile struct boot_door *door, void *of)
{
	assert_ptr_equal(of, &page);
	assert_ptr_equal(door, &info.chain.door);
	state->has_left = 1;
	seen[seen_count++] = state;
	return 0;
}

static EFI_STATUS EFIAPI get_count(struct mp_services *self, UINTN *all, UINTN *enabled)
{
	(void)self;
	*all = *enabled = count;
	return count_status;
}

static EFI_STATUS EFIAPI get_information(struct mp_services *self, UINTN number,
                                         struct mp_information *information)
{
	(void)self;
	if (number >= knows)
		return EFI_NOT_FOUND;
	information->flags = flags[number];
	return EFI_SUCCESS;
}

/* They come when somebody waits for them. */
static EFI_STATUS EFIAPI start_all(struct mp_services *self, VOID(EFIAPI *of)(VOID *argument),
                                   BOOLEAN one_by_one, EFI_EVENT event, UINTN microseconds,
                                   VOID *argument, UINTN **failed)
{
	(void)self, (void)failed;
	assert_false(one_by_one);
	assert_non_null(event); /* else it would wait for those that do not return */
	assert_int_equal(microseconds, 0);
	assert_null(argument);
	procedure = of;
	return start_status;
}

static struct mp_services services = {
	.get_count = get_count, .get_information = get_information, .start_all = start_all};

static EFI_STATUS EFIAPI locate(EFI_GUID *guid, void *key, void **to)
{
	(void)guid, (void)key;
	*to = &services;
	return have_services ? EFI_SUCCESS : EFI_NOT_FOUND;
}

static EFI_STATUS EFIAPI create_event(UINT32 type, EFI_TPL tpl, EFI_EVENT_NOTIFY notify,
                                      void *context, EFI_EVENT *event)
{
	(void)type, (void)tpl, (void)notify, (void)context;
	if (EFI_ERROR(event_status))
		return event_status;
	events++;
	*event = &events;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI close_event(EFI_EVENT event)
{
	assert_ptr_equal(event, &events);
	events--;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI check_event(EFI_EVENT event)
{
	assert_ptr_equal(event, &events);
	return returned ? EFI_SUCCESS : EFI_NOT_READY;
}

static EFI_STATUS EFIAPI stall(UINTN microseconds)
{
	waited += microseconds;
	if (running && procedure) {
		running--;
		own_id += 2;
		procedure(NULL);
	}
	return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES boot_services = {.LocateProtocol = locate,
                                          .CreateEvent = create_event,
                                          .CloseEvent = close_event,
                                          .CheckEvent = check_event,
                                          .Stall = stall};
static EFI_SYSTEM_TABLE table = {.BootServices = &boot_services};
EFI_SYSTEM_TABLE *efi = &table;

static int fresh(void **state)
{
	(void)state;
	memset(&info, 0, sizeof(info));
	info.rsdp = 0x1234;
	madt = 4;
	have_services = true;
	count = knows = 4;
	for (unsigned int i = 0; i < MOST; i++)
		flags[i] = FINE;
	flags[0] |= MP_IS_BSP;
	count_status = event_status = start_status = EFI_SUCCESS;
	running = 3;
	returned = true;
	waited = own_id = seen_count = events = 0;
	procedure = NULL;
	return 0;
}

static void forget(void)
{
	free((void *)info.chain.processors);
	info.chain.processors = 0;
}

static void counts_them(void **state)
{
	(void)state;
	own_id = 6;
	assert_null(chain_find_processors(&info));
	assert_int_equal(info.chain.count, 4);
	assert_int_equal(((struct boot_processor *)info.chain.processors)->apic_id, 6);
	forget();
	have_services = false;
	madt = 1;
	assert_null(chain_find_processors(&info));
	assert_int_equal(info.chain.count, 1);
	assert_null(chain_gather_processors(&info, &page)); /* nobody else is asked for */
	assert_null(procedure);
	forget();
}

/* One that could not be taken might run beside L0. */
static void refuses_what_it_cannot_take(void **state)
{
	(void)state;
	have_services = false;
	madt = 2;
	assert_non_null(strstr(chain_find_processors(&info), "no MP services"));
	fresh(state);
	count_status = EFI_DEVICE_ERROR;
	assert_non_null(strstr(chain_find_processors(&info), "how many processors"));
	fresh(state);
	count = 0;
	assert_non_null(strstr(chain_find_processors(&info), "how many processors"));
	fresh(state);
	knows = 3;
	assert_non_null(strstr(chain_find_processors(&info), "of all its processors"));
	for (unsigned int i = 0; i < 4; i++) {
		fresh(state);
		flags[i] &= ~(UINT32)MP_ENABLED;
		assert_non_null(strstr(chain_find_processors(&info), "disabled"));
		fresh(state);
		flags[i] &= ~(UINT32)MP_HEALTHY;
		assert_non_null(strstr(chain_find_processors(&info), "disabled"));
	}
	assert_int_equal(info.chain.processors, 0);
}

static void all_come(void **state)
{
	struct boot_processor *places;

	(void)state;
	assert_null(chain_find_processors(&info));
	assert_null(chain_gather_processors(&info, &page));
	assert_int_equal(info.chain.door.entry, 0); /* they wait */
	places = (struct boot_processor *)info.chain.processors;
	assert_int_equal(seen_count, 3);
	for (unsigned int i = 1; i < 4; i++) {
		assert_ptr_equal(seen[i - 1], &places[i]); /* each has a place of its own */
		assert_int_equal(places[i].apic_id, 2 * i);
	}
	assert_int_equal(events, 1);
	returned = false; /* as long as they are on their way */
	waited = 0;
	chain_release_processors();
	assert_true(waited >= SECONDS);
	assert_int_equal(events, 0);
	forget();
}

static void not_all_come(void **state)
{
	(void)state;
	assert_null(chain_find_processors(&info));
	running = 2;
	assert_non_null(strstr(chain_gather_processors(&info, &page), "do not come"));
	assert_true(waited >= SECONDS && waited <= 60 * SECONDS);
	assert_int_equal(info.chain.door.entry, BOOT_DOOR_STAY);
	assert_int_equal(events, 0);
	chain_release_processors(); /* has nothing to wait for */
	forget();
	fresh(state);
	assert_null(chain_find_processors(&info));
	start_status = EFI_NOT_READY; /* one is busy */
	assert_non_null(strstr(chain_gather_processors(&info, &page), "do not come"));
	assert_int_equal(info.chain.door.entry, BOOT_DOOR_STAY);
	assert_int_equal(events, 0);
	assert_int_equal(waited, 0);
	forget();
	fresh(state);
	assert_null(chain_find_processors(&info));
	event_status = EFI_OUT_OF_RESOURCES;
	assert_non_null(chain_gather_processors(&info, &page));
	assert_null(procedure);
	forget();
}

/* There is no place for one that the firmware did not tell of. */
static void more_come(void **state)
{
	(void)state;
	count = knows = 2;
	assert_null(chain_find_processors(&info));
	running = 1;
	assert_null(chain_gather_processors(&info, &page));
	procedure(NULL);
	assert_int_equal(seen_count, 1);
	chain_release_processors();
	forget();
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_them), TEST(refuses_what_it_cannot_take),
		TEST(all_come),    TEST(not_all_come),
		TEST(more_come),
	};

	return cmocka_run_group_tests_name("efi_chain_processors", tests, NULL, NULL);
}
