// SPDX-License-Identifier: GPL-2.0
/*
 * What 5.10 refuses for hugetlbfs, and newer kernels allow: refused or right.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages.
 * Fails on a kernel that allows it and drops the protection.
 */
#include <errno.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"

static void dontneed(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 2, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	if (madvise(a.map, a.size, MADV_DONTNEED))
		EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, 0), a.pages);
	EXPECT_TRAPS(&a, a.map);
	EXPECT_TRAPS(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_HUGETLB, "H18_dontneed", dontneed);

/* Without its event mremap() ends the registration: nothing is protected at the new place. */
static void moved(const struct backing *b)
{
	struct area a;
	char *to;

	area_arm(&a, b, 2, 0);
	populate(&a, 0, 2);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	to = mmap(NULL, 2 * a.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	SETUP(to != MAP_FAILED);
	to = (char *)(((uintptr_t)to + a.page - 1) / a.page * a.page);
	to = mremap(a.map, a.size, a.size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (to == MAP_FAILED) {
		EXPECT_EQ(errno, EINVAL);
		EXPECT_TRAPS(&a, a.map);
		return;
	}
	EXPECT_EQ(pm_count(to, a.size / PAGE, PM_UFFD_WP, 0), 0);
	EXPECT_EQ(touch_read(to), file_value(0));
	touch_write(to, 1);
}
CASE_ON(BACKINGS_HUGETLB, "H20_mremap", moved);
