/*
 * Watched frames. Relies on tests/model/watch.h.
 */
#include "tests/model/watch.h"

/* Who watches reads the frame only then. */
void watch_toggle(struct watched_pages *watched, struct rig *rig, struct mmu_cpu *cpu,
                  unsigned int page)
{
	watched->page[page].on = !watched->page[page].on;
	if (!watched->page[page].on) {
		mmu_unwatch(&rig->mmu, ram_page_gpa(page));
		return;
	}
	mmu_watch(&rig->mmu, cpu, ram_page_gpa(page));
	watched->page[page].marked = false;
	ram_collect(&rig->ram);
	watched->page[page].since = ram_now(&rig->ram);
}

void watch_told(struct watched_pages *watched, struct rig *rig, uint64_t gpa)
{
	ram_collect(&rig->ram);
	watched->page[ram_page_number(gpa)].since = ram_now(&rig->ram);
	watch_opens(watched, gpa);
}

void watch_opens(struct watched_pages *watched, uint64_t gpa)
{
	watched->page[ram_page_number(gpa)].marked = false;
}

bool watch_holds(struct watched_pages *watched, struct rig *rig, struct mmu_cpu *cpu,
                 unsigned int page)
{
	unsigned int first = page;

	while (!watched->page[page].on) {
		page = (page + 1) % RAM_PAGES;
		if (page == first)
			return true;
	}
	ram_collect(&rig->ram);
	if (watched->page[page].marked && mmu_watch_holds(&watched->page[page].marks)) {
		watched->held++;
		return !ram_page_changed(&rig->ram, page, watched->page[page].since);
	}
	mmu_watch_written(&rig->mmu, cpu, ram_page_gpa(page));
	watched->page[page].marked =
		!mmu_watch_is_open(&rig->mmu, ram_page_gpa(page)) &&
		mmu_watch_marks(&rig->mmu, ram_page_gpa(page), 1, &watched->page[page].marks);
	ram_collect(&rig->ram);
	return !ram_page_changed(&rig->ram, page, watched->page[page].since);
}
