/*
 * Writes what fits of the report into the firmware's variables and resets the machine. Relies on
 * boot/efi/brief.h, and on the processor being as EFI's runtime services want it.
 */
#include "boot/efi/brief.h"
#include "boot/efi/resident/resident.h"
#include "boot/efi/variables.h"
#include "hv/string.h"
#include "hv/x86.h"

_Noreturn void resident_main(const struct resident_head *head);

static void write_variables(EFI_RUNTIME_SERVICES *services, const struct report_header *header,
                            const struct brief *brief)
{
	static struct brief_piece piece;
	CHAR16 name[] = VARIABLES_NAME;
	EFI_GUID guid = VARIABLES_GUID;

	for (unsigned int i = 0; i < brief_pieces(brief); i++) {
		UINTN size = brief_cut(brief, header->run, header->step, i, &piece);

		name[VARIABLES_DIGIT] = (CHAR16)('0' + i);
		if (EFI_ERROR(services->SetVariable(name, &guid, VARIABLES_KEPT, size, &piece)))
			return;
	}
}

void resident_main(const struct resident_head *head)
{
	static struct brief brief;
	const uint8_t *region = (const uint8_t *)head - REPORT_RESIDENT_AT;
	EFI_RUNTIME_SERVICES *services = (EFI_RUNTIME_SERVICES *)head->services;
	struct report_header header;
	struct report_text text;
	enum report_found found;

	memcpy(&header, region, sizeof(header));
	found = report_find(region, header.run, header.step, &text);
	if (brief_make(found, &text, &brief))
		write_variables(services, &header, &brief);
	wbinvd();
	services->ResetSystem(EfiResetWarm, EFI_SUCCESS, 0, NULL);
	for (;;)
		__asm__ volatile("ud2"); /* there is no IDT: it ends in a reset, too */
}
