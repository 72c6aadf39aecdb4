// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses protected before anything was mapped there: every way to zap them leaves them protected.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel whose zap clears the marker as it clears other entries that are not swap.
 */
#include <fcntl.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"

#define PAGES 4

static void punch(const struct area *a)
{
	SETUP(!fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, a->size));
}

static void truncate_and_extend(const struct area *a)
{
	SETUP(!ftruncate(a->fd, 0));
	SETUP(!ftruncate(a->fd, a->size));
}

static void dontneed(const struct area *a)
{
	SETUP(!madvise(a->map, a->size, MADV_DONTNEED));
}

static void (*const zaps[])(const struct area *a) = { punch, truncate_and_extend, dontneed };

/* Over a hole, or over pages that the file has and nobody maps. */
static void zap_marker(const struct backing *b, void (*zap)(const struct area *a), bool filled)
{
	struct area a;

	area_arm(&a, b, PAGES, 0);
	if (filled)
		area_fill_file(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	REQUIRE_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	zap(&a);
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_READS(&a, area_page(&a, 1));
	EXPECT_EQ(touch_read(area_page(&a, 1)), filled && zap == dontneed ? file_value(1) : 0);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
	area_close(&a);
}

static void marker_then_zap(const struct backing *b)
{
	for (size_t i = 0; i < sizeof(zaps) / sizeof(*zaps); i++) {
		zap_marker(b, zaps[i], false);
		zap_marker(b, zaps[i], true);
	}
}
static const struct backing *const ZAPPED[] = { &memfd_shared, &memfd_private, &tmpfs_file, &thp_shmem, NULL };
CASE_ON(ZAPPED, "Z10_marker-then-punch", marker_then_zap);
