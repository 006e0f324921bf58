/*
 * Which sources an image was built from: what git calls the commit, or "unknown". Relies on
 * guest.mk.
 */
#ifndef GUEST_VERSION_H
#define GUEST_VERSION_H

extern const char version[];

#endif
