/*
 * The machine under L1: what it can do, which emulator it is, and how a run ends. Relies on
 * hv/x86.h.
 */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whom a deviation is charged to. The *_BARE ones hold only if nothing runs between the emulator
 * and L1: for what a hypervisor under L1 can and must do right. The others hold with a hypervisor
 * between them, too: for what it has no hand in.
 */
enum emulator {
	QEMU,
	QEMU_BARE,
	BOCHS,
	BOCHS_BARE,
	KVM, /* below Nestling: what KVM gets wrong for Nestling shows in L1 */
};

struct machine {
	bool svm, nx, npt, lm, la57, page_1g, pse, smep, smap;
	uint32_t svm_features; /* CPUID 8000_000A EDX, SVM_FEATURE_* */
	uint32_t asids;        /* ASIDs are 0 to asids - 1 */
	unsigned int physical_bits;
	bool qemu, bochs, bare, kvm;
};

extern struct machine machine;

/* Fills `machine`. */
void machine_init(void);

/*
 * Is what runs below L1 Nestling as a 32-bit program? Its processors have no long mode to show, and
 * its guests nothing above 4 GiB.
 */
bool machine_on_pae_host(void);

bool emulator_is(enum emulator emulator);
const char *emulator_name(enum emulator emulator);

/*
 * Ends the run: QEMU's isa-debug-exit with 0 or 1, Bochs' shutdown port; a machine that has neither
 * waits for a key, and restarts, or halts forever where there is no keyboard. With the word
 * reset=warm on the command line the machine is reset instead.
 */
_Noreturn void machine_end(bool success);

#endif
