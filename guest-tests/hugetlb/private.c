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
