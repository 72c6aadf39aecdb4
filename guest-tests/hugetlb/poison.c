// SPDX-License-Identifier: GPL-2.0
/*
 * A protected huge page is poisoned, and its address protected again: a read gives SIGBUS and no message, its
 * neighbours are as they were, and when the file has lost the page the address is still protected.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages, MEMORY_FAILURE, root.
 * Fails on a kernel that takes a poison entry for a marker, or loses one in the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "trap.h"
#include "uffd.h"

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif

#define PAGES 4

static void poisoned(const struct backing *b)
{
	struct uffd_msg msg;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, PAGES);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	if (madvise(area_page(&a, 1), PAGE, MADV_HWPOISON))
		SKIP("CONFIG_MEMORY_FAILURE: MADV_HWPOISON: %s", strerror(errno));
	EXPECT_PM(area_page(&a, 1), PM_UFFD_WP, PM_PRESENT);
	REQUIRE_EQ(area_unwp(&a, 0, 3), 0);
	EXPECT_PM(area_page(&a, 1), 0, PM_UFFD_WP);
	REQUIRE_EQ(area_wp(&a, 0, 3), 0);
	EXPECT_EQ(touch_once(READS, area_page(&a, 1), 0), GOT_SIGBUS);
	EXPECT_EQ(touch_once(WRITES, area_page(&a, 1), 1), GOT_SIGBUS);
	EXPECT(!uffd_next(a.uffd, &msg));
	EXPECT_EQ(touch_read(a.map), file_value(0));
	EXPECT_TRAPS(&a, a.map);
	EXPECT_NO_TRAP(&a, area_page(&a, 3));
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)a.size));
	EXPECT_PM(area_page(&a, 1), PM_UFFD_WP, PM_PRESENT);
	EXPECT_TRAPS(&a, area_page(&a, 1));
	EXPECT_TRAPS(&a, area_page(&a, 2));
}
CASE_ON(BACKINGS_HUGETLB, "H25_poison", poisoned);
