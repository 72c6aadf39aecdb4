// SPDX-License-Identifier: GPL-2.0
/*
 * Anonymous memory keeps its own rules: write protection is of pages that are there.
 * Needs: write protection of anonymous memory, without WP_UNPOPULATED.
 * A failure means: the markers of file mappings have leaked into anonymous ones.
 */
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

/* Neither a page that was never there nor one that was dropped is protected. */
static void anon_none(void)
{
	struct area a;

	area_arm(&a, &anon, 8, 0);
	REQUIRE_EQ(area_wp(&a, 0, 8), 0);
	EXPECT_EQ(pm_count(a.map, 8, PM_SWAP, 0), 0);
	EXPECT_EQ(pm_count(a.map, 8, PM_UFFD_WP, 0), 0);
	EXPECT_NO_TRAP(&a, a.map);
	EXPECT_READS(&a, area_page(&a, 1));

	touch_write_all(&a, 2, 2);
	REQUIRE_EQ(area_wp(&a, 0, 8), 0);
	EXPECT_TRAPS(&a, area_page(&a, 2));
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	EXPECT_EQ(pm_count(a.map, 8, PM_SWAP, 0), 0);
	EXPECT_EQ(pm_count(a.map, 8, PM_UFFD_WP, 0), 0);
	for (size_t i = 0; i < 8; i++)
		EXPECT_NO_TRAP(&a, area_page(&a, i));
}
CASE("G01_anon-none", anon_none);

