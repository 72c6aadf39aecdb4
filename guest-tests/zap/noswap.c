// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel without CONFIG_SWAP has other definitions of the functions that free swap entries, which
 * zap and munmap call for what is not present: markers must pass them, too.
 * Needs: REGISTER(WP) on shmem; a kernel without CONFIG_SWAP (the other cases of this group run there
 * as they do elsewhere).
 * Fails on a kernel whose free_swap_and_cache() does not know markers: 'Bad page map' at munmap.
 */
#include <fcntl.h>
#include <unistd.h>

#include "backing.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"

#define PAGES 16

static void noswap_kernel(const struct backing *b)
{
	struct area a;

	if (!access("/proc/swaps", F_OK))
		SKIP("CONFIG_SWAP is on: this is for a kernel without it");
	area_arm(&a, b, PAGES, 0);
	touch_write_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	SETUP(!madvise(a.map, a.size / 2, MADV_DONTNEED));
	SETUP(!fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, a.size));
	SETUP(!ftruncate(a.fd, 0));
	SETUP(!ftruncate(a.fd, a.size));
	EXPECT_EQ(pm_count(a.map, PAGES, PM_UFFD_WP, PM_PRESENT), PAGES);
	EXPECT_ALL_TRAP(&a, 0, PAGES / 4);
	SETUP(!munmap(a.map, a.size));
	SETUP(mmap(a.map, a.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a.fd, 0) == a.map);
	EXPECT_EQ(pm_count(a.map, PAGES, 0, PM_UFFD_WP | PM_PRESENT | PM_SWAP), PAGES);
	touch_write_all(&a, 0, PAGES);
}
CASE_ON(BACKINGS_FD, "Z15_noswap-kernel", noswap_kernel);
