/*
 * The machine in words for a person: its processor, what it has of SVM, what is under the image.
 * Pure but for CPUID. Relies on hv/x86.h and hv/print.h.
 */
#ifndef GUEST_ABOUT_H
#define GUEST_ABOUT_H

#include "hv/x86.h"

#include <stdbool.h>
#include <stddef.h>

/* The processor's name, without the blanks around it: leaves 8000_0002h to 8000_0004h. */
void about_processor(char *to, size_t size);

/* What leaf 8000_000Ah says: revision, ASIDs, and the features that EDX names. */
void about_svm(const struct cpuid_regs *leaf, char *to, size_t size);

/*
 * Who is under the image, by leaf 4000_0000h if there is a hypervisor. emulated: the processor is
 * known to be QEMU's or Bochs' own, by this name; NULL: it is not.
 */
void about_under(bool hypervisor, const struct cpuid_regs *leaf, const char *emulated, char *to,
                 size_t size);

#endif
