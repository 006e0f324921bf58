/*
 * Bases that are not canonical: VMRUN and VMLOAD extend the sign of their highest bit, and neither
 * fails. Relies on guest/lib; APM 15.5.1, "Canonicalization and Consistency Checks".
 */
#include "guest/svm/suite.h"

#ifndef __x86_64__
void suite_bases(void)
{
	if (!tap_group("entry", "bases"))
		return;
	point("a base that is not canonical is sign-extended");
	point_skip("32-bit code cannot see it");
	point_end();
}
#else
static const char keeps[] = "bases are loaded as they are";

/* With 5 levels of paging one more byte is an address. */
static uint64_t not_canonical(void)
{
	return l2_format->levels == 5 ? 1ull << 56 | 0x12345000 : 1ull << 47 | 0x12345000;
}

static uint64_t canonical(void)
{
	unsigned int unused = l2_format->levels == 5 ? 7 : 16;

	return (uint64_t)((int64_t)(not_canonical() << unused) >> unused);
}

/* SGDT and SIDT show L2's registers; the base is behind the limit. */
static void by_vmrun(const char *name, const struct code *code, bool gdt)
{
	struct l2 *l2 = fresh(name);
	struct vmcb_segment *table = gdt ? &l2->vmcb->save.gdtr : &l2->vmcb->save.idtr;
	uint64_t seen;

	table->base = not_canonical();
	l2->regs.rbx = L2_SCRATCH;
	run_code(l2, code);
	check_through(l2, code->length);
	memcpy(&seen, l2->low + L2_SCRATCH + 2, sizeof(seen));
	check_known("base", seen, canonical(), not_canonical(), machine.bochs ? BOCHS : QEMU,
	            keeps);
}

static void by_vmload(void)
{
	static struct vmcb own, from, to;
	static const struct {
		const char *name;
		size_t base;
	} rows[] = {
		{"FS", offsetof(struct vmcb, save.fs.base)},
		{"GS", offsetof(struct vmcb, save.gs.base)},
		{"LDTR", offsetof(struct vmcb, save.ldtr.base)},
		{"TR", offsetof(struct vmcb, save.tr.base)},
		{"KernelGSBase", offsetof(struct vmcb, save.kernel_gs_base)},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t base = not_canonical(), seen;

		point_named("VMLOAD extends the sign of the base of %s", rows[i].name);
		vmsave(&own);
		from = own;
		memcpy((uint8_t *)&from + rows[i].base, &base, sizeof(base));
		vmload(&from);
		vmsave(&to);
		vmload(&own);
		memcpy(&seen, (uint8_t *)&to + rows[i].base, sizeof(seen));
		check_known("base", seen, canonical(), not_canonical(),
		            machine.bochs ? BOCHS : QEMU, keeps);
	}
}

void suite_bases(void)
{
	static const struct code sgdt = CODE("\x0f\x01\x03"), sidt = CODE("\x0f\x01\x0b");

	if (!tap_group("entry", "bases"))
		return;
	by_vmrun("VMRUN extends the sign of GDTR's base", &sgdt, true);
	by_vmrun("VMRUN extends the sign of IDTR's base", &sidt, false);
	by_vmload();
	point_end();
}
#endif
