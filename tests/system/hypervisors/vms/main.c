/*
 * run-vms [MODE|WHAT]...: guests of KVM in these modes, or in all, for these things, or for all.
 * What is found is a line for each point: "ok" or "not ok", or "#" for what was not tried. Runs in
 * the initrd of Linux as L1.
 */
#include <stdio.h>
#include <string.h>

#include "vm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	void (*run)(enum mode mode);
} tries[] = {
	{"memory", try_memory},   {"device", try_device},     {"interrupts", try_interrupts},
	{"slots", try_slots},     {"log", try_log},           {"window", try_window},
	{"discard", try_discard}, {"fork", try_fork},         {"huge", try_huge},
	{"same", try_same},       {"pressure", try_pressure}, {"processors", try_processors},
};

void point(struct vm *vm, bool good, const char *name, const char *why)
{
	if (good)
		printf("ok %s: %s\n", mode_names[vm->mode], name);
	else
		printf("not ok %s: %s: %s\n", mode_names[vm->mode], name, why);
	fflush(stdout);
}

void not_tried(struct vm *vm, const char *name, const char *why)
{
	printf("# %s: %s: not tried: %s\n", mode_names[vm->mode], name, why);
	fflush(stdout);
}

static bool said(char **words, const char *name)
{
	for (; *words; words++) {
		if (strcmp(*words, name) == 0)
			return true;
	}
	return false;
}

/* Everything, if nothing of its kind is said. */
static bool wanted(char **words, bool any, const char *name)
{
	return !any || said(words, name);
}

int main(int count, char **words)
{
	bool any_mode = false, any_try = false;

	(void)count;
	words++;
	for (int mode = 0; mode < MODES; mode++)
		any_mode = any_mode || said(words, mode_names[mode]);
	for (size_t i = 0; i < COUNT(tries); i++)
		any_try = any_try || said(words, tries[i].name);
	for (int mode = 0; mode < MODES; mode++) {
		for (size_t i = 0; i < COUNT(tries); i++) {
			if (wanted(words, any_mode, mode_names[mode]) &&
			    wanted(words, any_try, tries[i].name))
				tries[i].run((enum mode)mode);
		}
	}
	return 0;
}
