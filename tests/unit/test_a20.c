/*
 * svm/emulate/a20.c: nothing that the guest writes masks address bit 20.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "svm/vcpu.h"

static void fake_outb(uint16_t port, uint8_t value);
static uint64_t fake_rdmsr(uint32_t msr);
#define outb  fake_outb
#define rdmsr fake_rdmsr
#include "svm/emulate/a20.c"

static uint64_t vm_cr;
static bool vm_cr_keeps;
static char written[64]; /* what the controller got, as text */
static const struct port_watcher *watchers[0x100];

static void fake_outb(uint16_t port, uint8_t value)
{
	size_t at = strlen(written);

	snprintf(written + at, sizeof(written) - at, "%x=%x ", port, value);
}

static uint64_t fake_rdmsr(uint32_t msr)
{
	assert_int_equal(msr, MSR_VM_CR);
	return vm_cr;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	*value = fake_rdmsr(msr);
	return true;
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	assert_int_equal(msr, MSR_VM_CR);
	if (vm_cr_keeps)
		vm_cr = value;
	return true;
}

void ports_watch(uint16_t first, unsigned int count, const struct port_watcher *watcher)
{
	assert_int_equal(count, 1);
	watchers[first] = watcher;
}

/* The other processor goes on. */
void processors_wait(void)
{
	keyboard_lock.serving++;
}

static int setup(void **state)
{
	(void)state;
	memset(watchers, 0, sizeof(watchers));
	written[0] = 0;
	vm_cr = VM_CR_R_INIT;
	vm_cr_keeps = false;
	output_is_next = false;
	return 0;
}

static void a_processor_that_ignores_it(void **state)
{
	(void)state;
	vm_cr_keeps = true;
	a20_keep();
	assert_int_equal(vm_cr, VM_CR_R_INIT | VM_CR_DIS_A20M);
	for (size_t i = 0; i < 0x100; i++)
		assert_null(watchers[i]);
}

/* Every width, at every port by which it reaches 92h. */
static void control_port(void **state)
{
	(void)state;
	a20_keep();
	for (uint8_t size = 1; size <= 4; size *= 2) {
		for (uint8_t at = 0; at < size; at++) {
			struct port_access access = {(uint16_t)(0x92 - at), size, 0};

			assert_true(watchers[0x92]->write(&access));
			assert_int_equal(access.value, 2u << 8 * at);
		}
	}
}

static void keyboard(uint16_t port, uint8_t size, uint32_t value)
{
	struct port_access access = {port, size, value};

	assert_false(watchers[port > 0x60 ? 0x64 : 0x60]->write(&access));
}

static void output_port(void **state)
{
	(void)state;
	a20_keep();
	keyboard(0x60, 1, 0xed); /* data that is no output port */
	keyboard(0x64, 1, 0xd1);
	keyboard(0x60, 1, 0xdd);
	keyboard(0x60, 1, 0xdd); /* only one byte goes there */
	assert_string_equal(written, "60=ed 64=d1 60=df 60=dd ");
}

static void another_command(void **state)
{
	(void)state;
	a20_keep();
	keyboard(0x64, 1, 0xd1);
	keyboard(0x64, 1, 0x60); /* the byte is for this one */
	keyboard(0x60, 1, 0x45);
	assert_string_equal(written, "64=d1 64=60 60=45 ");
}

static void disabling_command(void **state)
{
	(void)state;
	a20_keep();
	keyboard(0x64, 1, 0xdd);
	assert_string_equal(written, "");
	keyboard(0x64, 1, 0xdf);
	assert_string_equal(written, "64=df ");
}

static void wide_writes(void **state)
{
	(void)state;
	a20_keep();
	keyboard(0x63, 2, 0xd100);
	keyboard(0x60, 2, 0x1200);
	assert_string_equal(written, "63=0 64=d1 60=2 61=12 ");
	written[0] = 0;
	keyboard(0x61, 4, 0xdd000000);
	assert_string_equal(written, "61=0 62=0 63=0 ");
}

/* Two processors write at once: one waits, as everywhere in L0. */
static void another_processor_is_at_it(void **state)
{
	(void)state;
	a20_keep();
	keyboard_lock.next++;
	keyboard(0x64, 1, 0xdf);
	assert_string_equal(written, "64=df ");
	assert_int_equal(keyboard_lock.next, keyboard_lock.serving);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_processor_that_ignores_it, setup),
		cmocka_unit_test_setup(control_port, setup),
		cmocka_unit_test_setup(another_processor_is_at_it, setup),
		cmocka_unit_test_setup(output_port, setup),
		cmocka_unit_test_setup(another_command, setup),
		cmocka_unit_test_setup(disabling_command, setup),
		cmocka_unit_test_setup(wide_writes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
