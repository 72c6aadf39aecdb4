// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/PID/pagemap tells what is protected: bit 57 on mapped pages, markers and swapped pages, and
 * not on others. A marker shows as swapped (bit 62), not present, with no frame.
 * Needs: REGISTER(WP) on shmem; a swap device.
 * Fails on a kernel without PM_UFFD_WP, or that leaks a marker's encoding as a page frame (N02).
 */
#include <errno.h>
#include <string.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "loop.h"
#include "proc.h"
#include "uffd.h"

#define PAGES 4

static void entries(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, 2);
	EXPECT_PM(area_page(&a, 3), 0, PM_UFFD_WP | PM_SWAP | PM_PRESENT);
	REQUIRE_EQ(area_wp(&a, 0, 1), 0);
	REQUIRE_EQ(area_wp(&a, 2, 1), 0);
	EXPECT_PM(a.map, PM_UFFD_WP | PM_PRESENT, PM_SWAP);
	EXPECT_PM(area_page(&a, 1), PM_PRESENT, PM_SWAP | PM_UFFD_WP);
	EXPECT_PM(area_page(&a, 2), PM_UFFD_WP | PM_SWAP, PM_PRESENT);
	EXPECT_PM(area_page(&a, 3), 0, PM_UFFD_WP | PM_SWAP | PM_PRESENT);
	REQUIRE_EQ(area_unwp(&a, 0, PAGES), 0);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), 0);
	EXPECT_PM(area_page(&a, 2), 0, PM_UFFD_WP | PM_SWAP | PM_PRESENT);
}
CASE_ON(BACKINGS_SMALL, "N01_pagemap", entries);

static void swapped(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES / 2), 0);
	swap_out(&a, 0, PAGES);
	EXPECT_EQ(pm_count(a.map, PAGES / 2, PM_UFFD_WP | PM_SWAP, PM_PRESENT), PAGES / 2);
	EXPECT_EQ(pm_count(area_page(&a, PAGES / 2), PAGES / 2, 0, PM_UFFD_WP | PM_PRESENT), PAGES / 2);
	touch_read_all(&a, 0, PAGES);
	EXPECT_EQ(pm_count(a.map, PAGES / 2, PM_UFFD_WP | PM_PRESENT, PM_SWAP), PAGES / 2);
	EXPECT_EQ(pm_count(area_page(&a, PAGES / 2), PAGES / 2, PM_PRESENT, PM_UFFD_WP | PM_SWAP), PAGES / 2);
}
CASE_ON(BACKINGS_SMALL, "N01_pagemap-swapped", swapped);

/* As root: to others every frame is 0. */
static void frame(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, 2);
	SETUP_MSG(pm(a.map) & PM_FRAME, "page frames are hidden: not root");
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!madvise(a.map, PAGE, MADV_DONTNEED));
	EXPECT_EQ(pm(a.map) & PM_FRAME, 0);
	EXPECT(pm(area_page(&a, 1)) & PM_FRAME);
	EXPECT_EQ(pm(area_page(&a, 2)) & PM_FRAME, 0);
}
CASE_ON(BACKINGS_SMALL, "N02_pagemap-frame", frame);

/* A huge page of anonymous memory is protected as a whole, and every page of it shows that. */
static void anon_thp(void)
{
	struct area a;

	area_open_aligned(&a, &anon, HUGE / PAGE, HUGE);
	if (madvise(a.map, a.size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	need_shmem_wp();	/* only a kernel that has this shows any protection */
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(&a, 0, a.pages);
	SETUP_MSG(huge_mapped_kb(&a) == HUGE / 1024, "no huge page");
	EXPECT_EQ(pm_count(a.map, a.pages, PM_PRESENT, PM_UFFD_WP), a.pages);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	SETUP_MSG(huge_mapped_kb(&a) == HUGE / 1024, "the huge page is split");
	EXPECT_EQ(pm_count(a.map, a.pages, PM_PRESENT | PM_UFFD_WP, 0), a.pages);
	REQUIRE_EQ(area_unwp(&a, 0, a.pages), 0);
	EXPECT_EQ(pm_count(a.map, a.pages, PM_PRESENT, PM_UFFD_WP), a.pages);
}
CASE("N01_pagemap-anon-thp", anon_thp);

static void move_on(void *area)
{
	migrate(area, 0, 1, MPOL_MF_MOVE);
}

/* On its way to another node, where the entry is that of a migration. */
static void anon_thp_migrating(void)
{
	double end = ktap_now() + ktap_budget();
	unsigned long looks = 0, on_its_way = 0;
	struct looper mover;
	struct area a;

	need_shmem_wp();
	area_open_aligned(&a, &anon, HUGE / PAGE, HUGE);
	if (madvise(a.map, a.size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	area_register(&a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_write_all(&a, 0, a.pages);
	REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	SETUP_MSG(huge_mapped_kb(&a) == HUGE / 1024, "no huge page");
	loop_start(&mover, move_on, &a);
	do {
		uint64_t entry = pm(area_page(&a, looks++ % a.pages));

		EXPECT_MSG(entry & PM_UFFD_WP, "look %lu: pagemap %#llx", looks, (unsigned long long)entry);
		on_its_way += !(entry & PM_PRESENT);
	} while (ktap_now() < end && on_its_way < 100);
	loop_end(&mover);
	ktap_diag("%lu of %lu looks met it on its way", on_its_way, looks);
	SETUP_MSG(on_its_way, "none of %lu looks met it on its way", looks);
	SETUP_MSG(huge_mapped_kb(&a) == HUGE / 1024, "it was split on its way");
}
CASE_BUDGET("N01_pagemap-anon-thp-migrating", anon_thp_migrating);
