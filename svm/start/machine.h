/*
 * Making processors hosts, and L1's virtual processors on them. What boot/ calls when memory is
 * laid out. Relies on svm/vcpu.h.
 */
#ifndef SVM_START_MACHINE_H
#define SVM_START_MACHINE_H

#include "svm/start/start_state.h"
#include "svm/vcpu.h"

/* What the shared mmu stands on: hpas. */
struct mmu_memory {
	uint64_t tables;   /* so many pages; below 4 GiB where there is no nested paging */
	uint64_t metadata; /* machine_metadata_size() of it */
	uint32_t pages;
};

/* So many shadow pages, with what grows with them, fit a pool of this size. */
uint32_t machine_pool_pages(uint64_t size, uint64_t memory_end);

/* Bytes for what mmu/ knows of them, and of L1's frames. memory_end: gpa behind L1's memory. */
uint64_t machine_metadata_size(uint64_t memory_end, uint32_t pages);

/* Sets the shared mmu up. levels: 4 or 5, as L0's own paging. */
void machine_init_mmu(const struct mmu_memory *memory, uint64_t memory_end, unsigned int levels);

/* Shadow pages that so many processors need, or one of them may find none. */
uint32_t machine_least_pages(uint32_t cpus);

/* Pages of the heap that each processor needs, without its stack. */
uint64_t machine_vcpu_pages(void);

/* Enables SVM on this processor, the first one, and makes its vcpu, which starts L1. */
struct vcpu *machine_init_vcpu(const struct l1_start *start);

/* The memory of a further processor's vcpu. The processor itself does the rest: */
struct vcpu *machine_new_vcpu(uint32_t apic_id);

/* Makes this processor a host. What VMLOAD loads stays as it is, and is L1's from now on. */
void machine_become_host(struct vcpu *vcpu);

/*
 * A further processor has arrived, on a stack whose base names its vcpu: makes it a host, says so
 * in vcpu.cpu.join, and goes on as vcpu.cpu.start says; or halts if it has been given up.
 */
_Noreturn void machine_join(void);

/*
 * All processors that are to join have: lets them read what each can of its APIC, and waits for
 * that. To be called on the first processor, before L1 runs.
 */
void machine_ready(void);

/* VMCB01's control area as it is before L1 has run. */
void machine_init_control(struct vcpu *vcpu);

/*
 * VMCB01's save area begins as start says, or as INIT leaves it where that is NULL, with what the
 * processor has live in it: to be called on the vcpu's own processor.
 */
void machine_init_segments(struct vcpu *vcpu, const struct l1_start *start);

/* The vcpu begins as start says, its general registers included; likewise. */
void machine_begin_at(struct vcpu *vcpu, const struct l1_start *start);

#endif
