/* Relies on svm/emulate/ports.h, svm/look/hypercall.h and, for the port, on hv/serial.h. */
#include "svm/emulate/hotkey.h"
#include "hv/serial.h"
#include "svm/look/hypercall.h"
#include "svm/emulate/ports.h"

static void has_read(const struct port_access *access)
{
	if (access->port == serial_port() && (access->value & 0xff) == HOTKEY &&
	    serial_shows_data())
		counters_dump();
}

static const struct port_watcher watcher = {.read = has_read};

void hotkey_init(void)
{
	ports_watch(serial_port(), 1, &watcher);
}
