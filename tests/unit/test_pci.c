/*
 * hv/pci.c on a machine of a few devices: whose memory a framebuffer is, and that asking leaves
 * everything as it was. Relies on cmocka.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hv/x86.h"

static uint32_t fake_inl(uint16_t port);
static void fake_outl(uint16_t port, uint32_t value);
#define inl  fake_inl
#define outl fake_outl
#include "hv/pci.c"

#define GIB (1ull << 30)
#define MIB (1ull << 20)
enum { REGISTERS = 16, ON = 3 };

/* masks: the bits of each register that are the size's, and stay as they are. */
struct device {
	unsigned int function;
	uint32_t registers[REGISTERS], masks[REGISTERS];
};

static struct device machine[] = {
	{0x0000, {0x12341022, ON, 0x06000000}, {0}},
	/* A disk whose memory lies where the display's could. */
	{0x0008, {0x11111022, ON, 0x01060000, 0, 0xd0000000}, {[4] = 0xff000000}},
	/* A VGA of 16 MiB, with ports and with registers of 4 KiB. */
	{0x0010,
         {0x11111234, ON, 0x03000002, 0, 0xe0000008, 0xc001, 0xfebd0000},
         {[4] = 0xff000000, [5] = 0xffffffe0, [6] = 0xfffff000}},
	/* A bridge, whose bus numbers look like a display's memory. */
	{0x0018, {0x11111022, ON, 0x03000000, 0x00010000, 0, 0, 0x00010100}, {[4] = 0xff000000}},
	/* On bus 5 a device of many functions: the second is a display with 256 MiB above 4 GiB. */
	{0x0500, {0x73101002, ON, 0x04030000, 0x00800000}, {0}},
	{0x0501,
         {0x73101002, ON, 0x03800000, 0x00800000, 0xc, 0x80, 0x1c, 0x81},
         {[4] = 0xf0000000, [5] = 0xffffffff, [6] = 0xfffffff0 & ~0xfffffu, [7] = 0xffffffff}},
	/* A display that decodes nothing. */
	{0x0600, {0x11111234, 1, 0x03000000, 0, 0xc0000000}, {[4] = 0xff000000}},
	/* What is behind function 0 of a device with one function is that one again. */
	{0x0708, {0x11111234, ON, 0x02000000, 0}, {0}},
	{0x0709, {0x11111234, ON, 0x03000000, 0, 0xb0000000}, {[4] = 0xff000000}},
};
enum { DEVICES = sizeof(machine) / sizeof(machine[0]) };

static struct device before[DEVICES];
static uint32_t address;

static uint32_t *register_at(struct device **device)
{
	assert_true(address >> 31);
	for (unsigned int i = 0; i < DEVICES; i++) {
		*device = &machine[i];
		if ((address >> 8 & 0xffff) == machine[i].function && (address & 0xff) < 0x40)
			return &machine[i].registers[(address & 0xff) / 4];
	}
	return NULL;
}

static uint32_t fake_inl(uint16_t port)
{
	struct device *device;
	const uint32_t *value = register_at(&device);

	if (port == 0xcf8)
		return address;
	assert_int_equal(port, 0xcfc);
	return value ? *value : 0xffffffff;
}

static void fake_outl(uint16_t port, uint32_t value)
{
	struct device *device;
	uint32_t *at, index;

	if (port == 0xcf8) {
		address = value;
		return;
	}
	assert_int_equal(port, 0xcfc);
	at = register_at(&device);
	assert_non_null(at);
	index = (address & 0xff) / 4;
	if (index == 1) {
		*at = (*at & ~0xffffu) | (value & 0xffff);
		assert_int_equal(value >> 16, 0); /* the status would forget */
		return;
	}
	assert_in_range(index, 4, 9);
	assert_false(device->registers[1] & 2); /* nobody may see it elsewhere */
	*at = (value & device->masks[index]) | (*at & ~device->masks[index]);
}

static int setup(void **state)
{
	(void)state;
	memcpy(before, machine, sizeof(machine));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memcpy(machine, before, sizeof(machine));
	return 0;
}

static struct pci_memory found;

static bool find(uint64_t base, uint64_t bytes)
{
	bool is_found = pci_find_display(base, bytes, &found);

	assert_memory_equal(before, machine, sizeof(machine));
	return is_found;
}

static void finds(void **state)
{
	(void)state;
	assert_true(find(0xe0000000, 3 * MIB));
	assert_int_equal(found.function, 0x0010);
	assert_int_equal(found.offset, 0x10);
	assert_true(find(0xe0000000 + 5 * MIB, 11 * MIB));
	assert_true(find(0xe0000000, 16 * MIB));
	assert_true(find(512 * GIB, 256 * MIB));
	assert_int_equal(found.function, 0x0501);
	assert_true(found.wide);
	assert_true(find(512 * GIB + 64 * MIB, 33 * MIB));
	assert_true(find(516 * GIB + 0x10, 16));
	assert_int_equal(found.offset, 0x18);
}

static void finds_not(void **state)
{
	(void)state;
	assert_false(find(0xe0000000, 16 * MIB + 1));
	assert_false(find(0xe0000000 + 5 * MIB, 11 * MIB + 1));
	assert_false(find(0xe0000000 - 4, 8));
	assert_false(find(0xe1000000, 8));
	assert_false(find(0xe0000000, UINT64_MAX));
	assert_false(find(0xe0000010, UINT64_MAX - 15));
	assert_false(find(512 * GIB, 256 * MIB + 1));
	assert_false(find(0, MIB));          /* half of a wide one */
	assert_false(find(0xd0000000, MIB)); /* a disk's */
	assert_false(find(0xc000, 16));      /* ports */
	assert_false(find(0xc0000000, MIB)); /* not decoded */
	assert_false(find(0xb0000000, MIB)); /* no function of its own */
	assert_false(find(0x80000000, MIB)); /* nobody's */
	assert_false(find(UINT64_MAX - 100, 8));
}

/* Changes the register, and puts it back. */
static void moves(struct device *device, unsigned int index, uint32_t value)
{
	uint32_t old = device->registers[index], l1s = address = 0x80001234 + index * 4;

	assert_true(pci_has_not_moved(&found));
	assert_int_equal(address, l1s);
	device->registers[index] = value;
	assert_false(pci_has_not_moved(&found));
	device->registers[index] = old;
}

static void has_moved(void **state)
{
	(void)state;
	assert_true(find(512 * GIB, MIB));
	moves(&machine[5], 4, 0x1000000c);
	moves(&machine[5], 5, 0x81);
	moves(&machine[5], 1, 1);
	machine[5].function = 0xfff8; /* it is gone: all ones */
	assert_false(pci_has_not_moved(&found));
	machine[5].function = before[5].function;
	assert_true(find(0xe0000000, MIB));
	moves(&machine[2], 4, 0xe1000008);
	moves(&machine[2], 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_not, setup, teardown),
		cmocka_unit_test_setup_teardown(has_moved, setup, teardown),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
