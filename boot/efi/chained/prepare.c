/*
 * OVMF parks its other processors in HLT and wakes them by INIT. Here they wait for a store, as
 * elsewhere, and MP services are replaced by such that wake them so. Relies on mp_services.h.
 */
#include "boot/efi/chained/prepare.h"
#include "boot/efi/mp_services.h"
#include "hv/x86.h"

enum {
	LINE = 64,    /* bytes that MONITOR watches */
	LOOK = 10000, /* 1 ms in units of 100 ns: for what returns without waiting */
};

static EFI_BOOT_SERVICES *services_of;
static struct mp_services *below; /* the firmware's own */
static UINT32 others;
static BOOLEAN by_mwait;

static struct {
	_Alignas(LINE) volatile UINT32 round; /* the store that wakes them */
} wake;
static VOID(EFIAPI *work)(VOID *argument);
static VOID *work_argument;
static volatile UINT32 parked, done;
static EFI_EVENT signalled, timer;

static void wait_for_round_after(UINT32 seen)
{
	while (wake.round == seen) {
		if (!by_mwait) {
			cpu_relax();
			continue;
		}
		__asm__ volatile("monitor" ::"a"(&wake.round), "c"(0), "d"(0));
		if (wake.round == seen)
			__asm__ volatile("mwait" ::"a"(0), "c"(0));
	}
}

static VOID EFIAPI park(VOID *argument)
{
	UINT32 seen = 0;

	(void)argument;
	__atomic_add_fetch(&parked, 1, __ATOMIC_SEQ_CST);
	for (;;) {
		wait_for_round_after(seen++);
		work(work_argument);
		__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
	}
}

static VOID EFIAPI look(EFI_EVENT event, VOID *context)
{
	(void)context;
	if (done < others)
		return;
	services_of->SetTimer(event, TimerCancel, 0);
	services_of->SignalEvent(signalled);
}

static EFI_STATUS EFIAPI start_all(struct mp_services *self,
                                   VOID(EFIAPI *procedure)(VOID *argument), BOOLEAN one_by_one,
                                   EFI_EVENT event, UINTN microseconds, VOID *argument,
                                   UINTN **failed)
{
	(void)self, (void)one_by_one, (void)microseconds, (void)failed;
	work = procedure;
	work_argument = argument;
	done = 0;
	signalled = event;
	__atomic_add_fetch(&wake.round, 1, __ATOMIC_SEQ_CST);
	if (event)
		return services_of->SetTimer(timer, TimerPeriodic, LOOK);
	while (done < others)
		cpu_relax();
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI get_count(struct mp_services *self, UINTN *all, UINTN *enabled)
{
	(void)self;
	return below->get_count(below, all, enabled);
}

static EFI_STATUS EFIAPI get_information(struct mp_services *self, UINTN number,
                                         struct mp_information *information)
{
	(void)self;
	return below->get_information(below, number, information);
}

/* Those that a test asks for, and none else. */
static struct mp_services replaced = {
	.get_count = get_count,
	.get_information = get_information,
	.start_all = start_all,
};

static EFI_STATUS replace(EFI_GUID *guid)
{
	EFI_HANDLE *handles;
	UINTN count;
	EFI_STATUS status =
		services_of->LocateHandleBuffer(ByProtocol, guid, NULL, &count, &handles);

	if (!EFI_ERROR(status))
		status = services_of->CreateEvent(EVT_TIMER | EVT_NOTIFY_SIGNAL, TPL_CALLBACK, look,
		                                  NULL, &timer);
	if (!EFI_ERROR(status))
		status =
			services_of->ReinstallProtocolInterface(handles[0], guid, below, &replaced);
	return status;
}

static BOOLEAN park_all(void)
{
	EFI_EVENT never;
	UINTN count, enabled;

	if (EFI_ERROR(below->get_count(below, &count, &enabled)) ||
	    EFI_ERROR(services_of->CreateEvent(0, TPL_CALLBACK, NULL, NULL, &never)) ||
	    EFI_ERROR(below->start_all(below, park, FALSE, never, 0, NULL, NULL)))
		return FALSE;
	others = (UINT32)enabled - 1;
	while (parked < others)
		cpu_relax();
	return TRUE;
}

BOOLEAN prepare(EFI_BOOT_SERVICES *boot, enum prepared what)
{
	EFI_GUID guid = MP_SERVICES_GUID;

	services_of = boot;
	by_mwait = what == MWAITING;
	if (EFI_ERROR(boot->LocateProtocol(&guid, NULL, (void **)&below)))
		return FALSE;
	switch (what) {
	case DISABLED:
		return !EFI_ERROR(below->enable(below, 1, FALSE, NULL));
	case BUSY:
		return park_all();
	case SPINNING:
	case MWAITING:
		return park_all() && !EFI_ERROR(replace(&guid));
	case TAKEN:
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
		return TRUE;
	default:
		return TRUE;
	}
}
