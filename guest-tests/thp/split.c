// SPDX-License-Identifier: GPL-2.0
/*
 * A protected huge page is split in the page cache: by a hole of one small page, and by reclaim.
 * Every small page stays protected.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE, CONFIG_VM_EVENT_COUNTERS; T05 also
 * CONFIG_SWAP and a swap device.
 * Fails on a kernel whose unmap before the split, or reclaim after it, leaves none ptes.
 */
#include <fcntl.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "thp.h"

/* Protected, and mapped by small entries. */
static void arm_mapped(struct area *a)
{
	arm_huge(a, 1, 0);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	judge_data(a, 0, TABLE);
	REQUIRE_EQ(pm_count(a->map, TABLE, PM_UFFD_WP | PM_PRESENT, 0), TABLE);
	if (vmstat("thp_split_page") < 0)
		SKIP("CONFIG_VM_EVENT_COUNTERS: /proc/vmstat has no thp_split_page");
}

static void punch_one(void)
{
	static const size_t hole = 200;
	struct area a;
	long splits;

	arm_mapped(&a);
	splits = vmstat("thp_split_page");
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, hole * PAGE, PAGE));
	SETUP_MSG(vmstat("thp_split_page") > splits, "the huge page was not split");
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_PM(area_page(&a, hole), PM_UFFD_WP, PM_PRESENT);
	judge_data(&a, 0, hole);
	judge_data(&a, hole + 1, 64);
	EXPECT_EQ(touch_read(area_page(&a, hole)), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
}
CASE("T04_punch-4K", punch_one);

static void swap_split(void)
{
	struct area a;
	long splits;

	arm_mapped(&a);
	splits = vmstat("thp_split_page");
	/* The first try may do no more than split the page, which unmaps it. */
	SETUP(!madvise(a.map, a.size, MADV_PAGEOUT));
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	judge_data(&a, 0, TABLE);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	swap_out(&a, 0, TABLE);
	SETUP_MSG(vmstat("thp_split_page") > splits || vmstat("thp_swpout") > 0,
		  "the huge page was neither split nor swapped out whole");
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, PM_PRESENT), TABLE);
	judge_data(&a, 0, TABLE / 2);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
}
CASE("T05_swap-split", swap_split);
