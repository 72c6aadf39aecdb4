// SPDX-License-Identifier: GPL-2.0
/*
 * A file that shrinks and grows again: protected addresses stay protected.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel whose truncation drops uffd-wp from what lies behind the new end (Z07), or
 * from what lies before it (Z08).
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "mapped.h"
#include "proc.h"
#include "sweep.h"
#include "trap.h"

#define PAGES 8

static const struct backing *const TRUNCATED[] = { &memfd_shared, &memfd_private, &tmpfs_file, &thp_shmem, NULL };

static void truncate_extend(const struct backing *b)
{
	struct area a;

	arm_mapped(&a, b, PAGES, 0);
	SETUP(!ftruncate(a.fd, 0));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	SETUP(!ftruncate(a.fd, a.size));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	for (size_t i = 0; i < PAGES / 2; i++) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), 0);
	}
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(TRUNCATED, "Z07_truncate-extend", truncate_extend);

/* The new end lies inside page CUT: that page loses its tail and nothing else. */
#define CUT 4

static void truncate_partial(const struct backing *b)
{
	struct area a;

	arm_mapped(&a, b, PAGES, 0);
	alias_set(&a, area_page(&a, CUT) + PAGE - 8, 1);
	SETUP(!ftruncate(a.fd, CUT * PAGE + 512));
	SETUP(!ftruncate(a.fd, a.size));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, 0), PAGES);
	EXPECT_EQ(pm_count(area_page(&a, CUT + 1), PAGES - CUT - 1, PM_UFFD_WP, PM_PRESENT), PAGES - CUT - 1);
	if (!b->huge)	/* a huge page is split, which unmaps it */
		EXPECT_EQ(pm_count(a.map, CUT + 1, PM_UFFD_WP | PM_PRESENT, 0), CUT + 1);
	for (size_t i = 0; i < PAGES; i += 2) {
		EXPECT_READS(&a, area_page(&a, i));
		EXPECT_EQ(touch_read(area_page(&a, i)), i <= CUT ? file_value(i) : 0);
	}
	EXPECT_EQ(touch_read(area_page(&a, CUT) + PAGE - 8), 0);
	EXPECT_ALL_TRAP(&a, 0, PAGES);
}
CASE_ON(TRUNCATED, "Z08_truncate-partial", truncate_partial);
