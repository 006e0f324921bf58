/*
 * L1's memory and mmu/, for unit tests of nested SVM: an array, and what notes what it is asked.
 * Relies on tests/unit/nested_rig.h.
 */
#include "tests/unit/nested_rig.h"

#include "hv/lock.h"
#include "svm/emulate/ports.h"

struct mmu mmu;
struct lock mmu_lock;
uint8_t ram[RAM_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
uint64_t msrpm01[MSRPM_SIZE / sizeof(uint64_t)];
struct frame frames[RAM_PAGES];
static uint8_t sink[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

uint32_t apic_registers[PAGE_SIZE / sizeof(uint32_t)];

void *phys(uint64_t hpa)
{
	if (hpa - APIC_HPA < sizeof(apic_registers))
		return (char *)apic_registers + (hpa - APIC_HPA);
	assert_int_equal(hpa, SINK_HPA);
	return sink;
}

uint64_t l1_sink_hpa(void)
{
	return SINK_HPA;
}

uint64_t hpa_of(const void *at)
{
	if (at == iopm01)
		return IOPM01_HPA;
	return at == msrpm01 ? MSRPM01_HPA : ALL_ONES_HPA;
}

void *l1_page(void *context, uint64_t gpa)
{
	(void)context;
	assert_int_equal(gpa % PAGE_SIZE, 0);
	return gpa - RAM < sizeof(ram) ? &ram[gpa - RAM] : NULL;
}

const void *l1_code_page(uint64_t gpa)
{
	return l1_page(NULL, gpa);
}

void l1_written(uint64_t gpa)
{
	noted.written++;
	noted.written_at = gpa;
}

void mmu_flush_asid(struct mmu_cpu *cpu, uint32_t asid)
{
	assert_ptr_equal(cpu, &vcpu.mmu_cpu);
	noted.flushes_of_asid++;
	noted.flushed_asid = asid;
}

void mmu_flush_all_asids(struct mmu_cpu *cpu)
{
	assert_ptr_equal(cpu, &vcpu.mmu_cpu);
	noted.flushes_of_all++;
}

uint64_t load_root(struct vcpu *of, const struct guest_tables *tables, uint32_t asid)
{
	assert_ptr_equal(of, &vcpu);
	noted.roots++;
	noted.tables = *tables;
	noted.root_asid = asid;
	noted.flushes_before_root = noted.flushes_of_all + noted.flushes_of_asid;
	return NPT02_HPA;
}

uint64_t mmu_same_root(const struct mmu *of, const struct mmu_cpu *cpu, uint64_t gpa, uint32_t asid)
{
	(void)asid;
	assert_true(of == &mmu && cpu == &vcpu.mmu_cpu);
	assert_int_equal(gpa, noted.tables.root);
	noted.same_roots += noted.same_root != 0;
	return noted.same_root;
}

uint32_t pack_pat(uint64_t pat)
{
	return (uint32_t)pat;
}

/* Where L1 has no memory nothing is ever written. */
static struct frame *frame_at(uint64_t gpa)
{
	static struct frame nowhere;

	nowhere.written = false;
	assert_int_equal(gpa % PAGE_SIZE, 0);
	return gpa - RAM < sizeof(ram) ? &frames[(gpa - RAM) / PAGE_SIZE] : &nowhere;
}

void mmu_watch(struct mmu *of, struct mmu_cpu *cpu, uint64_t gpa)
{
	assert_true(of == &mmu && cpu == &vcpu.mmu_cpu);
	*frame_at(gpa) = (struct frame){.watched = true};
}

void mmu_unwatch(struct mmu *of, uint64_t gpa)
{
	assert_true(of == &mmu);
	frame_at(gpa)->watched = false;
}

bool mmu_watch_written(struct mmu *of, struct mmu_cpu *cpu, uint64_t gpa)
{
	struct frame *frame = frame_at(gpa);
	bool was = frame->written;

	assert_true(of == &mmu && cpu == &vcpu.mmu_cpu && frame->watched);
	frame->written = false;
	if (was)
		nested_map_written(&vcpu, gpa);
	return was;
}

/* NPT01's leaves, by frame, and one of D=0 for all that are nobody's. */
static uint64_t leaves[RAM_PAGES + 1];

bool mmu_watch_marks(const struct mmu *of, uint64_t gpa, unsigned int count,
                     struct watch_marks *marks)
{
	bool all = true;

	assert_true(of == &mmu);
	marks->count = count;
	for (unsigned int i = 0; i < count; i++) {
		const struct frame *frame = frame_at(gpa + i * PAGE_SIZE);
		bool there = frame >= frames && frame < frames + RAM_PAGES;

		marks->leaf[i] = &leaves[there ? frame - frames : RAM_PAGES];
		all &= !frame->unmarked;
	}
	return all;
}

void mark_frames(void)
{
	for (unsigned int i = 0; i < RAM_PAGES; i++)
		leaves[i] = frames[i].written ? PTE_D : 0;
}

bool mmu_watch_is_open(const struct mmu *of, uint64_t gpa)
{
	assert_true(of == &mmu);
	return frame_at(gpa)->open;
}

unsigned int frames_watched(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < RAM_PAGES; i++)
		count += frames[i].watched;
	return count;
}

bool mmu_direct_fault(struct mmu *of, struct mmu_cpu *cpu, uint64_t gpa)
{
	(void)of, (void)cpu;
	noted.handled = VMEXIT_NPF;
	return !(gpa & 1);
}

enum fault_result mmu_fault(struct mmu *of, struct mmu_cpu *cpu, const struct guest_tables *tables,
                            struct page_fault *fault)
{
	(void)of, (void)cpu;
	assert_ptr_equal(tables, &vcpu.nested.tables);
	fault->code = FAULT_U | (fault->access & ACCESS_WRITE ? FAULT_W : 0);
	if (fault->address & 2)
		return fault->address & 1 ? FAULT_SPURIOUS : FAULT_REFLECT;
	return fault->address & 1 ? FAULT_FILLED : FAULT_REFLECT;
}
