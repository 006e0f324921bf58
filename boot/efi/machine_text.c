/*
 * Describes the machine. Reads only registers that CPUID tells of. Relies on hv/x86.h.
 */
#include "boot/efi/machine_text.h"
#include "boot/efi/efi_program.h"
#include "boot/efi/memory_map.h"
#include "boot/efi/report.h"
#include "hv/string.h"
#include "hv/x86.h"

#define CPUID_HYPERVISOR         0x40000000u
#define CPUID_EXTENDED           0x80000000u
#define CPUID_FEATURES           0x80000001u
#define CPUID_BRAND              0x80000002u
#define CPUID_SVM                0x8000000au
#define FEATURE_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_BRAND_LAST         (CPUID_BRAND + CPUID_BRAND_LEAVES - 1)

enum {
	CPUID_BRAND_LEAVES = 3,
	LEAVES_MAX = 64,
	SUBLEAVES_MAX = 16,
	FEATURE_1_EDX_APIC = 1 << 9,
	FEATURE_1_EDX_MTRR = 1 << 12,
	FEATURE_1_EDX_PAT = 1 << 16,
	FEATURES_ECX_SVM = 1 << 2,
	MSR_PATCH_LEVEL = 0x8b,
	MTRR_CAP_COUNT = 0xff,
	MTRR_CAP_FIXED = 1 << 8,
	VARIABLE_MTRRS_MAX = 32,
	FIXED_4K = 8,
	VENDOR_CHARS = 64,
};

static unsigned long long wide(uint64_t value)
{
	return value;
}

static void firmware(struct out *out)
{
	char vendor[VENDOR_CHARS + 1];
	size_t i = 0;

	for (; efi->FirmwareVendor && efi->FirmwareVendor[i] && i < VENDOR_CHARS; i++) {
		CHAR16 c = efi->FirmwareVendor[i];

		vendor[i] = c >= ' ' && c <= '~' ? (char)c : '?';
	}
	vendor[i] = '\0';
	out_print(out, "firmware: %s, revision 0x%x, UEFI %u.%u\n", vendor, efi->FirmwareRevision,
	          efi->Hdr.Revision >> 16, (efi->Hdr.Revision & 0xffff) / 10);
}

static void brand_text(char *to)
{
	for (uint32_t i = 0; i < CPUID_BRAND_LEAVES; i++) {
		struct cpuid_regs r = cpuid(CPUID_BRAND + i, 0);

		memcpy(to + i * sizeof(r), &r, sizeof(r));
	}
	to[CPUID_BRAND_LEAVES * sizeof(struct cpuid_regs)] = '\0';
}

static bool is_amd(void)
{
	struct cpuid_regs r = cpuid(0, 0);

	return (r.ebx == 0x68747541 && r.edx == 0x69746e65) || /* AuthenticAMD */
	       (r.ebx == 0x6f677948 && r.edx == 0x6e65476e);   /* HygonGenuine */
}

static void processor(struct out *out)
{
	char brand[CPUID_BRAND_LEAVES * sizeof(struct cpuid_regs) + 1] = "";
	struct cpuid_regs vendor = cpuid(0, 0), r = cpuid(1, 0);
	uint32_t words[] = {vendor.ebx, vendor.edx, vendor.ecx};
	char name[sizeof(words) + 1] = "";
	uint32_t family = r.eax >> 8 & 0xf, model = r.eax >> 4 & 0xf;

	if (cpuid(CPUID_EXTENDED, 0).eax >= CPUID_BRAND_LAST)
		brand_text(brand);
	if (family == 0xf)
		family += r.eax >> 20 & 0xff;
	if (family >= 6)
		model |= r.eax >> 12 & 0xf0;
	memcpy(name, words, sizeof(words));
	out_print(out, "processor: %s, %s, family 0x%x model 0x%x stepping %u\n", name, brand,
	          family, model, r.eax & 0xf);
	if (is_amd())
		out_print(out, "microcode: 0x%llx\n", wide(rdmsr(MSR_PATCH_LEVEL)));
}

