/*
 * Lists of APIC ids. Shell's sort: firmware's lists are in order already, or nearly so, and those
 * of processors that arrive are short of worst cases.
 */
#include "boot/ids.h"

static void sink(uint32_t *ids, unsigned int at, unsigned int gap)
{
	uint32_t id = ids[at];

	for (; at >= gap && ids[at - gap] > id; at -= gap)
		ids[at] = ids[at - gap];
	ids[at] = id;
}

unsigned int ids_sort(uint32_t *ids, unsigned int count)
{
	unsigned int left = 0;

	for (unsigned int gap = count / 2; gap; gap /= 2) {
		for (unsigned int i = gap; i < count; i++)
			sink(ids, i, gap);
	}
	for (unsigned int i = 0; i < count; i++) {
		if (!left || ids[left - 1] != ids[i])
			ids[left++] = ids[i];
	}
	return left;
}

bool ids_have(const uint32_t *ids, unsigned int count, uint32_t id)
{
	unsigned int low = 0;

	while (low < count) {
		unsigned int middle = low + (count - low) / 2;

		if (ids[middle] == id)
			return true;
		if (ids[middle] < id)
			low = middle + 1;
		else
			count = middle;
	}
	return false;
}
