/*
 * Can this processor run Nestling? Asked by the EFI program while the firmware's console is
 * there, and by start() for every other way to boot. Relies on hv/x86.h.
 */
#ifndef BOOT_CHECK_SVM_H
#define BOOT_CHECK_SVM_H

/*
 * Returns NULL when SVM and nested paging can be used, else one line, without newline, that says
 * what is missing and what to do (APM 15.4). Reads CPUID and VM_CR only.
 */
const char *svm_missing(void);

#endif
