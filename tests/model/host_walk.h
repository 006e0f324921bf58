/*
 * The processor's walk of L0's nested tables (APM vol. 2, section 5.3, 3 to 5 levels, EFER.NXE=1),
 * with what it may keep in its paging-structure caches. Relies on nothing of Nestling's.
 */
#ifndef TESTS_MODEL_HOST_WALK_H
#define TESTS_MODEL_HOST_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct host_tables {
	/* The table at an hpa, NULL where there is none: no table of L0's may lead there. */
	uint64_t *(*table)(void *context, uint64_t hpa);
	void *context;
	int levels;
	bool gigabyte_pages;
	bool look; /* what is there: no walk of the processor's, which sets A on its way */
};

/* A table that the walk came to: a processor may keep this and start here next time. */
struct host_point {
	int level;
	uint64_t hpa;
	bool write, execute; /* of the entries above */
};

enum host_status { HOST_OK, HOST_MISSING, HOST_BROKEN };

struct host_result {
	enum host_status status; /* HOST_BROKEN: reserved bits, or a table that is none */
	uint64_t hpa;
	bool write, execute;
	unsigned int pat;
	int level; /* of the leaf */
	uint64_t *leaf;
	uint64_t *above; /* the entry that leads to the leaf's table; NULL: none that has A */
	uint64_t *upper; /* the one that leads to the table of that one */
	unsigned int points;
	struct host_point point[5];
};

struct host_point host_start(const struct host_tables *tables, uint64_t root);
struct host_result host_walk(const struct host_tables *tables, struct host_point from,
                             uint64_t address);

#endif
