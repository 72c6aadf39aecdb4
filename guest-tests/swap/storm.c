// SPDX-License-Identifier: GPL-2.0
/*
 * Twice as many protected pages as the cgroup may have in memory: whatever is read pushes something
 * else out, over and over. In the end all are protected and hold their data.
 * Needs: REGISTER(WP) on shmem, CONFIG_MEMCG, CONFIG_SWAP and a swap device, CONFIG_VM_EVENT_COUNTERS.
 * Fails on a kernel that loses a protection, or data, in one of the many ways in and out.
 */
#include <stdio.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"

#define LIMIT (4UL << 20)
#define PAGES (2 * LIMIT / PAGE)
#define ROUNDS 2

static void judge_data(const struct area *a)
{
	size_t wrong = 0;

	for (size_t i = 0; i < PAGES; i++)
		wrong += touch_read(area_page(a, i)) != file_value(i);
	EXPECT_EQ(wrong, 0);
}

static void swap_storm(const struct backing *b)
{
	long in = vmstat("pswpin"), out = vmstat("pswpout");
	char limit[24];
	struct area a;

	if (in < 0 || out < 0)
		SKIP("CONFIG_VM_EVENT_COUNTERS: /proc/vmstat has no pswpin");
	area_arm(&a, b, PAGES, 0);
	need_swap();
	cgroup_enter();
	snprintf(limit, sizeof(limit), "%lu", LIMIT);
	cgroup_set("memory.max", limit);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	for (int round = 0; round < ROUNDS; round++) {
		EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
		judge_data(&a);
	}
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	SETUP_MSG(vmstat("pswpin") - in > (long)PAGES / 2, "only %ld pages came from swap", vmstat("pswpin") - in);
	SETUP_MSG(vmstat("pswpout") - out > (long)PAGES / 2, "only %ld pages went to swap", vmstat("pswpout") - out);
	EXPECT_ALL_TRAP(&a, 0, PAGES / 16);
	EXPECT_ALL_TRAP(&a, PAGES - PAGES / 16, PAGES / 16);
}
static const struct backing *const STORMED[] = { &memfd_shared, &memfd_private, NULL };
CASE_ON(STORMED, "S11_swap-storm", swap_storm);
