/*
 * Writes and reads of CR0, CR3 and CR4 that L0 performs: by the rules of AMD64 APM vol. 2,
 * section 3.1, on what the guest believes to have. Relies on svm/shadowed/paging.h for what
 * follows.
 */
#include "svm/emulate/control_registers.h"
#include "hv/exception.h"
#include "hv/x86.h"
#include "svm/decode/decode.h"
#include "svm/emulate/emulate.h"
#include "svm/event/event.h"
#include "svm/features.h"
#include "svm/quirks/quirks.h"
#include "svm/shadowed/paging.h"
#include "svm/shadowed/span.h"

/* Bits that exist; the others read as 0 and ignore what is written. */
#define CR0_VALID                                                                                  \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)
#define CR3_PCID 0xfffull
#define CR0_MSW  (CR0_PE | CR0_MP | CR0_EM | CR0_TS) /* what LMSW writes */

/* With these changed the processor flushes its TLB and loads PDPTEs again. */
#define CR0_PAGING (CR0_PG | CR0_WP | CR0_CD | CR0_NW)
#define CR4_PAGING (CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_SMEP | CR4_SMAP)

/* Paging on: into long mode if LME is set. Off: out of it, which only compatibility mode may. */
static bool may_switch_paging(struct vmcb_save *save, bool on)
{
	if (!on)
		return !in_64bit_code(save);
	if (!(save->efer & EFER_LME))
		return true;
	return (save->cr4 & CR4_PAE) && !(save->cs.attributes & SEG_ATTR_L);
}

static bool set_cr0(struct vmcb_save *save, uint64_t value)
{
	if (value >> 32)
		return false;
	value = (value & CR0_VALID) | CR0_ET;
	if ((value & CR0_PG) && !(value & CR0_PE))
		return false;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return false;
	if ((value ^ save->cr0) & CR0_PG) {
		if (!may_switch_paging(save, value & CR0_PG))
			return false;
		save->efer &= ~(uint64_t)EFER_LMA;
		if ((value & CR0_PG) && (save->efer & EFER_LME))
			save->efer |= EFER_LMA;
	}
	save->cr0 = value;
	return true;
}

static bool set_cr3(struct vmcb_save *save, uint64_t value)
{
	if (in_long_mode(save) && value >> features.phys_bits)
		return false;
	save->cr3 = value;
	return true;
}

static bool set_cr4(struct vmcb_save *save, uint64_t value)
{
	if (value & ~features.cr4_valid)
		return false;
	if (in_long_mode(save) && (!(value & CR4_PAE) || ((value ^ save->cr4) & CR4_LA57)))
		return false;
	if ((value & ~save->cr4 & CR4_PCIDE) && (!in_long_mode(save) || (save->cr3 & CR3_PCID)))
		return false;
	if ((value & CR4_CET) && !(save->cr0 & CR0_WP))
		return false;
	save->cr4 = value;
	return true;
}

static bool write_register(struct vmcb_save *save, uint64_t code, uint64_t value)
{
	if (code == VMEXIT_CR0_WRITE)
		return set_cr0(save, value);
	return code == VMEXIT_CR3_WRITE ? set_cr3(save, value) : set_cr4(save, value);
}

/* Does the change flush the TLB, as all writes of CR3 do? */
static bool flushes(const struct paging_registers *old, const struct vmcb_save *save, uint64_t code)
{
	return code == VMEXIT_CR3_WRITE || ((old->cr0 ^ save->cr0) & CR0_PAGING) ||
	       ((old->cr4 ^ save->cr4) & CR4_PAGING);
}

/* The processor flushes what it has of a guest whose CR4 it sees change. */
static void flush_guest(struct vmcb_control *control)
{
	control->tlb_control =
		has(SVM_FEATURE_FLUSH_ASID) ? TLB_CONTROL_FLUSH_ASID : TLB_CONTROL_FLUSH_ALL;
}

/* Writes the register, with all that follows. False: #GP, and nothing has changed. */
static bool write_and_follow(struct vcpu *vcpu, uint64_t code, uint64_t value)
{
	struct vmcb_save *save = &vcpu->vmcb->save;
	struct paging_registers old = {save->cr0, save->cr3, save->cr4, save->efer};

	if (!write_register(save, code, value))
		return false;
	vcpu->vmcb->control.clean &= ~CLEAN_CRX;
	if (features.npt) { /* features.watch_cr4, or the wait for PAE: svm/quirks/quirks.h */
		if (vcpu->vmcb->save.cr4 != old.cr4)
			flush_guest(&vcpu->vmcb->control);
		quirk_give_lme(vcpu);
		return true;
	}
	if (!flushes(&old, save, code))
		return true;
	if (!load_pdptes(vcpu, vcpu->guest_mode, save)) {
		save->cr0 = old.cr0;
		save->cr3 = old.cr3;
		save->cr4 = old.cr4;
		save->efer = old.efer;
		return false;
	}
	shadowed_flush(vcpu);
	return true;
}

/*
 * L0's own intercept of writes to CR0 comes first: L1's that spares TS and MP has to be asked here.
 * It does not cover CLTS (APM vol. 2, section 15.9).
 */
static bool is_l1s_selective_write(const struct vcpu *vcpu, uint64_t value)
{
	uint64_t changed = value ^ vcpu->vmcb->save.cr0;

	return vcpu->guest_mode &&
	       (vcpu->nested.ctl.intercepts[INTERCEPT_MISC1] & MISC1_CR0_SEL_WRITE) &&
	       (changed & ~(uint64_t)(CR0_TS | CR0_MP));
}

static void finish_write(struct vcpu *vcpu, uint64_t code, uint64_t value, unsigned int length)
{
	if (write_and_follow(vcpu, code, value))
		finish_instruction(vcpu, length);
	else
		raise_exception(vcpu, VEC_GP, 0);
}

