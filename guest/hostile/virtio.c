/*
 * A disk by virtio whose serial number is NESTLING, and which takes addresses that an IOMMU
 * translates. Virtual I/O Device (VIRTIO) 1.1, 2.6, 4.1 and 5.2.
 */
#include "guest/hostile/dma_device.h"
#include "hv/pci.h"

#include <stddef.h>

enum {
	ID = 0x10421af4,
	PCI_CAPABILITIES = 0x34,
	CAPABILITY_OF_VENDOR = 9,
	CAPABILITY_BAR = 4, /* bytes from the capability's */
	CAPABILITY_OFFSET = 8,
	CAPABILITY_MULTIPLIER = 16,
	STRUCTURE_COMMON = 1,
	STRUCTURE_NOTIFY = 2,
	CAPABILITIES_MOST = 48,
	BAR_BYTES = 0x4000,

	FEATURES_CHOSEN = 0x08, /* of the common structure */
	FEATURES = 0x0c,
	STATUS = 0x14,
	QUEUE_SIZE = 0x18,
	QUEUE_ON = 0x1c,
	QUEUE_NOTIFY = 0x1e,
	QUEUE_DESCRIPTORS = 0x20,
	QUEUE_AVAILABLE = 0x28,
	QUEUE_USED = 0x30,
	STATUS_FOUND = 1,
	STATUS_DRIVER = 2,
	STATUS_DRIVER_WORKS = 4,
	STATUS_FEATURES = 8,
	FEATURES_VERSION_1 = 1 << 0, /* of the upper half */
	FEATURES_ADDRESSES = 1 << 1,

	ENTRIES = 4,
	DESCRIPTOR_NEXT = 1,
	DESCRIPTOR_WRITE = 2,
	ASK_READ = 0,
	ASK_WRITE = 1,
	ASK_SERIAL = 8,
	SERIAL_BYTES = 20,
	ANSWER_GOOD = 0,
	ANSWER_NONE = 0xff,
};

static volatile struct {
	struct {
		uint32_t flags_index; /* the index is the upper half */
		struct {
			uint32_t id, bytes;
		} ring[ENTRIES];
	} used;
	struct {
		uint16_t flags, index, ring[ENTRIES];
	} available;
	struct {
		uint32_t what, reserved;
		uint64_t sector;
	} question;
	struct {
		uint64_t address;
		uint32_t bytes;
		uint16_t flags, next;
	} descriptors[ENTRIES] __attribute__((aligned(16)));
	uint8_t answer, serial[SERIAL_BYTES];
} area __attribute__((aligned(DMA_PAGE)));

static volatile uint8_t *common;
static volatile uint16_t *bell;

static volatile uint16_t *half(unsigned int offset)
{
	return (volatile uint16_t *)(common + offset);
}

/* Where the function has that structure of virtio's; NULL: nowhere. multiplier: a notify's. */
static volatile uint8_t *structure(unsigned int function, uint8_t kind, uint32_t *multiplier)
{
	uint32_t at = pci_read(function, PCI_CAPABILITIES) & 0xfc;
	volatile uint8_t *bar;

	for (unsigned int i = 0; at && i < CAPABILITIES_MOST; i++) {
		uint32_t head = pci_read(function, at);

		if ((head & 0xff) == CAPABILITY_OF_VENDOR && head >> 24 == kind) {
			bar = pci_device_take(function, pci_read(function, at + CAPABILITY_BAR) & 7,
			                      BAR_BYTES);
			*multiplier = pci_read(function, at + CAPABILITY_MULTIPLIER);
			return bar ? bar + pci_read(function, at + CAPABILITY_OFFSET) : NULL;
		}
		at = head >> 8 & 0xfc;
	}
	return NULL;
}

