/*
 * libFuzzer's way into scripts of guests with their own paging. Relies on tests/fuzz/one_script.h.
 */
#include "tests/fuzz/one_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return one_script(&own_model, data, size);
}
