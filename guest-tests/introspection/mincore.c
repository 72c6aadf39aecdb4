// SPDX-License-Identifier: GPL-2.0
/*
 * mincore looks through a marker: absent over a hole, resident over a page of the cache.
 * Needs: REGISTER(WP) on shmem; a swap device for the page that is in swap.
 * Fails on a kernel that takes every non-swap entry for a resident page.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"

#define PAGES 4

static void residence(const struct backing *b)
{
	unsigned char in[PAGES];
	struct area a;

	area_arm(&a, b, PAGES, 0);
	area_fill_file(&a, 0, 2);
	touch_read(a.map);
	REQUIRE_EQ(area_wp(&a, 0, 3), 0);
	REQUIRE_EQ(pm_count(a.map, 3, PM_UFFD_WP, 0), 3);
	SETUP(!mincore(a.map, a.size, in));
	EXPECT_EQ(in[0] & 1, 1);	/* mapped */
	EXPECT_EQ(in[1] & 1, 1);	/* a marker over a cached page */
	EXPECT_EQ(in[2] & 1, 0);	/* a marker over a hole */
	EXPECT_EQ(in[3] & 1, 0);	/* a hole */
	SETUP(!madvise(a.map, PAGE, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a.map, 1, PM_UFFD_WP, PM_PRESENT), 1);
	SETUP(!mincore(a.map, a.size, in));
	EXPECT_EQ(in[0] & 1, 1);
}
CASE_ON(BACKINGS_SMALL, "N03_mincore", residence);
