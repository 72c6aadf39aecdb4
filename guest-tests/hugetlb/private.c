// SPDX-License-Identifier: GPL-2.0
/*
 * A write that is the first access to a protected page of a private mapping is held back before it is copied.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages.
 * Fails on a kernel that copies on write in the same fault that maps the page (mainline before 6.3).
 */
#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

/* One page of 1 GB, which the file has: there are two in all. */
static void giant_cow(void)
{
	struct area a;

	area_arm(&a, &hugetlb_1g_private, 1, 0);
	area_fill_file(&a, 0, 1);
	REQUIRE_EQ(area_wp(&a, 0, 1), 0);
	EXPECT_PM(a.map, PM_UFFD_WP, PM_PRESENT);
	EXPECT_TRAPS(&a, a.map);
	EXPECT_EQ(alias_get(&a, a.map), file_value(0));
	REQUIRE_EQ(area_wp(&a, 0, 1), 0);
	EXPECT_PM(a.map, PM_PRESENT | PM_UFFD_WP, PM_FILE);
	EXPECT_TRAPS(&a, a.map);
	EXPECT_NO_TRAP(&a, a.map);
}
CASE("H17_1G-private-cow.hugetlb-1G-private", giant_cow);

static void cow_in_one_fault(void)
{
	struct area a;

	area_arm(&a, &hugetlb_private, 4, 0);
	area_fill_file(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	EXPECT_TRAPS(&a, a.map);		/* of the file */
	EXPECT_TRAPS(&a, area_page(&a, 3));	/* of a hole */
	EXPECT_EQ(alias_get(&a, a.map), file_value(0));
	/* The copies are protected like any page. */
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	EXPECT_PM(a.map, PM_PRESENT | PM_UFFD_WP, PM_FILE);
	EXPECT_TRAPS(&a, a.map);
	EXPECT_NO_TRAP(&a, a.map);
}
CASE("H10_private-cow-optim", cow_in_one_fault);
