/*
 * Instructions that exited. Only instructions that can be intercepted are known here, and of these
 * only what L0 performs itself. Relies on mmu/walk.h for the fetch, svm/memory/l1_memory.h for
 * memory.
 */
#include "svm/decode/decode.h"
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
	struct paging_mode *mode = &vcpu->decode.mode[vcpu->guest_mode];
	uint64_t key = paging_key(save);

	if (vcpu->decode.key[vcpu->guest_mode] == key)
		return mode;
	vcpu->decode.key[vcpu->guest_mode] = key;
	paging_mode_init(mode, paging_format(save),
	                 MODE_NX | ((save->cr4 & CR4_PSE) ? MODE_PSE : 0) |
	                         (features.page_1g ? MODE_1G : 0),
	                 features.phys_bits);
	if (!features.npt && mode->id == PT_PAE)
		mode->pdptes = vcpu->shadowed.paging[vcpu->guest_mode].pdptes;
	return mode;
}

/* A page of L1's, to be read only. */
static void *code_page(void *context, uint64_t gpa)
{
	struct vcpu *vcpu = context;
	const void *page = l1_code_page(gpa);

	if (!page)
		vcpu->decode.unreadable = true;
	return (void *)(uintptr_t)page;
}

/* A page of L2's memory: its address is L1's to translate, if L1 uses nested paging. */
static void *l2_page(void *context, uint64_t ngpa)
{
	struct vcpu *vcpu = context;
	uint64_t gpa = ngpa;

	if (nested_npt_enabled(vcpu) && !guest_peek(&mmu.memory, &vcpu->nested.tables.mode,
	                                            vcpu->nested.tables.root, ngpa, &gpa))
		return NULL;
	return code_page(vcpu, gpa & ~(uint64_t)(PAGE_SIZE - 1));
}

/* A walk that notes each entry it comes by. */
struct noted_walk {
	struct vcpu *vcpu;
	struct decode_cache *cache;
};

/* The entry is part of 8 aligned bytes. False: there are more than can be noted. */
static bool note(struct decode_cache *cache, const void *entry)
{
	const uint64_t *at = (const uint64_t *)((uintptr_t)entry & ~(sizeof(*at) - 1));

	if (!entry || cache->words == DECODE_WORDS)
		return false;
	cache->from[cache->words++] =
		(struct table_word){at, __atomic_load_n(at, __ATOMIC_RELAXED)};
	return true;
}

static bool walk_noted(const struct guest_memory *memory, const struct paging_mode *mode,
                       uint64_t root, uint64_t address, uint64_t *to)
{
	const struct noted_walk *walk = memory->context;
	const struct pt_format *format = mode->format;
	uint64_t table = root;

	for (int level = format->levels; level; level--) {
		unsigned int index = guest_index(format, level, address);
		const void *at = in_registers(mode, level)
		                         ? (const void *)&mode->pdptes[index]
		                         : guest_table(memory, table + index * format->entry_size);
		uint64_t entry;

		if (!note(walk->cache, at))
			return false;
		entry = walk->cache->from[walk->cache->words - 1].value;
		if (format->entry_size == sizeof(uint32_t))
			entry = low32(entry >> 8 * ((uintptr_t)at & sizeof(uint32_t)));
		if (!(entry & PTE_P))
			return false;
		if (entry_is_leaf(mode, level, entry)) {
			*to = leaf_frame(mode, level, entry) |
			      (address & ((1ull << level_shift(mode, level)) - 1));
			return true;
		}
		table = entry & mode->address_mask;
	}
	return false;
}

/* A page of the guest's memory. */
static void *page_noted(void *context, uint64_t gpa)
{
	const struct noted_walk *walk = context;
	const struct guest_memory l1 = {.page = l1_page, .context = context};

	if (walk->vcpu->guest_mode && nested_npt_enabled(walk->vcpu) &&
	    !walk_noted(&l1, &walk->vcpu->nested.tables.mode, walk->vcpu->nested.tables.root, gpa,
	                &gpa))
		return NULL;
	return l1_page(NULL, gpa);
}

/*
 * Where L0 sees so many bytes of code at a linear address, by a walk whose entries are remembered.
 * NULL where that does not go: then fetch() has to do.
 */
static const uint8_t *walk_code(struct vcpu *vcpu, struct decode_cache *cache, uint64_t linear,
                                unsigned int bytes)
{
	struct noted_walk walk = {vcpu, cache};
	const struct guest_memory memory = {.page = page_noted, .context = &walk};
	const struct vmcb_save *save = &vcpu->vmcb->save;
	uint64_t gpa = linear;
	const uint8_t *code;

	if ((linear & (PAGE_SIZE - 1)) > PAGE_SIZE - bytes)
		return NULL;
	if (save->cr0 & CR0_PG) {
		const struct paging_mode *mode = own_mode(vcpu);

		if (!walk_noted(&memory, mode, paging_root(mode, save->cr3), linear, &gpa))
			return NULL;
	}
	code = guest_table(&memory, gpa);
	while (cache->words < DECODE_WORDS_L1)
		note(cache, &cache->from[cache->words].value);
	return code;
}

