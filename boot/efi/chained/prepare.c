/*
 * OVMF parks its other processors in HLT and wakes them by INIT. Here they wait for a store, as
 * elsewhere, and MP services are replaced by such that wake them so. Relies on mp_services.h.
 */
#include "boot/efi/chained/prepare.h"
#include "boot/efi/mp_services.h"
#include "hv/string.h"
#include "hv/x86.h"

#include <stddef.h>

enum {
	LINE = 64,       /* bytes that MONITOR watches */
	LOOK = 10000,    /* 1 ms in units of 100 ns: for what returns without waiting */
	NUMBER = 0x1234, /* of the boot option */
	ORDER_MOST = 32,
	PARTITION_BYTES = 42, /* UEFI 2.10, table 10.49 */
	KEPT = EFI_VARIABLE_NON_VOLATILE | EFI_VARIABLE_BOOTSERVICE_ACCESS |
	       EFI_VARIABLE_RUNTIME_ACCESS,
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

/* EFI_LOAD_OPTION (UEFI 2.10, section 3.1.3), as who installs a system writes it. */
struct load_option {
	UINT32 attributes;
	UINT16 path_bytes;
	CHAR16 text[2];
	UINT8 partition[PARTITION_BYTES];
	struct {
		EFI_DEVICE_PATH node;
		CHAR16 path[sizeof("\\chained.efi")];
	} file;
	EFI_DEVICE_PATH end;
	CHAR16 words[sizeof("chained")];
} __attribute__((packed));

/* In front of all others. */
static EFI_STATUS order_first(EFI_RUNTIME_SERVICES *runtime, EFI_GUID *global)
{
	static UINT16 order[1 + ORDER_MOST] = {NUMBER};
	UINTN size = sizeof(order) - sizeof(order[0]);
	EFI_STATUS status = runtime->GetVariable(L"BootOrder", global, NULL, &size, order + 1);

	return EFI_ERROR(status) ? status
	                         : runtime->SetVariable(L"BootOrder", global, KEPT,
	                                                size + sizeof(order[0]), order);
}

static EFI_STATUS add_option(EFI_RUNTIME_SERVICES *runtime, EFI_HANDLE volume)
{
	static struct load_option option = {
		.attributes = 1, /* active */
		.path_bytes = offsetof(struct load_option, words) -
	                      offsetof(struct load_option, partition),
		.text = L"A",
		.file = {{MEDIA_DEVICE_PATH, MEDIA_FILEPATH_DP, {sizeof(option.file), 0}},
	                 L"\\chained.efi"},
		.end = {END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, {4, 0}},
		.words = L"chained",
	};
	EFI_GUID guid = EFI_DEVICE_PATH_PROTOCOL_GUID, global = EFI_GLOBAL_VARIABLE;
	const EFI_DEVICE_PATH *node;
	EFI_STATUS status = services_of->HandleProtocol(volume, &guid, (void **)&node);

	if (EFI_ERROR(status))
		return status;
	while (DevicePathType(node) != MEDIA_DEVICE_PATH) {
		if (IsDevicePathEnd(node))
			return EFI_NOT_FOUND; /* the volume is on no partition */
		node = NextDevicePathNode(node);
	}
	if (DevicePathNodeLength(node) != sizeof(option.partition))
		return EFI_NOT_FOUND;
	memcpy(option.partition, node, sizeof(option.partition));
	status = runtime->SetVariable(L"Boot1234", &global, KEPT, sizeof(option), &option);
	return EFI_ERROR(status) ? status : order_first(runtime, &global);
}

BOOLEAN prepare(EFI_SYSTEM_TABLE *table, enum prepared what, EFI_HANDLE volume)
{
	EFI_GUID guid = MP_SERVICES_GUID;

	services_of = table->BootServices;
	by_mwait = what == MWAITING;
	if (EFI_ERROR(services_of->LocateProtocol(&guid, NULL, (void **)&below)))
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
	case OPTION:
		return !EFI_ERROR(add_option(table->RuntimeServices, volume));
	default:
		return TRUE;
	}
}
