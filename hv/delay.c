/*
 * The TSC against channel 2 of the PIT, which no interrupt hangs on. Relies on hv/x86.h.
 */
#include "hv/delay.h"
#include "hv/x86.h"

enum {
	PIT_CHANNEL_2 = 0x42,
	PIT_COMMAND = 0x43,
	PIT_ONE_SHOT_2 = 0xb0, /* channel 2, both bytes, mode 0 */
	PORT_SPEAKER = 0x61,
	SPEAKER_GATE_2 = 1 << 0,
	SPEAKER_ON = 1 << 1,
	SPEAKER_OUT_2 = 1 << 5,
	PIT_HZ = 1193182,
	MEASURED_MS = 10,
	PATIENCE = 1 << 20, /* reads of a port, a microsecond each at least on real machines */
	FASTEST_TSC_KHZ = 6000000,
};

static uint64_t measured;

static uint64_t measure(void)
{
	uint8_t speaker = inb(PORT_SPEAKER);
	unsigned int count = PIT_HZ / 1000 * MEASURED_MS, reads = 0;
	uint64_t begin;

	outb(PORT_SPEAKER, (uint8_t)((speaker & ~SPEAKER_ON) | SPEAKER_GATE_2));
	outb(PIT_COMMAND, PIT_ONE_SHOT_2);
	outb(PIT_CHANNEL_2, (uint8_t)count);
	outb(PIT_CHANNEL_2, (uint8_t)(count >> 8));
	begin = rdtsc();
	while (!(inb(PORT_SPEAKER) & SPEAKER_OUT_2) && reads < PATIENCE)
		reads++;
	begin = rdtsc() - begin;
	outb(PORT_SPEAKER, speaker);
	if (reads == 0 || reads == PATIENCE || begin > UINT32_MAX)
		return FASTEST_TSC_KHZ;
	return (uint32_t)begin / MEASURED_MS; /* 32-bit L1 images have no division of 64 bits */
}

uint64_t ticks_per_ms(void)
{
	if (!measured)
		measured = measure();
	return measured;
}

void delay_ms(unsigned int ms)
{
	uint64_t begin = rdtsc(), ticks = ms * ticks_per_ms();

	while (rdtsc() - begin < ticks)
		cpu_relax();
}
