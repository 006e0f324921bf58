/*
 * PAE: the processor keeps the four PDPTEs from MOV CR3 on, and checks them then. Relies on
 * paging.h; APM 5.2.3. A processor that runs L1 under nested paging reads them at each walk (APM
 * 15.25.10), as QEMU always does.
 */
#include "guest/points/paging.h"

enum { VALUE = 0x9d97 };

#define PDPTE_A PT_ACCESSED /* reserved, but QEMU sets it */

static const char at_walk[] = "PDPTEs are read at each walk";
static const char unchecked[] = "PDPTEs are not checked at MOV CR3";

/* Does a hypervisor that shows NPT, and so has it, run L1? */
static bool under_nested_paging(void)
{
	return !machine.bare && machine.npt;
}

/* The page has its old value still, unless PDPTEs are read at each walk. */
static void kept(uint64_t at, uint32_t old, uint32_t changed)
{
	uint32_t got = ~old;
	int vector = try_access(SUPERVISOR, READ, at, &got);

	if (machine.qemu && (vector == VEC_PF || got == changed))
		point_known(QEMU, at_walk);
	else if (under_nested_paging() && (vector == VEC_PF || got == changed))
		return;
	else if (vector >= 0)
		point_fail("# vector %d, where the old PDPTE should count\n", vector);
	else
		check("read", got, old);
}

static void cached(void)
{
	uint64_t first = get(small_page(0), 3) & ~PDPTE_A, second;

	for (unsigned int i = 0; i < REGION_PAGES; i++)
		frame(i)[0] = VALUE + i;
	set(small_page(0), 3, 0);
	for (unsigned int i = 0; i < REGION_PAGES; i++)
		map(small_page(i), frame(REGION_PAGES - 1 - i), 1, PT_RWU);
	second = get(small_page(0), 3) & ~PDPTE_A;
	set(small_page(0), 3, first);
	flush();

	point("a PDPTE that changes in memory does not count before MOV CR3");
	may(SUPERVISOR, READ, small_page(0), VALUE);
	set(small_page(0), 3, second);
	kept(small_page(1), VALUE + 1, VALUE + 6);
	flush();
	may(SUPERVISOR, READ, small_page(0), VALUE + 7);
	may(SUPERVISOR, READ, small_page(2), VALUE + 5);

	point("a PDPTE that is taken away in memory counts until MOV CR3");
	set(small_page(0), 3, 0);
	kept(small_page(3), VALUE + 4, 0);
	flush();
	faults(SUPERVISOR, READ, small_page(3), 0);

	point("a PDPTE that appears in memory is there after MOV CR3");
	set(small_page(0), 3, first);
	flush();
	may(SUPERVISOR, READ, small_page(3), VALUE + 3);

	point("INVLPG does not load PDPTEs");
	set(small_page(0), 3, second);
	invlpg(small_page(4));
	kept(small_page(4), VALUE + 4, VALUE + 3);
	flush();
	may(SUPERVISOR, READ, small_page(4), VALUE + 3);

	point("a change of CR4.PGE loads them");
	set(small_page(0), 3, first);
	flush_global();
	may(SUPERVISOR, READ, small_page(0), VALUE);

	point("so does one of CR0.PG");
	set(small_page(0), 3, second);
	write_cr0(read_cr0() & ~(unsigned long)CR0_PG);
	write_cr0(read_cr0() | CR0_PG);
	may(SUPERVISOR, READ, small_page(0), VALUE + 7);

	point("an entry below a PDPTE is read at the walk");
	frame(5)[1] = VALUE;
	map(small_page(0), frame(5), 1, PT_RWU);
	invlpg(small_page(0));
	may(SUPERVISOR, READ, small_page(0), VALUE + 5);
	set(small_page(0), 3, first);
	flush();
}

static void reserved(void)
{
	static const uint8_t bits[] = {1, 2, 5, 6, 7, 8, 63};
	uint64_t at = small_page(0), good = get(at, 3) & ~PDPTE_A, cr3 = read_cr3();
	static uint64_t bad[4] __attribute__((aligned(32)));

	point("a reserved bit in a PDPTE is #GP at MOV CR3, and CR3 stays");
	memcpy(bad, (void *)(uintptr_t)cr3, sizeof(bad));
	for (unsigned int i = 0; i < sizeof(bits); i++) {
		int vector;

		bad[1] = good | 1ull << bits[i];
		vector = try_cr3((uintptr_t)bad);
		if (vector < 0 && (machine.qemu || under_nested_paging())) {
			if (machine.qemu)
				point_known(QEMU, unchecked);
			write_cr3((unsigned long)cr3);
			continue;
		}
		check("vector", (uint64_t)(int64_t)vector, VEC_GP);
		check("error code", trap_last.error, 0);
		check("CR3", read_cr3(), cr3);
		may(SUPERVISOR, READ, at, VALUE);
	}

	point("a PDPTE that is not present may have any bits");
	bad[1] = ~(uint64_t)PT_PRESENT;
	check("vector", (uint64_t)(int64_t)try_cr3((uintptr_t)bad), (uint64_t)-1);
	check("CR3", read_cr3(), (uintptr_t)bad);
	faults(SUPERVISOR, READ, at, 0);
	write_cr3((unsigned long)cr3);
	may(SUPERVISOR, READ, at, VALUE);

	point("available bits, PWT and PCD in a PDPTE change nothing");
	bad[1] = good | 7u << 9 | PT_PWT | PT_PCD;
	check("vector", (uint64_t)(int64_t)try_cr3((uintptr_t)bad), (uint64_t)-1);
	may(SUPERVISOR, READ, at, VALUE);
	write_cr3((unsigned long)cr3);

	point("a walk leaves a PDPTE as it is");
	bad[1] = good;
	write_cr3((uintptr_t)bad);
	may(SUPERVISOR, READ, at, VALUE);
	write_cr3((unsigned long)cr3);
	check_known("PDPTE", bad[1], good, good | PDPTE_A, QEMU, "a walk sets A in a PDPTE");
}

void paging_pdpte(void)
{
	if (!paging_group("pdpte"))
		return;
	if (l1_tables.format->levels == 3) {
		cached();
		reserved();
	} else {
		point("PDPTEs are loaded by MOV CR3");
		point_skip("the format is not PAE");
	}
	paging_end();
}
