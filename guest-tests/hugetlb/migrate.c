// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages that move to another node keep their protection, whatever is asked for on the way.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages, two nodes; for the soft-offline half MEMORY_FAILURE.
 * Fails on a kernel that loses uffd-wp in a migration entry (mainline before 6.2), or makes the page writable again.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "loop.h"
#include "proc.h"
#include "trap.h"

#define PAGES 4

static void migrated(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES / 2), 0);
	migrate(&a, 0, PAGES, MPOL_MF_MOVE_ALL);
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		if (i < PAGES / 2) {
			EXPECT_PM(area_page(&a, i), PM_PRESENT | PM_UFFD_WP, 0);
			EXPECT_TRAPS(&a, area_page(&a, i));
		} else {
			EXPECT_PM(area_page(&a, i), PM_PRESENT, PM_UFFD_WP);
			EXPECT_NO_TRAP(&a, area_page(&a, i));
		}
	}
}
CASE_ON(BACKINGS_HUGETLB, "H15_migrate", migrated);

static void move_all(void *arg)
{
	const struct area *a = arg;

	for (size_t i = 0; i < PAGES; i++) {
		void *addr = area_page(a, i);
		int target = !node_of(addr), status;

		/* It may be busy: then the next round moves it. */
		syscall(SYS_move_pages, 0, 1, &addr, &target, &status, MPOL_MF_MOVE_ALL);
	}
}

/* What is asked for while a page is on its way holds when it has arrived. */
static void protected_meanwhile(const struct backing *b)
{
	double end = ktap_now() + ktap_budget();
	struct looper mover;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES);
	migrate(&a, 0, PAGES, MPOL_MF_MOVE_ALL);
	loop_start(&mover, move_all, &a);
	do {
		REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
		REQUIRE_EQ(area_count(&a, PM_UFFD_WP, 0), PAGES);
		REQUIRE_EQ(area_unwp(&a, 0, PAGES), 0);
		REQUIRE_EQ(area_count(&a, PM_UFFD_WP, 0), 0);
		touch_write_all(&a, 0, PAGES);
	} while (ktap_now() < end);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	loop_end(&mover);
	ktap_diag("%lu rounds of moving", loop_calls(&mover));
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
}
CASE_BUDGET_ON(BACKINGS_HUGETLB, "H15_migrate-meanwhile", protected_meanwhile);

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static void offlined(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	if (madvise(a.map, PAGE, MADV_SOFT_OFFLINE))
		SKIP("CONFIG_MEMORY_FAILURE: MADV_SOFT_OFFLINE: %s", strerror(errno));
	EXPECT_EQ(touch_read(a.map), file_value(0));
	EXPECT_PM(a.map, PM_PRESENT | PM_UFFD_WP, 0);
	EXPECT_TRAPS(&a, a.map);
}
CASE_ON(BACKINGS_HUGETLB, "H15_soft-offline", offlined);
