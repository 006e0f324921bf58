/*
 * SVM's own registers: EFER.SVME, VM_CR, VM_HSAVE_PA, SVM_KEY, SMM_CTL, IGNNE. Relies on try_call()
 * for those that raise #GP; APM 15.30.
 */
#include "guest/svm/suite.h"

/* Both emulators do the same here. */
static enum emulator either(void)
{
	return machine.bochs ? BOCHS_BARE : QEMU_BARE;
}

static const char no_vm_cr[] = "VM_CR reads as 0 and ignores writes";
static const char no_register[] = "there is no such register";

struct access {
	uint32_t msr;
	uint64_t value;
};

static void do_write(void *argument)
{
	const struct access *a = argument;

	wrmsr(a->msr, a->value);
}

static void do_read(void *argument)
{
	struct access *a = argument;

	a->value = rdmsr(a->msr);
}

/* -1, or VEC_GP. */
static int write_raises(uint32_t msr, uint64_t value)
{
	struct access a = {msr, value};

	return try_call(do_write, &a);
}

static int read_raises(uint32_t msr, uint64_t *value)
{
	struct access a = {msr, 0};
	int vector = try_call(do_read, &a);

	*value = a.value;
	return vector;
}

static void check_write(uint32_t msr, uint64_t value, int expected)
{
	check("vector", (uint64_t)(int64_t)write_raises(msr, value), (uint64_t)(int64_t)expected);
}

/* A write that must raise #GP, which QEMU alone lets pass. */
static void check_refused(uint32_t msr, uint64_t value)
{
	int vector = write_raises(msr, value);

	check_known("vector", (uint64_t)(int64_t)vector, VEC_GP, (uint64_t)-1, either(), no_vm_cr);
}

static void efer(void)
{
	uint64_t value = rdmsr(MSR_EFER);
	struct l2 *l2;

	point("EFER.SVME can be cleared and set");
	wrmsr(MSR_EFER, value & ~(uint64_t)EFER_SVME);
	check("cleared", rdmsr(MSR_EFER) & EFER_SVME, 0);
	wrmsr(MSR_EFER, value);
	check("set", rdmsr(MSR_EFER) & EFER_SVME, EFER_SVME);

	l2 = fresh("a guest still runs after that");
	l2_start(l2, L2_VMMCALL);
	l2_check_done(l2);
}

static void do_vmrun(void *vmcb)
{
	__asm__ volatile("vmrun" : : "a"((uintptr_t)vmcb) : "memory");
}

/* The address is refused, and the one before stays. */
static void check_hsave(uint64_t value)
{
	uint64_t before = rdmsr(MSR_VM_HSAVE_PA);
	int vector = write_raises(MSR_VM_HSAVE_PA, value);

	check_known("vector", (uint64_t)(int64_t)vector, VEC_GP, (uint64_t)-1, BOCHS_BARE,
	            "VM_HSAVE_PA takes any value");
	if (vector >= 0)
		check("read", rdmsr(MSR_VM_HSAVE_PA), before);
	wrmsr(MSR_VM_HSAVE_PA, before);
}

static void hsave(void)
{
	uint64_t value = rdmsr(MSR_VM_HSAVE_PA);

	point("VM_HSAVE_PA keeps an address");
	check_write(MSR_VM_HSAVE_PA, l2_gpa(l2_spare_frame(0)), -1);
	check("read", rdmsr(MSR_VM_HSAVE_PA), l2_gpa(l2_spare_frame(0)));
	wrmsr(MSR_VM_HSAVE_PA, value);

	point("VM_HSAVE_PA not at a page raises #GP");
	check_hsave(value + 0x800);

	point("VM_HSAVE_PA beyond the physical address width raises #GP");
	check_hsave(1ull << machine.physical_bits);

	point("VM_HSAVE_PA with bit 63 set raises #GP");
	check_hsave(value | 1ull << 63);

	point("VMRUN with VM_HSAVE_PA 0 raises #GP");
	if (machine.bare && (machine.qemu || machine.bochs)) {
		point_known(either(), "it would write the host's state to page 0: not tried");
	} else {
		struct l2 *l2 = l2_new(0, l2_widest());

		wrmsr(MSR_VM_HSAVE_PA, 0);
		check("vector", (uint64_t)(int64_t)try_call(do_vmrun, l2->vmcb), VEC_GP);
		check("error code", trap_last.error, 0);
		wrmsr(MSR_VM_HSAVE_PA, value);
	}
}

/* Is there a VM_CR? If not, the open point says who lacks it. */
static bool has_vm_cr(uint64_t *value)
{
	if (read_raises(MSR_VM_CR, value) < 0)
		return true;
	if (emulator_is(BOCHS_BARE))
		point_known(BOCHS_BARE, no_register);
	else
		point_fail("# RDMSR of VM_CR raises #GP\n");
	return false;
}

