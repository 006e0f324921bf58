/*
 * A KVM machine for the guest of guest.c: one or two processors in one of five modes, slots of
 * memory, a device that answers with the complement. What goes wrong is one line of text in
 * `failure`.
 */
#ifndef TESTS_VMS_VM_H
#define TESTS_VMS_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest.h"

#define CPUS_MAX 2

enum mode { MODE_REAL, MODE_PROTECTED, MODE_2LEVEL, MODE_PAE, MODE_LONG, MODES };
extern const char *const mode_names[MODES];

enum slot { SLOT_LOW, SLOT_DATA, SLOT_MOVING, SLOTS };

struct vcpu {
	struct vm *vm;
	int fd;
	struct kvm_run *run;
	volatile struct mailbox *box;
	pthread_t thread;
	volatile bool running; /* in that thread */
	char failure[160];     /* empty: none so far */
};

struct vm {
	int fd;
	enum mode mode;
	unsigned int count; /* of processors */
	struct vcpu cpus[CPUS_MAX];
	uint8_t *low;
	bool slots[SLOTS]; /* which are there */
	unsigned int device_exits;
	uint32_t device_word; /* what the guest wrote last */
};

/* Prints the call's name and errno's text and ends the program, if the result is negative. */
int checked(int result, const char *what);

/* Pages of the runner's own, zero, at a multiple of 2 MiB. */
uint8_t *pages(size_t size);

struct vm *vm_new(enum mode mode, unsigned int cpus);
void vm_free(struct vm *vm);

/* Puts the memory at that ngpa, with KVM_MEM_ flags. */
void vm_slot(struct vm *vm, enum slot slot, uint32_t ngpa, void *memory, size_t size,
             uint32_t flags);

/* Takes the slot away, if it is there. */
void vm_no_slot(struct vm *vm, enum slot slot);

/* In modes.c: registers, descriptors and tables as the mode wants them. */
void mode_enter(struct vm *vm, unsigned int cpu);

/* Tells the processor what to do: so many words from an ngpa on, each `step` bytes further. */
void vm_tell(struct vm *vm, unsigned int cpu, enum guest_command command, uint32_t first,
             uint32_t count, uint32_t step, uint32_t seed);

/* Runs it until it has done that; true if it has, and found nothing wrong. */
bool vm_run(struct vm *vm, unsigned int cpu);

/* The same in a thread of its own; vm_wait() for its end. */
void vm_start(struct vm *vm, unsigned int cpu);
bool vm_wait(struct vm *vm, unsigned int cpu);

/* Waits until the counter in the mailbox has come that far; false if the processor has ended, or in
 * a minute. */
bool vm_reaches(struct vm *vm, unsigned int cpu, volatile uint32_t *counter, uint32_t value);

/* vm_tell() and vm_run() of the first processor. */
bool vm_do(struct vm *vm, enum guest_command command, uint32_t first, uint32_t count, uint32_t step,
           uint32_t seed);

/* The first failure of any processor's. */
const char *vm_failure(struct vm *vm);

/* How many words of the memory, which lies at that ngpa, are not the pattern's. */
uint32_t count_wrong(const uint8_t *memory, uint32_t ngpa, size_t size, uint32_t step,
                     uint32_t seed);

/* Writes that pattern. */
void write_pattern(uint8_t *memory, uint32_t ngpa, size_t size, uint32_t step, uint32_t seed);

/* In main.c: a line "# NAME: WHY NOT", where the kernel cannot. */
void not_tried(struct vm *vm, const char *name, const char *why);

/* In main.c: one line "ok NAME" or "not ok NAME", and why. */
void point(struct vm *vm, bool good, const char *name, const char *why);

/* What is tried, each with a VM of its own. */
void try_memory(enum mode mode);
void try_device(enum mode mode);
void try_interrupts(enum mode mode);
void try_slots(enum mode mode);
void try_log(enum mode mode);
void try_window(enum mode mode);
void try_discard(enum mode mode);
void try_fork(enum mode mode);
void try_huge(enum mode mode);
void try_same(enum mode mode);
void try_pressure(enum mode mode);
void try_processors(enum mode mode);

#endif
