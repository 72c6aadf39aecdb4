// SPDX-License-Identifier: GPL-2.0
/*
 * Registering a range again without WP drops its write protection; registering and
 * unregistering in a loop costs no memory.
 * Needs: REGISTER(WP) on shmem; -missing-wakes also on hugetlbfs, or write protection of anonymous memory.
 * L15 fails on a kernel that replaces the mode and leaves bits and markers behind (mainline):
 * they come to life again with the next REGISTER(WP); or that lets those sleep who wait for a
 * protection to be lifted, or for a missing page. L19 fails on one that leaks page tables.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 6

static void drop_wp(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_drop_wp();
	touch_write_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), 0);
	EXPECT_NO_TRAP(&a, a.map);
	REQUIRE_EQ(uffd_register(a.uffd, a.map, PAGES * PAGE, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), 0);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
}
CASE_ON(BACKINGS_SMALL, "L15_rereg-drop-wp", drop_wp);

/* Who waits for a protection that is gone goes on by itself: nobody is left to answer the message. */
static void drop_wp_wakes(const struct backing *b)
{
	struct trap t;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	need_drop_wp();
	area_fill_file(&a, 0, PAGES);	/* nothing is missing */
	touch_read_all(&a, 0, PAGES / 2);
	for (size_t i = 0; i < PAGES; i += PAGES - 1) {	/* a mapped one, and a marker */
		REQUIRE_EQ(uffd_register(a.uffd, a.map, PAGES * PAGE, UFFDIO_REGISTER_MODE_WP, NULL), 0);
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		REQUIRE(trap_begin(&a, area_page(&a, i), &t));
		REQUIRE_EQ(uffd_register(a.uffd, a.map, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING, NULL), 0);
		EXPECT_MSG(!touch_asleep(&t.touch), "the writer sleeps on");
		REQUIRE_EQ(uffd_wake(a.uffd, a.map, PAGES * PAGE), 0);
		trap_released(&a, &t);
	}
}
CASE_ON(BACKINGS_SMALL, "L15_rereg-drop-wp-wakes", drop_wp_wakes);

/* The same of a page that is missing, where the registration is one of WP only from now on. */
static void drop_missing_wakes(const struct backing *b)
{
	struct uffd_msg msg;
	struct touch t;
	struct area a;

	backing_need_wp(b);
	area_open(&a, b, PAGES);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING);
	touch_start(&t, READS, area_page(&a, PAGES - 1), 0);
	uffd_wait(a.uffd, &msg);
	REQUIRE_EQ(msg.event, UFFD_EVENT_PAGEFAULT);
	REQUIRE(touch_asleep(&t));
	REQUIRE_EQ(uffd_register(a.uffd, a.map, a.size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	EXPECT_MSG(!touch_asleep(&t), "the reader sleeps on");
	REQUIRE_EQ(uffd_wake(a.uffd, a.map, a.size), 0);
	EXPECT_EQ(touch_end(&t), COMPLETED);
	EXPECT_EQ(t.value, 0);
}
CASE_ON(BACKINGS_ALL_SMALL, "L15_rereg-missing-wakes", drop_missing_wakes);
CASE_ON(BACKINGS_HUGETLB, "L15_rereg-missing-wakes", drop_missing_wakes);

#define ROUNDS 2000

static void round_trip(struct area *a)
{
	REQUIRE_EQ(uffd_register(a->uffd, a->map, a->size, UFFDIO_REGISTER_MODE_WP, NULL), 0);
	REQUIRE_EQ(area_wp(a, 0, a->pages), 0);
	REQUIRE_EQ(uffd_unregister(a->uffd, a->map, a->size), 0);
}

/* A leak of a page table or of an object of 64 bytes in each round would show. */
static void loop(const struct backing *b)
{
	long tables, all_tables, slab;
	struct area a;

	area_arm(&a, b, 16, 0);
	touch_write_all(&a, 0, 8);
	for (int i = 0; i < ROUNDS / 10; i++)
		round_trip(&a);
	tables = status_kb("VmPTE");
	all_tables = vmstat("nr_page_table_pages");
	slab = meminfo_kb("SUnreclaim");
	for (int i = 0; i < ROUNDS; i++)
		round_trip(&a);
	EXPECT_EQ(status_kb("VmPTE"), tables);
	EXPECT_MSG(vmstat("nr_page_table_pages") < all_tables + 200,
		   "nr_page_table_pages grew from %ld to %ld", all_tables, vmstat("nr_page_table_pages"));
	EXPECT_MSG(meminfo_kb("SUnreclaim") < slab + 1024,
		   "SUnreclaim grew from %ld to %ld kB", slab, meminfo_kb("SUnreclaim"));
}
CASE_ON(((const struct backing *const []){ &memfd_shared, &memfd_private, NULL }), "L19_reg-loop", loop);
