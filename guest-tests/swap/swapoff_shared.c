// SPDX-License-Identifier: GPL-2.0
/*
 * swapoff puts pages of shmem back into the page cache: the addresses that had them mapped stay
 * protected.
 * Needs: REGISTER(WP) on shmem, CONFIG_SWAP and a swap device.
 * Fails on a kernel whose swapoff takes a marker for a swap entry, or clears it.
 */
#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"

#define PAGES 64

static void swapoff_shared(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	swap_out(&a, 0, PAGES);
	swap_off_and_on();
	SETUP_MSG(!swapped_kb(&a), "swapoff left pages in swap");
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (size_t i = 0; i < PAGES; i += 2) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	}
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(BACKINGS_SHARED_SMALL, "S06_swapoff-shared", swapoff_shared);
