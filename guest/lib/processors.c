/*
 * Starting L1's other processors and giving them something to do. Relies on processor.asm for the
 * way from real mode.
 */
#include "guest/lib/processors.h"
#include "guest/lib/guest.h"

enum {
	LEAF_FEATURES = 1,
	STARTUPS = 50, /* that a processor gets, at most */
	ID_SHIFT = 24,
	NMI_VECTOR_AT = VEC_NMI * 4, /* of real mode's table */
	POLLS = 2000000,             /* until what must happen counts as missing */
	PAUSES = 40000,              /* until what must not happen would have */
};

extern const char processor_start[], processor_nmi[], processor_start_end[];
_Noreturn void processor_main(unsigned int number);

uint8_t processor_stacks[PROCESSORS][PROCESSOR_STACK] __attribute__((aligned(16)));
uint32_t processor_cr0, processor_cr3, processor_cr4, processor_efer;
volatile struct processor processors[PROCESSORS];

static uint8_t host_save[PROCESSORS][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

/* Low memory, behind the compiler's back: it takes such addresses for mistakes. */
static void *low(uintptr_t address)
{
	__asm__("" : "+r"(address));
	return (void *)address;
}

unsigned int this_processor(void)
{
	return cpuid(LEAF_FEATURES, 0).ebx >> ID_SHIFT;
}

unsigned int processor_count(void)
{
	const char *text = cmdline_value("cpus");

	return text && *text >= '1' && *text <= '0' + PROCESSORS ? (unsigned int)(*text - '0') : 1;
}

/* The first processor has try_call() for itself: what others get is only noted. */
static bool note_trap(struct trap_frame *frame)
{
	unsigned int number = this_processor();
	volatile struct processor *self = &processors[number];

	if (frame->vector == VEC_NMI) {
		self->nmis++;
		return true;
	}
	if (!number || frame->vector >= 32)
		return false;
	self->exceptions = (uint32_t)frame->vector + 1;
	self->error_code = (uint32_t)frame->error;
	return frame->vector == VEC_SX; /* which goes on where it was */
}

void processors_init(void)
{
	uint16_t *nmi = low(NMI_VECTOR_AT);

	memcpy(low(PROCESSOR_PAGE), processor_start,
	       (size_t)(processor_start_end - processor_start));
	nmi[0] = (uint16_t)(processor_nmi - processor_start);
	nmi[1] = PROCESSOR_PAGE >> 4;
	*(volatile uint32_t *)low(PROCESSOR_EARLY_NMIS) = 0;
	processor_cr0 = (uint32_t)read_cr0();
	processor_cr3 = (uint32_t)read_cr3();
	processor_cr4 = (uint32_t)read_cr4();
	processor_efer = (uint32_t)rdmsr(MSR_EFER) & ~EFER_LMA;
	trap_handler = note_trap;
}

void processor_main(unsigned int number)
{
	volatile struct processor *self = &processors[number];

	exception_init();
	wrmsr(MSR_VM_HSAVE_PA, (uintptr_t)host_save[number]);
	self->starts++;
	for (;;) {
		if (self->task) {
			self->task(number);
			self->task = NULL;
		}
		self->alive++;
		cpu_relax();
	}
}

uint32_t wait_until(const volatile uint32_t *field, uint32_t value)
{
	for (unsigned int i = 0; i < POLLS && *field < value; i++)
		cpu_relax();
	return *field;
}

void wait_a_while(void)
{
	for (unsigned int i = 0; i < PAUSES; i++)
		cpu_relax();
}

bool processor_restart(unsigned int number)
{
	uint32_t starts = processors[number].starts;

	apic_send(number, ICR_INIT | ICR_ASSERT);
	wait_a_while();
	processors[number].task = NULL;
	/* SIPI counts only once INIT is taken, which GIF=0 may have delayed. */
	for (unsigned int i = 0; i < STARTUPS && processors[number].starts == starts; i++) {
		apic_send(number, ICR_STARTUP | PROCESSOR_PAGE >> PAGE_SHIFT);
		wait_a_while();
	}
	return processors[number].starts != starts;
}

bool processor_is_alive(unsigned int number)
{
	uint32_t alive = processors[number].alive;

	for (unsigned int i = 0; i < POLLS && processors[number].alive == alive; i++)
		cpu_relax();
	return processors[number].alive != alive;
}

void processor_begin(unsigned int number, void (*task)(unsigned int number))
{
	processors[number].task = task;
}

bool processor_does(unsigned int number, void (*task)(unsigned int number))
{
	processor_begin(number, task);
	for (unsigned int i = 0; i < POLLS && processors[number].task; i++)
		cpu_relax();
	return !processors[number].task;
}
