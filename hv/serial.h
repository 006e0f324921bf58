/*
 * A serial port (16550), polled: where L0 and the L1 images talk. Relies on hv/x86.h.
 */
#ifndef HV_SERIAL_H
#define HV_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COM1_DATA = 0x3f8, COM2_DATA = 0x2f8, SERIAL_PORTS = 8 };

/* Sets 115200 8n1 with FIFOs, no interrupts, of COM1 or what serial_use() chose. */
void serial_init(void);

/*
 * Is there a UART at this port? Its modem lines are looped back for that, and put back as they
 * were: 16550's data sheet, bit 4 of the modem control register.
 */
bool serial_answers(uint16_t port);

/* From now on this one, and sets it; 0: none. */
void serial_use(uint16_t port);

/* The one that is used, 0: none. */
uint16_t serial_port(void);

/* Sends the bytes, each newline as CR LF. Waits a bounded time for a port that does not drain. */
void serial_write(const char *text, size_t length);

/* Are received bytes read from serial_port() now? Else it is part of the speed. */
bool serial_shows_data(void);

#endif
