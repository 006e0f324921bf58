/*
 * libFuzzer's way into scripts of guests under nested paging. Relies on tests/fuzz/one_script.h.
 */
#include "tests/fuzz/one_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return one_script(&nested_model, data, size);
}
