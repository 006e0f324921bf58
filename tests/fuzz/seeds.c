/*
 * Writes the scripts of some seeds to a directory, from where the fuzzer begins.
 */
#include "tests/model/script.h"

#include <stdio.h>

enum { SEEDS = 64, OPERATIONS = 200 };

int main(int count, char **arguments)
{
	static struct script script;
	char name[256];

	for (unsigned int seed = 1; count == 2 && seed <= SEEDS; seed++) {
		FILE *file;

		script_random(&script, seed, OPERATIONS);
		snprintf(name, sizeof(name), "%s/seed-%u", arguments[1], seed);
		file = fopen(name, "wb");
		if (!file || fwrite(&script.setting, sizeof(script.setting), 1, file) != 1 ||
		    fwrite(script.op, sizeof(struct op), script.count, file) != script.count ||
		    fclose(file)) {
			perror(name);
			return 1;
		}
	}
	return count != 2;
}
