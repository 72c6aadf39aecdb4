// SPDX-License-Identifier: GPL-2.0
/*
 * mlock of protected addresses that have no page: it brings the pages in, as reads do, without a
 * message; they are protected; and reclaim leaves them where they are.
 * Needs: REGISTER(WP) on shmem, CONFIG_MEMCG, CONFIG_SWAP and a swap device.
 * Fails on a kernel whose mlock takes a marker for a page that is there, stops at it, or traps.
 */
#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "uffd.h"

#define PAGES 32

static void lock_markers(const struct backing *b)
{
	struct area a, unlocked;
	struct uffd_msg msg;

	area_open(&a, b, PAGES);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	cgroup_enter();
	area_open(&unlocked, b, PAGES);
	area_fill_file(&a, 0, PAGES);
	touch_write_all(&unlocked, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	REQUIRE_EQ(mlock(a.map, a.size), 0);
	EXPECT(!uffd_next(a.uffd, &msg));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT, 0), PAGES);
	squeeze_out(&unlocked, 0, PAGES);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT, 0), PAGES);
	EXPECT_EQ(smaps_kb(a.map, "Locked"), PAGES * PAGE / 1024);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(BACKINGS_SHARED_SMALL, "S10_mlock", lock_markers);
