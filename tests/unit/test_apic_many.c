/*
 * svm/apic/ with very many processors, whose ids have more than 8 bits: TCG has no x2APIC mode, so
 * here is all that is tried of it. What one of them does costs the same however many there are,
 * unless it means all.
 */
#define RIG_MAX 4097 /* the last row of registers is no processor's */
#include "tests/unit/apic_rig.c"

enum { MOST = 4096, IDS_FROM = 0x40, GAP_AT = 250, GAP = 0x1000 };

/* Ids are in clusters of 16; those behind the first 250 need more than 8 bits. */
static uint32_t id_of(unsigned int i)
{
	return IDS_FROM + i + (i >= GAP_AT ? GAP : 0);
}

static uint32_t ldr_of(uint32_t id)
{
	return (id >> 4) << 16 | 1u << (id & 0xf);
}

static void to_x2apic(unsigned int i)
{
	current = i;
	real_base = PAGE | ON;
	x2_msr[APIC_ID / 16] = id_of(i);
	x2_msr[APIC_LDR / 16] = ldr_of(id_of(i));
	assert_true(apic_write_base(&vcpus[i], PAGE | ON | X2));
	assert_int_equal(vcpus[i].apic.id, id_of(i));
}

/* As L1 does it: each processor goes to x2APIC mode by itself. */
static void in_x2apic_mode(unsigned int processors)
{
	machine(processors);
	for (unsigned int i = 0; i < processors; i++)
		vcpus[i].cpu.apic_id = id_of(i);
	for (unsigned int i = 0; i < processors; i++)
		to_x2apic(i);
}

static void send_x2(unsigned int from, uint64_t value)
{
	current = from;
	forget();
	icr_writes = 0;
	assert_true(x2apic_write(&vcpus[from], 0x830, value));
}

/* This one got it, or all but this one, or all; no others. */
enum who { ONE, ALL_BUT, ALL };
static void assert_who(enum who who, unsigned int n, int what)
{
	for (unsigned int i = 0; i < count; i++) {
		bool gets = who == ALL || (who == ONE) == (i == n);

		assert_int_equal(got[i], gets ? what : NOTHING);
	}
	assert_int_equal(icr_writes, 0);
}

static const unsigned int counts[] = {1, 2, 16, 17, 250, 251, 255, 256, 257, 1000, MOST};
enum { COUNTS = sizeof(counts) / sizeof(*counts) };

static void one_gets_it(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < COUNTS; n++) {
		unsigned int last = counts[n] - 1;

		in_x2apic_mode(counts[n]);
		for (unsigned int i = 0; i <= last; i += 1 + last / 7) {
			uint64_t to = (uint64_t)id_of(i) << 32;

			send_x2(last, to | 0x4500);
			assert_who(ONE, i, INIT);
			assert_int_equal(looked_at, 0);
			send_x2(last, to | 0x4699);
			assert_who(ONE, i, 0x99);
			send_x2(0, to | 0x4400);
			assert_who(ONE, i, NMI);
			assert_int_equal(looked_at, 0);
			send_x2(0, to | 0x8500); /* de-assert */
			assert_who(ALL_BUT, i, NOTHING);
		}
	}
}

/* One with these low 8 bits is another one; and that of nobody is refused. */
static void ids_have_32_bits(void **state)
{
	(void)state;
	in_x2apic_mode(MOST);
	send_x2(0, (uint64_t)id_of(3) << 32 | 0x4500);
	assert_who(ONE, 3, INIT);
	lines = 0;
	send_x2(0, (uint64_t)(id_of(GAP_AT) & 0xff) << 32 | 0x4500); /* 3Ah */
	assert_who(ALL_BUT, 0, NOTHING);
	assert_int_equal(lines, 1);
	send_x2(0, (uint64_t)(id_of(MOST - 1) | 1u << 31) << 32 | 0x4608);
	assert_who(ALL_BUT, 0, NOTHING);
	send_x2(0, 0xff00004500); /* no broadcast here */
	assert_int_equal(got[0xff - IDS_FROM], INIT);
	assert_int_equal(got[0], NOTHING);
}

static void all_get_it(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < COUNTS; n++) {
		unsigned int last = counts[n] - 1;

		in_x2apic_mode(counts[n]);
		send_x2(last, 0xffffffff00004500);
		assert_who(ALL, 0, INIT);
		send_x2(last, 0x84500);
		assert_who(ALL, 0, INIT);
		send_x2(last, 0xc4612);
		assert_who(ALL_BUT, last, 0x12);
		send_x2(0, 0xc4400);
		assert_who(ALL_BUT, 0, NMI);
		send_x2(last, 0x44400);
		assert_who(ONE, last, NMI);
		assert_true(looked_at <= counts[n]);
	}
}

