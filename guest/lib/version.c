/*
 * The version, by guest.mk. Relies on nothing.
 */
#include "guest/lib/version.h"

#ifndef NESTLING_VERSION
#define NESTLING_VERSION "unknown"
#endif

const char version[] = NESTLING_VERSION;
