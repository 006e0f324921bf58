/*
 * The screen: what a person sees of the run (page.h), in the framebuffer that the loader tells of
 * or in VGA's text. tap.c and start.c call this; an image need not know of it. Nothing is drawn
 * while a point is open: only at the beginning of a group, behind a point that failed, and at the
 * end. Relies on machine.h and memory_map.h.
 */
#ifndef GUEST_SCREEN_H
#define GUEST_SCREEN_H

#include "guest/lib/page.h"

#include <stdbool.h>
#include <stdint.h>

/* Copies what the loader tells of the screen. Called with cmdline_init(). */
void screen_init(uint32_t magic, uint32_t information);

/* Draws the page for the first time. What cannot be drawn into is told on COM1. */
void screen_begin(const char *image);

/* Is there one? */
bool screen_is_on(void);

/* How many groups the run will have; the next one begins; what came of a point. */
void screen_groups(unsigned int groups);
void screen_group(const char *name);
void screen_point(bool skipped, bool known);
void screen_failed(const char *group, const char *point, const char *diagnostics);

/* The run has ended; the reason, if nothing was tested, or NULL. */
void screen_end(enum page_end end, const char *reason);

/* A key restarts the machine now. */
void screen_key(void);

#endif