/* A cluster and 16 bits; all clusters at once there are only as the broadcast. */
static void clusters(void **state)
{
	(void)state;
	in_x2apic_mode(MOST);
	for (unsigned int i = 0; i < MOST; i += 173) {
		uint32_t cluster = id_of(i) >> 4;

		send_x2(i, (uint64_t)cluster << 48 | 0x500000000 | 0x4c00);
		for (unsigned int to = 0; to < MOST; to++) {
			bool named = id_of(to) >> 4 == cluster && (0x5 >> (id_of(to) & 0xf) & 1);

			assert_int_equal(got[to], named ? NMI : NOTHING);
		}
		send_x2(i, (uint64_t)ldr_of(id_of(i)) << 32 | 0x4e33);
		assert_who(ONE, i, 0x33);
		send_x2(i, (uint64_t)cluster << 48 | 0x4d00);
		assert_who(ALL_BUT, i, NOTHING);
	}
	send_x2(5, 0xffffffff00004d00);
	assert_who(ALL, 0, INIT);
}

/* The page is dropped from all tables once, not once for each that has left it. */
static void they_move_together(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < COUNTS; n++) {
		machine(counts[n]);
		assert_int_equal(looked_at, 0);
		for (unsigned int i = 0; i < counts[n]; i++) {
			assert_true(apic_covers(PAGE, PAGE_SIZE));
			assert_int_equal(drops, 0);
			to_x2apic(i);
		}
		assert_true(drops == 1 && dropped[0] == PAGE);
		assert_int_equal(looked_at, 0);
		assert_int_equal(page_count, 0);
		/* And back, by disabling; as if ids were small. */
		wide_ids = false;
		forget();
		for (unsigned int i = 0; i < counts[n]; i++) {
			current = i;
			assert_true(apic_write_base(&vcpus[i], PAGE));
			assert_true(apic_write_base(&vcpus[i], PAGE | ON));
		}
		assert_true(drops == 1 && dropped[0] == PAGE);
		assert_int_equal(looked_at, 0);
		assert_true(page_count == 1 && pages[0].users == counts[n]);
	}
}

/* While some are in one mode and some in the other, both kinds reach all that can be named. */
static void modes_are_mixed(void **state)
{
	enum { FEW = 200, IN_X2 = 100 };

	(void)state;
	machine(FEW);
	for (unsigned int i = 0; i < FEW; i++) {
		vcpus[i].cpu.apic_id = id_of(i);
		registers[i][APIC_ID / 4] = id_of(i) << 24;
		on(i);
		apic_read_names(&vcpus[i]);
	}
	for (unsigned int i = 0; i < IN_X2; i++)
		to_x2apic(i);
	for (unsigned int to = 0; to < FEW; to += 33) {
		bool xapic = id_of(to) < 0xff;

		send_x2(7, (uint64_t)id_of(to) << 32 | 0x4500);
		if (xapic || to < IN_X2)
			assert_who(ONE, to, INIT);
		real_base = PAGE | ON;
		current = IN_X2;
		if (!xapic)
			continue;
		command(id_of(to), 0x4611);
		assert_int_equal(got[to], 0x11);
	}
}

/* Id FFh is one processor's in x2APIC mode, and everybody's name for who is not in it. */
static void broadcast_is_no_id(void **state)
{
	enum { FEW = 200, OUT = 5 };

	(void)state;
	machine(FEW);
	for (unsigned int i = 0; i < FEW; i++) {
		vcpus[i].cpu.apic_id = id_of(i);
		if (i != OUT)
			to_x2apic(i);
	}
	on(OUT);
	forget();
	icr_writes = 0;
	command(0xff, 0x4500);
	assert_who(ALL, 0, INIT);
	send_x2(0, 0xff00004500);
	assert_who(ONE, 0xff - IDS_FROM, INIT);
}

/* Else its kicks, which L0 waits for, would come to another one, or to all. */
static void no_way_back_if_ids_are_wide(void **state)
{
	(void)state;
	for (unsigned int n = 0; n < COUNTS; n++) {
		bool wide = 2 * (counts[n] - 1) >= 0xff; /* as machine() gives them */

		machine(counts[n]);
		to_x2apic(0);
		assert_int_equal(apic_write_base(&vcpus[0], PAGE), !wide);
		assert_false(apic_write_base(&vcpus[0], PAGE | ON | X2) != wide);
		assert_int_equal(apic_write_base(&vcpus[0], PAGE | ON), !wide);
		assert_int_equal(vcpus[0].apic.page == PAGE, !wide);
	}
}

/* Firmware may have given APICs other ids than they had at reset. */
static void ids_of_firmware(void **state)
{
	(void)state;
	machine(3); /* 0, 2, 4 by the APICs */
	vcpus[1].cpu.apic_id = 4;
	vcpus[2].cpu.apic_id = 6;
	command(2, 0x4500);
	assert_got(1 << 1, INIT);
	command(4, 0x4500);
	assert_got(1 << 2, INIT);
	command(6, 0x4500);
	assert_got(0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_gets_it),        cmocka_unit_test(ids_have_32_bits),
		cmocka_unit_test(all_get_it),         cmocka_unit_test(clusters),
		cmocka_unit_test(they_move_together), cmocka_unit_test(modes_are_mixed),
		cmocka_unit_test(broadcast_is_no_id), cmocka_unit_test(no_way_back_if_ids_are_wide),
		cmocka_unit_test(ids_of_firmware),
	};

	return cmocka_run_group_tests_name("apic_many", tests, NULL, NULL);
}
