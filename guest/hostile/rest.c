#include "guest/hostile/hostile.h"
void hostile_loops(void)
{
}
void hostile_memory(void)
{
}
void hostile_sleep(void)
{
}
