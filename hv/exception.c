/*
 * Exceptions in L0. Relies on hv/exception.asm for the stubs and on linker.ld for the table of
 * fixups that WITH_FIXUP() fills.
 */
#include "hv/exception.h"
#include "hv/log.h"
#include "hv/stack.h"
#include "hv/x86.h"

enum { LEAF_FEATURES = 1, FEATURES_EDX_MCE = 1 << 7 };
enum { VECTORS = 32, STUB_SIZE = 16, CODE = 0x08, INTERRUPT_GATE = 0x8e };

/* Of 16 bytes in 64-bit mode, else of 8; APM vol. 2, sections 4.8.4 and 4.7.5. */
struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
#ifdef __x86_64__
	uint32_t offset_high, reserved;
#define OFFSET_HIGH(offset) .offset_high = (uint32_t)((offset) >> 32),
#else
#define OFFSET_HIGH(offset)
#endif
};
_Static_assert(sizeof(struct gate) == 2 * sizeof(void *), "APM vol. 2, sections 4.8.4, 4.7.5");

struct descriptor_table {
	uint16_t limit;
	uintptr_t base;
} __attribute__((packed));

struct fixup {
	uintptr_t at, go_on;
};

extern const struct fixup fixup_table_start[], fixup_table_end[];
extern char exception_stubs[], nmi_stub[];

/* hv/exception.asm */
uintptr_t exception(uintptr_t vector, uintptr_t error, uintptr_t rip);

static struct gate idt[VECTORS];

static void set_gate(unsigned int vector, const char *handler)
{
	uint64_t offset = (uint64_t)(uintptr_t)handler;

	idt[vector] = (struct gate){.offset_low = (uint16_t)offset,
	                            .selector = CODE,
	                            .type = INTERRUPT_GATE,
	                            .offset_middle = (uint16_t)(offset >> 16),
	                            OFFSET_HIGH(offset)};
}

void exception_load(void)
{
	struct descriptor_table idtr = {sizeof(idt) - 1, (uintptr_t)idt};

	__asm__ volatile("lidt %0" : : "m"(idtr));
	/* Without it a machine check would be a shutdown; APM vol. 2, section 9.1.2. */
	if (cpuid(LEAF_FEATURES, 0).edx & FEATURES_EDX_MCE)
		write_cr4(read_cr4() | CR4_MCE);
}

void exception_init(void)
{
	for (unsigned int vector = 0; vector < VECTORS; vector++)
		set_gate(vector, exception_stubs + STUB_SIZE * vector);
	set_gate(VEC_NMI, nmi_stub);
	exception_load();
}

uintptr_t exception(uintptr_t vector, uintptr_t error, uintptr_t rip)
{
	uintptr_t bytes = (uintptr_t)fixup_table_end - (uintptr_t)fixup_table_start;

	/*
	 * L0 sets neither breakpoints nor TF, but Bochs leaves the trap of an intercepted VMRUN
	 * with TF set pending for the host.
	 */
	if (vector == VEC_DB)
		return rip;
	if (vector == VEC_SX) { /* svm/ has opened its window for it */
		stack_base()->inits++;
		return rip;
	}
	/*
	 * A machine check is L1's to look into: MCG_STATUS and the banks stay as they are. If what
	 * was interrupted cannot go on, it fails again, which is a shutdown while MCIP is 1.
	 */
	if (vector == VEC_MC) {
		stack_base()->machine_checks++;
		return rip;
	}
	for (unsigned int i = 0; i < bytes / sizeof(struct fixup); i++) {
		if (fixup_table_start[i].at == rip)
			return fixup_table_start[i].go_on;
	}
	panic("exception %llu, error code %llx, at %llx, cr2 %lx", (unsigned long long)vector,
	      (unsigned long long)error, (unsigned long long)rip, read_cr2());
}

bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	uint32_t failed;

	__asm__ volatile(WITH_FIXUP("wrmsr")
	                 : [failed] "=&r"(failed)
	                 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
	                 : "memory");
	return !failed;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t failed, low = 0, high = 0;

	__asm__ volatile(WITH_FIXUP("rdmsr")
	                 : [failed] "=&r"(failed), "+a"(low), "+d"(high)
	                 : "c"(msr));
	*value = (uint64_t)high << 32 | low;
	return !failed;
}