static void bits(uint64_t mask, const char *name)
{
	uint64_t value, old;

	point(name);
	if (!has_vm_cr(&old))
		return;
	check_write(MSR_VM_CR, old | mask, -1);
	read_raises(MSR_VM_CR, &value);
	check_known("VM_CR", value, old | mask, 0, either(), no_vm_cr);
	check_write(MSR_VM_CR, old & ~mask, -1);
	read_raises(MSR_VM_CR, &value);
	check("cleared", value, old & ~mask);
	wrmsr(MSR_VM_CR, old);
}

static void vm_cr(void)
{
	uint64_t efer = rdmsr(MSR_EFER), old, value;

	bits(VM_CR_DPD, "VM_CR.DPD can be set and cleared");
	bits(VM_CR_R_INIT, "VM_CR.R_INIT can be set and cleared");

	point("VM_CR's reserved bits raise #GP");
	if (has_vm_cr(&old)) {
		check_refused(MSR_VM_CR, old | 1ull << 5);
		check_refused(MSR_VM_CR, old | 1ull << 31);
		check_refused(MSR_VM_CR, old | 1ull << 63);
	}

	point("VM_CR.SVMDIS is refused while EFER.SVME=1");
	if (has_vm_cr(&old)) {
		check_refused(MSR_VM_CR, old | VM_CR_SVMDIS);
		read_raises(MSR_VM_CR, &value);
		check("VM_CR", value, old);
	}

	point("VM_CR.SVMDIS, once set, refuses EFER.SVME");
	if (has_vm_cr(&old)) {
		if (old & VM_CR_LOCK) {
			point_skip("VM_CR is locked");
			return;
		}
		wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_SVME);
		check_write(MSR_VM_CR, old | VM_CR_SVMDIS, -1);
		check_refused(MSR_EFER, efer);
		check_write(MSR_VM_CR, old & ~(uint64_t)VM_CR_SVMDIS, -1);
		check_write(MSR_EFER, efer, -1);
	}
}

/* The last of the group: nothing but a reset takes LOCK back, and SVM stays as it is. */
static void lock(void)
{
	uint64_t efer = rdmsr(MSR_EFER), old, value;
	bool offered = machine.svm_features & SVM_FEATURE_LOCK;

	point("VM_CR.LOCK keeps itself and SVMDIS as they are");
	if (has_vm_cr(&old)) {
		check_write(MSR_VM_CR, old | VM_CR_LOCK, -1);
		wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_SVME);
		check_write(MSR_VM_CR, (old | VM_CR_SVMDIS) & ~(uint64_t)VM_CR_LOCK, -1);
		read_raises(MSR_VM_CR, &value);
		check_known("VM_CR", value & (VM_CR_LOCK | VM_CR_SVMDIS), VM_CR_LOCK, 0, either(),
		            no_vm_cr);
		wrmsr(MSR_EFER, efer);
		check("EFER.SVME", rdmsr(MSR_EFER) & EFER_SVME, EFER_SVME);
	}

	point("SVM_KEY, if there is one, reads as 0");
	if (read_raises(MSR_SVM_KEY, &value) < 0)
		check("SVM_KEY", value, 0);
	else if (offered && emulator_is(BOCHS_BARE))
		point_known(BOCHS_BARE, no_register);
	else
		check("the SVM lock is offered", offered, 0);
}

static void smm(void)
{
	uint64_t value;

	point("PATCH_LOADER, which can only be written, raises #GP when it is read");
	check_known("vector", (uint64_t)(int64_t)read_raises(MSR_PATCH_LOADER, &value), VEC_GP,
	            (uint64_t)-1, either(), "it reads as 0");

	/* IGNNE and SMM_CTL act on signals outside of SVM: what is written is "nothing". */
	point("SMM_CTL takes a write of 0");
	if (write_raises(MSR_SMM_CTL, 0) >= 0) {
		if (emulator_is(BOCHS_BARE))
			point_known(BOCHS_BARE, no_register);
		else
			point_fail("# WRMSR of SMM_CTL raises #GP\n");
	}
	point("IGNNE reads back the 0 that was written");
	if (write_raises(MSR_IGNNE, 0) < 0) {
		check("vector", (uint64_t)(int64_t)read_raises(MSR_IGNNE, &value), (uint64_t)-1);
		check("IGNNE", value, 0);
	} else if (emulator_is(BOCHS_BARE)) {
		point_known(BOCHS_BARE, no_register);
	} else {
		point_fail("# WRMSR of IGNNE raises #GP\n");
	}
}

void suite_msr(void)
{
	if (tap_group("msr", "efer"))
		efer();
	if (tap_group("msr", "hsave"))
		hsave();
	if (tap_group("msr", "vm_cr"))
		vm_cr();
	if (tap_group("msr", "others"))
		smm();
	if (tap_group("msr", "lock"))
		lock();
	point_end();
}
