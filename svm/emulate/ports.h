/*
 * I/O ports that L0 looks at: all others are L1's without an exit. Relies on svm/vcpu.h.
 *
 * Where a chipset has a register is L1's to choose: watching one keeps an L1 in order that is. Only
 * ports that do not move (svm/emulate/a20.c) protect L0.
 */
#ifndef SVM_EMULATE_PORTS_H
#define SVM_EMULATE_PORTS_H

#include "svm/vcpu.h"

/* An access to ports from this one on. */
struct port_access {
	uint16_t port;
	uint8_t size; /* bytes: 1, 2 or 4 */
	uint32_t value;
};

/* Each may be NULL. */
struct port_watcher {
	/* The guest has read this value. */
	void (*read)(const struct port_access *access);
	/*
	 * The guest is about to write it, what the watcher makes of it: false drops it. Nothing
	 * passes by who has this.
	 */
	bool (*write)(struct port_access *access);
};

/*
 * Watches count ports from the first one on, for all guests of all processors. To be called before
 * the first VMRUN, PORT_WATCHES times at most; the watcher stays.
 */
enum { PORT_WATCHES = 20 };
void ports_watch(uint16_t first, unsigned int count, const struct port_watcher *watcher);

/* Performs a write as it is, for a watcher that has to do it at its own time. */
void port_out(const struct port_access *access);

/* The intercept that watched ports need: of INTERCEPT_MISC1. */
uint32_t ports_intercepts(void);

/* L0's own IOPM: IOPM_SIZE bytes. */
extern uint64_t iopm01[IOPM_SIZE / sizeof(uint64_t)];

/* #VMEXIT(IOIO) for a watched port. False: it is for INS or OUTS, which nobody need watch. */
bool ports_perform(struct vcpu *vcpu);

#endif
