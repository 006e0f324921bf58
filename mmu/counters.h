/*
 * What the paging core counts, each processor for itself. Relies on nothing: whoever shows the
 * counters includes it, too.
 */
#ifndef MMU_COUNTERS_H
#define MMU_COUNTERS_H

#include <stdint.h>

/* X(name, what it counts) */
#define MMU_COUNTERS(X)                                                                            \
	X(fills, "faults that L0 answered by an entry")                                            \
	X(short_ways, "faults beside the one before, by the same tables")                          \
	X(faults_reflected, "faults that the guest's own tables deny")                             \
	X(spurious, "faults with nothing left to do")                                              \
	X(retries, "fills begun again, as a table changed meanwhile")                              \
	X(root_switches, "other root than before")                                                 \
	X(roots_built, "roots that were not there yet")                                            \
	X(links, "tables linked")                                                                  \
	X(unlinks, "tables unlinked")                                                              \
	X(zaps, "tables ended")                                                                    \
	X(reclaims, "tables ended for want of room")                                               \
	X(syncs, "tables synchronized")                                                            \
	X(tables_read, "tables read for it")                                                       \
	X(copies_used, "of these, read by comparison with a copy")                                 \
	X(sptes_changed, "entries found to have changed")                                          \
	X(leaves_moved, "of these, to another page beside the one before")                         \
	X(catch_ups, "roots entered after others changed tables")                                  \
	X(collects, "searches for written tables")                                                 \
	X(glances, "of these, over at a glance")                                                   \
	X(frames_dirty, "written tables found")                                                    \
	X(regions_read, "2 MiB searched for them")                                                 \
	X(giants_skipped, "1 GiB in which no table can have been written")                         \
	X(read_unarmed, "tables read as a processor had not flushed")                              \
	X(kicks, "processors asked to flush for that")

struct mmu_counters {
#define MMU_COUNTER_FIELD(name, what) uint64_t name;
	MMU_COUNTERS(MMU_COUNTER_FIELD)
#undef MMU_COUNTER_FIELD
};

#endif
