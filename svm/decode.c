/*
 * Instructions that exited. Only instructions that can be intercepted are known here, and of these
 * only what L0 performs itself. Relies on mmu/walk.h for the fetch, svm/l1_memory.h for memory.
 */
#include "svm/decode.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/features.h"
#include "svm/l1_memory.h"

/* The opcodes that exit with a code: length 0 ends the list. */
struct opcode {
	uint16_t exit_code;
	uint8_t length;
	uint8_t bytes[3];
	bool modrm; /* one more byte: registers of MOV CRn */
};

static const struct opcode opcodes[] = {
	{VMEXIT_CPUID, 2, {0x0f, 0xa2}, false},
	{VMEXIT_MSR, 2, {0x0f, 0x30}, false},
	{VMEXIT_MSR, 2, {0x0f, 0x32}, false},
	{VMEXIT_VMRUN, 3, {0x0f, 0x01, 0xd8}, false},
	{VMEXIT_VMMCALL, 3, {0x0f, 0x01, 0xd9}, false},
	{VMEXIT_VMLOAD, 3, {0x0f, 0x01, 0xda}, false},
	{VMEXIT_VMSAVE, 3, {0x0f, 0x01, 0xdb}, false},
	{VMEXIT_STGI, 3, {0x0f, 0x01, 0xdc}, false},
	{VMEXIT_CLGI, 3, {0x0f, 0x01, 0xdd}, false},
	{VMEXIT_SKINIT, 3, {0x0f, 0x01, 0xde}, false},
	{VMEXIT_INVLPGA, 3, {0x0f, 0x01, 0xdf}, false},
	{VMEXIT_INVD, 2, {0x0f, 0x08}, false},
	{VMEXIT_WBINVD, 2, {0x0f, 0x08}, false}, /* QEMU exits so for INVD */
	{VMEXIT_WBINVD, 2, {0x0f, 0x09}, false},
	{VMEXIT_CR4_WRITE, 2, {0x0f, 0x22}, true},
};

/* The mode of the guest's own paging; worked out again when a register that decides it changed. */
static const struct paging_mode *own_mode(struct vcpu *vcpu)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	uint64_t key = (save->efer & (EFER_LMA | EFER_NXE)) | (save->cr4 & (CR4_PAE | CR4_PSE)) |
	               (save->cr4 & CR4_LA57) << 8 | 1;
	struct paging_mode *mode = &vcpu->own_mode[vcpu->guest_mode];
	enum pt_format_id id = PT_2LEVEL;

	if (vcpu->own_key[vcpu->guest_mode] == key)
		return mode;
	vcpu->own_key[vcpu->guest_mode] = key;
	if (save->efer & EFER_LMA)
		id = (save->cr4 & CR4_LA57) ? PT_5LEVEL : PT_4LEVEL;
	else if (save->cr4 & CR4_PAE)
		id = PT_PAE;
	paging_mode_init(mode, id,
	                 MODE_NX | ((save->cr4 & CR4_PSE) ? MODE_PSE : 0) |
	                         (features.page_1g ? MODE_1G : 0),
	                 features.phys_bits);
	return mode;
}

/* A page of L2's memory: its address is L1's to translate, if L1 uses nested paging. */
static void *l2_page(void *context, uint64_t ngpa)
{
	struct vcpu *vcpu = context;
	uint64_t gpa = ngpa;

	if ((vcpu->ctl.nested_ctl & NESTED_CTL_NP_ENABLE) &&
	    !guest_peek(&mmu.memory, &vcpu->nested.mode, vcpu->nested.root, ngpa, &gpa))
		return NULL;
	return l1_page(NULL, gpa);
}

unsigned int fetch(struct vcpu *vcpu, uint64_t linear, uint8_t *to, unsigned int bytes)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	struct guest_memory memory = {
		.page = vcpu->guest_mode ? l2_page : l1_page,
		.context = vcpu,
	};
	unsigned int done = 0;

	while (done < bytes) {
		uint64_t at = linear + done, gpa;
		unsigned int part = PAGE_SIZE - (at & (PAGE_SIZE - 1));
		const uint8_t *page;

		if (!in_64bit_code(save))
			at = low32(at);
		gpa = at;
		if (save->cr0 & CR0_PG) {
			const struct paging_mode *mode = own_mode(vcpu);

			if (!guest_peek(&memory, mode, paging_root(mode, save->cr3), at, &gpa))
				break;
		}
		page = memory.page(memory.context, gpa & ~(uint64_t)(PAGE_SIZE - 1));
		if (!page)
			break;
		if (part > bytes - done)
			part = bytes - done;
		for (unsigned int i = 0; i < part; i++)
			to[done + i] = page[(gpa & (PAGE_SIZE - 1)) + i];
		done += part;
	}
	return done;
}

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65: /* segments */
	case 0x66:
	case 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return false;
	}
}

static bool matches(const struct opcode *opcode, const uint8_t *bytes, unsigned int left)
{
	if (left < opcode->length)
		return false;
	for (unsigned int i = 0; i < opcode->length; i++) {
		if (bytes[i] != opcode->bytes[i])
			return false;
	}
	return true;
}

bool decode(struct vcpu *vcpu, uint64_t exit_code, struct instruction *instruction)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	bool code64 = in_64bit_code(save);
	uint64_t linear = save->rip + (code64 ? 0 : save->cs.base);
	uint8_t bytes[INSTRUCTION_MAX];
	/* Nearly always the bare opcode: the rest is fetched only behind a prefix. */
	unsigned int have = fetch(vcpu, linear, bytes, 4);
	unsigned int at = 0, small = 4;

	if (have < 2)
		return false;
	*instruction = (struct instruction){0, 0, 0, 0};
	if (code64)
		small = 8;
	else if (!(save->cs.attributes & SEG_ATTR_DB))
		small = 2;
	instruction->address_size = (uint8_t)small;
	if (is_prefix(bytes[0]) || (code64 && (bytes[0] & 0xf0) == 0x40))
		have = fetch(vcpu, linear, bytes, INSTRUCTION_MAX);
	for (; at < have && is_prefix(bytes[at]); at++) {
		if (bytes[at] == 0x67)
			instruction->address_size = small == 4 ? 2 : 4;
	}
	if (at < have && code64 && (bytes[at] & 0xf0) == 0x40)
		instruction->rex = bytes[at++];

	for (unsigned int i = 0; i < sizeof(opcodes) / sizeof(*opcodes); i++) {
		const struct opcode *opcode = &opcodes[i];
		unsigned int length = at + opcode->length + opcode->modrm;

		if (opcode->exit_code != exit_code || !matches(opcode, bytes + at, have - at))
			continue;
		if (length > have)
			return false;
		if (opcode->modrm)
			instruction->modrm = bytes[length - 1];
		instruction->length = (uint8_t)length;
		return true;
	}
	return false;
}
