/* Relies on svm/emulate/ports.h, svm/look/hypercall.h and, for the port's registers, on
 * hv/serial.h. */
#include "svm/emulate/hotkey.h"
#include "hv/serial.h"
#include "svm/look/hypercall.h"
#include "svm/emulate/ports.h"

static void has_read(const struct port_access *access)
{
	if (access->port == COM1_DATA && (access->value & 0xff) == HOTKEY && serial_shows_data())
		counters_dump();
}

static const struct port_watcher watcher = {.read = has_read};

void hotkey_init(void)
{
	ports_watch(COM1_DATA, 1, &watcher);
}
