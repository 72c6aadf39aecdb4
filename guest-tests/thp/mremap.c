// SPDX-License-Identifier: GPL-2.0
/*
 * mremap of a huge mapping, protected and not: with EVENT_REMAP the protection moves, without it it
 * stays nowhere.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE, UFFD_FEATURE_EVENT_REMAP.
 * Fails on a kernel that moves a whole page table with what is in it where nothing may be protected,
 * or leaves it behind where it must move.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "peer.h"
#include "proc.h"
#include "sweep.h"
#include "thp.h"

/* The first huge page protected, half of it mapped again; the second one mapped huge and not protected. */
static void arm_both(struct area *a, __u64 features)
{
	arm_huge(a, 2, features);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	judge_data(a, 0, TABLE / 2);
	NEED_HUGE(a, HUGE_KB);
	REQUIRE_EQ(pm_count(a->map, TABLE, PM_UFFD_WP, 0), TABLE);
}

/* Move the area to another aligned place; @old receives where it was. */
static void move(struct area *a, char **old)
{
	char *hole = mmap(NULL, a->size + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *to;

	SETUP(hole != MAP_FAILED);
	to = (char *)(((uintptr_t)hole + HUGE - 1) / HUGE * HUGE);
	*old = a->map;
	SETUP(mremap(a->map, a->size, a->size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	a->map = to;
}

static void without_event(void)
{
	struct area a;
	char *old;

	arm_both(&a, 0);
	move(&a, &old);
	EXPECT_EQ(pm_count(a.map, 2 * TABLE, PM_UFFD_WP, 0), 0);
	judge_data(&a, 0, 2 * TABLE);
	EXPECT_NONE_TRAPS(&a, 0, 2 * TABLE);
	area_close(&a);
}

static void with_event(void)
{
	const struct uffd_msg *msg;
	struct event event;
	struct area a;
	char *old;

	arm_both(&a, UFFD_FEATURE_EVENT_REMAP);
	event_begin(&event, a.uffd);
	move(&a, &old);
	msg = event_end(&event, UFFD_EVENT_REMAP);
	EXPECT_EQ(msg->arg.remap.from, (uintptr_t)old);
	EXPECT_EQ(msg->arg.remap.to, (uintptr_t)a.map);
	EXPECT_EQ(pm_count(old, 2 * TABLE, 0, PM_UFFD_WP | PM_PRESENT | PM_SWAP), 2 * TABLE);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_EQ(pm_count(area_page(&a, TABLE), TABLE, PM_UFFD_WP, 0), 0);
	judge_data(&a, 0, TABLE / 2);
	EXPECT_ALL_TRAP(&a, 0, TABLE);
	EXPECT_NONE_TRAPS(&a, TABLE, TABLE);
}

static void moved(void)
{
	without_event();
	with_event();
}
CASE("T11_mremap-2M", moved);
