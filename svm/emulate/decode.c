/*
 * Instructions that exited. Only instructions that can be intercepted are known here, and of these
 * only what L0 performs itself. Relies on mmu/walk.h for the fetch, svm/memory/l1_memory.h for
 * memory.
 */
#include "svm/emulate/decode.h"
#include "hv/string.h"
#include "hv/x86.h"
#include "svm/features.h"
#include "svm/memory/l1_memory.h"

/* The opcodes that exit with a code, as a little-endian word under a mask. */
struct opcode {
	uint32_t value, mask;
	uint8_t length;
	bool modrm; /* one more byte: registers of MOV CRn */
};

static const struct opcode opcodes[] = {
	[VMEXIT_CPUID] = {0xa20f, 0xffff, 2, false},
	[VMEXIT_MSR] = {0x300f, 0xfdff, 2, false}, /* 30 and 32 */
	[VMEXIT_VMRUN] = {0xd8010f, 0xffffff, 3, false},
	[VMEXIT_VMMCALL] = {0xd9010f, 0xffffff, 3, false},
	[VMEXIT_VMLOAD] = {0xda010f, 0xffffff, 3, false},
	[VMEXIT_VMSAVE] = {0xdb010f, 0xffffff, 3, false},
	[VMEXIT_STGI] = {0xdc010f, 0xffffff, 3, false},
	[VMEXIT_CLGI] = {0xdd010f, 0xffffff, 3, false},
	[VMEXIT_SKINIT] = {0xde010f, 0xffffff, 3, false},
	[VMEXIT_INVLPGA] = {0xdf010f, 0xffffff, 3, false},
	[VMEXIT_EXCP_BASE + VEC_GP] = {0xd8010f, 0xf8ffff, 3, false}, /* all of these */
	[VMEXIT_ICEBP] = {0xf1, 0xff, 1, false},
	[VMEXIT_XSETBV] = {0xd1010f, 0xffffff, 3, false},
	[VMEXIT_INVD] = {0x080f, 0xffff, 2, false},
	[VMEXIT_WBINVD] = {0x080f, 0xfeff, 2, false},  /* 09; QEMU exits so for 08, INVD, too */
	[VMEXIT_CR0_READ] = {0x200f, 0xffff, 2, true}, /* or SMSW */
	[VMEXIT_CR3_READ] = {0x200f, 0xffff, 2, true},
	[VMEXIT_CR4_READ] = {0x200f, 0xffff, 2, true},
	[VMEXIT_CR0_WRITE] = {0x220f, 0xffff, 2, true}, /* or LMSW, CLTS */
	[VMEXIT_CR3_WRITE] = {0x220f, 0xffff, 2, true},
	[VMEXIT_CR4_WRITE] = {0x220f, 0xffff, 2, true},
};

/* The mode of the guest's own paging; worked out again when a register that decides it changed. */
static const struct paging_mode *own_mode(struct vcpu *vcpu)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	struct paging_mode *mode = &vcpu->own_mode[vcpu->guest_mode];
	uint64_t key = paging_key(save);

	if (vcpu->own_key[vcpu->guest_mode] == key)
		return mode;
	vcpu->own_key[vcpu->guest_mode] = key;
	paging_mode_init(mode, paging_format(save),
	                 MODE_NX | ((save->cr4 & CR4_PSE) ? MODE_PSE : 0) |
	                         (features.page_1g ? MODE_1G : 0),
	                 features.phys_bits);
	if (!features.npt && mode->id == PT_PAE)
		mode->pdptes = vcpu->own[vcpu->guest_mode].pdptes;
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

/*
 * Where L0 sees the code at a linear address of L1's, by a walk of its 8-byte entries, which are
 * remembered. NULL where that does not go: then fetch() has to do.
 */
