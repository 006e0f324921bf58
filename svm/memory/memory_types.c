/*
 * The registers that say what memory is. The real MTRRs stay as the firmware set them, so that L0's
 * memory, and what firmware does in SMM, has the type that it had. Relies on hv/mtrr.h for what
 * MTRRs mean, on mmu/mmu.h for the tables in which L1's take effect.
 *
 * The processor combines three types (APM 15.25.8): of the guest's page, of the page in L0's
 * tables, and of the real MTRRs. Where L1's MTRRs say what the real ones say L0's page is
 * write-back, which changes nothing. Elsewhere it has the type of L1's MTRRs: over real write-back
 * memory that is what results. Memory that the firmware has left uncached stays so, or becomes
 * write-combining.
 */
#include "svm/memory/memory_types.h"
#include "hv/exception.h"
#include "hv/mtrr.h"
#include "hv/string.h"
#include "svm/cpus/processors.h"

#define SYSCFG_L1 ((uint64_t)(SYSCFG_FIX_DRAM_EN | SYSCFG_FIX_DRAM_MOD_EN))
/* Memory encryption, SNP and what belongs to them: not shown. */
#define SYSCFG_HIDDEN (0xfull << 23)

void memory_types_init(struct vcpu *vcpu, bool boot)
{
	uint64_t syscfg = 0;

	if (boot)
		vcpu->mtrr = mtrr_real;
	else
		mtrr_join(&vcpu->mtrr);
	rdmsr_safe(MSR_SYSCFG, &syscfg);
	vcpu->syscfg = syscfg & SYSCFG_L1;
	vcpu->types_differ = memcmp(&vcpu->mtrr, &mtrr_real, sizeof(mtrr_real)) != 0;
}

/*
 * Where addresses lead is decided by these: none may put a device, or nothing, where L0's memory
 * is. The firmware has set them for good; a write that changes nothing is let pass.
 */
static bool is_address_map(uint32_t msr)
{
	return (msr >= MSR_IORR_BASE0 && msr <= MSR_TOP_MEM2) || msr == MSR_MMIO_CFG_BASE ||
	       (msr >= MSR_SMM_BASE && msr <= MSR_SMM_MASK);
}

static bool keep_address_map(uint32_t msr, uint64_t value)
{
	uint64_t real;

	return rdmsr_safe(msr, &real) && real == value;
}

unsigned int memory_msr_exits(uint32_t msr)
{
	if (mtrr_register(&mtrr_real, msr) || msr == MSR_SYSCFG ||
	    (msr == MSR_MTRR_CAP && mtrr_cap()))
		return MSR_READS | MSR_WRITES;
	return is_address_map(msr) ? MSR_WRITES : 0;
}

static bool is_fixed(uint32_t msr)
{
	return msr >= MSR_MTRR_FIX64K_00000 && msr <= MSR_MTRR_FIX4K_F8000;
}

bool memory_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	if (msr == MSR_MTRR_CAP) {
		*value = mtrr_cap();
		return true;
	}
	if (msr == MSR_SYSCFG) {
		if (!rdmsr_safe(msr, value))
			return false;
		*value = (*value & ~(SYSCFG_L1 | SYSCFG_HIDDEN)) | vcpu->syscfg;
		return true;
	}
	*value = *mtrr_register(&vcpu->mtrr, msr);
	if (is_fixed(msr) && !(vcpu->syscfg & SYSCFG_FIX_DRAM_MOD_EN))
		*value &= ~MTRR_FIXED_DRAM; /* APM vol. 2, section 7.9.1 */
	return true;
}

/*
 * RdMem and WrMem of fixed ranges lead accesses to memory or to the bus, which no page table can
 * do: the real registers take them. Not below A0000h, where L0 puts what processors begin with.
 */
static void set_real_dram(uint32_t msr, uint64_t value)
{
	uint64_t types = *mtrr_register(&mtrr_real, msr) & ~MTRR_FIXED_DRAM;

	if (msr < MSR_MTRR_FIX16K_A0000)
		return;
	wbinvd();
	wrmsr_safe(msr, types | (value & MTRR_FIXED_DRAM));
	wbinvd();
}

/* Only 18 and 19 are L1's; the others say where addresses lead, or are not shown. */
static bool write_syscfg(struct vcpu *vcpu, uint64_t value)
{
	uint64_t real = 0;

	if (!rdmsr_safe(MSR_SYSCFG, &real))
		return false;
	vcpu->syscfg = value & SYSCFG_L1;
	return wrmsr_safe(MSR_SYSCFG, (real & ~SYSCFG_L1) | vcpu->syscfg);
}

/* The tables are made anew; caches may hold what is not to be cached from now on. */
static void types_moved(struct vcpu *vcpu)
{
	lock_take(&mmu_lock);
	vcpu->types_differ = memcmp(&vcpu->mtrr, &mtrr_real, sizeof(mtrr_real)) != 0;
	wbinvd();
	mmu_drop_leaves(&mmu);
	lock_release(&mmu_lock);
}

static bool write_mtrr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	uint64_t *at = mtrr_register(&vcpu->mtrr, msr);
	uint64_t enabled = vcpu->mtrr.def_type;

	if (!at || !mtrr_is_valid(msr, value))
		return false;
	if (is_fixed(msr)) {
		if (!(vcpu->syscfg & SYSCFG_FIX_DRAM_MOD_EN))
			value = (value & ~MTRR_FIXED_DRAM) | (*at & MTRR_FIXED_DRAM);
		if ((value ^ *at) & MTRR_FIXED_DRAM)
			set_real_dram(msr, value);
	}
	if (*at == value)
		return true;
	*at = value;
	enabled |= vcpu->mtrr.def_type;
	if (enabled & MTRR_ENABLE) /* else all is uncached, whatever the others say */
		types_moved(vcpu);
	return true;
}

bool memory_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	if (msr == MSR_MTRR_CAP)
		return false;
	if (msr == MSR_SYSCFG)
		return write_syscfg(vcpu, value);
	if (is_address_map(msr))
		return keep_address_map(msr, value);
	return write_mtrr(vcpu, msr, value);
}

bool memory_type_of(uint64_t base, uint64_t size, struct host_mapping *mapping)
{
	const struct vcpu *vcpu = this_vcpu();
	enum mtrr_type real, l1s;

	if (!mtrr_type_of(&mtrr_real, base, size, &real))
		return false;
	if (!vcpu->types_differ)
		return true;
	if (!mtrr_type_of(&vcpu->mtrr, base, size, &l1s))
		return false;
	mapping->typed = l1s != real;
	mapping->type = (uint8_t)l1s;
	/*
	 * L1's page may ask for write-combining there, and gets it over UC-, as over MTRRs of UC
	 * (APM vol. 2, section 15.25.8); others stay uncached. Where real MTRRs are WC, UC- of
	 * L1's over UC- would be that.
	 */
	if (l1s == MTRR_UC && real != MTRR_WC)
		mapping->type = TYPE_UC_MINUS;
	return true;
}
