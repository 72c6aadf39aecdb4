// SPDX-License-Identifier: GPL-2.0
/*
 * Copies that a private mapping has made, protected and swapped out: DONTNEED drops the data and the
 * swap slot and keeps the protection.
 * Needs: REGISTER(WP) on shmem, CONFIG_SWAP and a swap device.
 * Fails on a kernel whose zap drops the uffd-wp flag of a swap entry with the entry, or keeps the slot.
 */
#include <sched.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"

#define PAGES 1024
#define CACHED_KB 1024	/* the kernel keeps freed slots for each CPU before it counts them as free */

static void swapped_dontneed(void)
{
	struct area a;
	long before;

	area_arm(&a, &memfd_private, PAGES, 0);
	area_fill_file(&a, 0, PAGES);
	for (size_t i = 0; i < PAGES; i++)
		touch_write(area_page(&a, i), fresh_value());
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	swap_out(&a, 0, PAGES);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_SWAP, PM_PRESENT), PAGES);
	SETUP(status_kb("VmSwap") >= (long)(PAGES * PAGE / 1024));
	while (meminfo_kb("Writeback"))	/* a page that is being written keeps its slot */
		sched_yield();
	before = meminfo_kb("SwapFree");
	SETUP(!madvise(a.map, a.size, MADV_DONTNEED));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_EQ(status_kb("VmSwap"), 0);
	EXPECT(meminfo_kb("SwapFree") >= before + (long)(PAGES * PAGE / 1024) - CACHED_KB);
	EXPECT_READS(&a, a.map);
	EXPECT_EQ(touch_read(a.map), file_value(0));
	EXPECT_ALL_TRAP(&a, 0, 16);
	EXPECT_ALL_TRAP(&a, PAGES - 16, 16);
}
CASE("V05_swapped-dontneed", swapped_dontneed);
