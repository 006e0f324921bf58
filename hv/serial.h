/*
 * COM1, polled: where L0 and the L1 images talk. Relies on hv/x86.h.
 */
#ifndef HV_SERIAL_H
#define HV_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

enum { COM1_DATA = 0x3f8 };

/* Sets 115200 8n1 with FIFOs, no interrupts. Harmless where there is no COM1. */
void serial_init(void);

/* Sends the bytes, each newline as CR LF. Waits a bounded time for a port that does not drain. */
void serial_write(const char *text, size_t length);

/* Are received bytes read from COM1_DATA now? Else it is part of the speed. */
bool serial_shows_data(void);

#endif
