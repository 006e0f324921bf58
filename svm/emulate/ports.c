/*
 * Watched ports: L0 performs the guest's IN or OUT and tells the watcher. Relies on
 * svm/event/event.h.
 */
#include "svm/emulate/ports.h"
#include "hv/log.h"
#include "hv/memory.h"
#include "hv/x86.h"
#include "svm/event/event.h"
#include "svm/cpus/processors.h"

enum { WORD_BITS = 64, PORTS = 1 << 16 };

uint64_t iopm01[IOPM_SIZE / sizeof(uint64_t)] __attribute__((aligned(PAGE_SIZE)));

static struct watch {
	uint16_t first;
	unsigned int count;
	const struct port_watcher *watcher;
} watches[PORT_WATCHES];

static unsigned int watch_count;

void ports_watch(uint16_t first, unsigned int count, const struct port_watcher *watcher)
{
	if (watch_count == PORT_WATCHES)
		panic("more than %d ranges of ports to be watched", PORT_WATCHES);
	watches[watch_count++] = (struct watch){first, count, watcher};
	for (uint32_t port = first; port < first + count && port < PORTS; port++)
		iopm01[port / WORD_BITS] |= 1ull << port % WORD_BITS;
}

uint32_t ports_intercepts(void)
{
	return watch_count ? MISC1_IOIO_PROT : 0;
}

static bool touches(const struct watch *watch, const struct port_access *access)
{
	return access->port < watch->first + watch->count &&
	       access->port + access->size > watch->first;
}

/* L0 does not perform INS and OUTS: it looks at these ports no more, and the guest tries again. */
static void let_go(struct watch *watch)
{
	log_info("string I/O at port %x, which is not watched any more", watch->first);
	for (uint32_t port = watch->first; port < watch->first + watch->count; port++)
		__atomic_and_fetch(&iopm01[port / WORD_BITS], ~(1ull << port % WORD_BITS),
		                   __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < vcpu_count() * MERGED_IOPMS; i++)
		vcpu_at(i / MERGED_IOPMS)->nested.iopms.map[i % MERGED_IOPMS].stale = ALL_STALE;
}

/* False: the guest gets #GP, since nobody uses them with such registers. */
static bool let_string_pass(const struct port_access *access)
{
	for (unsigned int i = 0; i < watch_count; i++) {
		if (!touches(&watches[i], access) || !watches[i].watcher->write)
			continue;
		log_once(log_info, "string I/O at port %x: #GP", access->port);
		return false;
	}
	for (unsigned int i = 0; i < watch_count; i++) {
		if (touches(&watches[i], access))
			let_go(&watches[i]);
	}
	return true;
}

static uint32_t port_in(uint16_t port, uint8_t size)
{
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

void port_out(const struct port_access *access)
{
	if (access->size == 1)
		outb(access->port, (uint8_t)access->value);
	else if (access->size == 2)
		outw(access->port, (uint16_t)access->value);
	else
		outl(access->port, access->value);
}

/* AL and AX keep what is above them; EAX clears it. */
static uint64_t merge(uint64_t rax, const struct port_access *access)
{
	uint64_t mask = access->size == 4 ? ~0ull : (1ull << 8 * access->size) - 1;

	return (rax & ~mask) | access->value;
}

static void perform(struct vmcb_save *save, struct port_access *access, bool in)
{
	bool drop = false;

	if (in) {
		access->value = port_in(access->port, access->size);
		save->rax = merge(save->rax, access);
	} else {
		access->value = low32(save->rax);
	}
	for (unsigned int i = 0; i < watch_count; i++) {
		const struct port_watcher *watcher = watches[i].watcher;

		if (!touches(&watches[i], access))
			continue;
		if (in && watcher->read)
			watcher->read(access);
		if (!in && watcher->write)
			drop |= !watcher->write(access);
	}
	if (!in && !drop)
		port_out(access);
}

bool ports_perform(struct vcpu *vcpu)
{
	struct vmcb *vmcb = vcpu->vmcb;
	uint64_t info = vmcb->control.exit_info1;
	struct port_access access = {
		.port = (uint16_t)(info >> IOIO_PORT_S),
		.size = info >> IOIO_SIZE_S & IOIO_SIZE,
	};

	if (info & IOIO_STRING) {
		if (let_string_pass(&access))
			return false;
		raise_exception(vcpu, VEC_GP, 0);
		return true;
	}
	perform(&vmcb->save, &access, info & IOIO_TYPE_IN);
	/* EXITINFO2 is where the instruction ends. */
	finish_instruction(vcpu, (unsigned int)(vmcb->control.exit_info2 - vmcb->save.rip));
	return true;
}
