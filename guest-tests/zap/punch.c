// SPDX-License-Identifier: GPL-2.0
/*
 * Holes punched into a file, by this process or another one: the page is gone from the file,
 * the protection of its address stays, and what is read there is zero.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel whose rmap zaps (unmap_mapping_range(), unmap_mapping_page()) drop uffd-wp.
 */
#include <fcntl.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "loop.h"
#include "mapped.h"
#include "peer.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 8

static const struct backing *const PUNCHED[] = { &memfd_shared, &memfd_private, &tmpfs_file, &thp_shmem, NULL };

/* Everything is a hole, and protected. */
static void judge_holes(const struct area *a)
{
	EXPECT_EQ(pm_count(a->map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	for (size_t i = 0; i < PAGES / 2; i++) {
		EXPECT_READS(a, area_page(a, i));
		EXPECT_EQ(touch_read(area_page(a, i)), 0);
		EXPECT_PM(area_page(a, i), PM_PRESENT | PM_UFFD_WP, 0);
	}
	EXPECT_ALL_TRAP(a, 0, PAGES);
}

static uint64_t punch(void *area, uint64_t unused)
{
	const struct area *a = area;

	(void)unused;
	return fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, a->size) ? errno : 0;
}

static void punched(const struct backing *b)
{
	struct area a;

	arm_mapped(&a, b, PAGES, 0);
	SETUP(!punch(&a, 0));
	judge_holes(&a);
}
CASE_ON(PUNCHED, "Z04_punch", punched);

static void punched_by_other(const struct backing *b)
{
	struct area a;
	struct peer other;

	arm_mapped(&a, b, PAGES, 0);
	peer_start(&other);
	SETUP(!peer_call(&other, punch, &a, 0));
	EXPECT_EQ(peer_end(&other), 0);
	judge_holes(&a);
}
CASE_ON(PUNCHED, "Z05_punch-by-other", punched_by_other);

static void remove_all(void *area)
{
	const struct area *a = area;

	SETUP(!madvise(a->map, a->size, MADV_REMOVE));
}

/* MADV_REMOVE waits until the handler has read the event. */
static void removed_with_event(const struct backing *b)
{
	struct uffd_msg msg;
	struct once remover;
	struct area a;

	arm_mapped(&a, b, PAGES, UFFD_FEATURE_EVENT_REMOVE);
	once_start(&remover, remove_all, &a);
	uffd_wait(a.uffd, &msg);
	EXPECT_EQ(msg.event, UFFD_EVENT_REMOVE);
	EXPECT_EQ(msg.arg.remove.start, (uintptr_t)a.map);
	EXPECT_EQ(msg.arg.remove.end, (uintptr_t)a.map + a.size);
	once_end(&remover);
	judge_holes(&a);
	area_close(&a);
}

static void removed(const struct backing *b)
{
	struct area a;

	arm_mapped(&a, b, PAGES, 0);
	remove_all(&a);
	judge_holes(&a);
	area_close(&a);
	removed_with_event(b);
}
CASE_ON(BACKINGS_SHARED, "Z06_madv-remove", removed);
