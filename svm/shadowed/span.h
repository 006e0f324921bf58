/*
 * A few bytes of the guest's at a linear address, found once: all faults come when it is mapped,
 * and reading and writing cannot fail. Relies on svm/shadowed/paging.h.
 */
#ifndef SVM_SHADOWED_SPAN_H
#define SVM_SHADOWED_SPAN_H

#include "svm/shadowed/paging.h"

struct span {
	uint64_t gpa[2];   /* of the first byte, and of the first one on the next page */
	uint32_t on_first; /* bytes before that */
};

/*
 * Maps size bytes (a page at most) at a linear address for access: ACCESS_WRITE, ACCESS_IMPLICIT.
 * False: as translate_linear().
 */
bool span_map(struct vcpu *vcpu, uint64_t linear, uint32_t size, uint32_t access,
              struct span *span);

/* From and to a place in the span. Each byte is read once; what is no memory reads as all ones. */
void span_read(const struct span *span, uint32_t at, void *to, uint32_t bytes);
void span_write(const struct span *span, uint32_t at, const void *from, uint32_t bytes);

#endif