static void svm(struct out *out)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} features[] = {
		{SVM_FEATURE_NP, "nested-paging"},
		{SVM_FEATURE_LBR, "lbr"},
		{SVM_FEATURE_LOCK, "lock"},
		{SVM_FEATURE_NRIP, "nrip"},
		{SVM_FEATURE_TSC_RATE, "tsc-rate"},
		{SVM_FEATURE_CLEAN, "clean-bits"},
		{SVM_FEATURE_FLUSH_ASID, "flush-by-asid"},
		{SVM_FEATURE_DECODE, "decode-assists"},
		{SVM_FEATURE_PAUSE_FILTER, "pause-filter"},
		{SVM_FEATURE_PAUSE_THRESH, "pause-threshold"},
		{SVM_FEATURE_AVIC, "avic"},
		{SVM_FEATURE_VMLOAD_VMSAVE, "virtual-vmload"},
		{SVM_FEATURE_VGIF, "vgif"},
		{SVM_FEATURE_SPEC_CTRL, "spec-ctrl"},
		{SVM_FEATURE_VNMI, "vnmi"},
	};
	struct cpuid_regs r;

	if (cpuid(CPUID_EXTENDED, 0).eax < CPUID_SVM ||
	    !(cpuid(CPUID_FEATURES, 0).ecx & FEATURES_ECX_SVM)) {
		out_print(out, "SVM: none\n");
		return;
	}
	r = cpuid(CPUID_SVM, 0);
	out_print(out, "SVM: revision %u, %u ASIDs, VM_CR 0x%llx, features 0x%x:", r.eax & 0xff,
	          r.ebx, wide(rdmsr(MSR_VM_CR)), r.edx);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (r.edx & features[i].bit)
			out_print(out, " %s", features[i].name);
	out_print(out, "\n");
}

static void apic(struct out *out)
{
	uint64_t base;

	if (!(cpuid(1, 0).edx & FEATURE_1_EDX_APIC)) {
		out_print(out, "APIC: none\n");
		return;
	}
	base = rdmsr(MSR_APIC_BASE);
	out_print(out, "APIC: %s, APIC_BASE 0x%llx\n",
	          !(base & APIC_BASE_ENABLE) ? "off"
	          : base & APIC_BASE_X2APIC  ? "x2APIC"
	                                     : "xAPIC",
	          wide(base));
}

static void fixed_mtrrs(struct out *out)
{
	static const uint32_t msrs[] = {MSR_MTRR_FIX64K_00000, MSR_MTRR_FIX16K_80000,
	                                MSR_MTRR_FIX16K_A0000};

	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		out_print(out, "MTRR: fixed 0x%x: %016llx\n", msrs[i], wide(rdmsr(msrs[i])));
	for (uint32_t i = 0; i < FIXED_4K; i++)
		out_print(out, "MTRR: fixed 0x%x: %016llx\n", MSR_MTRR_FIX4K_C0000 + i,
		          wide(rdmsr(MSR_MTRR_FIX4K_C0000 + i)));
}

static void mtrrs(struct out *out)
{
	uint32_t edx = cpuid(1, 0).edx;
	uint64_t cap;

	if (edx & FEATURE_1_EDX_PAT)
		out_print(out, "PAT: %016llx\n", wide(rdmsr(MSR_PAT)));
	if (!(edx & FEATURE_1_EDX_MTRR)) {
		out_print(out, "MTRR: none\n");
		return;
	}
	cap = rdmsr(MSR_MTRR_CAP);
	out_print(out, "MTRR: capabilities 0x%llx, default 0x%llx\n", wide(cap),
	          wide(rdmsr(MSR_MTRR_DEF_TYPE)));
	for (uint32_t i = 0; i < (cap & MTRR_CAP_COUNT) && i < VARIABLE_MTRRS_MAX; i++)
		out_print(out, "MTRR: variable %u: %016llx %016llx\n", i,
		          wide(rdmsr(MSR_MTRR_PHYS_BASE0 + 2 * i)),
		          wide(rdmsr(MSR_MTRR_PHYS_MASK0 + 2 * i)));
	if (cap & MTRR_CAP_FIXED)
		fixed_mtrrs(out);
}

