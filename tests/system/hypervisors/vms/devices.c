/* Memory as such, a device, interrupts by the PIC and by messages, and L2's own change of its
 * tables. */
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "vm.h"

#define SIZE       0x200000
#define STEP       256
#define WORDS      100
#define INTERRUPTS 20
#define LAPIC_ON   0x1ff

void try_memory(enum mode mode)
{
	struct vm *vm = vm_new(mode, 1);
	uint8_t *data = pages(SIZE);
	bool good;

	vm_slot(vm, SLOT_DATA, GUEST_DATA, data, SIZE, 0);
	good = vm_do(vm, GUEST_FILL, GUEST_DATA, SIZE / STEP, STEP, 1) &&
	       vm_do(vm, GUEST_CHECK, GUEST_DATA, SIZE / STEP, STEP, 1);
	point(vm, good, "L2 finds what it wrote", vm_failure(vm));
	good = good && count_wrong(data, GUEST_DATA, SIZE, STEP, 1) == 0;
	point(vm, good, "L1 finds what L2 wrote", "it does not");
	write_pattern(data, GUEST_DATA, SIZE, STEP, 2);
	good = good && vm_do(vm, GUEST_CHECK, GUEST_DATA, SIZE / STEP, STEP, 2);
	point(vm, good, "L2 finds what L1 wrote", vm_failure(vm));
	munmap(data, SIZE);
	vm_free(vm);
}

void try_device(enum mode mode)
{
	struct vm *vm = vm_new(mode, 1);
	bool good = vm_do(vm, GUEST_DEVICE, GUEST_MMIO, WORDS, 0, 1);

	point(vm, good, "a device by MMIO answers", vm_failure(vm));
	point(vm, vm->device_exits == 2 * WORDS, "each access once", "not so many accesses came");
	vm_free(vm);
}

/* The first PIC: vectors from 20h on, and its input 0 alone. */
static void pic_on(struct vm *vm)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_PIC_MASTER};

	checked(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip), "KVM_GET_IRQCHIP");
	chip.chip.pic.irq_base = PIC_VECTOR;
	chip.chip.pic.imr = 0xfe;
	chip.chip.pic.init4 = 1;
	checked(ioctl(vm->fd, KVM_SET_IRQCHIP, &chip), "KVM_SET_IRQCHIP");
}

static void pic_send(struct vm *vm, unsigned int cpu)
{
	struct kvm_irq_level line = {.irq = 0, .level = 1};

	(void)cpu;
	checked(ioctl(vm->fd, KVM_IRQ_LINE, &line), "KVM_IRQ_LINE");
	line.level = 0;
	checked(ioctl(vm->fd, KVM_IRQ_LINE, &line), "KVM_IRQ_LINE");
}

static void lapic_on(struct vm *vm, unsigned int cpu)
{
	struct kvm_lapic_state lapic;

	checked(ioctl(vm->cpus[cpu].fd, KVM_GET_LAPIC, &lapic), "KVM_GET_LAPIC");
	*(uint16_t *)(void *)(lapic.regs + LAPIC_SPURIOUS) = LAPIC_ON;
	checked(ioctl(vm->cpus[cpu].fd, KVM_SET_LAPIC, &lapic), "KVM_SET_LAPIC");
}

static void msi_send(struct vm *vm, unsigned int cpu)
{
	struct kvm_msi msi = {.address_lo = GUEST_LAPIC | cpu << 12, .data = MSI_VECTOR};

	checked(ioctl(vm->fd, KVM_SIGNAL_MSI, &msi), "KVM_SIGNAL_MSI");
}

/* One interrupt after the other, each when the one before has arrived. */
static bool arrive(struct vm *vm, unsigned int cpu, enum guest_command command,
                   void (*send)(struct vm *vm, unsigned int cpu))
{
	volatile struct mailbox *box = vm->cpus[cpu].box;
	bool good = true;

	vm_tell(vm, cpu, command, 0, INTERRUPTS, 0, 0);
	vm_start(vm, cpu);
	for (uint32_t i = 1; i <= INTERRUPTS && good; i++) {
		send(vm, cpu);
		good = vm_reaches(vm, cpu, &box->interrupts, i);
	}
	box->count = 0; /* it goes on if one was lost, unless it halts */
	if (!good)
		send(vm, cpu);
	return vm_wait(vm, cpu) && good && box->interrupts == INTERRUPTS;
}

static void try_interrupts_of(struct vm *vm, unsigned int cpu)
{
	char name[64];

	lapic_on(vm, cpu);
	snprintf(name, sizeof(name), "interrupts by message wake processor %u", cpu);
	point(vm, arrive(vm, cpu, GUEST_HALT, msi_send), name, vm_failure(vm));
	snprintf(name, sizeof(name), "interrupts by message come to processor %u at work", cpu);
	point(vm, arrive(vm, cpu, GUEST_SPIN, msi_send), name, vm_failure(vm));
}

void try_interrupts(enum mode mode)
{
	struct vm *vm = vm_new(mode, 2);

	pic_on(vm);
	point(vm, arrive(vm, 0, GUEST_HALT, pic_send), "interrupts by the PIC wake it",
	      vm_failure(vm));
	point(vm, arrive(vm, 0, GUEST_SPIN, pic_send), "interrupts by the PIC come to one at work",
	      vm_failure(vm));
	try_interrupts_of(vm, 0);
	try_interrupts_of(vm, 1);
	vm_free(vm);
}

void try_window(enum mode mode)
{
	struct vm *vm;
	uint8_t *data;
	bool good;

	if (mode < MODE_2LEVEL)
		return;
	vm = vm_new(mode, 1);
	data = pages(SIZE);
	vm_slot(vm, SLOT_DATA, GUEST_DATA, data, SIZE, 0);
	good = vm_do(vm, GUEST_REMAP, GUEST_DATA, SIZE / GUEST_PAGE, STEP, 5);
	point(vm, good, "L2 maps one page after the other at one address", vm_failure(vm));
	good = good && vm_do(vm, GUEST_CHECK, GUEST_DATA, SIZE / STEP, STEP, 5);
	point(vm, good, "each has what was written when it was there", vm_failure(vm));
	munmap(data, SIZE);
	vm_free(vm);
}
