/*
 * What Nestling offers to whoever runs on it, beyond the machine: CPUID leaves, a hypercall, the
 * registers that read its counters. Relies on nothing: images and programs include it, too.
 */
#ifndef SVM_LOOK_INTERFACE_H
#define SVM_LOOK_INTERFACE_H

enum {
	/* EAX: the last leaf; EBX, ECX, EDX: "NestlingNest". */
	LEAF_HYPERVISOR = 0x40000000,
	/* EAX: how many Nestlings there are below; EBX: which emulator's quirks are dealt with. */
	LEAF_HYPERVISOR_INFO = 0x40000001,
	/*
	 * EAX: the first register of counters; EBX: how many have names (svm/look/counters.h); ECX:
	 * how many processors Nestling has; EDX: the first hypercall.
	 */
	LEAF_HYPERVISOR_COUNTERS = 0x40000002,
	/* EAX: kHz of the TSC. It is there where whoever is below told it; VMware's and KVM's. */
	LEAF_HYPERVISOR_TIMING = 0x40000010,
	LEAF_HYPERVISOR_END = 0x400000ff,

	NESTLING_EBX = 0x7473654e,
	NESTLING_ECX = 0x676e696c,
	NESTLING_EDX = 0x7473654e,
	QUIRKS_TCG = 1 << 0, /* QEMU's own emulation is the processor */
	QUIRKS_KVM = 1 << 1, /* KVM is below, and what it gets wrong shows */

	/* RDMSR of L1's: one counter of the processor that reads. 64 bits, never reset. */
	MSR_NESTLING_COUNTERS = 0x4e530000,

	/*
	 * VMMCALL of L1 at CPL 0 with the number in EAX, which is then what came of it. With other
	 * numbers, at other levels and from L2 it raises #UD, as it does without a hypervisor.
	 */
	HYPERCALL_DUMP = 0x4e530000, /* the counters of all processors go to COM1 */

	HYPERCALL_DONE = 0,
	HYPERCALL_BUSY = 1, /* another processor's dump is under way */
};

#endif
