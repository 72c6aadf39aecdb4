// SPDX-License-Identifier: GPL-2.0
/*
 * Fork of a process with a protected huge page: without EVENT_FORK the child is not protected, with
 * it the child is, and its writes go to its own userfaultfd.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE, UFFD_FEATURE_EVENT_FORK.
 * Fails on a kernel whose fork copies too much, or passes by shared file mappings.
 */
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "sweep.h"
#include "thp.h"

/* The first half mapped again by reads, the second half not. */
static void arm_halves(struct area *a, __u64 features)
{
	arm_huge(a, 1, features);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	judge_data(a, 0, TABLE / 2);
	REQUIRE_EQ(pm_count(a->map, TABLE, PM_UFFD_WP, 0), TABLE);
}

static uint64_t protected_here(void *addr, uint64_t pages)
{
	return pm_count(addr, pages, PM_UFFD_WP, 0);
}

static const size_t samples[] = { 0, 1, TABLE / 2 - 1, TABLE / 2, TABLE - 1 };
#define SAMPLES (sizeof(samples) / sizeof(*samples))

static void without_event(void)
{
	struct peer child;
	struct area a;

	arm_halves(&a, 0);
	peer_start(&child);
	EXPECT_EQ(peer_call(&child, protected_here, a.map, TABLE), 0);
	for (size_t i = 0; i < SAMPLES; i++)
		PEER_WRITES(&child, &a, area_page(&a, samples[i]));
	EXPECT_EQ(peer_end(&child), 0);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
	area_close(&a);
}

static void with_event(void)
{
	struct area a, seen;
	struct peer child;

	arm_halves(&a, UFFD_FEATURE_EVENT_FORK);
	peer_start_event(&child, &a, &seen);
	EXPECT_EQ(peer_call(&child, protected_here, a.map, TABLE), TABLE);
	for (size_t i = 0; i < SAMPLES; i++)
		PEER_TRAPS(&child, &seen, area_page(&a, samples[i]));
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
	EXPECT_EQ(peer_end(&child), 0);
}

static void forked(void)
{
	without_event();
	with_event();
}
CASE("T12_fork", forked);