static const uint8_t *walk_code(struct vcpu *vcpu, struct decode_cache *cache, uint64_t linear)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	const struct paging_mode *mode;
	uint64_t table;

	if (vcpu->guest_mode || !(save->cr0 & CR0_PG) || !(save->cr4 & CR4_PAE) ||
	    (linear & (PAGE_SIZE - 1)) > PAGE_SIZE - INSTRUCTION_MAX)
		return NULL;
	mode = own_mode(vcpu);
	table = paging_root(mode, save->cr3);
	for (int level = mode->format->levels; level; level--) {
		unsigned int index = guest_index(mode->format, level, linear);
		const uint64_t *at =
			in_registers(mode, level)
				? &mode->pdptes[index]
				: guest_table(&mmu.memory, table + index * sizeof(uint64_t));
		uint64_t entry = table_entry(at, 0, sizeof(uint64_t));

		if (!at || !(entry & PTE_P))
			return NULL;
		cache->at[cache->levels] = at;
		cache->value[cache->levels++] = entry;
		table = entry & mode->address_mask;
		if (entry_is_leaf(mode, level, entry)) {
			uint64_t within = (1ull << level_shift(mode, level)) - 1;

			table = leaf_frame(mode, level, entry) | (linear & within);
			break;
		}
	}
	table &= ~(uint64_t)(PAGE_SIZE - 1);
	return guest_table(&mmu.memory, table | (linear & (PAGE_SIZE - 1)));
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

/* The bytes at the guest's RIP, and what stands before the opcode. */
struct fetched {
	uint8_t bytes[INSTRUCTION_MAX + sizeof(uint32_t)];
	unsigned int have;
	struct prefixes prefixes;
};

uint64_t linear_rip(const struct vmcb_save *save)
{
	return in_64bit_code(save) ? save->rip : low32(save->rip + save->cs.base);
}

static void fetch_instruction(struct vcpu *vcpu, struct fetched *fetched)
{
	fetched->have = fetch(vcpu, linear_rip(&vcpu->vmcb->save), fetched->bytes, INSTRUCTION_MAX);
}

/* Does the opcode stand at bytes[at]? Then the instruction, but for its prefixes. */
static bool matches(const struct fetched *fetched, const struct opcode *opcode, unsigned int at,
                    struct instruction *instruction)
{
	unsigned int length = at + opcode->length + opcode->modrm;
	uint32_t word;

	__builtin_memcpy(&word, &fetched->bytes[at], sizeof(word));
	if (length > fetched->have || (word & opcode->mask) != opcode->value)
		return false;
	if (opcode->modrm)
		instruction->modrm = fetched->bytes[length - 1];
	instruction->length = (uint8_t)length;
	return true;
}

/* With prefixes, or where the instruction crosses a page. */
static bool decode_slowly(struct vcpu *vcpu, const struct opcode *opcode,
                          struct instruction *instruction)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	struct fetched fetched;

	fetch_instruction(vcpu, &fetched);
	if (matches(&fetched, opcode, 0, instruction))
		return true;
	prefixes_decode(save, fetched.bytes, fetched.have, &fetched.prefixes);
	instruction->address_size = fetched.prefixes.address_size;
	instruction->rex = fetched.prefixes.rex;
	return matches(&fetched, opcode, fetched.prefixes.length, instruction);
}

bool decode_clts(struct vcpu *vcpu, unsigned int *length)
{
	static const struct opcode clts = {0x060f, 0xffff, 2, false};
	struct instruction instruction;

	if (!decode_slowly(vcpu, &clts, &instruction))
		return false;
	*length = instruction.length;
	return true;
}

bool decode_group7(struct vcpu *vcpu, unsigned int number, struct group7 *group7)
{
	enum { OPCODE_LENGTH = 2 };
	struct fetched fetched;
	unsigned int at;

	fetch_instruction(vcpu, &fetched);
	prefixes_decode(&vcpu->vmcb->save, fetched.bytes, fetched.have, &fetched.prefixes);
	at = fetched.prefixes.length;
	if (at + OPCODE_LENGTH >= fetched.have || fetched.bytes[at] != 0x0f ||
	    fetched.bytes[at + 1] != 0x01)
		return false;
	at += OPCODE_LENGTH;
	if (!operand_decode(vcpu, &fetched.prefixes, fetched.bytes, fetched.have, at,
	                    &group7->operand) ||
	    (group7->operand.reg & 7) != number)
		return false;
	group7->length = at + group7->operand.length;
	group7->other_operand_size = fetched.prefixes.operand_size;
	return true;
}

