/*
 * Making an L2: memory, nested tables, its own tables, GDT and IDT, and the VMCB for its mode.
 * Relies on l2.h for the layout; segment and control register values are what the mode asks for.
 */
#include "guest/lib/l2.h"
#include "guest/lib/machine.h"
#include "guest/lib/tap.h"
#include "hv/string.h"

enum {
	NPT_PAGES = 32,
	SPARES = 2,
	GATE_INTERRUPT = 0x8e,
	/* MSRPM: 2 KiB for each range of 0x2000 MSRs, two bits each (APM 15.11). */
	MSRPM_RANGE_BYTES = 0x800,
	MSRPM_RANGE_MSRS = 0x2000,
};

#define PAT_AT_RESET 0x0007040600070406ull

#define ATTR_CODE   (SEG_ATTR_P | SEG_ATTR_S | 0xb) /* executable, readable, accessed */
#define ATTR_DATA   (SEG_ATTR_P | SEG_ATTR_S | 0x3) /* writable, accessed */
#define ATTR_TSS    (SEG_ATTR_P | 0xb)              /* busy */
#define LIMIT_FLAT  0xffffffffu
#define LIMIT_REAL  0xffffu
#define LIMIT_TSS   0x67u
#define DESC_CODE32 0x00cf9b000000ffffull
#define DESC_DATA   0x00cf93000000ffffull
#define DESC_CODE64 0x00af9b000000ffffull

const struct pt_format *l2_format;
const char *l2_lacks_nesting;
uint8_t l2_msrpm[MSRPM_SIZE] __attribute__((aligned(PAGE_SIZE)));
uint8_t l2_iopm[IOPM_SIZE] __attribute__((aligned(PAGE_SIZE)));

