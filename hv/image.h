/*
 * Where L0's own image is: the bounds that linker.ld defines and the place in physical memory,
 * which changes once while booting (hv/paging.c). Relies on hv/phys.h.
 */
#ifndef HV_IMAGE_H
#define HV_IMAGE_H

#include <stdint.h>

extern char image_base[], image_file_end[], image_end[];

/* The hpa of image_base. */
extern uint64_t image_hpa;

static inline uint64_t image_size(void)
{
	return (uintptr_t)image_end - (uintptr_t)image_base;
}

#endif
