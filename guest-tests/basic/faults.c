// SPDX-License-Identifier: GPL-2.0
/*
 * Un-WP of a range takes no write permission from pages in it that were not protected: writing to them
 * costs no fault.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel whose un-WP gives every page the default protection of the mapping.
 */
#include "backing.h"
#include "ktap.h"
#include "proc.h"

#define PAGES 64

static void unwp_of_writable(const struct backing *b)
{
	struct area a;
	long n;

	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, PAGES / 2, PAGES / 2), 0);
	REQUIRE_EQ(area_unwp(&a, 0, PAGES), 0);
	n = faults_of_writing(a.map, PAGES / 2);
	EXPECT_MSG(n < PAGES / 8, "%ld faults of writing to %d pages that were writable", n, PAGES / 2);
}
CASE_ON(BACKINGS_SMALL, "B10_unwp-faults", unwp_of_writable);
