/*
 * The hot key: a byte on the serial port at which Nestling dumps its counters there. Relies on
 * svm/emulate/ports.h.
 */
#ifndef SVM_EMULATE_HOTKEY_H
#define SVM_EMULATE_HOTKEY_H

/* Ctrl-^, which few programs use; L1 gets the byte as well. */
enum { HOTKEY = 0x1e };

/*
 * From now on L0 looks at what L1 reads from serial_port(), which is not 0. L0 takes no interrupt
 * and reads no byte of L1's itself: an L1 that does not read the port has no hot key.
 */
void hotkey_init(void);

#endif
