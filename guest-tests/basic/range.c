// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection covers exactly the pages that it was asked for.
 * Needs: REGISTER(WP) on shmem; debugfs for the wide faultaround.
 * A failure means: a neighbour traps, or a fault around a neighbour maps a protected page writable.
 */
#include <sys/mount.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "trap.h"

static void neighbours(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 16, 0);
	populate(&a, 0, 16);
	REQUIRE_EQ(area_wp(&a, 8, 1), 0);
	EXPECT_READS(&a, area_page(&a, 7));
	EXPECT_NO_TRAP(&a, area_page(&a, 7));
	EXPECT_NO_TRAP(&a, area_page(&a, 9));
	EXPECT_EQ(pm_count(a.map, 16, PM_UFFD_WP, 0), 1);
	EXPECT_TRAPS(&a, area_page(&a, 8));
}
CASE_ON(BACKINGS_FILE, "B08_neighbours", neighbours);

static void check_fault_around(const struct area *a)
{
	static const size_t guarded[] = { 0, 3, 15 };

	area_fill_file(a, 0, 16);
	for (int i = 0; i < 3; i++)
		REQUIRE_EQ(area_wp(a, guarded[i], 1), 0);
	EXPECT_READS(a, area_page(a, 5));
	for (int i = 0; i < 3; i++)
		EXPECT_PM(area_page(a, guarded[i]), PM_UFFD_WP, 0);
	EXPECT_READS(a, area_page(a, 4));	/* next to a protected page */
	EXPECT_NO_TRAP(a, area_page(a, 4));
	for (int i = 0; i < 3; i++)
		EXPECT_TRAPS(a, area_page(a, guarded[i]));
}

/* All pages are in the cache: a read maps what is around it, and must leave the protected ones alone. */
static void faultaround_window(const struct backing *b)
{
	struct area a;

	area_open_aligned(&a, b, 16, 16 * PAGE);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	check_fault_around(&a);
}
CASE_ON(BACKINGS_SMALL, "B09_faultaround-window", faultaround_window);

static void faultaround_wide(const struct backing *b)
{
	const char *const knob = "/sys/kernel/debug/fault_around_bytes";
	struct area a;

	area_open_aligned(&a, b, HUGE / PAGE, HUGE);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	if (access(knob, F_OK))
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access(knob, F_OK))
		SKIP("CONFIG_DEBUG_FS: %s is not there", knob);
	set_file(knob, "2097152");
	check_fault_around(&a);
}
CASE_ON(BACKINGS_SMALL, "B09_faultaround-wide", faultaround_wide);

/* Protection is a state, not a count. */
static void rewp(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	REQUIRE_EQ(area_unwp(&a, 0, 4), 0);
	EXPECT_EQ(pm_count(a.map, 4, PM_UFFD_WP, 0), 0);
	for (size_t i = 0; i < 4; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
	REQUIRE_EQ(area_unwp(&a, 0, 4), 0);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	EXPECT_TRAPS(&a, area_page(&a, 1));
	EXPECT_TRAPS(&a, area_page(&a, 3));
}
CASE_ON(BACKINGS_FILE, "B10_rewp", rewp);
CASE_ON(BACKINGS_HUGETLB, "B10_rewp", rewp);

/* Cut the first @pages off an area that nothing has been done to yet. */
static void cut_front(struct area *a, size_t pages)
{
	SETUP(!munmap(a->map, pages * PAGE));
	a->map += pages * PAGE;
	a->alias += a->alias ? pages * PAGE : 0;
	a->size -= pages * PAGE;
	a->pages -= pages;
}

/* A mapping that begins and ends inside a page table, over the border of two. */
static void edges(const struct backing *b)
{
	const size_t table = HUGE / PAGE;
	struct area a;

	area_open_aligned(&a, b, 2 * table - 7, HUGE);
	cut_front(&a, 5);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	for (size_t i = 0; i < a.pages; i += 2)
		touch_write(area_page(&a, i), 1);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	EXPECT_EQ(pm_count(a.map, a.pages, PM_UFFD_WP, 0), a.pages);
	const size_t borders[] = { 0, 1, table - 6, table - 5, a.pages - 2, a.pages - 1 };

	for (size_t i = 0; i < sizeof(borders) / sizeof(*borders); i++)
		EXPECT_TRAPS(&a, area_page(&a, borders[i]));
	EXPECT_EQ(pm_count(a.map, a.pages, PM_UFFD_WP, 0), a.pages - 6);
}
CASE_ON(BACKINGS_SMALL, "B11_edges", edges);
