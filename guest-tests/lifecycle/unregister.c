// SPDX-License-Identifier: GPL-2.0
/*
 * UNREGISTER takes all write protection of its range along: bits of mapped pages, markers,
 * flags of swapped pages. Registering again begins with nothing protected.
 * Needs: REGISTER(WP) on shmem; L02_unreg-swapped a swap device.
 * Fails on a kernel whose unregister only drops the flag of the vma (mainline before 6.0). L05_unreg-wakes fails
 * on one that lets those sleep who wait for a protection to be lifted (mainline).
 */
#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 6

/* Nothing of [first, first + n) is protected, now and after a new REGISTER(WP). */
static void judge_clean(struct area *a, size_t first, size_t n)
{
	REQUIRE_EQ(uffd_unregister(a->uffd, area_page(a, first), n * PAGE), 0);
	EXPECT_EQ(pm_count(area_page(a, first), n, PM_UFFD_WP, 0), 0);
	for (size_t i = first; i < first + n; i += 2)
		EXPECT_NO_TRAP(a, area_page(a, i));
	REQUIRE_EQ(uffd_register(a->uffd, area_page(a, first), n * PAGE, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	EXPECT_EQ(pm_count(area_page(a, first), n, PM_UFFD_WP, 0), 0);
	for (size_t i = first; i < first + n; i++)
		EXPECT_NO_TRAP(a, area_page(a, i));
}

static void present(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	/* A huge page is split for it, and need not be mapped after that. */
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | (b->huge ? 0 : PM_PRESENT), 0), PAGES);
	judge_clean(&a, 0, PAGES);
}
CASE_ON(BACKINGS_FILE, "L01_unreg-present", present);

static void marker(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!madvise(a.map, PAGES / 2 * PAGE, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	judge_clean(&a, 0, PAGES);
}
CASE_ON(BACKINGS_FILE, "L02_unreg-marker", marker);

static void swapped(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_swap();
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	swap_out(&a, 0, PAGES);
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, PAGES * PAGE), 0);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_PM(area_page(&a, i), 0, PM_UFFD_WP);
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	}
	judge_clean(&a, 0, PAGES);
}
CASE_ON(BACKINGS_SMALL, "L02_unreg-swapped", swapped);

/* In each third: one mapped and one marked page. */
static void partial(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	for (size_t i = 0; i < PAGES; i += 2)
		touch_write_all(&a, i, 1);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	judge_clean(&a, PAGES / 3, PAGES / 3);
	EXPECT_EQ(pm_count(a.map, PAGES / 3, PM_UFFD_WP, 0), PAGES / 3);
	EXPECT_EQ(pm_count(area_page(&a, PAGES / 3 * 2), PAGES / 3, PM_UFFD_WP, 0), PAGES / 3);
	for (size_t i = 0; i < PAGES; i++)
		if (i / (PAGES / 3) != 1)
			EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_FILE, "L03_unreg-partial", partial);

/* Some kernels wake the sleeper at UNREGISTER, others only at WAKE: it must be awake after both. */
static void blocked(const struct backing *b)
{
	struct trap t;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	for (size_t i = 0; i < PAGES; i += PAGES - 1) {
		REQUIRE(trap_begin(&a, area_page(&a, i), &t));
		REQUIRE_EQ(uffd_unregister(a.uffd, a.map, PAGES * PAGE), 0);
		REQUIRE_EQ(uffd_wake(a.uffd, a.map, PAGES * PAGE), 0);
		trap_released(&a, &t);
		REQUIRE_EQ(uffd_register(a.uffd, a.map, PAGES * PAGE, UFFDIO_REGISTER_MODE_WP, NULL), 0);
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	}
}
CASE_ON(BACKINGS_SMALL, "L05_unreg-blocked", blocked);

/* Two writers, each in the last page of a vma: both go on by themselves. */
static void wakes(const struct backing *b)
{
	struct trap first, last;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES / 2);	/* a mapped page, and a marker */
	SETUP(!madvise(area_page(&a, PAGES / 2), PAGES / 2 * PAGE, MADV_DONTFORK));
	REQUIRE_EQ(area_wp(&a, 0, PAGES / 2), 0);
	REQUIRE_EQ(area_wp(&a, PAGES / 2, PAGES / 2), 0);
	REQUIRE(trap_begin(&a, area_page(&a, PAGES / 2 - 1), &first));
	REQUIRE(trap_begin(&a, area_page(&a, PAGES - 1), &last));
	REQUIRE_EQ(uffd_unregister(a.uffd, a.map, PAGES * PAGE), 0);
	EXPECT_MSG(!touch_asleep(&first.touch), "the writer in the first vma sleeps on");
	EXPECT_MSG(!touch_asleep(&last.touch), "the writer in the second vma sleeps on");
	REQUIRE_EQ(uffd_wake(a.uffd, a.map, PAGES * PAGE), 0);
	trap_released(&a, &first);
	trap_released(&a, &last);
}
CASE_ON(BACKINGS_SMALL, "L05_unreg-wakes", wakes);
