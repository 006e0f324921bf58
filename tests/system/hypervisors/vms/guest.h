/*
 * What the runner (L1's user space) and its guest (L2) say to each other: a mailbox in L2's memory
 * for each virtual processor, and the patterns that both know. Included by both, in 16, 32 and 64
 * bits.
 */
#ifndef TESTS_VMS_GUEST_H
#define TESTS_VMS_GUEST_H

#include <stdint.h>

/* Where what lies in L2's memory (ngpa). The image is linked for its place. */
#define GUEST_IDT      0x3000 /* one of IDT_SIZE for each processor */
#define IDT_SIZE       0x400
#define GUEST_GDT      0x3800
#define GUEST_MAILBOX  0x1000 /* a page for each processor */
#define GUEST_STACK    0x5000 /* where the first one's ends; the next one's is a page further */
#define GUEST_IMAGE    0x8000
#define GUEST_TABLES   0x100000
#define GUEST_WINDOW   0xb0000000U /* a page that L2 maps itself, by the entry at WINDOW_ENTRY */
#define WINDOW_ENTRY   0x180000
#define GUEST_LOW      0x200000  /* the size of all that */
#define GUEST_DATA     0x800000  /* what L2 fills */
#define GUEST_MOVING   0x4000000 /* a slot that moves */
#define GUEST_MMIO     0xc0000000U
#define GUEST_LAPIC    0xfee00000U
#define LAPIC_EOI      0xb0
#define LAPIC_SPURIOUS 0xf0

#define GUEST_PAGE 4096

/* Ports: the command is done; an exception came, whose vector is in AL. */
#define PORT_DONE      0x10
#define PORT_EXCEPTION 0x11

#define EXCEPTIONS 32
#define PIC_VECTOR 0x20
#define MSI_VECTOR 0x30
#define VECTORS    64

enum guest_command {
	GUEST_FILL,   /* writes the pattern of the seed */
	GUEST_CHECK,  /* looks for it */
	GUEST_SAME,   /* writes the seed itself into every word */
	GUEST_CHURN,  /* checks, and writes the next seed's pattern, until it shall stop */
	GUEST_DEVICE, /* writes words to `first`, and reads back what is not the same */
	GUEST_HALT,   /* waits for `count` interrupts in HLT */
	GUEST_SPIN,   /* and without */
	GUEST_REMAP, /* maps the window to one page after the other, and writes its pattern by it */
};

struct mailbox {
	uint32_t command;
	uint32_t first, count,
		step; /* from that ngpa on, so many words, each so many bytes further */
	uint32_t seed;
	uint32_t zero_too; /* zero is as good as the pattern: somebody takes pages away */
	uint32_t stop;
	/* What L2 answers. */
	uint32_t wrong, wrong_at, wrong_is;
	uint32_t rounds; /* of GUEST_CHURN, as a whole */
	uint32_t interrupts;
};

/* No two words of one pattern are the same, nor does one word stay the same from seed to seed; none
 * is 0. */
static inline uint32_t guest_pattern(uint32_t address, uint32_t seed)
{
	return (address * 2654435761U) ^ (seed * 2246822519U) ^ 1;
}

#endif
