/*
 * The modes that the guest runs in: descriptors, tables that map 4 GiB as they are (and the window
 * by a page of 4 KiB), and registers. Real mode has segments of 4 GiB, so that one code reaches all
 * memory.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "vm.h"

#define CODE     0x08
#define DATA     0x10
#define TASK     0x18
#define CR0_PE   0x1
#define CR0_ET   0x10
#define CR0_NE   0x20
#define CR0_WP   0x10000
#define CR0_PG   0x80000000U
#define CR4_PSE  0x10
#define CR4_PAE  0x20
#define EFER_LME 0x100
#define EFER_LMA 0x400
#define PTE_P    0x1
#define PTE_RW   0x3
#define PTE_LEAF 0x80 /* in a directory: a large page */

const char *const mode_names[MODES] = {"real", "protected", "2-level", "PAE", "long"};

/* The page of GUEST_TABLES with that number, as its address in L2 and its entries. */
static uint32_t table(unsigned int n)
{
	return GUEST_TABLES + n * GUEST_PAGE;
}
static uint32_t *entries4(struct vm *vm, unsigned int n)
{
	return (uint32_t *)(vm->low + table(n));
}
static uint64_t *entries8(struct vm *vm, unsigned int n)
{
	return (uint64_t *)(vm->low + table(n));
}

/* The window's table is the page of WINDOW_ENTRY, and its page the first of that table's. */
static void make_2level(struct vm *vm)
{
	uint32_t *directory = entries4(vm, 0);

	for (uint32_t i = 0; i < 1024; i++)
		directory[i] = i << 22 | PTE_LEAF | PTE_RW;
	directory[GUEST_WINDOW >> 22] = WINDOW_ENTRY | PTE_RW;
	*(uint32_t *)(vm->low + WINDOW_ENTRY) = GUEST_DATA | PTE_RW;
}

/* Four directories, from page 2 on, and what points to them: page 1. */
static void make_directories(struct vm *vm, uint64_t bits)
{
	for (uint32_t i = 0; i < 4; i++)
		entries8(vm, 1)[i] = table(2 + i) | bits;
	for (uint32_t i = 0; i < 4 * 512; i++)
		entries8(vm, 2)[i] = (uint64_t)i << 21 | PTE_LEAF | PTE_RW;
	entries8(vm, 2)[GUEST_WINDOW >> 21] = WINDOW_ENTRY | PTE_RW;
	*(uint64_t *)(vm->low + WINDOW_ENTRY) = GUEST_DATA | PTE_RW;
}

static void make_tables(struct vm *vm)
{
	switch (vm->mode) {
	case MODE_2LEVEL:
		make_2level(vm);
		break;
	case MODE_PAE:
		make_directories(vm, PTE_P);
		break;
	case MODE_LONG:
		make_directories(vm, PTE_RW);
		entries8(vm, 0)[0] = table(1) | PTE_RW;
		break;
	default:
		break;
	}
}

/* The image's head: where guest_main is, each exception's handler, the PIC's, and each processor's
 * for MSI. */
static uint32_t head(struct vm *vm, unsigned int n)
{
	return ((const uint32_t *)(vm->low + GUEST_IMAGE))[n];
}

static void gate(struct vm *vm, unsigned int cpu, unsigned int vector, uint32_t handler)
{
	uint8_t *idt = vm->low + GUEST_IDT + cpu * IDT_SIZE;
	uint16_t words[8] = {(uint16_t)handler, CODE, 0x8e00, (uint16_t)(handler >> 16)};

	if (vm->mode == MODE_REAL)
		memcpy(idt + vector * 4, &handler, 4); /* segment 0 */
	else
		memcpy(idt + vector * (vm->mode == MODE_LONG ? 16 : 8), words,
		       vm->mode == MODE_LONG ? 16 : 8);
}

static void make_idt(struct vm *vm, unsigned int cpu)
{
	for (unsigned int i = 0; i < EXCEPTIONS; i++)
		gate(vm, cpu, i, head(vm, 1 + i));
	gate(vm, cpu, PIC_VECTOR, head(vm, 1 + EXCEPTIONS));
	gate(vm, cpu, MSI_VECTOR, head(vm, 2 + EXCEPTIONS + cpu));
}

/* An IRET loads CS again, so that the table must say what the registers have. */
static void make_gdt(struct vm *vm)
{
	static const uint64_t gdt32[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
	static const uint64_t gdt64[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};

	memcpy(vm->low + GUEST_GDT, vm->mode == MODE_LONG ? gdt64 : gdt32, sizeof(gdt32));
}

static void set_segments(struct vm *vm, struct kvm_sregs *sregs)
{
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = DATA, .type = 3, .present = 1, .s = 1, .g = 1};

	data.db = vm->mode != MODE_REAL;
	if (vm->mode == MODE_REAL)
		data.selector = 0;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->cs = data;
	sregs->cs.type = 11;
	sregs->cs.selector = vm->mode == MODE_REAL ? 0 : CODE;
	sregs->cs.l = vm->mode == MODE_LONG;
	sregs->cs.db = vm->mode != MODE_REAL && vm->mode != MODE_LONG;
	if (vm->mode == MODE_REAL)
		sregs->cs.type = 3;
	sregs->tr = (struct kvm_segment){.limit = 0x67, .selector = TASK, .type = 11, .present = 1};
}

static void set_control(struct vm *vm, struct kvm_sregs *sregs)
{
	sregs->cr0 = CR0_ET | CR0_NE;
	if (vm->mode != MODE_REAL)
		sregs->cr0 |= CR0_PE;
	if (vm->mode >= MODE_2LEVEL)
		sregs->cr0 |= CR0_PG | CR0_WP;
	sregs->cr3 = vm->mode == MODE_PAE ? table(1) : vm->mode >= MODE_2LEVEL ? table(0) : 0;
	sregs->cr4 = vm->mode == MODE_2LEVEL ? CR4_PSE : vm->mode >= MODE_PAE ? CR4_PAE : 0;
	sregs->efer = vm->mode == MODE_LONG ? EFER_LME | EFER_LMA : 0;
}

void mode_enter(struct vm *vm, unsigned int cpu)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = {
		.rip = head(vm, 0),
		.rsp = GUEST_STACK + cpu * GUEST_PAGE - 16,
		.rax = GUEST_MAILBOX +
	               cpu * GUEST_PAGE, /* the argument, by each of the conventions */
		.rdi = GUEST_MAILBOX + cpu * GUEST_PAGE,
		.rflags = 2,
	};

	make_gdt(vm);
	make_tables(vm);
	make_idt(vm, cpu);
	checked(ioctl(vm->cpus[cpu].fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	set_segments(vm, &sregs);
	set_control(vm, &sregs);
	sregs.gdt.base = GUEST_GDT;
	sregs.gdt.limit = 3 * 8 - 1;
	sregs.idt.base = GUEST_IDT + cpu * IDT_SIZE;
	sregs.idt.limit = IDT_SIZE - 1;
	checked(ioctl(vm->cpus[cpu].fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	checked(ioctl(vm->cpus[cpu].fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}
