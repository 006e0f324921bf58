/*
 * svm/emulate/iommu_config.c: what guests write to PCI's configuration reaches every function but
 * IOMMUs, by ports and in memory, whoever writes the address meanwhile. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svm/vcpu.h"

static uint32_t fake_inl(uint16_t port);
#define inl fake_inl
#include "svm/emulate/iommu_config.c"

static const struct port_watcher *address_watcher, *data_watcher;
static uint32_t address;
static char written[128]; /* what the machine got, as text */
static unsigned int aloud, looks, waits;
static kept_store *page_store;
static bool room = true;

static uint32_t fake_inl(uint16_t port)
{
	assert_int_equal(port, 0xcf8);
	assert_int_not_equal(lock.next, lock.serving);
	return address;
}

void port_out(const struct port_access *access)
{
	size_t at = strlen(written);

	assert_int_not_equal(lock.next, lock.serving);
	snprintf(written + at, sizeof(written) - at, "%x.%u=%x ", access->port, access->size,
	         access->value);
	if (access->port == 0xcf8 && access->size == 4)
		address = access->value;
}

void ports_watch(uint16_t first, unsigned int count, const struct port_watcher *watcher)
{
	assert_null(watcher->read);
	if (first == 0xcf8)
		address_watcher = watcher;
	else
		data_watcher = watcher;
	assert_int_equal(count, first == 0xcf8 ? 1 : 4);
}

bool kept_add(uint64_t hpa, kept_store *store)
{
	assert_true(hpa == 0xb0008000);
	page_store = store;
	return room;
}

bool kept_write(uint64_t gpa, unsigned int size, uint32_t value)
{
	(void)gpa;
	(void)size;
	(void)value;
	fail();
	return false;
}

void iommu_tell_refused(void)
{
	assert_int_equal(lock.next, lock.serving);
	looks++;
}

void log_info(const char *format, ...)
{
	(void)format;
	aloud++;
}

/* The other processor goes on. */
void processors_wait(void)
{
	waits++;
	lock.serving++;
}

static void out(uint16_t port, uint8_t size, uint32_t value)
{
	struct port_access access = {.port = port, .size = size, .value = value};

	assert_false((port < 0xcfc ? address_watcher : data_watcher)->write(&access));
}

static int setup(void **state)
{
	(void)state;
	function_count = 0;
	written[0] = 0;
	iommu_config_keep_function(0x0010);
	iommu_config_keep_function(0x6002);
	return 0;
}

static void others_pass(void **state)
{
	(void)state;
	out(0xcf8, 4, 0x80001804);
	out(0xcfc, 4, 0x7);
	out(0xcfe, 2, 0x1234);
	out(0xcff, 1, 0x56);
	/* The address's enable bit is off: that is an access to a port. */
	out(0xcf8, 4, 0x00001004);
	out(0xcfc, 1, 0x9);
	assert_string_equal(written, "cf8.4=80001804 cfc.4=7 cfe.2=1234 cff.1=56 cf8.4=1004 "
	                             "cfc.1=9 ");
	assert_int_equal(aloud, 0);
	assert_int_equal(looks, 2);
}

static void iommus_do_not(void **state)
{
	/* Other registers, with an extended number, and the bits that nobody decodes. */
	static const uint32_t addresses[] = {0x80001000, 0x800010fc, 0x8f0010fc, 0x80600204,
	                                     0xf0600207};

	(void)state;
	for (unsigned int i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		out(0xcf8, 4, addresses[i]);
		written[0] = 0;
		out(0xcfc, 4, 0);
		out(0xcfd, 1, 0);
		data_watcher->write(
			&(struct port_access){.port = 0xcfb, .size = 4}); /* some of it */
		assert_string_equal(written, "");
	}
	assert_int_equal(aloud, 1); /* it is said once */
	/* Narrow writes do not change the address; it is asked for where it is. */
	out(0xcf8, 1, 0);
	written[0] = 0;
	out(0xcfc, 4, 0);
	assert_string_equal(written, "");
}

static void pages_are_dropped(void **state)
{
	(void)state;
	assert_true(iommu_config_keep_page(0xb0008000));
	assert_true(page_store(0xb0008004, 4, 0));
	room = false;
	assert_false(iommu_config_keep_page(0xb0008000));
}

/* While another processor has the lock, this one waits. */
static void waits_for_others(void **state)
{
	(void)state;
	address = 0x80001804;
	lock.next++;
	out(0xcfc, 4, 1);
	assert_int_equal(waits, 1);
	assert_string_equal(written, "cfc.4=1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(others_pass, setup),
		cmocka_unit_test_setup(iommus_do_not, setup),
		cmocka_unit_test_setup(pages_are_dropped, setup),
		cmocka_unit_test_setup(waits_for_others, setup),
	};

	return cmocka_run_group_tests_name("iommu_config", tests, NULL, NULL);
}
