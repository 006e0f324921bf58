/*
 * In which order processors get a lock.
 */
#include "hv/lock.h"

bool lock_any_order;
