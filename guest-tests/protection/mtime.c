// SPDX-License-Identifier: GPL-2.0
/*
 * The file's times stay sane where write protection makes the kernel notice first writes:
 * the modification time does not go back or into the future, and a write behind the descriptor
 * still moves it.
 * Needs: REGISTER(WP) on shmem.
 * Fails on a kernel whose write-notify path for uffd-wp mappings expects a file system that
 * tracks dirty pages (SIGBUS, a wrong time).
 */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backing.h"
#include "ktap.h"
#include "trap.h"

#define PAGES 4

static double mtime(const struct area *a)
{
	struct stat st;

	SETUP(!fstat(a->fd, &st));
	return st.st_mtim.tv_sec + st.st_mtim.tv_nsec / 1e9;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void times(const struct backing *b)
{
	double opened, written, end;
	struct area a;

	area_arm(&a, b, PAGES, 0);
	area_fill_file(&a, 0, PAGES);
	opened = mtime(&a);
	touch_read_all(&a, 0, PAGES / 2);
	REQUIRE_EQ(area_wp(&a, 0, PAGES), 0);
	for (int i = 0; i < PAGES; i++)
		EXPECT_TRAPS(&a, area_page(&a, i));
	written = mtime(&a);
	end = now();
	EXPECT_MSG(opened <= written && written <= end, "mtime went from %.6f to %.6f; it is %.6f now",
		   opened, written, end);
	SETUP(pwrite(a.fd, "x", 1, 0) == 1);
	EXPECT(mtime(&a) >= written && mtime(&a) <= now());
}
CASE_ON(BACKINGS_FD, "P13_mtime", times);
