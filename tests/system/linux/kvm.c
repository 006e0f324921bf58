/*
 * A small user of Linux's KVM, for Linux as L1: its L2 computes in real mode, in memory that KVM
 * maps on demand, and tells the result by a port. Prints that result; says what failed otherwise.
 */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define L2_MEMORY 0x100000
#define L2_ENTRY  0x1000
#define L2_PORT   0x10

/*
 * Writes i * 3 into each of the 128 KiB's words from 2000:0 and 3000:0 on, adds all up in EAX,
 * tells it by L2_PORT, and halts.
 */
static const uint8_t l2_code[] = {
	0x66, 0x31, 0xc0,          /*       xor eax, eax */
	0xbb, 0x00, 0x20,          /*       mov bx, 2000h */
	0x8e, 0xdb,                /* next: mov ds, bx */
	0x31, 0xff,                /*       xor di, di */
	0x66, 0x0f, 0xb7,    0xcf, /* fill: movzx ecx, di */
	0x66, 0x6b, 0xc9,    0x03, /*       imul ecx, ecx, 3 */
	0x66, 0x89, 0x0d,          /*       mov [di], ecx */
	0x66, 0x03, 0x05,          /*       add eax, [di] */
	0x83, 0xc7, 0x04,          /*       add di, 4 */
	0x75, 0xed,                /*       jnz fill */
	0x81, 0xc3, 0x00,    0x10, /*       add bx, 1000h */
	0x81, 0xfb, 0x00,    0x40, /*       cmp bx, 4000h */
	0x75, 0xdf,                /*       jne next */
	0x66, 0xe7, L2_PORT,       /*       out L2_PORT, eax */
	0xf4,                      /*       hlt */
};

static int checked(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

int main(void)
{
	int kvm = checked(open("/dev/kvm", O_RDWR), "/dev/kvm");
	int vm = checked(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	int size = checked(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	int cpu = checked(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
	uint8_t *memory =
		mmap(NULL, L2_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (run == MAP_FAILED || memory == MAP_FAILED)
		checked(-1, "mmap");
	memcpy(memory + L2_ENTRY, l2_code, sizeof(l2_code));

	struct kvm_userspace_memory_region region = {
		.memory_size = L2_MEMORY,
		.userspace_addr = (uintptr_t)memory,
	};
	checked(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");

	struct kvm_sregs sregs;
	struct kvm_regs regs = {.rip = L2_ENTRY, .rflags = 2};
	checked(ioctl(cpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	checked(ioctl(cpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	checked(ioctl(cpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");

	for (;;) {
		checked(ioctl(cpu, KVM_RUN, 0), "KVM_RUN");
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			printf("L2 says %x\n", *(uint32_t *)((uint8_t *)run + run->io.data_offset));
			break;
		case KVM_EXIT_HLT:
			return 0;
		default:
			printf("L2 ended with exit reason %u\n", run->exit_reason);
			return 1;
		}
	}
}
