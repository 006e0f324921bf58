/*
 * SLP_EN with the type of S2 or S3 is dropped. Relies on svm/ports.h.
 */
#include "svm/emulate/sleep.h"
#include "hv/log.h"
#include "svm/emulate/ports.h"

static struct sleep_states refused;

static bool is_refused(unsigned int reg, uint32_t type)
{
	if (refused.s5_is_known && !(refused.good[reg] >> type & 1))
		return true;
	for (unsigned int i = 0; i < refused.count; i++) {
		if (refused.types[i] == type)
			return true;
	}
	return false;
}

/* SLP_TYP and SLP_EN are in the second byte; PM1a and PM1b are asked alike. */
static bool may_write(struct port_access *access)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t control = refused.pm1_control[i];
		uint32_t value;

		if (!control || access->port > control + 1 ||
		    access->port + access->size < control + PM1_CONTROL_BYTES)
			continue;
		/* Bit 0 of the register is bit 0 of value then. */
		value = access->port > control ? access->value << 8
		                               : access->value >> 8 * (control - access->port);
		if (!(value & PM1_SLP_EN) ||
		    !is_refused(i, value >> PM1_SLP_TYP_SHIFT & PM1_SLP_TYP_MASK))
			continue;
		log_aloud("L1 asks for ACPI sleep state S3: refused, L0 would be lost");
		return false;
	}
	return true;
}

static const struct port_watcher watcher = {.write = may_write};

void sleep_refuse(const struct sleep_states *states)
{
	refused = *states;
	for (unsigned int i = 0; i < 2; i++) {
		if (refused.pm1_control[i] && (refused.count || refused.s5_is_known))
			ports_watch(refused.pm1_control[i], PM1_CONTROL_BYTES, &watcher);
	}
}
