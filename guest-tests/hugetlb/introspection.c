// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel tells of huge pages that are protected, and of protected addresses that have none.
 * Needs: REGISTER(WP) on hugetlbfs, huge pages; for the core dump COREDUMP.
 * Fails on a kernel to which a marker is a page.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "hugetlb.h"
#include "ktap.h"
#include "proc.h"
#include "settings.h"
#include "trap.h"
#include "uffd.h"

#define PAGES 4

/* One page of each kind: protected and there, protected and not there, and not protected. */
static void tells(const struct backing *b)
{
	unsigned char in_core[3 * HUGE / PAGE];
	struct area a;

	area_arm(&a, b, PAGES, 0);
	populate(&a, 0, 1);
	populate(&a, 2, 1);
	REQUIRE_EQ(area_wp(&a, 0, 2), 0);
	EXPECT_EQ(pm_count(a.map, HUGE / PAGE, PM_PRESENT | PM_UFFD_WP, PM_SWAP), HUGE / PAGE);
	EXPECT_EQ(pm_count(area_page(&a, 1), HUGE / PAGE, PM_UFFD_WP, PM_PRESENT | PM_SWAP), HUGE / PAGE);
	EXPECT_EQ(pm(area_page(&a, 1)) & PM_FRAME, 0);
	EXPECT_EQ(pm_count(area_page(&a, 2), HUGE / PAGE, PM_PRESENT, PM_UFFD_WP), HUGE / PAGE);
	SETUP(!mincore(a.map, sizeof(in_core) * PAGE, in_core));
	EXPECT_EQ(in_core[0] & 1, 1);
	EXPECT_EQ(in_core[HUGE / PAGE] & 1, 0);
	EXPECT_EQ(in_core[2 * HUGE / PAGE] & 1, 1);
	EXPECT_EQ(smaps_kb(a.map, "Private_Hugetlb") + smaps_kb(a.map, "Shared_Hugetlb"), 2 * (long)HUGE / 1024);
	EXPECT_TRAPS(&a, area_page(&a, 1));
}
CASE_ON(BACKINGS_HUGETLB, "H16_introspection", tells);

/* How many of all small pages of the area mincore() takes for pages in memory. */
static size_t in_core(const struct area *a)
{
	static unsigned char pages[GIANT / PAGE];
	size_t n = 0;

	SETUP(a->size <= GIANT);
	SETUP(!mincore(a->map, a->size, pages));
	for (size_t i = 0; i < a->size / PAGE; i++)
		n += pages[i] & 1;
	return n;
}

/* One page of 1 GB: not there, then brought in by a read. */
static void tells_of_giant(const struct backing *b)
{
	struct area a;

	area_arm(&a, b, 1, 0);
	EXPECT_EQ(in_core(&a), 0);
	REQUIRE_EQ(area_wp(&a, 0, 1), 0);
	EXPECT_EQ(area_count(&a, PM_UFFD_WP, PM_PRESENT | PM_SWAP), 1);
	EXPECT_EQ(pm(a.map + GIANT - PAGE) & PM_FRAME, 0);
	EXPECT_EQ(in_core(&a), 0);
	EXPECT_EQ(smaps_kb(a.map, "Private_Hugetlb") + smaps_kb(a.map, "Shared_Hugetlb"), 0);
	touch_read(a.map + GIANT / 2);
	EXPECT_EQ(area_count(&a, PM_PRESENT | PM_UFFD_WP, PM_SWAP), 1);
	EXPECT_EQ(in_core(&a), GIANT / PAGE);
	EXPECT_EQ(smaps_kb(a.map, "Private_Hugetlb") + smaps_kb(a.map, "Shared_Hugetlb"), (long)GIANT / 1024);
	EXPECT_TRAPS(&a, a.map + GIANT / 2);
	EXPECT_EQ(area_count(&a, PM_PRESENT, PM_UFFD_WP | PM_SWAP), 1);
}
CASE_ON(BACKINGS_HUGETLB_1G, "H17_1G-introspection", tells_of_giant);

/* A registration for missing pages as well would keep the dump from making any. */
static void abort_with_markers(struct area *a)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	SETUP(!setrlimit(RLIMIT_CORE, &all));
	SETUP(file_write("/proc/self/coredump_filter", "0x7f"));
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	REQUIRE_EQ(area_wp(a, 0, PAGES), 0);
	abort();
}

static void dumped(void)
{
	struct stat file;
	struct area a;
	char text[64];
	int status;
	long free;
	pid_t child;

	if (!file_read("/proc/sys/kernel/core_pattern", text, sizeof(text)))
		SKIP("CONFIG_COREDUMP: there is no core_pattern");
	area_open(&a, &hugetlb_shared, PAGES);
	need_hugetlb_wp(a.page);
	set_file("/proc/sys/kernel/core_pattern", "/core.huge");
	free = hugetlb_free(a.page);
	child = fork();
	SETUP(child >= 0);
	if (!child)
		abort_with_markers(&a);
	SETUP(waitpid(child, &status, 0) == child);
	SETUP_MSG(WIFSIGNALED(status) && WCOREDUMP(status), "no core was dumped: status %#x", status);
	SETUP(!unlink("/core.huge"));
	SETUP(!fstat(a.fd, &file));
	EXPECT_EQ(file.st_blocks, 0);
	EXPECT_EQ(hugetlb_free(a.page), free);
}
CASE("H19_coredump", dumped);
