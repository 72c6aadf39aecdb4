// SPDX-License-Identifier: GPL-2.0
/*
 * fork does not copy the page tables of shared shmem that no userfaultfd of the child protects, be it
 * that the parent is watched, or not.
 * Needs: nothing; -registered and -protected REGISTER(WP) on shmem, -missing-event EVENT_FORK.
 * Fails on a kernel that makes every fork pay for write protection, or that asks the parent whether the
 * child is to have it.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#define SIZE (1UL << 30)

/* One page of each page table is there. */
static void open_spread(struct area *a, const struct backing *b)
{
	area_open_aligned(a, b, SIZE / PAGE, HUGE);
}

static void touch_each_table(const struct area *a)
{
	for (size_t at = 0; at < SIZE; at += HUGE)
		touch_write(a->map + at, at);
}

/* A child of now has few page tables more than one of before, and reads what is in the file. */
static void judge_child(const struct area *a, struct peer *before, long empty, bool event)
{
	long parent = status_kb("VmPTE"), child;
	struct peer after;
	struct area seen;

	SETUP_MSG(parent >= empty + 2000, "page tables of 1 GB: VmPTE only went from %ld to %ld kB", empty, parent);
	if (event)
		peer_start_event(&after, a, &seen);
	else
		peer_start(&after);
	child = (long)peer_call(&after, peer_status_kb, "VmPTE", 0);
	EXPECT_MSG(child <= empty + 64, "VmPTE of the child is %ld kB, without the area %ld kB", child, empty);
	EXPECT_EQ(peer_call(&after, peer_get, a->map + HUGE, 0), HUGE);
	EXPECT_EQ(peer_end(before), 0);
	EXPECT_EQ(peer_end(&after), 0);
}

static void cost(const struct backing *b)
{
	struct peer before;
	struct area a;
	long empty;

	open_spread(&a, b);
	peer_start(&before);
	empty = (long)peer_call(&before, peer_status_kb, "VmPTE", 0);
	touch_each_table(&a);
	judge_child(&a, &before, empty, false);
}
static const struct backing *const SPREAD[] = { &memfd_shared, &anon_shared, NULL };
CASE_ON(SPREAD, "F09_cost", cost);

/* The parent is watched: the child, which is not, or for missing pages only, has nothing to copy. */
static void watched(const struct backing *b, __u64 features, __u64 mode, bool protect)
{
	struct peer before;
	struct area a;
	long empty;

	if (mode & UFFDIO_REGISTER_MODE_WP)
		need_shmem_wp();
	open_spread(&a, b);
	peer_start(&before);
	empty = (long)peer_call(&before, peer_status_kb, "VmPTE", 0);
	touch_each_table(&a);
	area_register(&a, features, mode);
	if (protect)
		REQUIRE_EQ(area_wp(&a, 0, a.pages), 0);
	judge_child(&a, &before, empty, features & UFFD_FEATURE_EVENT_FORK);
	if (protect)
		EXPECT_TRAPS(&a, a.map);
}

static void registered(const struct backing *b)
{
	watched(b, 0, UFFDIO_REGISTER_MODE_WP, false);
}
CASE_ON(SPREAD, "F09_cost-registered", registered);

static void protected(const struct backing *b)
{
	watched(b, 0, UFFDIO_REGISTER_MODE_WP, true);
}
CASE_ON(SPREAD, "F09_cost-protected", protected);

static void missing_event(const struct backing *b)
{
	watched(b, UFFD_FEATURE_EVENT_FORK, UFFDIO_REGISTER_MODE_MISSING, false);
}
CASE_ON(SPREAD, "F09_cost-missing-event", missing_event);
