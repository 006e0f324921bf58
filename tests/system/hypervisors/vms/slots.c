/* Slots of memory: one that moves, that gets other memory, that may only be read; the log of dirty
 * pages. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vm.h"

#define SIZE   0x100000
#define STEP   512
#define PLACES 4
#define APART  0x1000000
#define WORDS  8

/* The slot is at one place after the other; L2 finds what L1 wrote for it, and nothing where it
 * was. */
static bool moves(struct vm *vm, uint8_t *const memory[2])
{
	for (uint32_t i = 0; i < 4 * PLACES; i++) {
		uint32_t ngpa = GUEST_MOVING + i % PLACES * APART,
			 left = GUEST_MOVING + (i + PLACES - 1) % PLACES * APART;
		uint8_t *mine = memory[i / 2 % 2];

		vm_no_slot(vm, SLOT_MOVING);
		vm_slot(vm, SLOT_MOVING, ngpa, mine, SIZE, 0);
		write_pattern(mine, ngpa, SIZE, STEP, i);
		vm->device_exits = 0;
		if (!vm_do(vm, GUEST_CHECK, ngpa, SIZE / STEP, STEP, i) ||
		    !vm_do(vm, GUEST_FILL, ngpa, SIZE / STEP, STEP, i + 100) ||
		    !vm_do(vm, GUEST_DEVICE, left, WORDS, 0, 1))
			return false;
		if (count_wrong(mine, ngpa, SIZE, STEP, i + 100) != 0 ||
		    vm->device_exits != 2 * WORDS)
			return false;
	}
	return true;
}

/* In place: other memory each time, which has nothing of what L2 wrote into the one before. */
static bool changes(struct vm *vm, uint8_t *const memory[2])
{
	for (uint32_t i = 0; i < 8; i++) {
		vm_no_slot(vm, SLOT_MOVING);
		write_pattern(memory[i % 2], GUEST_MOVING, SIZE, STEP, i);
		vm_slot(vm, SLOT_MOVING, GUEST_MOVING, memory[i % 2], SIZE, 0);
		if (!vm_do(vm, GUEST_CHECK, GUEST_MOVING, SIZE / STEP, STEP, i) ||
		    !vm_do(vm, GUEST_FILL, GUEST_MOVING, SIZE / STEP, STEP, i + 50))
			return false;
		if (i > 0 &&
		    count_wrong(memory[(i - 1) % 2], GUEST_MOVING, SIZE, STEP, i - 1 + 50) != 0)
			return false;
	}
	return true;
}

/* L2 reads it as memory, and what it writes comes to the device. */
static bool read_only(struct vm *vm, uint8_t *memory)
{
	vm_no_slot(vm, SLOT_MOVING);
	write_pattern(memory, GUEST_MOVING, SIZE, STEP, 7);
	vm_slot(vm, SLOT_MOVING, GUEST_MOVING, memory, SIZE, KVM_MEM_READONLY);
	vm->device_exits = 0;
	return vm_do(vm, GUEST_CHECK, GUEST_MOVING, SIZE / STEP, STEP, 7) &&
	       vm->device_exits == 0 && vm_do(vm, GUEST_FILL, GUEST_MOVING, WORDS, STEP, 8) &&
	       vm->device_exits == WORDS && count_wrong(memory, GUEST_MOVING, SIZE, STEP, 7) == 0;
}

void try_slots(enum mode mode)
{
	struct vm *vm = vm_new(mode, 1);
	uint8_t *memory[2] = {pages(SIZE), pages(SIZE)};

	point(vm, moves(vm, memory), "a slot moves", vm_failure(vm));
	point(vm, changes(vm, memory), "a slot gets other memory", vm_failure(vm));
	point(vm, read_only(vm, memory[0]), "a slot may only be read", vm_failure(vm));
	munmap(memory[0], SIZE);
	munmap(memory[1], SIZE);
	vm_free(vm);
}

#define PAGES (SIZE / GUEST_PAGE)

static void get_log(struct vm *vm, uint8_t *bitmap)
{
	struct kvm_dirty_log log = {.slot = SLOT_DATA, .dirty_bitmap = bitmap};

	checked(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
}

/* L2 writes every third page; the log has those and no others. */
static bool exact(struct vm *vm, uint8_t *bitmap)
{
	for (uint32_t round = 0; round < 4; round++) {
		if (!vm_do(vm, GUEST_FILL, GUEST_DATA + round % 3 * GUEST_PAGE, PAGES / 3,
		           3 * GUEST_PAGE, round))
			return false;
		get_log(vm, bitmap);
		for (uint32_t page = 0; page < PAGES; page++) {
			bool dirty = bitmap[page / 8] >> page % 8 & 1;

			if (dirty != (page % 3 == round % 3 && page / 3 < PAGES / 3))
				return false;
		}
	}
	return true;
}

static void copy_dirty(const uint8_t *bitmap, uint8_t *copy, const uint8_t *data)
{
	for (uint32_t page = 0; page < PAGES; page++) {
		if (bitmap[page / 8] >> page % 8 & 1)
			memcpy(copy + page * GUEST_PAGE, data + page * GUEST_PAGE, GUEST_PAGE);
	}
}

/* As for a migration: what is dirty is copied while L2 goes on; when it has stopped, the rest. */
static bool migrates(struct vm *vm, uint8_t *bitmap, const uint8_t *data)
{
	uint8_t *copy = pages(SIZE);
	volatile struct mailbox *box = vm->cpus[0].box;
	bool good = vm_do(vm, GUEST_FILL, GUEST_DATA, SIZE / STEP, STEP, 9);

	memset(bitmap, 0xff, PAGES / 8);
	copy_dirty(bitmap, copy, data);
	vm_tell(vm, 0, GUEST_CHURN, GUEST_DATA, SIZE / STEP, STEP, 9);
	vm_start(vm, 0);
	for (uint32_t i = 1; i <= 10 && good; i++) {
		get_log(vm, bitmap);
		copy_dirty(bitmap, copy, data);
		good = vm_reaches(vm, 0, &box->rounds, 2 * i);
	}
	box->stop = 1;
	good = vm_wait(vm, 0) && good;
	get_log(vm, bitmap);
	copy_dirty(bitmap, copy, data);
	good = good && memcmp(copy, data, SIZE) == 0;
	munmap(copy, SIZE);
	return good;
}

void try_log(enum mode mode)
{
	struct vm *vm = vm_new(mode, 1);
	uint8_t *data = pages(SIZE), bitmap[PAGES / 8] = {0};
	bool good;

	vm_slot(vm, SLOT_DATA, GUEST_DATA, data, SIZE, 0);
	good = vm_do(vm, GUEST_FILL, GUEST_DATA, SIZE / STEP, STEP, 1);
	vm_slot(vm, SLOT_DATA, GUEST_DATA, data, SIZE, KVM_MEM_LOG_DIRTY_PAGES);
	get_log(vm, bitmap); /* what was written before is none of its business */
	point(vm, good && exact(vm, bitmap), "the log has the pages that L2 wrote", vm_failure(vm));
	point(vm, migrates(vm, bitmap, data), "a copy made by the log is L2's memory",
	      vm_failure(vm));
	munmap(data, SIZE);
	vm_free(vm);
}
