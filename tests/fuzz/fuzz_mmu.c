/*
 * libFuzzer's way into the scripts of tests/model/: the first 8 bytes are the setting, each 8 after
 * them an operation. Any bytes are a script, so that all that it finds counts.
 */
#include "tests/model/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script script;
	static char message[600];

	if (size < sizeof(script.setting))
		return -1;
	memcpy(&script.setting, data, sizeof(script.setting));
	script.count = (uint32_t)((size - sizeof(script.setting)) / sizeof(struct op));
	if (script.count > SCRIPT_MAX)
		script.count = SCRIPT_MAX;
	memcpy(script.op, data + sizeof(script.setting), script.count * sizeof(struct op));
	if (nested_model.run(&script, message, sizeof(message))) {
		nested_model.print(&script);
		printf("%s\n", message);
		fflush(stdout);
		abort();
	}
	return 0;
}
