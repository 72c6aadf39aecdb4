// SPDX-License-Identifier: GPL-2.0
/*
 * R21: UFFDIO_ZEROPAGE where an anonymous huge page is on its way to another node and back.
 * Needs: TRANSPARENT_HUGEPAGE, two NUMA nodes. It does not run on a kernel without write protection of shmem:
 * 5.10 may die of it.
 * Fails on a kernel that takes the entry of such a page for a page table: it writes to memory that the bits of
 * the entry happen to name.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "access.h"
#include "backing.h"
#include "force.h"
#include "ktap.h"
#include "loop.h"
#include "proc.h"
#include "sides.h"
#include "uffd.h"

#define TABLE (HUGE / PAGE)

static void move_on(void *arg)
{
	migrate(arg, 0, 1, MPOL_MF_MOVE);
}

static void fill_migrating(void)
{
	double end = ktap_now() + ktap_budget();
	struct looper mover;
	unsigned long tries = 0;
	long moved;
	struct area a;

	backing_need_wp(&memfd_shared);
	need_migration();
	area_open_aligned(&a, &anon, TABLE, HUGE);
	if (madvise(a.map, a.size, MADV_HUGEPAGE))
		SKIP("CONFIG_TRANSPARENT_HUGEPAGE: MADV_HUGEPAGE: %s", strerror(errno));
	touch_write_all(&a, 0, TABLE);
	SETUP_MSG(huge_mapped_kb(&a) == (long)(a.size >> 10), "%ld kB are mapped huge", huge_mapped_kb(&a));
	area_register(&a, 0, UFFDIO_REGISTER_MODE_MISSING);
	moved = side_migrated();
	loop_start(&mover, move_on, &a);
	for (; ktap_now() < end; tries++)
		EXPECT_EQ(uffd_zeropage(a.uffd, area_page(&a, tries % TABLE), PAGE, 0), -EEXIST);
	loop_end(&mover);
	moved = side_migrated() - moved;
	SETUP_MSG(moved > 0, "no page was moved meanwhile");
	ktap_diag("%lu tries, %ld pages moved", tries, moved);
	for (size_t i = 0; i < TABLE; i++)
		EXPECT_EQ(touch_read(area_page(&a, i)), file_value(i));
}
CASE_BUDGET("R21_fill-migrating", fill_migrating);
