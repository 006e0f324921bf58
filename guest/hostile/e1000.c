/*
 * QEMU's e1000, a network card: a frame that it sends comes back to it, since its PHY loops. It is
 * any bytes of memory, and lands at any address. Intel's PCI/PCI-X Family of Gigabit Ethernet
 * Controllers Software Developer's Manual, 3.2, 3.3 and 13.4.
 */
#include "guest/hostile/dma_device.h"
#include "hv/delay.h"
#include "hv/pci.h"

#include <stddef.h>

enum {
	ID = 0x100e8086,
	PCI_SUBSYSTEM = 0x2c,
	SUBSYSTEM_OF_QEMU = 0x11001af4,
	REGISTERS = 0x6000, /* bytes */

	PHY = 0x20, /* MDIC */
	PHY_WRITE = 1 << 26,
	PHY_ADDRESS = 1 << 21,
	PHY_DONE = 1 << 28,
	PHY_CONTROL_LOOP = 0x4140, /* at 1000 Mb/s, both ways at once */

	RECEIVE = 0x100,
	RECEIVE_ON = 1 << 1,
	RECEIVE_ALL = 3 << 3, /* whomever a frame is for */
	RECEIVE_LONG = 1 << 5,
	RECEIVE_4096 = 1 << 25 | 3 << 16,
	RECEIVE_NO_CRC = 1 << 26,
	SEND = 0x400,
	SEND_ON = 1 << 1,
	SETTLE_MS = 1100, /* QEMU's takes no frame for a second after it is told to receive */

	RECEIVE_RING = 0x2800, /* address, its upper half, bytes, head, tail */
	SEND_RING = 0x3800,
	RING_HIGH = 0x04,
	RING_BYTES = 0x08,
	RING_HEAD = 0x10,
	RING_TAIL = 0x18,
	RING_SIZE = 8, /* the least */

	COMMAND_WHOLE_FRAME = 1 << 0, /* descriptors */
	COMMAND_STATUS = 1 << 3,
	COMMAND_SHIFT = 24,
	STATUS_DONE = 1,
};

struct descriptor {
	uint64_t address;
	uint32_t bytes; /* and the command above, where it is sent */
	uint32_t status;
};

static volatile struct descriptor received[RING_SIZE] __attribute__((aligned(DMA_PAGE)));
static volatile struct descriptor sent[RING_SIZE] __attribute__((aligned(DMA_PAGE)));
static volatile uint8_t *registers;
static unsigned int next; /* in both rings */

static void set_ring(unsigned int at, const volatile struct descriptor *ring)
{
	*dma_register(registers, at) = (uint32_t)(uintptr_t)ring;
	*dma_register(registers, at + RING_HIGH) = 0;
	*dma_register(registers, at + RING_BYTES) = RING_SIZE * sizeof(*ring);
	*dma_register(registers, at + RING_HEAD) = 0;
	*dma_register(registers, at + RING_TAIL) = 0;
}

static const char *find(void)
{
	unsigned int function;

	if (!pci_device_find(PCI_ID, ID, ~0u, &function) ||
	    pci_read(function, PCI_SUBSYSTEM) != SUBSYSTEM_OF_QEMU)
		return "there is no e1000 of QEMU's";
	registers = pci_device_take(function, 0, REGISTERS);
	if (!registers)
		return "the e1000's registers are not below 4 GiB";
	*dma_register(registers, PHY) = PHY_WRITE | PHY_ADDRESS | PHY_CONTROL_LOOP;
	if (!dma_comes_to(dma_register(registers, PHY), PHY_DONE, PHY_DONE))
		return "the e1000 has no PHY";
	next = 0;
	set_ring(RECEIVE_RING, received);
	set_ring(SEND_RING, sent);
	*dma_register(registers, RECEIVE) =
		RECEIVE_ON | RECEIVE_ALL | RECEIVE_LONG | RECEIVE_4096 | RECEIVE_NO_CRC;
	*dma_register(registers, SEND) = SEND_ON;
	delay_ms(SETTLE_MS);
	return NULL;
}

static bool copy(uint64_t to, uint64_t from)
{
	volatile struct descriptor *in = &received[next], *out = &sent[next];

	in->address = to;
	in->status = 0;
	out->address = from;
	out->bytes = DMA_PAGE | (uint32_t)(COMMAND_WHOLE_FRAME | COMMAND_STATUS) << COMMAND_SHIFT;
	out->status = 0;
	next = (next + 1) % RING_SIZE;
	*dma_register(registers, RECEIVE_RING + RING_TAIL) = next;
	*dma_register(registers, SEND_RING + RING_TAIL) = next;
	return dma_comes_to(&out->status, STATUS_DONE, STATUS_DONE) &&
	       dma_comes_to(&in->status, STATUS_DONE, STATUS_DONE);
}

const struct dma_device dma_e1000 = {
	.group = "dma-e1000", .find = find, .bytes = DMA_PAGE, .stride = 1, .copy = copy};
