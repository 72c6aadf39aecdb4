// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection of pages that this mapping does not have yet: it must hold when they come.
 * Needs: REGISTER(WP) on shmem.
 * A failure means: the range was taken and is not protected, or reading or resolving it
 * does not do what it does to a mapped page.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

/* A hole in the file, in a page table that exists. */
static void none_pte(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 8, 0);
	touch_write(a.map, 1);
	REQUIRE_EQ(area_wp(&a, 4, 4), 0);
	EXPECT_PM(area_page(&a, 4), PM_UFFD_WP, PM_PRESENT);
	EXPECT_PM(area_page(&a, 1), 0, PM_UFFD_WP);
	EXPECT_TRAPS(&a, area_page(&a, 4));
	EXPECT_TRAPS(&a, area_page(&a, 7));
	EXPECT_NO_TRAP(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_SMALL, "B03_none-pte", none_pte);

/* No page table near: the call has to make them. */
static void no_tables(const struct backing *b)
{
	const size_t gigabyte = 1UL << 30, middle = gigabyte / 2 / PAGE;
	struct area a;

	area_open_aligned(&a, b, gigabyte / PAGE, gigabyte);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(&a, middle, 4), 0);
	EXPECT_PM(area_page(&a, middle - 1), 0, PM_UFFD_WP);
	EXPECT_PM(area_page(&a, middle + 4), 0, PM_UFFD_WP);
	for (size_t i = 0; i < 4; i++) {
		EXPECT_PM(area_page(&a, middle + i), PM_UFFD_WP, PM_PRESENT);
		EXPECT_TRAPS(&a, area_page(&a, middle + i));
	}
}
CASE_ON(BACKINGS_FILE, "B04_no-tables", no_tables);

/* The file has the pages, this mapping does not. */
static void cached_unmapped(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 8, 0);
	for (size_t i = 0; i < 8; i++)
		alias_set(&a, area_page(&a, i) + 8, file_value(i));
	REQUIRE_EQ(area_wp(&a, 0, 8), 0);
	EXPECT_PM(area_page(&a, 2), PM_UFFD_WP, PM_PRESENT);
	for (size_t i = 0; i < 8; i++) {
		EXPECT_TRAPS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i) + 8), file_value(i));
		EXPECT_EQ(alias_get(&a, area_page(&a, i) + 8), file_value(i));
	}
}
CASE_ON(BACKINGS_FILE, "B05_cached-unmapped", cached_unmapped);

/* Un-WP before the page has come leaves nothing behind. */
static void unwp_marker(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 4, 0);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	EXPECT_EQ(pm_count(a.map, 4, PM_UFFD_WP, 0), 4);
	REQUIRE_EQ(area_unwp(&a, 0, 4), 0);
	EXPECT_EQ(pm_count(a.map, 4, PM_UFFD_WP, 0), 0);
	EXPECT_EQ(pm_count(a.map, 4, PM_SWAP, 0), 0);
	EXPECT_NO_TRAP(&a, area_page(&a, 1));
	EXPECT_READS(&a, area_page(&a, 2));
}
CASE_ON(BACKINGS_FILE, "B06_unwp-marker", unwp_marker);

/* A read brings the page, protected. */
static void read_then_write(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 4, 0);
	area_fill_file(&a, 0, 2);	/* two pages in the cache, two holes */
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), i < 2 ? file_value(i) : 0);
		EXPECT_PM(area_page(&a, i), PM_PRESENT | PM_UFFD_WP, 0);
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
}
CASE_ON(BACKINGS_FILE, "B07_read-then-write", read_then_write);
