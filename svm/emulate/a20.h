/*
 * Address bit 20, which chipsets can mask for the processor, and with it for L0. Relies on
 * svm/emulate/ports.h.
 */
#ifndef SVM_EMULATE_A20_H
#define SVM_EMULATE_A20_H

/*
 * From now on nobody masks it: VM_CR.DIS_A20M is set on every processor that becomes a host (APM
 * vol. 2, section 15.30.1); where it does not stay set, the ports that mask it are watched, and L1
 * finds a chipset that does not.
 */
void a20_keep(void);

#endif
