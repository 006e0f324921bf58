/*
 * libFuzzer's way into the firmware's boot options, of which chain=auto starts one. Relies on
 * tests/unit/efi_rig.h.
 */
#include <string.h>

#include "boot/efi/chain.h"
#include "tests/fuzz/boot_fuzz.h"
#include "tests/unit/efi_rig.h"

void *efi_allocate_low(EFI_MEMORY_TYPE type, UINT64 bytes)
{
	(void)type, (void)bytes;
	return NULL;
}

/* The first byte says how long the list is; then comes the list, and what each option is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct efi_home home = {.directory = "\\", .name = "nestling.efi"};
	EFI_HANDLE image = NULL, self;
	EFI_STATUS status;
	const void *options;
	size_t list;

	if (!size)
		return 0;
	list = data[0] < size ? data[0] : size - 1;
	rig_reset();
	rig_program(RIG_HOME, "\\nestling.efi");
	rig_program(RIG_MAIN, "\\a.efi");
	rig_program(RIG_STICK, "\\EFI\\BOOT\\BOOTX64.EFI");
	rig_variable("BootOrder", data + 1, list);
	rig_variable("Boot????", data + 1 + list, size - 1 - list);
	home.device = rig_handle(RIG_HOME);
	self = rig_runs(RIG_HOME, "\\nestling.efi", NULL);
	status = chain_load_next(self, &home, &image);
	check(EFI_ERROR(status) == !image);
	check(!rig.files && rig.loads - rig.unloads == !!image);
	if (image) {
		check(strcmp(rig_image(image), "home:\\nestling.efi") != 0);
		check(rig.pools == (rig_options(image, &options) ? 1 : 0));
	} else {
		check(!rig.pools);
	}
	return 0;
}
