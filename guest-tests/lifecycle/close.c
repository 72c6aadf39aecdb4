// SPDX-License-Identifier: GPL-2.0
/*
 * Closing the last descriptor of a userfaultfd releases blocked writers and takes all write
 * protection along; another userfaultfd finds the range unprotected.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that leaves bits or markers behind (mainline before 6.9).
 */
#include <unistd.h>

#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

#define PAGES 6

static void close_uffd(const struct backing *b)
{
	struct trap on_page, on_marker;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE(trap_begin(&a, a.map, &on_page));
	REQUIRE(trap_begin(&a, area_page(&a, PAGES - 1), &on_marker));
	close(a.uffd);
	a.uffd = -1;
	trap_released(&a, &on_page);
	trap_released(&a, &on_marker);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), 0);
	for (size_t i = 1; i < PAGES - 1; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), 0);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	EXPECT_TRAPS(&a, a.map);
}
CASE_ON(BACKINGS_FILE, "L04_close", close_uffd);
