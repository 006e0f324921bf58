/*
 * menu=: one line in which a person chooses, where there is no boot loader that could ask. Letters
 * only, which come over a serial line as well. Relies on the firmware's console.
 */
#include "boot/efi/chain.h"

enum {
	TRIES = 20, /* a second */
	MICROSECONDS = 1000000 / TRIES,
	OLD_MOST = 64, /* keys that were pressed before the line came */
};

/* 0: none was pressed. */
static CHAR16 read_key(void)
{
	EFI_INPUT_KEY key;

	return EFI_ERROR(efi->ConIn->ReadKeyStroke(efi->ConIn, &key)) ? 0 : key.UnicodeChar;
}

enum chain_choice chain_ask(const struct config *config)
{
	if (!efi->ConIn)
		return CHAIN_BELOW;
	for (unsigned int i = 0; i < OLD_MOST && read_key();)
		i++;
	efi_say("Return: chain=%s with Nestling below; w: without Nestling; f: back to the "
	        "firmware. Return in %u second%s",
	        config->chain, config->menu, config->menu > 1 ? "s" : "");
	for (uint64_t i = 0; i < (uint64_t)config->menu * TRIES; i++) {
		switch (read_key()) {
		case '\r':
		case '\n':
			return CHAIN_BELOW;
		case 'w':
		case 'W':
			return CHAIN_WITHOUT;
		case 'f':
		case 'F':
			return CHAIN_BACK;
		default:
			efi->BootServices->Stall(MICROSECONDS);
		}
	}
	return CHAIN_BELOW;
}
