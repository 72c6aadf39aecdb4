// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection of what a huge page table entry maps: each small page is protected for itself.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE.
 * Fails on a kernel whose WP ioctl passes by the small pages after it has split the entry (T01, T03),
 * protects more than it was asked for or touches other mms (T02), splits where there is nothing to
 * take away (T13), or keeps huge mappings away for ever (T09).
 */
#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "sweep.h"
#include "thp.h"
#include "trap.h"
#include "uffd.h"

static void wp_all(void)
{
	struct area a;

	arm_huge(&a, 1, 0);
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	EXPECT_EQ(huge_mapped_kb(&a), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	judge_data(&a, 0, TABLE / 2);		/* the other half is written before it is read */
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
}
CASE("T01_wp-2M", wp_all);

static uint64_t peer_huge_kb(void *area, uint64_t unused)
{
	const struct area *a = area;

	(void)unused;
	touch_read(a->map);
	return huge_mapped_kb(a);
}

static void wp_one(void)
{
	static const size_t page = 137;
	struct peer other;
	struct area a;

	arm_huge(&a, 1, 0);
	peer_start(&other);
	SETUP_MSG(peer_call(&other, peer_huge_kb, &a, 0) == HUGE_KB, "the other process has no huge mapping");
	REQUIRE_EQ(area_wp(&a, page, 1), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), 1);
	EXPECT_PM(area_page(&a, page), PM_UFFD_WP, 0);
	EXPECT_EQ(peer_call(&other, peer_huge_kb, &a, 0), HUGE_KB);
	EXPECT_NONE_TRAPS(&a, 0, page);
	EXPECT_NONE_TRAPS(&a, page + 1, TABLE - page - 1);
	EXPECT_TRAPS(&a, area_page(&a, page));
	EXPECT_EQ(peer_call(&other, peer_huge_kb, &a, 0), HUGE_KB);
	PEER_WRITES(&other, &a, area_page(&a, page));
	EXPECT_EQ(peer_end(&other), 0);
}
CASE("T02_wp-4K", wp_one);

/* The file is huge, and no entry maps it. */
static void cached_huge(void)
{
	struct area a;

	arm_huge(&a, 1, 0);
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	NEED_HUGE(&a, 0);
	SETUP_MSG(fresh_mapping_kb(&a) == HUGE_KB, "the file has no huge page");
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, PM_PRESENT), TABLE);
	judge_data(&a, 0, TABLE / 2);
	EXPECT_EQ(huge_mapped_kb(&a), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
}
CASE("T03_cached-huge", cached_huge);

/* Once the range is no longer registered, huge entries come back: beside it, and in its place. */
static void after_unregister(void)
{
	struct area a;

	arm_huge(&a, 2, 0);
	SETUP(!madvise(area_page(&a, TABLE), HUGE, MADV_DONTNEED));
	REQUIRE_EQ(area_wp(&a, 0, TABLE), 0);
	REQUIRE_EQ(huge_mapped_kb(&a), 0);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, a.size), 0);
	touch_write(area_page(&a, TABLE), file_value(TABLE));
	EXPECT_EQ(huge_mapped_kb(&a), HUGE_KB);
	EXPECT_EQ(pm_count(a.map, 2 * TABLE, PM_UFFD_WP, 0), 0);
	EXPECT_NONE_TRAPS(&a, 0, TABLE);
	SETUP(mmap(a.map, a.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a.fd, 0) == a.map);
	touch_write(a.map, file_value(0));
	touch_write(area_page(&a, TABLE), file_value(TABLE));
	EXPECT_EQ(huge_mapped_kb(&a), 2 * HUGE_KB);
}
CASE("T09_after-unreg", after_unregister);

static void unwp_keeps_huge(void)
{
	struct area a;

	arm_huge(&a, 2, 0);
	REQUIRE_EQ(area_unwp(&a, 0, 2 * TABLE), 0);
	EXPECT_EQ(huge_mapped_kb(&a), 2 * HUGE_KB);
	EXPECT_NONE_TRAPS(&a, 0, TABLE);
	EXPECT_EQ(huge_mapped_kb(&a), 2 * HUGE_KB);
	REQUIRE_EQ(area_wp(&a, 0, 1), 0);
	EXPECT_EQ(huge_mapped_kb(&a), HUGE_KB);
}
CASE("T13_unwp-keeps-pmd", unwp_keeps_huge);

/* A part of what a huge entry maps: the rest of it stays mapped, by the same entry. */
static void unwp_part_keeps_huge(void)
{
	struct area a;

	arm_huge(&a, 1, 0);
	REQUIRE_EQ(area_unwp(&a, 1, TABLE / 2), 0);
	EXPECT_EQ(huge_mapped_kb(&a), HUGE_KB);
	EXPECT_NONE_TRAPS(&a, 0, TABLE);
}
CASE("T13_unwp-part-keeps-pmd", unwp_part_keeps_huge);
