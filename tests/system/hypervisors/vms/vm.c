/* A KVM machine: slots, processors, and their exits. Relies on modes.c for registers and tables. */
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ALIGNMENT 0x200000UL
#define PATIENCE  60 /* seconds */

extern const uint8_t image16[], image16_end[], image32[], image32_end[], image64[], image64_end[];

int checked(int result, const char *what)
{
	if (result < 0) {
		printf("not ok %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

uint8_t *pages(size_t size)
{
	void *memory = mmap(NULL, size + ALIGNMENT, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		checked(-1, "mmap");
	return (uint8_t *)(((uintptr_t)memory + ALIGNMENT - 1) & ~(ALIGNMENT - 1));
}

void vm_slot(struct vm *vm, enum slot slot, uint32_t ngpa, void *memory, size_t size,
             uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = ngpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)memory,
	};

	checked(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	vm->slots[slot] = size != 0;
}

void vm_no_slot(struct vm *vm, enum slot slot)
{
	if (vm->slots[slot])
		vm_slot(vm, slot, 0, NULL, 0, 0);
}

static void new_cpu(struct vm *vm, unsigned int index, int kvm)
{
	struct vcpu *cpu = &vm->cpus[index];
	struct kvm_mp_state running = {.mp_state = KVM_MP_STATE_RUNNABLE};
	int size = checked(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	struct {
		struct kvm_cpuid2 list;
		struct kvm_cpuid_entry2 entries[256];
	} *cpuid = calloc(1, sizeof(*cpuid));

	cpu->vm = vm;
	cpu->fd = checked(ioctl(vm->fd, KVM_CREATE_VCPU, index), "KVM_CREATE_VCPU");
	cpu->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED)
		checked(-1, "mmap of a vcpu");
	cpuid->list.nent = 256;
	checked(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
	checked(ioctl(cpu->fd, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
	free(cpuid);
	checked(ioctl(cpu->fd, KVM_SET_MP_STATE, &running), "KVM_SET_MP_STATE");
	cpu->box = (volatile struct mailbox *)(vm->low + GUEST_MAILBOX + index * GUEST_PAGE);
	mode_enter(vm, index);
}

struct vm *vm_new(enum mode mode, unsigned int cpus)
{
	const uint8_t *image = mode == MODE_REAL ? image16 : mode == MODE_LONG ? image64 : image32;
	const uint8_t *end = mode == MODE_REAL   ? image16_end
	                     : mode == MODE_LONG ? image64_end
	                                         : image32_end;
	struct vm *vm = calloc(1, sizeof(*vm));
	int kvm = checked(open("/dev/kvm", O_RDWR), "/dev/kvm");

	vm->mode = mode;
	vm->count = cpus;
	vm->fd = checked(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	checked(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), "KVM_CREATE_IRQCHIP");
	vm->low = pages(GUEST_LOW);
	memcpy(vm->low + GUEST_IMAGE, image, (size_t)(end - image));
	vm_slot(vm, SLOT_LOW, 0, vm->low, GUEST_LOW, 0);
	for (unsigned int i = 0; i < cpus; i++)
		new_cpu(vm, i, kvm);
	close(kvm);
	return vm;
}

/* Memory is left to the program's end. */
void vm_free(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->count; i++) {
		munmap(vm->cpus[i].run, (size_t)GUEST_PAGE);
		close(vm->cpus[i].fd);
	}
	close(vm->fd);
	munmap(vm->low, GUEST_LOW);
	free(vm);
}

void vm_tell(struct vm *vm, unsigned int cpu, enum guest_command command, uint32_t first,
             uint32_t count, uint32_t step, uint32_t seed)
{
	volatile struct mailbox *box = vm->cpus[cpu].box;

	*box = (struct mailbox){
		.command = command,
		.first = first,
		.count = count,
		.step = step,
		.seed = seed,
	};
}

__attribute__((format(printf, 2, 3))) static bool fail(struct vcpu *cpu, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	if (cpu->failure[0] == 0)
		vsnprintf(cpu->failure, sizeof(cpu->failure), format, values);
	va_end(values);
	return false;
}

static bool done(struct vcpu *cpu)
{
	if (cpu->box->wrong == 0)
		return true;
	return fail(cpu, "%u words are wrong in L2, the first at %x: %x", cpu->box->wrong,
	            cpu->box->wrong_at, cpu->box->wrong_is);
}

/* The device: a word written comes back as its complement. */
static bool device(struct vm *vm, struct kvm_run *run)
{
	if (run->mmio.len != sizeof(uint32_t))
		return false;
	vm->device_exits++;
	if (run->mmio.is_write) {
		memcpy(&vm->device_word, run->mmio.data, sizeof(vm->device_word));
	} else {
		uint32_t answer = ~vm->device_word;

		memcpy(run->mmio.data, &answer, sizeof(answer));
	}
	return true;
}

static bool ended(struct vcpu *cpu, bool *going)
{
	struct kvm_run *run = cpu->run;

	*going = false;
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_DONE)
		return done(cpu);
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT_EXCEPTION)
		return fail(cpu, "exception %u in L2", *((uint8_t *)run + run->io.data_offset));
	if (run->exit_reason == KVM_EXIT_MMIO && device(cpu->vm, run)) {
		*going = true;
		return true;
	}
	if (run->exit_reason == KVM_EXIT_MMIO)
		return fail(cpu, "L2 came to %llx, where nothing is",
		            (unsigned long long)run->mmio.phys_addr);
	return fail(cpu, "exit reason %u of KVM's, %llx", run->exit_reason,
	            (unsigned long long)run->hw.hardware_exit_reason);
}

bool vm_run(struct vm *vm, unsigned int index)
{
	struct vcpu *cpu = &vm->cpus[index];
	bool going = true, good = true;

	while (going) {
		if (ioctl(cpu->fd, KVM_RUN, 0) == 0)
			good = ended(cpu, &going);
		else if (errno != EINTR && errno != EAGAIN)
			return fail(cpu, "KVM_RUN: %s", strerror(errno));
	}
	return good;
}

bool vm_do(struct vm *vm, enum guest_command command, uint32_t first, uint32_t count, uint32_t step,
           uint32_t seed)
{
	vm_tell(vm, 0, command, first, count, step, seed);
	return vm_run(vm, 0);
}

static void *run_in_thread(void *argument)
{
	struct vcpu *cpu = argument;
	bool good = vm_run(cpu->vm, (unsigned int)(cpu - cpu->vm->cpus));

	cpu->running = false;
	return good ? cpu : NULL;
}

void vm_start(struct vm *vm, unsigned int cpu)
{
	vm->cpus[cpu].running = true;
	errno = pthread_create(&vm->cpus[cpu].thread, NULL, run_in_thread, &vm->cpus[cpu]);
	checked(errno == 0 ? 0 : -1, "pthread_create");
}

bool vm_wait(struct vm *vm, unsigned int cpu)
{
	void *result = NULL;

	pthread_join(vm->cpus[cpu].thread, &result);
	return result != NULL;
}

const char *vm_failure(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->count; i++) {
		if (vm->cpus[i].failure[0])
			return vm->cpus[i].failure;
	}
	return "";
}

bool vm_reaches(struct vm *vm, unsigned int cpu, volatile uint32_t *counter, uint32_t value)
{
	time_t end = time(NULL) + PATIENCE;

	while (*counter < value && vm->cpus[cpu].running) {
		if (time(NULL) > end)
			return fail(&vm->cpus[cpu], "L2 stands at %u and should come to %u",
			            *counter, value);
		usleep(1000);
	}
	return *counter >= value;
}

void write_pattern(uint8_t *memory, uint32_t ngpa, size_t size, uint32_t step, uint32_t seed)
{
	for (size_t at = 0; at < size; at += step)
		*(volatile uint32_t *)(memory + at) = guest_pattern(ngpa + (uint32_t)at, seed);
}

uint32_t count_wrong(const uint8_t *memory, uint32_t ngpa, size_t size, uint32_t step,
                     uint32_t seed)
{
	uint32_t wrong = 0;

	for (size_t at = 0; at < size; at += step) {
		if (*(volatile const uint32_t *)(memory + at) !=
		    guest_pattern(ngpa + (uint32_t)at, seed))
			wrong++;
	}
	return wrong;
}
