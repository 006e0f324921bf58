/*
 * The state that INIT leaves a processor in, and where SIPI starts it. Relies on svm/vmcb.h.
 */
#ifndef SVM_START_START_STATE_H
#define SVM_START_START_STATE_H

#include "svm/vmcb.h"

/*
 * After INIT: APM vol. 2, section 14.1.3, table 14-1. What INIT does not change stays: CD and NW of
 * CR0, the PAT, and the registers of SYSCALL and SYSENTER. EFER has SVME, as VMRUN demands.
 */
void start_state_init(struct vmcb_save *save);

/* After SIPI: at the beginning of the page whose number is the vector. */
void start_state_sipi(struct vmcb_save *save, uint8_t vector);

#endif