unsigned int fetch(struct vcpu *vcpu, uint64_t linear, uint8_t *to, unsigned int bytes)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	struct guest_memory memory = {
		.page = vcpu->guest_mode ? l2_page : code_page,
		.context = vcpu,
	};
	unsigned int done = 0;

	vcpu->decode.unreadable = false;
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
static bool decode_at_leisure(struct vcpu *vcpu, const struct opcode *opcode,
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

	if (!decode_at_leisure(vcpu, &clts, &instruction))
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

/* The registers that decide with others than 64-bit code. */
static inline bool same_registers(const struct decode_cache *cache, const struct vmcb_save *save)
{
	return cache->cs_base == save->cs.base && !((cache->cr0 ^ save->cr0) & CR0_PG);
}

/* Tables of many levels, and which of L1's are L2's. */
static bool same_words(const struct decode_cache *cache, const struct vcpu *vcpu)
{
	for (unsigned int i = DECODE_WORDS_L1; i < cache->words; i++) {
		if (!still_says(&cache->from[i]))
			return false;
	}
	if (!vcpu->guest_mode)
		return true;
	return cache->nested_ctl == vcpu->nested.ctl.nested_ctl &&
	       (!cache->nested_ctl || (cache->nested_root == vcpu->nested.tables.root &&
	                               cache->nested_key == vcpu->nested.key));
}

/* More than what decode_still_true() looks at. */
static inline bool rest_is_true(const struct decode_cache *cache, const struct vcpu *vcpu)
{
	if ((cache->more & MORE_REGISTERS) && !same_registers(cache, &vcpu->vmcb->save))
		return false;
	return !(cache->more & MORE_WORDS) || same_words(cache, vcpu);
}

/* Begins anew; what leads to the code is noted. NULL: then nothing is remembered. */
static const uint8_t *find_code(struct vcpu *vcpu, struct decode_cache *cache, uint64_t exit_code,
                                unsigned int bytes)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;

	*cache = (struct decode_cache){
		.exit_code = exit_code,
		.rip = save->rip,
		.cr3 = save->cr3,
		.cr4 = save->cr4,
		.efer = save->efer,
		.cr0 = low32(save->cr0),
		.cs_base = save->cs.base,
		.cs_attributes = save->cs.attributes,
		.instruction = {.address_size = address_size(save, false)},
	};
	if (vcpu->guest_mode) {
		cache->nested_ctl = vcpu->nested.ctl.nested_ctl;
		cache->nested_root = vcpu->nested.tables.root;
		cache->nested_key = vcpu->nested.key;
	}
	cache->code = walk_code(vcpu, cache, linear_rip(save), bytes);
	cache->more = (vcpu->guest_mode || cache->words > DECODE_WORDS_L1 ? MORE_WORDS : 0) |
	              (in_64bit_code(save) ? 0 : MORE_REGISTERS);
	if (cache->code)
		__builtin_memcpy(&cache->word, cache->code, sizeof(cache->word));
	else
		cache->efer = 0;
	return cache->code;
}

/*
 * The place of the instruction at the guest's RIP, for it alone: of two that meet there the older
 * one goes to the place beside it, unless that has one of its own.
 */
static struct decode_cache *make_place(struct vcpu *vcpu)
{
	uint32_t place = decode_place(vcpu->vmcb->save.rip);
	struct decode_cache *cache = decode_cache_at(vcpu, place);
	struct decode_cache *other = decode_cache_at(vcpu, place ^ 1);

	if (cache->efer && (!other->efer || decode_place(other->rip) == place))
		*other = *cache;
	return cache;
}

/* Decodes at leisure, and remembers what it took to do so. */
const struct instruction *decode_anew(struct vcpu *vcpu, uint64_t exit_code)
{
	const struct opcode *opcode = &opcodes[exit_code];
	struct decode_cache *cache = make_place(vcpu);
	struct instruction *instruction = &cache->instruction;

	if (find_code(vcpu, cache, exit_code, sizeof(cache->word)) &&
	    (cache->word & opcode->mask) == opcode->value) {
		instruction->modrm = (uint8_t)(cache->word >> (8 * opcode->length));
		instruction->length = (uint8_t)(opcode->length + opcode->modrm);
		return instruction;
	}
	cache->efer = 0;
	return decode_at_leisure(vcpu, opcode, instruction) ? instruction : NULL;
}

static __attribute__((noinline)) const struct instruction *
decode_by_words(struct vcpu *vcpu, uint64_t exit_code, struct decode_cache *cache)
{
	return same_words(cache, vcpu) ? &cache->instruction : decode_anew(vcpu, exit_code);
}

/* Calls come last: they cost it no register. */
const struct instruction *decode_by_rest(struct vcpu *vcpu, uint64_t exit_code,
                                         struct decode_cache *cache)
{
	if ((cache->more & MORE_REGISTERS) && !same_registers(cache, &vcpu->vmcb->save))
		return decode_anew(vcpu, exit_code);
	if (cache->more & MORE_WORDS)
		return decode_by_words(vcpu, exit_code, cache);
	return &cache->instruction;
}

#ifdef NESTLING_HOST_TEST
const struct instruction *decode(struct vcpu *vcpu, uint64_t exit_code)
{
	return decode_inline(vcpu, exit_code);
}
#endif

const uint8_t *code_at_rip(struct vcpu *vcpu)
{
	struct decode_cache *cache = decode_cache_for(vcpu);

	if (cache && decode_still_true(cache, vcpu, VMEXIT_NPF) && rest_is_true(cache, vcpu))
		return cache->code;
	return find_code(vcpu, make_place(vcpu), VMEXIT_NPF, INSTRUCTION_MAX);
}
