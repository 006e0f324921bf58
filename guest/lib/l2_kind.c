/*
 * The modes in which L2s run. The alias of a 64-bit one is in the upper half of the canonical
 * addresses; that of l2_la57 needs five levels. Relies on paging.h for the formats.
 */
#include "guest/lib/l2.h"
#include "guest/lib/machine.h"

#define L2_ALIAS_32 0x80000000ull
#define L2_ALIAS_48 0xffff900000000000ull
#define L2_ALIAS_57 0xff20000000000000ull

const struct l2_kind l2_real = {.name = "real", .bits = 16, .cr0 = L2_CR0};
const struct l2_kind l2_prot = {.name = "prot", .bits = 32, .cr0 = L2_CR0 | CR0_PE};
const struct l2_kind l2_2level = {
	.name = "2level",
	.bits = 32,
	.format = &pt_2level,
	.cr0 = L2_CR0 | CR0_PE | CR0_PG | CR0_WP,
	.alias = L2_ALIAS_32,
};
const struct l2_kind l2_pse = {
	.name = "pse",
	.bits = 32,
	.format = &pt_pse,
	.cr0 = L2_CR0 | CR0_PE | CR0_PG | CR0_WP,
	.cr4 = CR4_PSE,
	.alias = L2_ALIAS_32,
};
const struct l2_kind l2_pae = {
	.name = "pae",
	.bits = 32,
	.format = &pt_pae,
	.cr0 = L2_CR0 | CR0_PE | CR0_PG | CR0_WP,
	.cr4 = CR4_PAE,
	.alias = L2_ALIAS_32,
};
const struct l2_kind l2_long = {
	.name = "long",
	.bits = 64,
	.format = &pt_4level,
	.cr0 = L2_CR0 | CR0_PE | CR0_PG | CR0_WP,
	.cr4 = CR4_PAE,
	.efer = EFER_LME | EFER_LMA,
	.alias = L2_ALIAS_48,
};
const struct l2_kind l2_la57 = {
	.name = "la57",
	.bits = 64,
	.format = &pt_5level,
	.cr0 = L2_CR0 | CR0_PE | CR0_PG | CR0_WP,
	.cr4 = CR4_PAE | CR4_LA57,
	.efer = EFER_LME | EFER_LMA,
	.alias = L2_ALIAS_57,
};

const struct l2_kind *const l2_kinds[] = {
	&l2_real, &l2_prot, &l2_2level, &l2_pse, &l2_pae, &l2_long, &l2_la57, NULL,
};

bool l2_possible(const struct l2_kind *kind)
{
#ifndef __x86_64__
	/* A 32-bit L1 cannot save the registers of a 64-bit L2. */
	if (kind->bits == 64)
		return false;
#endif
	if (kind == &l2_la57)
		return machine.la57 && l2_format->levels == 5;
	return kind->bits != 64 || machine.lm;
}

const struct l2_kind *l2_widest(void)
{
	return l2_possible(&l2_la57) ? &l2_la57 : l2_possible(&l2_long) ? &l2_long : &l2_pae;
}
