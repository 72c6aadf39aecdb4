// SPDX-License-Identifier: GPL-2.0
/*
 * A child forked with EVENT_FORK is protected as its parent is: its writes trap to the
 * userfaultfd that came with the event, the parent's to the parent's.
 * Needs: REGISTER(WP) on shmem, UFFD_FEATURE_EVENT_FORK; F06 a swap device.
 * Fails on a kernel whose fork skips the page tables of shared file mappings, or drops the
 * uffd-wp bit or the markers of a registered child.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"

#define PAGES 4

/* Every page of the child traps, then every page of the parent. */
static void judge_both(struct peer *child, const struct area *seen, const struct area *a)
{
	for (int i = 0; i < PAGES; i++) {
		PEER_PM(child, area_page(a, i), PM_UFFD_WP, 0);
		PEER_TRAPS(child, seen, area_page(a, i));
	}
	PEER_PM(child, area_page(a, PAGES), 0, PM_UFFD_WP);
	PEER_WRITES(child, seen, area_page(a, PAGES));
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, 0), PAGES);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(a, area_page(a, i));
	EXPECT_EQ(peer_end(child), 0);
}

static void present(const struct backing *b)
{
	struct area a, seen;
	struct peer child;

	area_arm(&a, b, PAGES + 1, UFFD_FEATURE_EVENT_FORK);
	touch_write_all(&a, 0, PAGES + 1);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	peer_start_event(&child, &a, &seen);
	judge_both(&child, &seen, &a);
}
CASE_ON(BACKINGS_SMALL, "F04_event-present", present);

static void marker(const struct backing *b)
{
	struct area a, seen;
	struct peer child;

	area_arm(&a, b, PAGES + 1, UFFD_FEATURE_EVENT_FORK);
	area_fill_file(&a, 0, PAGES + 1);
	touch_read_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!madvise(a.map, PAGES / 2 * PAGE, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	peer_start_event(&child, &a, &seen);
	for (int i = 0; i < PAGES; i++)
		PEER_PM(&child, area_page(&a, i), PM_UFFD_WP, PM_PRESENT);
	EXPECT_EQ(peer_call(&child, peer_get, a.map, 0), file_value(0));
	judge_both(&child, &seen, &a);
}
CASE_ON(BACKINGS_SMALL, "F05_event-marker", marker);

/* Enough pages that a lost swap slot each would show through the kernel's caches of free slots. */
#define SWAPPED 1024

static void swapped_private(void)
{
	struct area a, seen;
	struct peer child;
	long before, after;

	need_swap();
	before = meminfo_kb("SwapFree");
	area_arm(&a, &memfd_private, SWAPPED, UFFD_FEATURE_EVENT_FORK);
	touch_write_all(&a, 0, SWAPPED);
	REQUIRE_EQ(area_wp(&a, 0, SWAPPED), 0);
	swap_out(&a, 0, SWAPPED);
	EXPECT_EQ(pm_count(a.map, SWAPPED, PM_UFFD_WP | PM_SWAP, PM_PRESENT), SWAPPED);
	peer_start_event(&child, &a, &seen);
	EXPECT_EQ(peer_call(&child, peer_status_kb, "VmSwap", 0), SWAPPED * PAGE / 1024);
	for (int i = 0; i < SWAPPED; i += SWAPPED / PAGES) {
		PEER_PM(&child, area_page(&a, i), PM_UFFD_WP | PM_SWAP, PM_PRESENT);
		EXPECT_EQ(peer_call(&child, peer_get, area_page(&a, i), 0), file_value(i));
		PEER_PM(&child, area_page(&a, i), PM_UFFD_WP | PM_PRESENT, 0);
		PEER_TRAPS(&child, &seen, area_page(&a, i));
		PEER_TRAPS(&child, &seen, area_page(&a, i + 1));
		EXPECT_TRAPS(&a, area_page(&a, i));
	}
	EXPECT_EQ(peer_end(&child), 0);
	close(seen.uffd);
	area_close(&a);
	after = meminfo_kb("SwapFree");
	EXPECT_MSG(after > before - SWAPPED / 2 * (long)PAGE / 1024,
		   "SwapFree was %ld kB, and is %ld kB after both have gone", before, after);
}
CASE("F06_event-swapped-private", swapped_private);
