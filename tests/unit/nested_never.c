/*
 * What the parts under test of nested SVM refer to, and must not come to in these tests: L1 has
 * nested paging, and none of L0's own instructions is performed. Relies on nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#define NEVER(name)                                                                                \
	void name(void);                                                                           \
	void name(void)                                                                            \
	{                                                                                          \
		fputs(#name "() has no place in this test\n", stderr);                             \
		abort();                                                                           \
	}

NEVER(apic_read_base)
NEVER(apic_write_base)
NEVER(counter_read)
NEVER(is_counter)
NEVER(is_x2apic)
NEVER(load_pdptes)
NEVER(memory_msr_exits)
NEVER(memory_msr_read)
NEVER(memory_msr_write)
NEVER(shadowed_begin_l2)
NEVER(shadowed_enter)
NEVER(shadowed_exit)
NEVER(shadowed_flush)
NEVER(shadowed_intercept)
NEVER(rdmsr_safe)
NEVER(startup_attend)
NEVER(vcpu_nmi)
NEVER(vcpu_smi)
NEVER(wrmsr_safe)
NEVER(x2apic_write)
