// SPDX-License-Identifier: GPL-2.0
/*
 * Protected pages go to swap and come back: the protection does not go with them.
 * Needs: REGISTER(WP) on shmem, CONFIG_MEMCG, CONFIG_SWAP and a swap device.
 * Fails on a kernel whose try_to_unmap_one() leaves a none pte for a page of shmem (S01, S02), whose
 * WP ioctl passes by addresses without a pte (S04), or whose un-WP leaves a marker or the flag of
 * a swap entry behind (S03).
 */
#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "sweep.h"
#include "trap.h"

#define PAGES 16

static void arm_swapped(struct area *a, const struct backing *b)
{
	area_arm(a, b, PAGES, 0);
	cgroup_enter();
	touch_write_all(a, 0, PAGES);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	evict(a, 0, PAGES);
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
}

static void judge_data(const struct area *a)
{
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(area_page(a, i)), file_value(i));
}

static void pageout(const struct backing *b)
{
	struct area a;

	arm_swapped(&a, b);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		EXPECT_PM(area_page(&a, i), PM_PRESENT | PM_UFFD_WP, 0);
	}
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(BACKINGS_SMALL, "S01_pageout", pageout);

static void write_on_swapped(const struct backing *b)
{
	struct area a;

	arm_swapped(&a, b);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i) + PAGE - 8);
	judge_data(&a);
}
CASE_ON(BACKINGS_SMALL, "S02_write-on-swapped", write_on_swapped);

static void unwp_swapped(const struct backing *b)
{
	struct area a;

	arm_swapped(&a, b);
	REQUIRE_EQ(area_unwp(&a, 0, PAGES), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, 0, PM_UFFD_WP | PM_PRESENT), PAGES);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i) + PAGE - 8);
	judge_data(&a);
}
CASE_ON(BACKINGS_SMALL, "S03_unwp-swapped", unwp_swapped);

static void wp_swapped(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	cgroup_enter();
	touch_write_all(&a, 0, PAGES);
	evict(&a, 0, PAGES);
	EXPECT_EQ(pm_count(a.map, PAGES, 0, PM_UFFD_WP | PM_PRESENT), PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_READS(&a, a.map);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i) + PAGE - 8);
	judge_data(&a);
}
CASE_ON(BACKINGS_SMALL, "S04_wp-swapped", wp_swapped);

/*
 * Neighbours that come along from the swap device are mapped by faults of their own, and protected.
 * The kernel begins to read ahead when it has seen adjacent faults: take the first half in order.
 */
#define AROUND 64

static void readahead(const struct backing *b)
{
	struct area a;
	long ahead;

	area_arm(&a, b, AROUND, 0);
	cgroup_enter();
	set_file("/proc/sys/vm/page-cluster", "5");
	touch_write_all(&a, 0, AROUND);
	REQUIRE_EQ(area_wp(&a, 0, AROUND), 0);
	evict(&a, 0, AROUND);
	ahead = vmstat("swap_ra");
	for (size_t i = 0; i < AROUND / 2; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	SETUP_MSG(ahead >= 0 && vmstat("swap_ra") > ahead, "nothing was read ahead of the faults");
	EXPECT_EQ(pm_count(a.map, AROUND, PM_UFFD_WP, 0), AROUND);
	EXPECT_EQ(pm_count(a.map, AROUND, PM_PRESENT, 0), AROUND / 2);
	for (size_t i = 0; i < AROUND; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	EXPECT_EQ(pm_count(a.map, AROUND, PM_UFFD_WP | PM_PRESENT, 0), AROUND);
	EXPECT_ALL_TRAP(&a, 0, AROUND);
}
CASE_ON(BACKINGS_SMALL, "S09_readahead", readahead);
