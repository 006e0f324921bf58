/*
 * The points that the images share, in groups. A group with a kind runs for one mode of L2 and is
 * named after it; what L1's nested format lacks is skipped by name. Relies on guest/lib.
 */
#ifndef GUEST_POINTS_H
#define GUEST_POINTS_H

#include "guest/lib/guest.h"

/* points_all(), and what only 2-level nested tables have. */
void points_2level_prepare(void); /* the image's prepare() */
void points_2level(void);

/* Everything below: for each kind of L2 that this image can run, and once for the machine. */
void points_all(void);

void points_paging(void); /* L1's own paging; paging.h has its groups */

void points_run(const struct l2_kind *kind);       /* computes, reads and writes */
void points_fault(const struct l2_kind *kind);     /* missing, read-only, no-execute; resumed */
void points_remap(const struct l2_kind *kind);     /* mappings that change under a flush */
void points_dirty(const struct l2_kind *kind);     /* A and D in L1's nested tables */
void points_walk(const struct l2_kind *kind);      /* faults under L2's own page tables */
void points_intercept(const struct l2_kind *kind); /* instructions, MSRs, ports, exceptions */
void points_boot(const struct l2_kind *kind);      /* changes its modes by itself */
void points_inject(const struct l2_kind *kind);    /* EVENTINJ and EXITINTINFO */
void points_task_l2(const struct l2_kind *kind);   /* hardware task switches, of 32-bit images */
void points_shadow(const struct l2_kind *kind);    /* without nested paging: row R13 */
void points_format(void);                          /* limits and reserved bits of the format */
void points_asid(void);                            /* several L2s, TLB_CONTROL, INVLPGA */
void points_interrupt(void);                       /* INTR, GIF, V_IRQ */
void points_state(void);                           /* what VMRUN, VMLOAD and VMSAVE move */
void points_task(void);                            /* hardware task switches, of 32-bit images */
void points_invalid(void);                         /* VMRUNs that fail */
void points_x2apic(void);                          /* of a run in x2APIC mode */

#endif
