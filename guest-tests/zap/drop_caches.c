// SPDX-License-Identifier: GPL-2.0
/*
 * drop_caches, msync and fsync have no business with pages of shmem: they stay mapped and protected.
 * Needs: REGISTER(WP) on shmem, CONFIG_SYSCTL.
 * Fails on a kernel that cleans or drops such ptes, or gives them write permission back.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"

#define PAGES 4

static void drop_caches(void)
{
	long before = vmstat("drop_pagecache");

	if (access("/proc/sys/vm/drop_caches", F_OK))
		SKIP("CONFIG_SYSCTL: /proc/sys/vm/drop_caches is not there");
	SETUP(file_write("/proc/sys/vm/drop_caches", "3"));
	SETUP_MSG(before < 0 || vmstat("drop_pagecache") > before, "drop_caches did not drop caches");
}

static void no_effect(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	touch_read_all(&a, 0, PAGES);
	drop_caches();
	SETUP(!msync(a.map, a.size, MS_SYNC));
	SETUP(a.fd < 0 || !fsync(a.fd));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP | PM_PRESENT, 0), PAGES);
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(BACKINGS_FILE, "Z12_drop-caches", no_effect);
