/*
 * VMRUNs that fail: what fails.c and fails_leave.c share.
 */
#ifndef GUEST_SVM_FAILS_H
#define GUEST_SVM_FAILS_H

#include "guest/svm/suite.h"

/* Was the VMRUN refused? passed_by: 1 if QEMU is known to let it pass, 2 if Bochs is, 3 for both.
 */
bool invalid_is(struct l2 *l2, unsigned int passed_by);

void fails_leave(void);

#endif
