// SPDX-License-Identifier: GPL-2.0
/*
 * khugepaged makes a huge page of a file that a private mapping has protected: the page table of the
 * private mapping stays, with what it protects, and with pages of its own.
 * Needs: REGISTER(WP) on shmem, CONFIG_TRANSPARENT_HUGEPAGE.
 * Fails on a kernel that keeps page tables of shared mappings only, or of those only that have
 * anonymous pages, or that collapses a page which the private mapping holds protected.
 */
#include <unistd.h>

#include "access.h"
#include "backing.h"
#include "khugepaged.h"
#include "ktap.h"
#include "proc.h"
#include "sweep.h"
#include "thp.h"
#include "uffd.h"

#define QUARTER (TABLE / 4)

/* A quarter each: mapped by reading, zapped, its own pages (if @own), never mapped. All protected. */
static void protect_private(struct area *a, bool own)
{
	need_shmem_wp();
	khugepaged_eager_on_shmem();
	area_open_aligned(a, &memfd_private, TABLE, HUGE);
	area_register(a, 0, UFFDIO_REGISTER_MODE_WP);
	touch_read_all(a, 0, 2 * QUARTER);
	if (own)
		touch_write_all(a, 2 * QUARTER, QUARTER);
	REQUIRE_EQ(area_wp(a, 0, TABLE), 0);
	SETUP(!madvise(area_page(a, QUARTER), QUARTER * PAGE, MADV_DONTNEED));
	REQUIRE_EQ(pm_count(a->map, TABLE, PM_UFFD_WP, 0), TABLE);
}

/* All of the file through a shared mapping, which khugepaged gets to see, if the file is not huge yet; then it is. */
static char *share_and_collapse(const struct area *a)
{
	char *map = mmap(NULL, 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long before = khugepaged_collapsed();

	SETUP(map != MAP_FAILED);
	map = (char *)(((uintptr_t)map + HUGE - 1) / HUGE * HUGE);
	SETUP(mmap(map, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a->fd, 0) == map);
	for (size_t i = 0; i < TABLE; i++)
		touch_write(map + i * PAGE, file_value(i) + TABLE);
	offer_to_khugepaged(map, HUGE);
	while (khugepaged_collapsed() == before && smaps_kb(map, "ShmemPmdMapped") != HUGE_KB)
		usleep(1000);
	SETUP_MSG(fresh_mapping_kb(a) == HUGE_KB, "the file is not huge");
	return map;
}

static void judge_kept(const struct area *a, bool own)
{
	EXPECT_EQ(pm_count(a->map, TABLE, PM_UFFD_WP, 0), TABLE);
	for (size_t i = 0; i < TABLE; i += 3) {
		uint64_t want = own && i / QUARTER == 2 ? file_value(i) : file_value(i) + TABLE;

		EXPECT_EQ(touch_read(area_page(a, i)), want);
	}
	EXPECT_EQ(pm_count(a->map, TABLE, PM_UFFD_WP, 0), TABLE);
	EXPECT_ALL_TRAP(a, 0, TABLE);
}

static void of_file(void)
{
	struct area a;

	protect_private(&a, false);
	share_and_collapse(&a);
	judge_kept(&a, false);
}
CASE("T16_khugepaged-private", of_file);

static void with_own_pages(void)
{
	struct area a;

	protect_private(&a, true);
	share_and_collapse(&a);
	judge_kept(&a, true);
}
CASE("T16_khugepaged-private-own", with_own_pages);

/* khugepaged is sent to the private mapping itself. Whether it goes there is its own business. */
static void offered(void)
{
	struct area a;

	protect_private(&a, true);
	offer_to_khugepaged(a.map, a.size);
	khugepaged_scans(3);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), TABLE);
	share_and_collapse(&a);
	khugepaged_scans(3);
	judge_kept(&a, true);
}
CASE("T16_khugepaged-private-offered", offered);

/* The two mappings of one mm: a marker in the shared one, nothing in the private one. */
static void two_mappings(void)
{
	char *shared;
	struct area a;

	protect_private(&a, false);
	REQUIRE_EQ(area_unwp(&a, 0, TABLE), 0);
	shared = share_and_collapse(&a);
	EXPECT_EQ(pm_count(a.map, TABLE, PM_UFFD_WP, 0), 0);
	EXPECT_NONE_TRAPS(&a, 1, TABLE - 1);
	EXPECT_EQ(touch_read(shared), file_value(0) + TABLE);
}
CASE("T16_khugepaged-private-released", two_mappings);