static unsigned int gpr_of(const struct instruction *instruction)
{
	return (instruction->modrm & 7u) | (instruction->rex & 1u) << 3;
}

static void clear_ts(struct vcpu *vcpu, unsigned int length)
{
	vcpu->vmcb->save.cr0 &= ~(uint64_t)CR0_TS;
	vcpu->vmcb->control.clean &= ~CLEAN_CRX;
	finish_instruction(vcpu, length);
}

static void write_cr0_as_asked(struct vcpu *vcpu, uint64_t value, unsigned int length)
{
	if (is_l1s_selective_write(vcpu, value))
		exit_to_l1(vcpu, VMEXIT_CR0_SEL_WRITE);
	else
		finish_write(vcpu, VMEXIT_CR0_WRITE, value, length);
}

/* LMSW cannot clear PE; APM vol. 3. */
static void load_msw(struct vcpu *vcpu, const struct group7 *lmsw)
{
	uint64_t cr0 = vcpu->vmcb->save.cr0;
	struct span span;
	uint16_t word;

	if (!lmsw->operand.memory)
		word = (uint16_t)read_gpr(vcpu, lmsw->operand.rm);
	else if (span_map(vcpu, lmsw->operand.linear, sizeof(word), 0, &span))
		span_read(&span, 0, &word, sizeof(word));
	else
		return;
	write_cr0_as_asked(vcpu, (cr0 & ~(uint64_t)CR0_MSW) | (word & CR0_MSW) | (cr0 & CR0_PE),
	                   lmsw->length);
}

void handle_cr_write(struct vcpu *vcpu)
{
	uint64_t code = vcpu->vmcb->control.exit_code, value;
	const struct instruction *instruction = decode(vcpu, code);
	struct group7 lmsw;
	unsigned int length;

	if (instruction) {
		value = read_gpr(vcpu, gpr_of(instruction));
		if (code == VMEXIT_CR0_WRITE)
			write_cr0_as_asked(vcpu, value, instruction->length);
		else
			finish_write(vcpu, code, value, instruction->length);
	} else if (code == VMEXIT_CR0_WRITE && decode_clts(vcpu, &length)) {
		clear_ts(vcpu, length);
	} else if (code == VMEXIT_CR0_WRITE && decode_group7(vcpu, GROUP7_LMSW, &lmsw)) {
		load_msw(vcpu, &lmsw);
	} else {
		not_decoded(vcpu);
	}
}

/* To memory SMSW stores 16 bits; to a register as many as its operand has. */
static void store_msw(struct vcpu *vcpu, const struct group7 *smsw)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	bool wide = in_64bit_code(save) || (save->cs.attributes & SEG_ATTR_DB);
	struct span span;
	uint16_t word = (uint16_t)save->cr0;

	if (smsw->operand.memory) {
		if (!span_map(vcpu, smsw->operand.linear, sizeof(word), ACCESS_WRITE, &span))
			return;
		span_write(&span, 0, &word, sizeof(word));
	} else if (wide != smsw->other_operand_size) {
		write_gpr(vcpu, smsw->operand.rm, save->cr0);
	} else {
		uint64_t old = read_gpr(vcpu, smsw->operand.rm);

		write_gpr(vcpu, smsw->operand.rm, (old & ~0xffffull) | word);
	}
	finish_instruction(vcpu, smsw->length);
}

void handle_cr_read(struct vcpu *vcpu)
{
	uint64_t code = vcpu->vmcb->control.exit_code, value;
	const struct vmcb_save *save = &vcpu->vmcb->save;
	const struct instruction *instruction = decode(vcpu, code);
	struct group7 smsw;

	if (instruction) {
		value = code == VMEXIT_CR0_READ   ? save->cr0
		        : code == VMEXIT_CR3_READ ? save->cr3
		                                  : save->cr4;
		write_gpr(vcpu, gpr_of(instruction), in_64bit_code(save) ? value : low32(value));
		finish_instruction(vcpu, instruction->length);
	} else if (code == VMEXIT_CR0_READ && decode_group7(vcpu, GROUP7_SMSW, &smsw)) {
		store_msw(vcpu, &smsw);
	} else {
		not_decoded(vcpu);
	}
}

bool refused_cr_write(struct vcpu *vcpu)
{
	if (!quirk_invalid_is_cr_write(vcpu->vmcb))
		return false;
	if (!decode(vcpu, VMEXIT_CR3_WRITE)) /* of all control registers */
		return false;
	raise_exception(vcpu, VEC_GP, 0);
	return true;
}

/* XSETBV needs CR4.OSXSAVE, which the guest has: it is #UD before it is intercepted. */
static bool set_xcr0(uint64_t value)
{
	unsigned long cr4 = read_cr4();
	uint32_t failed;

	write_cr4(cr4 | CR4_OSXSAVE);
	__asm__ volatile(WITH_FIXUP("xsetbv")
	                 : [failed] "=&r"(failed)
	                 : "c"(0), "a"(low32(value)), "d"(low32(value >> 32)));
	write_cr4(cr4);
	return !failed;
}

void handle_xsetbv(struct vcpu *vcpu)
{
	const struct vmcb_save *save = &vcpu->vmcb->save;
	uint64_t value = vcpu->gpr[GPR_RDX] << 32 | low32(save->rax);
	unsigned int length = exit_length(vcpu);

	if (!length)
		return;
	if (save->cpl || low32(vcpu->gpr[GPR_RCX]) || (value & ~features.xcr0_valid) ||
	    !set_xcr0(value))
		raise_exception(vcpu, VEC_GP, 0);
	else
		finish_instruction(vcpu, length);
}
