// SPDX-License-Identifier: GPL-2.0
/*
 * Private mappings of a file: writes trap before they make a copy, as writes to the copy do, and
 * never reach the file.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel that keeps the protection only for pages of the page cache, or only for copies;
 * whose copy-on-write fault over a marker does not trap (V03); or whose zap drops it (V04, V06, V07).
 */
#include <fcntl.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"

#define PAGES 4

static void arm(struct area *a)
{
	area_arm(a, &memfd_private, PAGES, 0);
	area_fill_file(a, 0, PAGES);
}

static uint64_t copy_value(size_t page)
{
	return 0xC0B1ED0000ULL + page;
}

/* Own copies of all pages, protected. */
static void arm_copied(struct area *a)
{
	arm(a);
	for (size_t i = 0; i < PAGES; i++)
		touch_write(area_page(a, i), copy_value(i));
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP | PM_PRESENT, PM_FILE), PAGES);
}

/* The file still has what area_fill_file() put there. */
static void judge_file(const struct area *a)
{
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(alias_get(a, area_page(a, i)), file_value(i));
}

static void copied(void)
{
	struct area a;

	arm_copied(&a);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), copy_value(i));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
	judge_file(&a);
}
CASE("V01_cowed", copied);

/* Each write makes its copy when it is let go: what is read elsewhere in the page is the file's. */
static void judge_copies(const struct area *a)
{
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_TRAPS(a, area_page(a, i) + 64);
		EXPECT_EQ(touch_read(area_page(a, i)), file_value(i));
		EXPECT_PM(area_page(a, i), PM_PRESENT, PM_FILE | PM_UFFD_WP);
	}
	judge_file(a);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(alias_get(a, area_page(a, i) + 64), 0);
}

static void page_cache(void)
{
	struct area a;

	arm(&a);
	touch_read_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT | PM_FILE, 0), PAGES);
	judge_copies(&a);
}
CASE("V02_pagecache", page_cache);

static void marker_write(void)
{
	struct area a;

	arm(&a);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	judge_copies(&a);
}
CASE("V03_marker-write", marker_write);

static void dontneed(void)
{
	struct area a;

	arm_copied(&a);
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_READS(&a, a.map);
	EXPECT_EQ(touch_read(a.map), file_value(0));
	EXPECT_PM(a.map, PM_UFFD_WP | PM_PRESENT | PM_FILE, 0);
	judge_copies(&a);
}
CASE("V04_dontneed", dontneed);

static void truncated(void)
{
	struct area a;

	arm_copied(&a);
	SETUP(!ftruncate(a.fd, 0));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	SETUP(!ftruncate(a.fd, a.size));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_READS(&a, a.map);
	EXPECT_EQ(touch_read(a.map), 0);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE("V06_truncate", truncated);

static void punched(void)
{
	struct area a;

	arm_copied(&a);
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, a.size));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT, PM_FILE), PAGES);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(area_page(&a, i)), copy_value(i));
		EXPECT_EQ(alias_get(&a, area_page(&a, i)), 0);
	}
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE("V07_punch", punched);