/* Remembers what led to the code that was found. */
static void remember(struct decode_cache *cache, const struct vmcb_save *save, uint64_t exit_code)
{
	cache->exit_code = exit_code;
	cache->rip = save->rip;
	cache->cr3 = save->cr3;
	cache->cr4 = save->cr4;
	cache->efer = save->efer;
	cache->cs_base = save->cs.base;
	cache->cs_attributes = save->cs.attributes;
}

/* Decodes at leisure, and remembers what it took to do so. */
static bool decode_anew(struct vcpu *vcpu, uint64_t exit_code, struct decode_cache *cache)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	const struct opcode *opcode = &opcodes[exit_code];

	*cache = (struct decode_cache){.instruction = {.address_size = address_size(save, false)}};
	cache->code = walk_code(vcpu, cache, linear_rip(save));
	if (!cache->code)
		return decode_slowly(vcpu, opcode, &cache->instruction);
	__builtin_memcpy(&cache->word, cache->code, sizeof(cache->word));
	if ((cache->word & opcode->mask) != opcode->value) {
		cache->code = NULL;
		return decode_slowly(vcpu, opcode, &cache->instruction);
	}
	cache->instruction.modrm = (uint8_t)(cache->word >> (8 * opcode->length));
	cache->instruction.length = (uint8_t)(opcode->length + opcode->modrm);
	remember(cache, save, exit_code);
	return true;
}

/* Is all that led to the result still what it was? Then so is the result. */
static bool still_true(const struct decode_cache *cache, const struct vmcb_save *save,
                       uint64_t exit_code)
{
	uint32_t word;

	if (cache->rip != save->rip || cache->cr3 != save->cr3 || cache->exit_code != exit_code ||
	    cache->cr4 != save->cr4 || cache->efer != save->efer ||
	    cache->cs_attributes != save->cs.attributes || cache->cs_base != save->cs.base ||
	    !cache->code)
		return false;
	for (unsigned int i = 0; i < cache->levels; i++) {
		if (*cache->at[i] != cache->value[i])
			return false;
	}
	__builtin_memcpy(&word, cache->code, sizeof(word));
	return word == cache->word;
}

/* By address; instructions of one function that are as far apart as the cache is long differ, too.
 */
static inline struct decode_cache *cache_for(struct vcpu *vcpu)
{
	uint64_t rip = vcpu->vmcb->save.rip;

	return &vcpu->decode_cache[(rip ^ rip / DECODE_CACHES) & (DECODE_CACHES - 1)];
}

/* Apart from decode(), which is short as long as this is not needed. */
static __attribute__((noinline)) bool decode_miss(struct vcpu *vcpu, uint64_t exit_code,
                                                  struct decode_cache *cache,
                                                  struct instruction *instruction)
{
	struct decode_cache not_kept;

	if (vcpu->guest_mode) /* entries of L2's tables are L1's nested tables' to find */
		cache = &not_kept;
	if (!decode_anew(vcpu, exit_code, cache))
		return false;
	*instruction = cache->instruction;
	return true;
}

bool decode(struct vcpu *vcpu, uint64_t exit_code, struct instruction *instruction)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	struct decode_cache *cache = cache_for(vcpu);

	if (vcpu->guest_mode || !still_true(cache, save, exit_code))
		return decode_miss(vcpu, exit_code, cache, instruction);
	*instruction = cache->instruction;
	return true;
}

const uint8_t *code_at_rip(struct vcpu *vcpu)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	struct decode_cache *cache = cache_for(vcpu);

	if (vcpu->guest_mode)
		return NULL;
	if (still_true(cache, save, VMEXIT_NPF))
		return cache->code;
	*cache = (struct decode_cache){0};
	cache->code = walk_code(vcpu, cache, linear_rip(save));
	if (!cache->code)
		return NULL;
	__builtin_memcpy(&cache->word, cache->code, sizeof(cache->word));
	remember(cache, save, VMEXIT_NPF);
	return cache->code;
}
