/*
 * The intercepts of MOV to and from control and debug registers, one bit each, and the selective
 * one of CR0. Relies on guest/lib; APM 15.8.
 */
#include "guest/svm/suite.h"

enum {
	REGISTERS = 16,
	OPCODE_READ_CR = 0x20,
	OPCODE_READ_DR = 0x21,
	WRITE = 2, /* what a write's opcode has more */
	MODRM = 0xc0,
	LOCK = 0xf0,
	REX_R = 0x44,
	EXT_FEATURES = 0x80000001,
	EXT_ECX_ALT_CR8 = 1 << 4,
	CRS = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 8,
	DRS = 0xcf, /* 4 and 5 are others' names, or nobody's with CR4.DE=1 */
};

/* One instruction for both kinds of registers, and what it needs. */
struct move {
	bool debug, write;
	unsigned int n;
	char bytes[4];
	struct code code;
	const char *lacks;
};

/* Encodes the move with rAX. */
static void encode(struct move *m)
{
	unsigned int length = 0;

	m->lacks = NULL;
	if (m->n >= 8 && BITS64) {
		m->bytes[length++] = REX_R;
	} else if (m->n == 8 && !m->debug) {
		if (!(cpuid(EXT_FEATURES, 0).ecx & EXT_ECX_ALT_CR8))
			m->lacks = "the processor names no CR8 in 32-bit code";
		m->bytes[length++] = (char)LOCK;
	} else if (m->n >= 8) {
		m->lacks = "32-bit code cannot name it";
	}
	m->bytes[length++] = 0x0f;
	m->bytes[length++] =
		(char)((m->debug ? OPCODE_READ_DR : OPCODE_READ_CR) + (m->write ? WRITE : 0));
	m->bytes[length++] = (char)(MODRM | (m->n & 7) << 3);
	m->code = (struct code){m->bytes, length};
}

static uint64_t value_of(const struct l2 *l2, const struct move *m)
{
	const struct vmcb_save *save = &l2->vmcb->save;

	if (m->debug)
		return m->n == 6 ? save->dr6 : m->n == 7 ? save->dr7 : 0;
	return m->n == 0 ? save->cr0 : m->n == 3 ? save->cr3 : m->n == 4 ? save->cr4 : 0;
}

static void check_move(struct move *m)
{
	const char *family = m->debug ? "DR" : "CR", *way = m->write ? "to" : "from";
	bool exists = (m->debug ? DRS : CRS) >> m->n & 1;
	uint64_t code;
	uint32_t bit = 1u << (m->n + (m->write ? 16 : 0));
	struct l2 *l2 = l2_new(0, l2_widest());
	uint32_t *word = &l2->vmcb->control.intercepts[m->debug ? INTERCEPT_DR : INTERCEPT_CR];

	code = (m->debug ? VMEXIT_DR0_READ : VMEXIT_CR0_READ) + (m->write ? 0x10 : 0) + m->n;
	encode(m);
	if (m->debug && !exists)
		l2->vmcb->save.cr4 |= CR4_DE;
	if (exists)
		point_named("MOV %s %s%u exits by its own bit", way, family, m->n);
	else
		point_named("MOV %s %s%u raises #UD before its intercept counts", way, family,
		            m->n);
	if (m->lacks) {
		point_skip(m->lacks);
		return;
	}
	*word = exists ? bit : ~0u;
	load_code(l2, &m->code);
	l2->vmcb->save.rax = value_of(l2, m);
	l2_run(l2);
	if (!exists) {
		if (!lets_pass(l2->vmcb->control.exit_code == code && m->debug, QEMU,
		               "the intercept counts before CR4.DE"))
			l2_check_vector(l2, VEC_UD);
		return;
	}
	check_before(l2, code, m->code.length);

	point_named("MOV %s %s%u runs when all other bits are set", way, family, m->n);
	*word = ~bit;
	l2->vmcb->save.rax = value_of(l2, m);
	l2_run(l2);
	check_through(l2, m->code.length);
}

static void moves(bool debug)
{
	for (unsigned int write = 0; write < 2; write++) {
		for (unsigned int n = 0; n < REGISTERS; n++) {
			struct move m = {.debug = debug, .write = write, .n = n};

			check_move(&m);
		}
	}
}

/* Other instructions that read or write CR0; rAX as they leave CR0. */
static void other_instructions(void)
{
	static const struct {
		const char *name;
		struct code code;
		uint32_t bit;
		enum vmexit_code exit;
	} rows[] = {
		{"SMSW exits as a read of CR0", CODE("\x0f\x01\xe0"), 1u, VMEXIT_CR0_READ},
		{"LMSW exits as a write of CR0", CODE("\x0f\x01\xf0"), 1u << 16, VMEXIT_CR0_WRITE},
		{"CLTS exits as a write of CR0", CODE("\x0f\x06"), 1u << 16, VMEXIT_CR0_WRITE},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l2 *l2 = fresh(rows[i].name);

		l2->vmcb->save.rax = l2->vmcb->save.cr0;
		l2->vmcb->control.intercepts[INTERCEPT_CR] = rows[i].bit;
		run_code(l2, &rows[i].code);
		check_before(l2, rows[i].exit, rows[i].code.length);
	}
}

/* APM 15.8.1: the selective intercept looks at what changes besides TS and MP. */
static void selective(void)
{
	static const struct {
		const char *name;
		struct code code;
		uint32_t changes;
		bool exits;
	} rows[] = {
		{"MOV to CR0 that changes nothing runs", CODE("\x0f\x22\xc0"), 0, false},
		{"MOV to CR0 that changes TS and MP runs", CODE("\x0f\x22\xc0"), CR0_TS | CR0_MP,
	         false},
		{"MOV to CR0 that changes EM exits", CODE("\x0f\x22\xc0"), CR0_EM, true},
		{"MOV to CR0 that changes AM exits", CODE("\x0f\x22\xc0"), CR0_AM, true},
		{"MOV to CR0 that changes AM and TS exits", CODE("\x0f\x22\xc0"), CR0_AM | CR0_TS,
	         true},
		{"LMSW that changes TS and MP runs", CODE("\x0f\x01\xf0"), CR0_TS | CR0_MP, false},
		{"LMSW that changes EM exits", CODE("\x0f\x01\xf0"), CR0_EM, true},
		{"CLTS runs", CODE("\x0f\x06"), CR0_TS, false},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct l2 *l2;
		uint64_t old;

		point_named("under the selective intercept %s", rows[i].name);
		l2 = l2_new(0, l2_widest());
		if (rows[i].code.length == 2)
			l2->vmcb->save.cr0 |= CR0_TS;
		old = l2->vmcb->save.cr0;
		l2->vmcb->control.intercepts[INTERCEPT_MISC1] |= MISC1_CR0_SEL_WRITE;
		l2->vmcb->save.rax = old ^ rows[i].changes;
		run_code(l2, &rows[i].code);
		if (rows[i].exits) {
			check_before(l2, VMEXIT_CR0_SEL_WRITE, rows[i].code.length);
			check("CR0", l2->vmcb->save.cr0, old);
		} else {
			check_through(l2, rows[i].code.length);
			check("CR0", l2->vmcb->save.cr0, old ^ rows[i].changes);
		}
	}
}

void suite_intercept(void)
{
	if (tap_group("intercept", "cr")) {
		moves(false);
		other_instructions();
		selective();
	}
	if (tap_group("intercept", "dr"))
		moves(true);
	point_end();
}
