/*
 * Address bit 20, which the chipset can mask for the processor, as the 8086 had none: L0's code and
 * VMCBs are at addresses that have it. Relies on guest/lib/a20.asm.
 */
#include "guest/hostile/hostile.h"
#include "guest/lib/free_memory.h"

enum {
	PORT_FAST = 0x92,
	FAST_A20 = 2,
	PORT_KEYBOARD_DATA = 0x60,
	PORT_KEYBOARD = 0x64,
	KEYBOARD_WRITE_OUTPUT = 0xd1,
	KEYBOARD_DISABLE_A20 = 0xdd,
	KEYBOARD_ENABLE_A20 = 0xdf,
	OUTPUT_A20_OFF = 0xdd, /* bit 0 does not reset, bit 1 is A20 */
	OUTPUT_A20_ON = 0xdf,
	WRITES = 3,
};
#define MIB                0x100000ull
#define WRITE(port, value) ((uint32_t)(port) << 16 | (value))

/* What is written where: to mask, to unmask. 0: nothing. */
struct way {
	uint32_t mask[WRITES], unmask[WRITES];
};

extern const char a20_code[], a20_code_end[];

static void mask(const struct way *way)
{
	struct free_memory memory = free_memory_find(2 * MIB);
	uintptr_t place = (uintptr_t)((memory.start + 2 * MIB - 1) & ~(2 * MIB - 1));
	void (*function)(uintptr_t stack_end, const struct way *way);

	pt_map_range(&l1_tables, place, place, 2 * MIB, 2, PT_RW);
	memcpy((void *)place, a20_code, (size_t)(a20_code_end - a20_code));
	memcpy(&function, &place, sizeof(function));
	function(place + PAGE_SIZE, way);
	check("L1 goes on", true, true);
}

void hostile_a20(void)
{
	const struct way fast = {{WRITE(PORT_FAST, 0)}, {WRITE(PORT_FAST, FAST_A20)}};
	const struct way output = {
		{WRITE(PORT_KEYBOARD, KEYBOARD_WRITE_OUTPUT),
	         WRITE(PORT_KEYBOARD_DATA, OUTPUT_A20_OFF)},
		{WRITE(PORT_KEYBOARD, KEYBOARD_WRITE_OUTPUT),
	         WRITE(PORT_KEYBOARD_DATA, OUTPUT_A20_ON)},
	};
	const struct way command = {{WRITE(PORT_KEYBOARD, KEYBOARD_DISABLE_A20)},
	                            {WRITE(PORT_KEYBOARD, KEYBOARD_ENABLE_A20)}};

	if (!tap_group("hostile", "a20"))
		return;
	if (sizeof(uintptr_t) == 8) {
		point("address bit 20 is masked");
		point_skip("the 32-bit image does it");
		hostile_all_answer(1);
		return;
	}
	point("address bit 20 is masked by port 92");
	mask(&fast);
	point("address bit 20 is masked by the keyboard controller's output port");
	mask(&output);
	point("address bit 20 is masked by the keyboard controller's command");
	mask(&command);
	hostile_all_answer(1);
}