static struct l2 l2s[L2_SLOTS];
static struct vmcb vmcbs[L2_SLOTS];
static uint8_t low_frames[L2_SLOTS][L2_LOW_END] __attribute__((aligned(PAGE_SIZE)));
static uint8_t small[L2_SLOTS][L2_SMALL_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t npts[L2_SLOTS][NPT_PAGES * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t spare[SPARES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

extern uint8_t l2_large[]; /* guest.ld; L2_LARGE_BYTES, and aligned to them */
extern const uint8_t l2_code16[], l2_code32[], l2_code64[];

void l2_init(const struct pt_format *format)
{
	l2_format = format;
	if (!machine.npt)
		l2_lacks_nesting = "no nested paging: CPUID 8000_000A EDX bit 0 is 0";
}

uint32_t *l2_small_frame(const struct l2 *l2, unsigned int page)
{
	return (void *)(small[l2->slot] + page * PAGE_SIZE);
}

uint32_t *l2_large_frame(unsigned int byte)
{
	return (void *)(l2_large + byte);
}

uint32_t *l2_spare_frame(unsigned int n)
{
	return (void *)spare[n];
}

void l2_msr_intercept(uint32_t msr, unsigned int bits)
{
	unsigned int range = msr >= 0xc0010000u ? 2 : msr >= 0xc0000000u ? 1 : 0;
	unsigned int n = msr % MSRPM_RANGE_MSRS;
	uint8_t *byte = &l2_msrpm[range * MSRPM_RANGE_BYTES + n / 4];

	*byte = (uint8_t)((*byte & ~(3u << n % 4 * 2)) | bits << n % 4 * 2);
}

void l2_port_intercept(uint16_t port, bool on)
{
	uint8_t bit = (uint8_t)(1u << port % 8);

	l2_iopm[port / 8] = (uint8_t)(on ? l2_iopm[port / 8] | bit : l2_iopm[port / 8] & ~bit);
}

void l2_make_npt(struct l2 *l2, const struct pt_format *format)
{
	uint64_t pool = (uintptr_t)npts[l2->slot];

	pt_init(&l2->npt, format, pool, pool + sizeof(npts[0]), 0);
	l2_map_npt(l2, 0, PT_RWU);
}

void l2_map_npt(struct l2 *l2, uint64_t base, uint64_t flags)
{
	uint64_t frames = l2_gpa(small[l2->slot]);

	pt_map_range(&l2->npt, base, l2_gpa(l2->low), L2_LOW_END, 1, flags);
	pt_map_range(&l2->npt, base + L2_SMALL, frames, sizeof(small[0]), 1, flags);
	pt_map_range(&l2->npt, base + L2_LARGE, l2_gpa(l2_large), L2_LARGE_BYTES, 2, flags);
}

void l2_make_tables(struct l2 *l2, const struct l2_kind *kind)
{
	uint64_t views[2] = {0, kind->alias};

	pt_init(&l2->own, kind->format, L2_TABLES, L2_LOW_END, (uintptr_t)l2->low);
	for (unsigned int i = 0; i < 2; i++) {
		pt_map_range(&l2->own, views[i], 0, L2_SMALL, 1, PT_RW);
		pt_map_range(&l2->own, views[i] + L2_SMALL, L2_SMALL, L2_END - L2_SMALL, 2, PT_RW);
	}
}

static void make_code(struct l2 *l2)
{
	unsigned int bits = l2->kind->bits;
	const uint8_t *code = bits == 16 ? l2_code16 : bits == 32 ? l2_code32 : l2_code64;
	const uint16_t *table = (const void *)code;

	memcpy(l2->low + L2_CODE, code, L2_STUBS + L2_VECTORS * 4);
	memcpy(l2->low + L2_EXEC, code + table[L2_FETCHED],
	       (size_t)(table[L2_FETCHED + 1] - table[L2_FETCHED]));
}

static void make_gdt_and_idt(struct l2 *l2)
{
	uint64_t *gdt = (void *)(l2->low + L2_GDT);
	uint32_t *gate = (void *)(l2->low + L2_IDT);
	uint32_t code = l2->kind->bits == 64 ? L2_CODE64_SEL : L2_CODE32_SEL;

	gdt[L2_CODE32_SEL / 8] = DESC_CODE32;
	gdt[L2_DATA_SEL / 8] = DESC_DATA;
	gdt[L2_CODE64_SEL / 8] = DESC_CODE64;
	gdt[L2_BASED_SEL / 8] = DESC_DATA | (uint64_t)L2_SCRATCH << 16;
	for (unsigned int vector = 0; vector < L2_VECTORS; vector++) {
		uint32_t handler = L2_CODE + L2_STUBS + vector * 4;

		if (l2->kind->bits == 16) {
			*gate++ = handler; /* offset, segment 0 */
			continue;
		}
		*gate++ = code << 16 | handler;
		*gate++ = GATE_INTERRUPT << 8;
		if (l2->kind->bits == 64) {
			*gate++ = 0;
			*gate++ = 0;
		}
	}
}

static void set_segment(struct vmcb_segment *s, uint32_t selector, uint32_t attributes,
                        uint32_t limit)
{
	s->selector = (uint16_t)selector;
	s->attributes = (uint16_t)attributes;
	s->limit = limit;
	s->base = 0;
}

static void make_segments(struct vmcb_save *save, unsigned int bits)
{
	struct vmcb_segment *data[] = {&save->ds, &save->es, &save->ss, &save->fs, &save->gs};
	uint32_t big = bits == 16 ? 0 : SEG_ATTR_G | SEG_ATTR_DB;

	if (bits == 16)
		set_segment(&save->cs, 0, ATTR_CODE, LIMIT_REAL);
	else if (bits == 32)
		set_segment(&save->cs, L2_CODE32_SEL, ATTR_CODE | big, LIMIT_FLAT);
	else
		set_segment(&save->cs, L2_CODE64_SEL, ATTR_CODE | SEG_ATTR_G | SEG_ATTR_L,
		            LIMIT_FLAT);
	/* In real mode, too, data have 4 GiB limits, so that one snippet serves all modes. */
	for (unsigned int i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		set_segment(data[i], bits == 16 ? 0 : L2_DATA_SEL, ATTR_DATA | big | SEG_ATTR_G,
		            LIMIT_FLAT);
	set_segment(&save->tr, 0, ATTR_TSS, LIMIT_TSS);
	save->gdtr.base = L2_GDT;
	save->gdtr.limit = L2_BASED_SEL + 7;
	save->idtr.base = L2_IDT;
	save->idtr.limit = bits == 16 ? L2_VECTORS * 4 - 1 : L2_VECTORS * (bits / 4) - 1;
}

static void make_vmcb(struct l2 *l2)
{
	struct vmcb_control *control = &l2->vmcb->control;
	struct vmcb_save *save = &l2->vmcb->save;

	control->intercepts[INTERCEPT_MISC1] = MISC1_INTR | MISC1_HLT | MISC1_SHUTDOWN;
	control->intercepts[INTERCEPT_MISC2] = MISC2_VMRUN | MISC2_VMMCALL;
	control->iopm_base_pa = (uintptr_t)l2_iopm;
	control->msrpm_base_pa = (uintptr_t)l2_msrpm;
	control->asid = l2->slot + 1;
	control->int_ctl = INT_CTL_V_INTR_MASKING;
	control->nested_ctl = NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = l2->npt.root;

	make_segments(save, l2->kind->bits);
	save->cr0 = l2->kind->cr0;
	save->cr4 = l2->kind->cr4;
	save->efer = l2->kind->efer | EFER_SVME;
	save->dr6 = DR6_FIXED;
	save->dr7 = DR7_FIXED;
	save->rflags = RFLAGS_FIXED;
	save->rsp = L2_STACK_TOP;
	save->g_pat = PAT_AT_RESET;
}

struct l2 *l2_new(unsigned int slot, const struct l2_kind *kind)
{
	struct l2 *l2 = &l2s[slot];

	memset(l2, 0, sizeof(*l2));
	l2->kind = kind;
	l2->slot = slot;
	l2->alias = kind->alias;
	l2->nested = !l2_lacks_nesting;
	l2->vmcb = &vmcbs[slot];
	l2->low = low_frames[slot];
	l2->flush = true;
	memset(l2->vmcb, 0, sizeof(*l2->vmcb));
	memset(low_frames[slot], 0, sizeof(low_frames[slot]));
	memset(small[slot], 0, sizeof(small[slot]));
	memset(spare, 0, sizeof(spare));
	memset(l2_msrpm, 0, sizeof(l2_msrpm));
	memset(l2_iopm, 0, sizeof(l2_iopm));
	if (l2->nested)
		l2_make_npt(l2, l2_format);
	make_vmcb(l2);
	make_code(l2);
	make_gdt_and_idt(l2);
	if (!l2->nested) {
		l2_share_shadow(l2);
	} else if (kind->format) {
		l2_make_tables(l2, kind);
		l2->vmcb->save.cr3 = l2->own.root;
	}
	return l2;
}