static void set_queue(void)
{
	*dma_register(common, QUEUE_DESCRIPTORS) = (uint32_t)(uintptr_t)&area.descriptors;
	*dma_register(common, QUEUE_DESCRIPTORS + 4) = 0;
	*dma_register(common, QUEUE_AVAILABLE) = (uint32_t)(uintptr_t)&area.available;
	*dma_register(common, QUEUE_AVAILABLE + 4) = 0;
	*dma_register(common, QUEUE_USED) = (uint32_t)(uintptr_t)&area.used;
	*dma_register(common, QUEUE_USED + 4) = 0;
	*half(QUEUE_SIZE) = ENTRIES;
	*half(QUEUE_ON) = 1;
}

/* One question of the disk: bytes at gpa go there, or come from there. */
static bool ask(uint32_t what, uint64_t gpa, uint32_t bytes)
{
	bool to_memory = what != ASK_WRITE;
	uint16_t index = area.available.index;

	area.question.what = what;
	area.question.sector = 0;
	area.answer = ANSWER_NONE;
	area.descriptors[0].address = (uintptr_t)&area.question;
	area.descriptors[0].bytes = sizeof(area.question);
	area.descriptors[0].flags = DESCRIPTOR_NEXT;
	area.descriptors[0].next = 1;
	area.descriptors[1].address = gpa;
	area.descriptors[1].bytes = bytes;
	area.descriptors[1].flags = DESCRIPTOR_NEXT | (to_memory ? DESCRIPTOR_WRITE : 0);
	area.descriptors[1].next = 2;
	area.descriptors[2].address = (uintptr_t)&area.answer;
	area.descriptors[2].bytes = 1;
	area.descriptors[2].flags = DESCRIPTOR_WRITE;
	area.available.ring[index % ENTRIES] = 0;
	area.available.index = (uint16_t)(index + 1);
	*bell = 0;
	return dma_comes_to(&area.used.flags_index, 0xffff0000, (uint32_t)(index + 1) << 16) &&
	       area.answer == ANSWER_GOOD;
}

static bool start(unsigned int function)
{
	uint32_t multiplier, unused;
	volatile uint8_t *notify = structure(function, STRUCTURE_NOTIFY, &multiplier);

	common = structure(function, STRUCTURE_COMMON, &unused);
	if (!common || !notify)
		return false;
	area.available.index = 0;
	area.used.flags_index = 0;
	common[STATUS] = 0;
	common[STATUS] = STATUS_FOUND | STATUS_DRIVER;
	*dma_register(common, FEATURES_CHOSEN) = 0;
	*dma_register(common, FEATURES) = 0;
	*dma_register(common, FEATURES_CHOSEN) = 1;
	*dma_register(common, FEATURES) = FEATURES_VERSION_1 | FEATURES_ADDRESSES;
	common[STATUS] = STATUS_FOUND | STATUS_DRIVER | STATUS_FEATURES;
	if (!(common[STATUS] & STATUS_FEATURES))
		return false;
	set_queue();
	bell = (volatile uint16_t *)(notify + *half(QUEUE_NOTIFY) * multiplier);
	common[STATUS] = STATUS_FOUND | STATUS_DRIVER | STATUS_FEATURES | STATUS_DRIVER_WORKS;
	return true;
}

static bool has_serial(const char *serial)
{
	unsigned int i = 0;

	if (!ask(ASK_SERIAL, (uintptr_t)area.serial, SERIAL_BYTES))
		return false;
	while (serial[i] && (char)area.serial[i] == serial[i])
		i++;
	return !serial[i];
}

static const char *find(void)
{
	unsigned int function;

	if (!pci_device_find(PCI_ID, ID, ~0u, &function))
		return "there is no disk by virtio";
	if (!start(function))
		return "the disk by virtio takes no addresses that an IOMMU translates";
	return has_serial("NESTLING") ? NULL : "the disk by virtio is not one to be written to";
}

static bool copy(uint64_t to, uint64_t from)
{
	bool good = ask(ASK_WRITE, from, DMA_PAGE);

	return ask(ASK_READ, to, DMA_PAGE) && good;
}

const struct dma_device dma_virtio = {
	.group = "dma-virtio", .find = find, .bytes = DMA_PAGE, .stride = 8, .copy = copy};
