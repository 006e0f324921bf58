/*
 * The machine in words. Relies on about.h.
 */
#include "guest/lib/about.h"
#include "hv/print.h"
#include "hv/string.h"

enum {
	LEAF_EXTENDED = 0x80000000u,
	LEAF_NAME = 0x80000002u,
	LEAF_NAME_LAST = 0x80000004u,
	NAME_BYTES = 48,
	SIGNATURE_BYTES = 12,
	REVISION_MASK = 0xff,
	PRINTABLE_FIRST = ' ',
	PRINTABLE_LAST = '~',
	FEATURES = 32,
};

void about_processor(char *to, size_t size)
{
	char name[NAME_BYTES + 1] = "";
	const char *from = name;
	size_t end;

	if (cpuid(LEAF_EXTENDED, 0).eax >= LEAF_NAME_LAST) {
		for (uint32_t leaf = LEAF_NAME; leaf <= LEAF_NAME_LAST; leaf++) {
			struct cpuid_regs r = cpuid(leaf, 0);

			memcpy(name + sizeof(r) * (leaf - LEAF_NAME), &r, sizeof(r));
		}
	}
	while (*from == ' ')
		from++;
	for (end = strlen(from); end && from[end - 1] == ' '; end--)
		;
	name[(size_t)(from - name) + end] = '\0';
	snprint(to, size, "%s", *from ? from : "without a name");
}

/* By bit of EDX (APM vol. 3, appendix E.4.9); the others are not told. */
static const char *const features[FEATURES] = {
	[0] = "nested paging",  [1] = "LBR",
	[2] = "SVM lock",       [3] = "nRIP",
	[4] = "TSC ratio",      [5] = "clean bits",
	[6] = "flush by ASID",  [7] = "decode assists",
	[10] = "pause filter",  [12] = "its threshold",
	[13] = "AVIC",          [15] = "virtual VMLOAD",
	[16] = "vGIF",          [17] = "GMET",
	[18] = "x2AVIC",        [19] = "SSS check",
	[20] = "SPEC_CTRL",     [21] = "read-only tables",
	[23] = "MCE override",  [24] = "INVLPGB",
	[25] = "vNMI",          [26] = "IBS",
	[28] = "address check", [29] = "bus lock",
	[30] = "idle HLT",
};

void about_svm(const struct cpuid_regs *leaf, char *to, size_t size)
{
	int length =
		snprint(to, size, "revision %u, %u ASIDs", leaf->eax & REVISION_MASK, leaf->ebx);

	for (unsigned int bit = 0; bit < FEATURES && (size_t)length < size; bit++) {
		if (leaf->edx >> bit & 1 && features[bit])
			length +=
				snprint(to + length, size - (size_t)length, ", %s", features[bit]);
	}
}

static const struct {
	char signature[SIGNATURE_BYTES + 1];
	const char *name;
} known[] = {
	{"NestlingNest", "Nestling"},      {"TCGTCGTCGTCG", "QEMU"},   {"KVMKVMKVM", "KVM"},
	{"Microsoft Hv", "Hyper-V"},       {"VMwareVMware", "VMware"}, {"XenVMMXenVMM", "Xen"},
	{"VBoxVBoxVBox", "VirtualBox"},    {"bhyve bhyve ", "bhyve"},  {"ACRNACRNACRN", "ACRN"},
	{"OpenBSDVMM58", "OpenBSD's vmm"},
};

void about_under(bool hypervisor, const struct cpuid_regs *leaf, const char *emulated, char *to,
                 size_t size)
{
	uint32_t words[3] = {leaf->ebx, leaf->ecx, leaf->edx};
	char signature[SIGNATURE_BYTES + 1] = "";
	const char *name = signature;

	memcpy(signature, words, SIGNATURE_BYTES);
	for (unsigned int i = 0; i < SIGNATURE_BYTES && signature[i]; i++) {
		if (signature[i] < PRINTABLE_FIRST || signature[i] > PRINTABLE_LAST)
			signature[i] = '?';
	}
	for (unsigned int i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(signature, known[i].signature))
			name = known[i].name;
	}
	if (!*name)
		name = "a hypervisor without a name";
	if (!hypervisor || (emulated && !strcmp(name, emulated)))
		snprint(to, size, "bare%s%s", emulated ? ", in " : "", emulated ? emulated : "");
	else
		snprint(to, size, "on %s%s%s", name, emulated ? ", in " : "",
		        emulated ? emulated : "");
}
