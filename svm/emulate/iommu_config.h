/*
 * IOMMUs are functions of PCI: guests read their configuration, and do not write it. Relies on
 * svm/emulate/ports.h and svm/apic/kept.h. To be called at boot.
 */
#ifndef SVM_EMULATE_IOMMU_CONFIG_H
#define SVM_EMULATE_IOMMU_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

/* Of segment 0, by ports CF8h and CFCh: bus << 8 | device << 3 | function. */
void iommu_config_keep_function(uint16_t function);

/* The hpa of the page in which a function has its configuration. False: it cannot be kept. */
bool iommu_config_keep_page(uint64_t hpa);

#endif