/* Nothing of one that has not begun. */
static void show_range(struct out *out, UINT64 base, UINT64 end, UINT32 type, UINT64 attribute)
{
	if (end)
		out_print(out, "memory: %llx-%llx type %u attribute %llx\n", wide(base), wide(end),
		          type, wide(attribute));
}

/* Neighbours of one type and attribute are one line: firmware lists hundreds of small ones. */
static void show_map(struct out *out, struct efi_memory_map *map)
{
	UINT64 base = 0, end = 0, attribute = 0;
	const EFI_MEMORY_DESCRIPTOR *d;
	UINT32 type = 0;

	while ((d = efi_memory_map_next(map))) {
		if (d->PhysicalStart != end || d->Type != type || d->Attribute != attribute) {
			show_range(out, base, end, type, attribute);
			base = d->PhysicalStart;
			type = d->Type;
			attribute = d->Attribute;
		}
		end = d->PhysicalStart + (d->NumberOfPages << PAGE_SHIFT);
	}
	show_range(out, base, end, type, attribute);
}

static void memory(struct out *out)
{
	struct efi_memory_map map;

	if (EFI_ERROR(efi_memory_map(&map)))
		out_print(out, "memory: the firmware does not tell its map\n");
	else
		show_map(out, &map);
}

static bool is_empty(const struct cpuid_regs *r)
{
	return !r->eax && !r->ebx && !r->ecx && !r->edx;
}

/* Leaves that ask for ECX: one line for each subleaf until they are empty. */
static bool has_subleaves(uint32_t leaf)
{
	static const uint32_t leaves[] = {0x4,  0x7,  0xb,  0xd,        0xf,
	                                  0x10, 0x14, 0x1f, 0x8000001d, 0x80000026};

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (leaves[i] == leaf)
			return true;
	return false;
}

static void cpuid_range(struct out *out, uint32_t first)
{
	uint32_t last = cpuid(first, 0).eax;

	if (last < first || last - first >= LEAVES_MAX)
		last = last < first ? first : first + LEAVES_MAX - 1;
	for (uint32_t leaf = first; leaf <= last; leaf++) {
		uint32_t subleaves = has_subleaves(leaf) ? SUBLEAVES_MAX : 1;

		for (uint32_t i = 0; i < subleaves; i++) {
			struct cpuid_regs r = cpuid(leaf, i);

			if (i && is_empty(&r))
				break;
			out_print(out, "cpuid: %08x %02x: %08x %08x %08x %08x\n", leaf, i, r.eax,
			          r.ebx, r.ecx, r.edx);
		}
	}
}

void machine_text(struct out *out)
{
	firmware(out);
	processor(out);
	svm(out);
	apic(out);
	mtrrs(out);
	memory(out);
	cpuid_range(out, 0);
	if (cpuid(1, 0).ecx & FEATURE_1_ECX_HYPERVISOR)
		cpuid_range(out, CPUID_HYPERVISOR);
	cpuid_range(out, CPUID_EXTENDED);
}

uint32_t machine_sum(uint32_t sum)
{
	char brand[CPUID_BRAND_LEAVES * sizeof(struct cpuid_regs) + 1];
	uint32_t signature = cpuid(1, 0).eax;

	brand_text(brand);
	sum = report_sum(sum, brand, sizeof(brand));
	sum = report_sum(sum, &signature, sizeof(signature));
	return report_sum(sum, &efi->FirmwareRevision, sizeof(efi->FirmwareRevision));
}
