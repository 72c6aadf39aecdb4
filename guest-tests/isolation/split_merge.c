// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel splits a mapping in the middle of protected pages and merges it again: each address
 * keeps its own state.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that drops or invents protection when it splits, changes or merges vmas.
 */
#include <stdio.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

#define PAGES 24
#define CUT 7
#define CUT_PAGES 10

/* Protected and mapped, protected and not mapped, not protected; in turn. */
static bool is_protected(size_t page)
{
	return page % 3 != 2;
}

static void judge_state(const struct area *a)
{
	for (size_t i = 0; i < PAGES; i++)
		if (is_protected(i))
			EXPECT_PM(area_page(a, i), PM_UFFD_WP, 0);
		else
			EXPECT_PM(area_page(a, i), 0, PM_UFFD_WP);
}

/* How many vmas the area consists of. */
static int vmas(const struct area *a)
{
	uintptr_t first = (uintptr_t)a->map, last = first + a->size;
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[1024];
	int count = 0;

	SETUP(file);
	while (fgets(line, sizeof(line), file))
		count += sscanf(line, "%lx-%lx ", &start, &end) == 2 && start < last && end > first;
	fclose(file);
	return count;
}

static void reprotect(const struct area *a, int prot)
{
	SETUP(!mprotect(area_page(a, CUT), CUT_PAGES * PAGE, prot));
}

static void readvise(const struct area *a, int advice)
{
	SETUP(!madvise(area_page(a, CUT), CUT_PAGES * PAGE, advice));
}

static void there_and_back(const struct area *a, void (*change)(const struct area *, int), int there, int back)
{
	change(a, there);
	SETUP_MSG(vmas(a) == 3, "the mapping was not split");
	judge_state(a);
	change(a, back);
	SETUP_MSG(vmas(a) == 1, "the mapping was not merged");
	judge_state(a);
}

static void split_merge(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	area_fill_file(&a, 0, PAGES);
	for (size_t i = 0; i < PAGES; i++) {
		if (is_protected(i))
			REQUIRE_EQ(area_wp(&a, i, 1), 0);
		if (i % 3 != 1)
			touch_read(area_page(&a, i));
	}
	judge_state(&a);
	there_and_back(&a, reprotect, PROT_READ, PROT_READ | PROT_WRITE);
	there_and_back(&a, reprotect, PROT_NONE, PROT_READ | PROT_WRITE);
	there_and_back(&a, readvise, MADV_DONTFORK, MADV_DOFORK);
	there_and_back(&a, readvise, MADV_RANDOM, MADV_NORMAL);
	for (size_t i = 0; i < PAGES; i++)
		if (is_protected(i))
			EXPECT_TRAPS(&a, area_page(&a, i));
		else
			EXPECT_NO_TRAP(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_FILE, "I07_split-merge", split_merge);
