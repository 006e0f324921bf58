/*
 * The list of the groups that test L1's own paging.
 */
#include "guest/points/paging.h"

void points_paging(void)
{
	paging_bits();
	paging_rights();
	paging_wp();
	paging_smap();
	paging_change();
	paging_upper();
	paging_tables();
	paging_roots();
	paging_pdpte();
	paging_modes();
	paging_delivery();
	paging_event();
	paging_task();
	paging_control();
	paging_invlpg();
}
