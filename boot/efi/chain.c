/*
 * From the firmware's guest-to-be to L1: what forbids it, in which order it is done, and what is
 * started then. Relies on boot/efi/become_l1.asm and, in the core, on boot/chain.c.
 */
#include "boot/efi/chain.h"
#include "boot/check_svm.h"
#include "hv/x86.h"

static EFI_GUID global = EFI_GLOBAL_VARIABLE;

static bool secure_boot(void)
{
	UINT8 on = 0;
	UINTN size = sizeof(on);

	return !EFI_ERROR(efi->RuntimeServices->GetVariable((CHAR16 *)L"SecureBoot", &global, NULL,
	                                                    &size, &on)) &&
	       on;
}

/* Why Nestling cannot be below this firmware on this machine; NULL: it can. */
static const char *hindrance(const struct config *config)
{
	const char *missing = svm_missing(config->npt);

	if (secure_boot())
		return "Secure Boot is on, and Nestling is not signed: turn it off in the "
		       "firmware's setup";
	if (missing)
		return missing;
	if (!svm_use_npt(config->npt))
		return "chain= needs nested paging (NPT): leave npt=off out (QEMU: -cpu host or "
		       "max has it)";
	if (rdmsr(MSR_EFER) & EFER_SVME)
		return "something below or in the firmware uses SVM already: turn it off there";
	if (read_cr4() & (CR4_CET | CR4_PKS))
		return "the firmware uses CET or PKS, under which Nestling cannot begin: turn them "
		       "off in its setup";
	if ((read_cr4() & CR4_LA57) && config->la57 == LA57_OFF)
		return "the firmware uses 5-level paging: leave la57=off out";
	return NULL;
}

/* NULL: this is L1 now. Otherwise all is as it was. */
static const char *go_below(const struct config *config, struct boot_info *info,
                            const struct chain_core *core)
{
	struct boot_door door = {core->entry, (uint32_t)(UINT64)info};
	struct boot_processor *processors;
	const char *wrong = chain_find_processors(info);

	if (!wrong)
		wrong = chain_take_memory(config, info);
	if (wrong)
		return wrong;
	wrong = chain_gather_processors(info, core->page);
	if (!wrong) {
		processors = (struct boot_processor *)info->chain.processors;
		efi_become_l1(&processors[0], &door, core->page);
		chain_release_processors();
	}
	chain_give_back(info);
	return wrong;
}

EFI_STATUS chain_boot(EFI_HANDLE self, const struct efi_home *home, const struct config *config,
                      struct boot_info *info, const struct chain_core *core)
{
	EFI_HANDLE image;
	EFI_STATUS status = chain_load(self, home, config, &image);
	enum chain_choice choice = CHAIN_BELOW;
	const char *wrong;

	if (EFI_ERROR(status))
		return status;
	if (config->menu)
		choice = chain_ask(config);
	if (choice == CHAIN_BACK) {
		if (image)
			efi->BootServices->UnloadImage(image);
		return EFI_ABORTED;
	}
	if (choice == CHAIN_BELOW) {
		wrong = hindrance(config);
		if (!wrong)
			wrong = go_below(config, info, core);
		if (wrong)
			efi_error("%s; going on without Nestling", wrong);
		else
			efi_say("this machine runs on Nestling now");
	}
	return image ? efi->BootServices->StartImage(image, NULL, NULL) : EFI_SUCCESS;
}
