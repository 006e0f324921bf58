/*
 * Can this processor run Nestling? Asked by the EFI program while the firmware's console is
 * there, and by start() for every other way to boot. Relies on hv/x86.h.
 */
#ifndef BOOT_CHECK_SVM_H
#define BOOT_CHECK_SVM_H

#include <stdbool.h>

#include "boot/config.h"

/*
 * Returns NULL when SVM can be used, with the kind of paging that is configured, else one line,
 * without newline, that says what is missing and what to do (APM 15.4). Reads CPUID and VM_CR only.
 */
const char *svm_missing(enum config_npt npt);

/*
 * Is L1 to run on nested paging? If not, its own paging is shadowed. To be asked when svm_missing()
 * found nothing.
 */
bool svm_use_npt(enum config_npt npt);

#endif
