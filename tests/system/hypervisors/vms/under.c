/*
 * L2's memory changes under it: L1 takes pages away, shares them, makes them large and small, moves
 * and swaps them out, while L2 checks and writes them. What L2 finds, and what L1 finds at the end,
 * is the proof.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm.h"

#define SIZE      0x200000
#define STEP      512
#define WORDS     (SIZE / STEP)
#define ROUNDS    8
#define FORKS     4 /* each makes L2 fault on every page */
#define HUGE_PAGE 0x200000
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct under {
	struct vm *vm;
	uint8_t *data;
	uint32_t turns; /* how often something was done */
};

/* Processor i has the words behind the i-th of each step, on all pages. */
static struct under begin(enum mode mode, unsigned int cpus, bool zero_too)
{
	struct under u = {.vm = vm_new(mode, cpus), .data = pages(SIZE)};

	vm_slot(u.vm, SLOT_DATA, GUEST_DATA, u.data, SIZE, 0);
	for (unsigned int i = 0; i < cpus; i++) {
		write_pattern(u.data + i * 4, GUEST_DATA + i * 4, SIZE - 4, STEP, 1);
		vm_tell(u.vm, i, GUEST_CHURN, GUEST_DATA + i * 4, WORDS, STEP, 1);
		u.vm->cpus[i].box->zero_too = zero_too;
		vm_start(u.vm, i);
	}
	return u;
}

/* Each processor has gone through all of its words since. */
static bool turn(struct under *u)
{
	bool good = true;

	u->turns++;
	for (unsigned int i = 0; i < u->vm->count; i++) {
		volatile uint32_t *rounds = &u->vm->cpus[i].box->rounds;

		good = vm_reaches(u->vm, i, rounds, *rounds + 2) && good;
	}
	return good;
}

/* Stops L2, and looks at its memory. */
static bool end(struct under *u)
{
	bool good = true;

	for (unsigned int i = 0; i < u->vm->count; i++)
		u->vm->cpus[i].box->stop = 1;
	for (unsigned int i = 0; i < u->vm->count; i++) {
		volatile struct mailbox *box = u->vm->cpus[i].box;

		good = vm_wait(u->vm, i) && good;
		if (!box->zero_too && count_wrong(u->data + i * 4, GUEST_DATA + i * 4, SIZE - 4,
		                                  STEP, box->seed) != 0)
			good = false;
	}
	return good;
}

static void finish(struct under *u)
{
	munmap(u->data, SIZE);
	vm_free(u->vm);
}

/* As a balloon does it: pages go, and come back empty. */
void try_discard(enum mode mode)
{
	struct under u = begin(mode, 1, true);
	bool good = true;

	for (uint32_t i = 0; i < ROUNDS && good; i++) {
		uint32_t first = i * 0x27000 % (SIZE / 2), size = i % 2 ? SIZE / 2 : 3 * GUEST_PAGE;

		madvise(u.data + first, size, MADV_DONTNEED);
		good = turn(&u);
	}
	good = end(&u) && good;
	madvise(u.data, SIZE, MADV_DONTNEED);
	vm_tell(u.vm, 0, GUEST_CHECK, GUEST_DATA, WORDS, STEP,
	        0); /* a pattern that nobody wrote, or zero */
	u.vm->cpus[0].box->zero_too = 1;
	good = good && vm_run(u.vm, 0);
	point(u.vm, good, "L1 takes pages away", vm_failure(u.vm));
	finish(&u);
}

static uint32_t sum(const uint8_t *data)
{
	uint32_t sum = 0;

	for (size_t at = 0; at < SIZE; at += STEP)
		sum = sum * 31 + *(volatile const uint32_t *)(data + at);
	return sum;
}

/* A child shares all pages until one of them writes; its memory must stay as it was when it began.
 */
static bool fork_amid(struct under *u)
{
	int told[2], status = 0;
	char byte = 0;
	bool good;
	pid_t child;

	checked(pipe(told), "pipe");
	child = checked(fork(), "fork");
	if (child == 0) {
		uint32_t before = sum(u->data);

		close(told[1]);
		_exit(read(told[0], &byte, 1) == 0 && sum(u->data) == before ? 0 : 1);
	}
	close(told[0]);
	good = turn(u);
	close(told[1]);
	return waitpid(child, &status, 0) == child && status == 0 && good;
}

void try_fork(enum mode mode)
{
	struct under u = begin(mode, 1, false);
	bool good = true;

	for (uint32_t i = 0; i < FORKS && good; i++)
		good = fork_amid(&u);
	good = end(&u) && good;
	point(u.vm, good, "L1 forks, and parent and child have memory of their own",
	      vm_failure(u.vm));
	finish(&u);
}

