// SPDX-License-Identifier: GPL-2.0
/*
 * MADV_DONTNEED of protected pages of a file: the page goes, the protection stays.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel whose zap_pte_range() leaves a none pte where it found uffd-wp set (Z01, Z03,
 * Z14), clears a marker it meets (Z02), sets a marker where nothing was protected (Z03, Z11), or
 * loses markers when it drops the pte lock in the middle of a table (Z14).
 */
#include <fcntl.h>
#include <sched.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "loop.h"
#include "mapped.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"

#define PAGES 8

static void drop(const struct area *a, size_t first, size_t pages)
{
	SETUP(!madvise(area_page(a, first), pages * PAGE, MADV_DONTNEED));
}

static void dontneed(const struct backing *b)
{
	struct area a;

	arm_mapped(&a, b, PAGES, 0);
	drop(&a, 0, PAGES);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	for (size_t i = 0; i < PAGES / 2; i++) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		EXPECT_PM(area_page(&a, i), PM_PRESENT | PM_UFFD_WP, 0);
	}
	EXPECT_TRAPS(&a, area_page(&a, 0));		/* read again before */
	EXPECT_TRAPS(&a, area_page(&a, PAGES - 1));	/* the write comes first */
	EXPECT_ALL_TRAP(&a, 1, PAGES - 2);
}
CASE_ON(BACKINGS_FILE, "Z01_dontneed", dontneed);

static void dontneed_twice(const struct backing *b)
{
	struct area a;

	arm_mapped(&a, b, PAGES, 0);
	for (int i = 0; i < 3; i++) {
		drop(&a, 0, PAGES);
		EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	}
	EXPECT_READS(&a, a.map);
	drop(&a, 0, PAGES);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(BACKINGS_FILE, "Z02_dontneed-twice", dontneed_twice);

#define TABLE 512	/* the pages of one page table */

static void mixed_table(const struct backing *b)
{
	size_t kept = 0, invented = 0;
	struct area a;

	area_open_aligned(&a, b, TABLE, HUGE);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	area_fill_file(&a, 0, TABLE);
	for (size_t i = 0; i < TABLE; i += 2)
		REQUIRE_EQ(area_wp(&a, i, 1), 0);
	touch_read_all(&a, 0, TABLE);
	REQUIRE_EQ(pm_count(a.map, TABLE, PM_PRESENT, 0), TABLE);
	drop(&a, 0, TABLE);
	for (size_t i = 0; i < TABLE; i++) {
		kept += i % 2 == 0 && pm_count(area_page(&a, i), 1, PM_UFFD_WP, PM_PRESENT);
		invented += i % 2 == 1 && !pm_count(area_page(&a, i), 1, 0, PM_UFFD_WP | PM_PRESENT | PM_SWAP);
	}
	EXPECT_EQ(kept, TABLE / 2);
	EXPECT_EQ(invented, 0);
	for (size_t i = 0; i < TABLE; i += 102) {
		EXPECT_NO_TRAP(&a, area_page(&a, i + 1));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
}
CASE_ON(BACKINGS_FILE, "Z03_mixed-table", mixed_table);

#define SPARSE (256UL << 20)

static void punch(const struct area *a)
{
	if (a->fd < 0)
		SETUP(!madvise(a->map, a->size, MADV_REMOVE));
	else
		SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, a->size));
}

/* Pages that are not protected leave nothing behind; neither does what was never touched. */
static void none_stays_none(const struct backing *b)
{
	struct area a;
	long tables;

	area_arm(&a, b, SPARSE / PAGE, 0);
	area_fill_file(&a, 0, PAGES);
	touch_write_all(&a, 0, PAGES);
	status_kb("VmPTE");
	tables = status_kb("VmPTE");
	drop(&a, 0, SPARSE / PAGE);
	EXPECT_EQ(pm_count(a.map, PAGES, 0, PM_UFFD_WP | PM_SWAP | PM_PRESENT), PAGES);
	touch_write_all(&a, 0, PAGES);
	punch(&a);		/* a private mapping keeps its own pages */
	EXPECT_EQ(pm_count(a.map, PAGES, 0, PM_UFFD_WP | PM_SWAP | (b->shared ? PM_PRESENT : 0)), PAGES);
	EXPECT_EQ(status_kb("VmPTE"), tables);
	EXPECT_NONE_TRAPS(&a, 0, PAGES);
}
CASE_ON(BACKINGS_FILE, "Z11_none-stays-none", none_stays_none);

#define BIG (64UL << 20)

static void give_way(void *unused)
{
	(void)unused;
	sched_yield();
}

/* Other threads want the CPU all the time, so that the zap has to stop at every place where it can. */
static void big_range(const struct backing *b)
{
	size_t pages = BIG / PAGE;
	struct looper others[2];
	struct area a;

	area_arm(&a, b, pages, 0);
	touch_write_all(&a, 0, pages);
	REQUIRE_EQ(area_wp(&a, 0, pages), 0);
	if (b->huge)		/* the split left no page mapped */
		touch_read_all(&a, 0, pages);
	REQUIRE_EQ(pm_count(a.map, pages, PM_UFFD_WP | PM_PRESENT, 0), pages);
	for (int i = 0; i < 2; i++)
		loop_start(&others[i], give_way, NULL);
	drop(&a, 0, pages);
	for (int i = 0; i < 2; i++)
		loop_end(&others[i]);
	EXPECT_EQ(pm_count(a.map, pages, PM_UFFD_WP, PM_PRESENT), pages);
	EXPECT_TRAPS(&a, area_page(&a, 0));
	EXPECT_TRAPS(&a, area_page(&a, pages / 2 - 1));
	EXPECT_TRAPS(&a, area_page(&a, pages - 1));
}
static const struct backing *const BIG_BACKINGS[] = { &memfd_shared, &memfd_private, &thp_shmem, NULL };
CASE_ON(BIG_BACKINGS, "Z14_big-range", big_range);
