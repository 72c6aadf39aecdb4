// SPDX-License-Identifier: GPL-2.0
/*
 * Write protection of pages that are mapped: the plain case.
 * Needs: REGISTER(WP) on shmem.
 * A failure means: a write to a protected page is lost to the handler, or a read or a
 * write elsewhere is stopped that should not be.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

/* A write waits for the handler, and lands when the protection is taken away. */
static void present(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 4);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	/* A huge mapping is split: its small pages fault in again. */
	EXPECT_PM(a.map, PM_UFFD_WP | (b->huge ? 0 : PM_PRESENT), 0);
	EXPECT_TRAPS(&a, a.map);
	EXPECT_PM(a.map, PM_PRESENT, PM_UFFD_WP);
	EXPECT_NO_TRAP(&a, a.map);
	EXPECT_TRAPS(&a, area_page(&a, 3) + PAGE - 8);
}
CASE_ON(BACKINGS_FILE, "B01_present", present);

/* Reads never wait, and leave the protection as it is. */
static void read_free(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 4, 0);
	populate(&a, 0, 4);
	REQUIRE_EQ(area_wp(&a, 0, 4), 0);
	for (size_t i = 0; i < 4; i++) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	}
	EXPECT_TRAPS(&a, area_page(&a, 2));
}
CASE_ON(BACKINGS_FILE, "B02_read-free", read_free);
