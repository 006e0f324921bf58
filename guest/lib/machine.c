/*
 * CPUID and the emulator under L1. Relies on hv/x86.h.
 */
#include "guest/lib/machine.h"
#include "guest/lib/cmdline.h"
#include "guest/lib/keyboard.h"
#include "guest/lib/report.h"
#include "guest/lib/reset.h"
#include "guest/lib/screen.h"
#include "hv/pci.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/look/interface.h"

enum {
	CPUID_EXT_MAX = 0x80000000u,
	CPUID_EXT_FEATURES = 0x80000001u,
	CPUID_BRAND = 0x80000002u,
	CPUID_SIZES = 0x80000008u,
	CPUID_SVM = 0x8000000au,

	FEATURE_1_ECX_HYPERVISOR = 1u << 31,
	FEATURE_1_EDX_PSE = 1u << 3,
	FEATURE_7_ECX_LA57 = 1u << 16,
	FEATURE_7_EBX_SMEP = 1u << 7,
	FEATURE_7_EBX_SMAP = 1u << 20,
	EXT_ECX_SVM = 1u << 2,
	EXT_EDX_NX = 1u << 20,
	EXT_EDX_PAGE_1G = 1u << 26,
	EXT_EDX_LM = 1u << 29,

	PORT_QEMU_EXIT = 0xf4,
	PORT_BOCHS_SHUTDOWN = 0x8900,
	HOST_BRIDGE = 0,
	PCI_SUBSYSTEM = 0x2c,
	PCI_I440FX = 0x12378086, /* no AMD processor ever had this Intel host bridge */
	PCI_SUBSYSTEM_QEMU = 0x1af4,
};

struct machine machine;

static bool has_qemus_devices(void)
{
	return (pci_read(HOST_BRIDGE, PCI_SUBSYSTEM) & 0xffff) == PCI_SUBSYSTEM_QEMU;
}

/* Bochs does not say who it is. It has QEMU's host bridge without QEMU's subsystem number. */
static bool is_bochs(void)
{
	return pci_read(HOST_BRIDGE, PCI_ID) == PCI_I440FX && !has_qemus_devices();
}

static bool text_is(const struct cpuid_regs *r, bool with_eax, const char *text)
{
	uint32_t words[4] = {r->eax, r->ebx, r->ecx, r->edx};

	return !memcmp(with_eax ? words : words + 1, text, strlen(text));
}

static bool is_nestling(const struct cpuid_regs *hypervisor)
{
	return hypervisor->ebx == NESTLING_EBX && hypervisor->ecx == NESTLING_ECX &&
	       hypervisor->edx == NESTLING_EDX;
}

/*
 * Is the processor one that QEMU emulates, whatever model it shows (-cpu EPYC)? QEMU says so in the
 * hypervisor leaf, and Nestling passes it on in its own. Where another hypervisor, KVM say, has
 * that leaf, the model's name may tell; where nobody has it (-cpu EPYC,-hypervisor), the devices.
 */
static bool is_qemu(bool under_hypervisor)
{
	struct cpuid_regs hypervisor = cpuid(LEAF_HYPERVISOR, 0), brand = cpuid(CPUID_BRAND, 0);

	if (text_is(&brand, true, "QEMU TCG CPU"))
		return true;
	if (!under_hypervisor)
		return has_qemus_devices();
	if (is_nestling(&hypervisor))
		return cpuid(LEAF_HYPERVISOR_INFO, 0).ebx & QUIRKS_TCG;
	return text_is(&hypervisor, false, "TCGTCGTCGTCG");
}

void machine_init(void)
{
	struct cpuid_regs basic = cpuid(1, 0);
	struct cpuid_regs features = {0, 0, 0, 0}, svm = {0, 0, 0, 0}, hypervisor;
	uint32_t max_basic = cpuid(0, 0).eax, max = cpuid(CPUID_EXT_MAX, 0).eax;
	bool under_hypervisor = basic.ecx & FEATURE_1_ECX_HYPERVISOR;
	bool tcg = false;

	if (max >= CPUID_EXT_FEATURES)
		features = cpuid(CPUID_EXT_FEATURES, 0);
	machine.pse = basic.edx & FEATURE_1_EDX_PSE;
	machine.svm = features.ecx & EXT_ECX_SVM;
	machine.nx = features.edx & EXT_EDX_NX;
	machine.lm = features.edx & EXT_EDX_LM;
	machine.page_1g = features.edx & EXT_EDX_PAGE_1G;
	if (max_basic >= 7) {
		machine.la57 = cpuid(7, 0).ecx & FEATURE_7_ECX_LA57;
		machine.smep = cpuid(7, 0).ebx & FEATURE_7_EBX_SMEP;
		machine.smap = cpuid(7, 0).ebx & FEATURE_7_EBX_SMAP;
	}
	machine.physical_bits = max >= CPUID_SIZES ? cpuid(CPUID_SIZES, 0).eax & 0xff : 36;
	if (machine.svm && max >= CPUID_SVM)
		svm = cpuid(CPUID_SVM, 0);
	machine.svm_features = svm.edx;
	machine.asids = svm.ebx;
	machine.npt = svm.edx & SVM_FEATURE_NP;

	hypervisor = cpuid(LEAF_HYPERVISOR, 0);
	if (under_hypervisor)
		tcg = text_is(&hypervisor, false, "TCGTCGTCGTCG");
	machine.qemu = is_qemu(under_hypervisor);
	machine.bochs = !machine.qemu && is_bochs();
	machine.bare = tcg || !under_hypervisor;
	machine.kvm = under_hypervisor && is_nestling(&hypervisor) &&
	              (cpuid(LEAF_HYPERVISOR_INFO, 0).ebx & QUIRKS_KVM);
}

bool machine_on_pae_host(void)
{
	return !machine.bare && !machine.lm;
}

bool emulator_is(enum emulator emulator)
{
	switch (emulator) {
	case QEMU:
		return machine.qemu;
	case QEMU_BARE:
		return machine.qemu && machine.bare;
	case BOCHS:
		return machine.bochs;
	case BOCHS_BARE:
		return machine.bochs && machine.bare;
	case KVM:
		return machine.kvm;
	}
	return false;
}

const char *emulator_name(enum emulator emulator)
{
	if (emulator == KVM)
		return "kvm";
	return emulator == QEMU || emulator == QEMU_BARE ? "qemu" : "bochs";
}

void machine_end(bool success)
{
	static const char shutdown[] = "Shutdown";

	report_end(success);
	if (cmdline_value("reset")) {
		report_leave();
		reset_warm();
	}
	outb(PORT_QEMU_EXIT, success ? 0 : 1);
	for (unsigned int i = 0; shutdown[i]; i++)
		outb(PORT_BOCHS_SHUTDOWN, (uint8_t)shutdown[i]);
	if (keyboard_is_there()) {
		screen_key();
		keyboard_wait();
		reset_warm();
	}
	for (;;)
		__asm__ volatile("cli; hlt");
}
