/*
 * Bytes as a script. Relies on tests/fuzz/one_script.h.
 */
#include "tests/fuzz/one_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int one_script(const struct script_model *model, const uint8_t *data, size_t size)
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
	if (model->run(&script, message, sizeof(message))) {
		model->print(&script);
		printf("%s\n", message);
		fflush(stdout);
		abort();
	}
	return 0;
}
