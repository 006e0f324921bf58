/*
 * Variables of ours (UEFI 2.10, section 8.2). Whatever stands under our GUID is bounded, named and
 * deleted. Relies on boot/efi/efi_program.h.
 */
#include "boot/efi/variables.h"
#include "boot/efi/efi_program.h"
#include "hv/string.h"

enum {
	NAME_CHARS = 1024, /* a longer one ends the search: it cannot be passed over */
	NAMES_MOST = 4096, /* that are looked at, of all in the store, ... */
	OURS_MOST = 64,    /* ... and of ours */
	NAME_SHOWN = 40,
	EACH_MORE = 128, /* bytes that a variable takes besides what is in it */
};
#define UEFI_2_0 (2u << 16) /* as tables have their revision */

static EFI_GUID guid = VARIABLES_GUID;
static CHAR16 name[NAME_CHARS];
static UINT8 bytes[BRIEF_PIECE_BYTES];

bool variables_fit(void)
{
	const UINT64 need = BRIEF_PIECES * (BRIEF_PIECE_BYTES + EACH_MORE);
	UINT64 all = 0, left = 0, largest = 0;

	/* Firmware before UEFI 2.0 does not tell. */
	if (efi->RuntimeServices->Hdr.Revision < UEFI_2_0 ||
	    EFI_ERROR(
		    efi->RuntimeServices->QueryVariableInfo(VARIABLES_KEPT, &all, &left, &largest)))
		return false;
	return largest >= BRIEF_PIECE_BYTES && left >= need && left - need >= all / 2;
}

/* Of piece index: the bytes that it has, or 0 where there is none that could be one. */
static UINTN read_piece(unsigned int index)
{
	CHAR16 piece[] = VARIABLES_NAME;
	UINTN size = sizeof(bytes);

	piece[VARIABLES_DIGIT] = (CHAR16)('0' + index);
	if (EFI_ERROR(efi->RuntimeServices->GetVariable(piece, &guid, NULL, &size, bytes)))
		return 0;
	return size <= sizeof(bytes) ? size : 0;
}

bool variables_read(uint32_t run, uint32_t step, struct brief *brief)
{
	bool more = true;

	for (unsigned int i = 0; more && i < BRIEF_PIECES; i++) {
		UINTN size = read_piece(i);

		if (!size || !brief_join(bytes, size, run, step, i, brief, &more))
			return false;
	}
	return !more;
}

/* The next name of all that are there; false behind the last one. */
static bool next_name(EFI_GUID *whose)
{
	UINTN size = sizeof(name);

	return !EFI_ERROR(efi->RuntimeServices->GetNextVariableName(&size, name, whose));
}

/* The first of ours that is there, in name. */
static bool find_ours(void)
{
	EFI_GUID whose;

	memset(&whose, 0, sizeof(whose));
	name[0] = 0;
	for (unsigned int i = 0; i < NAMES_MOST && next_name(&whose); i++)
		if (!memcmp(&whose, &guid, sizeof(guid)))
			return true;
	return false;
}

/* Without rights it is deleted, whatever rights it had. */
static bool delete (CHAR16 *which)
{
	EFI_STATUS status = efi->RuntimeServices->SetVariable(which, &guid, 0, 0, NULL);

	return !EFI_ERROR(status) || status == EFI_NOT_FOUND;
}

/* A name that an odd one may have: anything. */
static void tell(struct out *out, const char *what)
{
	char shown[NAME_SHOWN + 1];
	unsigned int i = 0;

	for (; i < NAME_SHOWN && name[i]; i++)
		shown[i] = name[i] > ' ' && name[i] <= '~' ? (char)name[i] : '?';
	shown[i] = '\0';
	out_print(out, "--- the firmware's variable \"%s\" with our GUID %s\n", shown, what);
}

static bool is_piece(void)
{
	UINTN size = sizeof(bytes);

	return !EFI_ERROR(efi->RuntimeServices->GetVariable(name, &guid, NULL, &size, bytes)) &&
	       size <= sizeof(bytes) && brief_is_piece(bytes, size);
}

void variables_forget(struct out *out)
{
	for (unsigned int i = 0; i < OURS_MOST && find_ours(); i++) {
		if (!is_piece())
			tell(out, "holds no report");
		if (delete (name))
			continue;
		tell(out, "cannot be deleted");
		return;
	}
}
