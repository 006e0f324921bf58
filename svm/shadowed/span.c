/*
 * Reads and writes of guest memory that has been found already. Relies on svm/memory/l1_memory.h
 * for where a gpa is, and tells mmu/ of what is written.
 */
#include "svm/shadowed/span.h"
#include "svm/memory/l1_memory.h"
#include "svm/cpus/processors.h"

bool span_map(struct vcpu *vcpu, uint64_t linear, uint32_t size, uint32_t access, struct span *span)
{
	uint64_t next = (linear | (PAGE_SIZE - 1)) + 1; /* page */

	if (!in_64bit_code(&vcpu->vmcb->save))
		next = low32(next);
	span->on_first = PAGE_SIZE - (low32(linear) & (PAGE_SIZE - 1));
	if (!translate_linear(vcpu, linear, access, &span->gpa[0]))
		return false;
	if (size <= span->on_first) {
		span->on_first = size;
		return true;
	}
	return translate_linear(vcpu, next, access, &span->gpa[1]);
}

/* Where L0 sees a byte of the span, and its gpa. */
static volatile uint8_t *locate(const struct span *span, uint32_t at, uint64_t *gpa)
{
	uint8_t *page;

	*gpa = at < span->on_first ? span->gpa[0] + at : span->gpa[1] + (at - span->on_first);
	page = l1_page(NULL, *gpa & ~(uint64_t)(PAGE_SIZE - 1));
	return page ? page + (*gpa & (PAGE_SIZE - 1)) : NULL;
}

void span_read(const struct span *span, uint32_t at, void *to, uint32_t bytes)
{
	uint8_t *byte = to;
	uint64_t gpa;

	for (uint32_t i = 0; i < bytes; i++) {
		volatile uint8_t *from = locate(span, at + i, &gpa);

		byte[i] = from ? *from : 0xff;
	}
}

void span_write(const struct span *span, uint32_t at, const void *from, uint32_t bytes)
{
	const uint8_t *byte = from;
	uint64_t gpa;

	for (uint32_t i = 0; i < bytes; i++) {
		volatile uint8_t *to = locate(span, at + i, &gpa);

		if (!to)
			continue;
		*to = byte[i];
		l1_written(gpa);
	}
}
