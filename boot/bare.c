/*
 * L1 on the machine itself, for bare=on. Relies on boot/bare.asm for the way out of long mode.
 */
#include "boot/bare.h"

#include "hv/image.h"
#include "hv/log.h"
#include "hv/paging.h"
#include "hv/x86.h"

/* boot/bare.asm; image is the hpa of image_base, below 4 GiB. */
_Noreturn void bare_enter(uint32_t image, uint32_t eip, uint32_t eax, uint32_t ebx);

void bare_run(const struct load_result *loaded, uint64_t pat)
{
	const struct l1_entry *entry = &loaded->entry;

	if (entry->real_mode || entry->gdt_base)
		stop("bare=on takes a multiboot image, and L1 is one of another kind (%s): leave "
		     "bare=on out, or boot it by GRUB",
		     loaded->protocol);
	log_info("bare: L1 by %s", loaded->protocol);
	wrmsr(MSR_PAT, pat);
	paging_remember_identity();
	bare_enter((uint32_t)image_hpa, entry->eip, entry->eax, entry->ebx);
}