void try_huge(enum mode mode)
{
	struct under u = begin(mode, 1, false);
	bool good = true;
	uint32_t collapsed = 0;

	if (madvise(u.data, SIZE, MADV_HUGEPAGE) != 0) {
		end(&u);
		not_tried(u.vm, "large pages", strerror(errno));
		finish(&u);
		return;
	}
	for (uint32_t i = 0; i < ROUNDS && good; i++) {
		uint8_t *huge = u.data + i % (SIZE / HUGE_PAGE) * HUGE_PAGE;

		if (madvise(huge, HUGE_PAGE, MADV_COLLAPSE) == 0)
			collapsed++;
		good = turn(&u);
		madvise(huge + 5 * GUEST_PAGE, GUEST_PAGE, MADV_COLD); /* which splits it */
		good = turn(&u) && good;
	}
	good = end(&u) && good;
	point(u.vm, good, "L1 makes pages large and small", vm_failure(u.vm));
	if (collapsed == 0)
		not_tried(u.vm, "large pages by MADV_COLLAPSE", "the kernel made none");
	finish(&u);
}

static bool write_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);
	bool good = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);

	if (file >= 0)
		close(file);
	return good;
}

static long number_in(const char *path)
{
	FILE *file = fopen(path, "r");
	long number = -1;

	if (file) {
		if (fscanf(file, "%ld", &number) != 1)
			number = -1;
		fclose(file);
	}
	return number;
}

#define KSM "/sys/kernel/mm/ksm/"

/* KSM makes one page of all; then L2 writes every other page. */
static bool merged(struct vm *vm, uint8_t *data)
{
	bool good = vm_do(vm, GUEST_SAME, GUEST_DATA, SIZE / 4, 4, 0x5a5a5a5a);

	madvise(data, SIZE, MADV_MERGEABLE);
	for (int i = 0; i < 3000 && number_in(KSM "pages_sharing") < SIZE / GUEST_PAGE / 2; i++)
		usleep(10000);
	point(vm, number_in(KSM "pages_sharing") >= SIZE / GUEST_PAGE / 2, "L1 merges equal pages",
	      "KSM does not");
	good = good &&
	       vm_do(vm, GUEST_FILL, GUEST_DATA, SIZE / GUEST_PAGE / 2, 2 * GUEST_PAGE, 3) &&
	       vm_do(vm, GUEST_CHECK, GUEST_DATA, SIZE / GUEST_PAGE / 2, 2 * GUEST_PAGE, 3);
	for (uint32_t page = 0; page < SIZE / GUEST_PAGE && good; page++) {
		const uint32_t *word = (const uint32_t *)(data + page * GUEST_PAGE);

		good = *word ==
		       (page % 2 ? 0x5a5a5a5a : guest_pattern(GUEST_DATA + page * GUEST_PAGE, 3));
	}
	return good;
}

void try_same(enum mode mode)
{
	struct vm *vm = vm_new(mode, 1);
	uint8_t *data = pages(SIZE);

	vm_slot(vm, SLOT_DATA, GUEST_DATA, data, SIZE, 0);
	if (write_text(KSM "pages_to_scan", "2000") && write_text(KSM "sleep_millisecs", "5") &&
	    write_text(KSM "run", "1")) {
		point(vm, merged(vm, data),
		      "what L2 writes to one of merged pages is in that alone", vm_failure(vm));
		write_text(KSM "run", "2");
	} else {
		not_tried(vm, "merged pages", "no KSM");
	}
	munmap(data, SIZE);
	vm_free(vm);
}

/* Pages move by compaction and go out to swap, if there is any; processors move between L1's. */
static void press(struct under *u, uint32_t i)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	for (unsigned int cpu = 0; cpu < u->vm->count; cpu++) {
		CPU_ZERO(&set);
		CPU_SET((i + cpu) % (unsigned long)cpus, &set);
		pthread_setaffinity_np(u->vm->cpus[cpu].thread, sizeof(set), &set);
	}
	if (i % 2)
		write_text("/proc/sys/vm/compact_memory", "1");
	else
		madvise(u->data + i * GUEST_PAGE, SIZE / 2, MADV_PAGEOUT);
}

static bool pressed(struct under *u)
{
	bool good = true;

	for (uint32_t i = 0; i < ROUNDS && good; i++) {
		press(u, i);
		good = turn(u);
	}
	return end(u) && good;
}

void try_pressure(enum mode mode)
{
	struct under u = begin(mode, 1, false);

	point(u.vm, pressed(&u), "L1 moves pages, and swaps them out", vm_failure(u.vm));
	finish(&u);
}

/* Two processors on the same pages, which go, come and move, while a slot beside them moves. */
void try_processors(enum mode mode)
{
	struct under u = begin(mode, 2, false);
	uint8_t *moving = pages(HUGE_PAGE);
	bool good = true;

	for (uint32_t i = 0; i < FORKS && good; i++) {
		vm_no_slot(u.vm, SLOT_MOVING);
		vm_slot(u.vm, SLOT_MOVING, GUEST_MOVING + i * HUGE_PAGE, moving, HUGE_PAGE, 0);
		press(&u, i);
		good = fork_amid(&u);
	}
	good = end(&u) && good;
	point(u.vm, good, "two processors, and all of that", vm_failure(u.vm));
	munmap(moving, HUGE_PAGE);
	finish(&u);
}
