// SPDX-License-Identifier: GPL-2.0
/*
 * The arguments of UFFDIO_WRITEPROTECT.
 * Needs: write protection of anonymous memory, or REGISTER(WP) on shmem.
 * A failure means: a wrong call is taken, and its caller believes the range protected.
 */
#include "access.h"
#include "backing.h"
#include "ktap.h"
#include "trap.h"
#include "uffd.h"

static void wp_args(const struct backing *b)
{
	const __u64 wp = UFFDIO_WRITEPROTECT_MODE_WP;
	struct area a;

	area_arm(&a, b, 8, 0);
	touch_write_all(&a, 0, 8);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, PAGE, wp | UFFDIO_WRITEPROTECT_MODE_DONTWAKE), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, PAGE, 1ULL << 2), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, PAGE, 1ULL << 63), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map + 1, PAGE, wp), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, PAGE - 1, wp), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, a.map, 0, wp), -EINVAL);
	EXPECT_EQ(uffd_writeprotect(a.uffd, (void *)~(PAGE - 1), 2 * PAGE, wp), -EINVAL);
	SETUP(!munmap(area_page(&a, 4), PAGE));
	EXPECT_EQ(uffd_writeprotect(a.uffd, area_page(&a, 4), PAGE, wp), -ENOENT);
	EXPECT_EQ(uffd_unregister(a.uffd, area_page(&a, 5), PAGE), 0);
	EXPECT_EQ(uffd_writeprotect(a.uffd, area_page(&a, 5), PAGE, wp), -ENOENT);
	/* None of this has protected anything. */
	EXPECT_NO_TRAP(&a, a.map);
	EXPECT_NO_TRAP(&a, area_page(&a, 5));
	EXPECT_EQ(area_wp(&a, 0, 4), 0);
	EXPECT_TRAPS(&a, area_page(&a, 3));
}
CASE_ON(BACKINGS_ALL_SMALL, "A13_wp-args", wp_args);

/* Two mappings in one call: all of it or nothing. Kernels before 6.4 refuse. */
static void wp_two_vmas(const struct backing *b)
{
	struct area a;
	int err;

	area_arm(&a, b, 8, 0);
	touch_write_all(&a, 0, 8);
	SETUP(!mprotect(area_page(&a, 4), 4 * PAGE, PROT_READ));	/* two mappings now */
	err = area_wp(&a, 0, 8);
	EXPECT_MSG(!err || err == -ENOENT, "WRITEPROTECT over two mappings gives %d", err);
	SETUP(!mprotect(area_page(&a, 4), 4 * PAGE, PROT_READ | PROT_WRITE));
	for (size_t i = 0; i < 8; i += 3) {
		if (err)
			EXPECT_NO_TRAP(&a, area_page(&a, i));
		else
			EXPECT_TRAPS(&a, area_page(&a, i));
	}
}
CASE_ON(BACKINGS_ALL_SMALL, "A14_wp-two-vmas", wp_two_vmas);
