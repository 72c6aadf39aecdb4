// SPDX-License-Identifier: GPL-2.0
/*
 * swapoff brings anonymous pages back: those that were write-protected must still be.
 * Needs: swap; write protection of anonymous memory, or of shmem for a private mapping.
 * A failure means: unuse_pte() dropped the uffd-wp bit of the swap entry (5.10; fixed in 5.19).
 */
#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

#define PAGES 16

static void swapoff_private(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	swap_out(&a, 0, PAGES);
	swap_off_and_on();
	SETUP_MSG(pm_count(a.map, PAGES, PM_PRESENT, 0) == PAGES, "swapoff did not bring the pages back");
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
}

static const struct backing *const ANONYMOUS_PAGES[] = { &memfd_private, &anon, NULL };

CASE_ON(ANONYMOUS_PAGES, "S07_swapoff-private", swapoff_private);
