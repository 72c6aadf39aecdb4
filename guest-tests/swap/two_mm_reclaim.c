// SPDX-License-Identifier: GPL-2.0
/*
 * One file, protected in one process and not in the other; memory pressure takes the pages from both:
 * each has what it had.
 * Needs: REGISTER(WP) on shmem, CONFIG_MEMCG, CONFIG_SWAP and a swap device.
 * Fails on a kernel whose reclaim decides by one mapping what it leaves in all of them.
 */
#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "sweep.h"
#include "uffd.h"

#define PAGES 64

static uint64_t read_all(void *area, uint64_t pages)
{
	touch_read_all(area, 0, pages);
	return 0;
}

static void two_mm_reclaim(const struct backing *b)
{
	struct peer other;
	struct area a;

	area_open(&a, b, PAGES);
	need_shmem_wp();
	cgroup_enter();
	area_fill_file(&a, 0, PAGES);
	peer_start(&other);
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_read_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	peer_call(&other, read_all, &a, PAGES);
	PEER_PM(&other, a.map, PM_PRESENT, PM_UFFD_WP);
	squeeze_out(&a, 0, PAGES);
	SETUP_MSG(swapped_kb(&a) > 0, "nothing of the file is in swap");
	for (size_t i = 0; i < PAGES; i++) {
		EXPECT_PM(area_page(&a, i), PM_UFFD_WP, PM_PRESENT);
		PEER_PM(&other, area_page(&a, i), 0, PM_UFFD_WP | PM_PRESENT | PM_SWAP);
	}
	EXPECT_EQ(peer_call(&other, peer_get, a.map, 0), file_value(0));
	for (size_t i = 0; i < PAGES; i += 9) {
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
		PEER_WRITES(&other, &a, area_page(&a, i));
	}
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
	EXPECT_EQ(peer_end(&other), 0);
}
CASE_ON(BACKINGS_SHARED_SMALL, "S05_two-mm-reclaim", two_mm_reclaim);
